"""Lengths of time as people write them: `500ms`, `30s`, `2m`, `1h30m`, `7d`, or a number of seconds."""

import math

EXAMPLES = "500ms, 30s, 2m, 1h30m, 7d or a number of seconds"

# Longer ones overflow the clocks of the operating system; 10,000 days are 27 years.
LONGEST = 10_000 * 86_400.0

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_WITH_UNITS = "".join(rf"(?:({_NUMBER}){unit})?" for unit in _UNITS)


def parse_duration(value: str | float) -> float:
    """Return seconds. Units go from large to small, each at most once; 0 is legal.

    Raises ValueError for anything else: other text, negative, infinite or longer than 10,000 days.
    """
    seconds = _seconds(value) if isinstance(value, str) else value
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"a duration lies between 0 and 10000d, not {value!r:.40}")
    return float(seconds)


def _seconds(text: str) -> float:
    import re

    if re.fullmatch(_NUMBER, text):
        return float(text)
    match = re.fullmatch(_WITH_UNITS, text)
    if not match or not text:
        raise ValueError(f"not a duration: {text!r:.40} (write {EXAMPLES})")
    amounts = zip(match.groups(default="0"), _UNITS.values(), strict=True)
    return math.fsum(float(amount) * unit for amount, unit in amounts)
