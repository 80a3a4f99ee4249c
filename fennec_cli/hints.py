"""How long a server asks us to wait, read from its response headers. Pure, but for the wall clock as an argument."""

import math
import re
from collections.abc import Mapping

from fennec_cli.chunk import ObservedLimits

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return the wait in seconds that `headers` (lower-case names) ask for, or None.

    Order: `retry-after-ms`, `retry-after` in seconds, `retry-after` as a date (against the response's own `date`
    header where there is one, so that a wrong local clock does not matter, else against `now`, Unix seconds), then the
    reset header of a limit that is exhausted: OpenAI's as a duration, Anthropic's as a moment (RFC 3339), taken like a
    date. Negative, infinite and unreadable values are passed over.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if value is not None:
        seconds = _number(value)
        if seconds is None:
            seconds = _until(_http_date(value), headers, now)
        if seconds is not None:
            return seconds
    resets = [
        reset
        for kind in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0"
        and (reset := duration_s(headers.get(f"x-ratelimit-reset-{kind}", ""))) is not None
    ]
    resets += [
        reset
        for kind in ("requests", "tokens", "input-tokens", "output-tokens")
        if headers.get(f"anthropic-ratelimit-{kind}-remaining") == "0"
        and (reset := _until(_rfc3339(headers.get(f"anthropic-ratelimit-{kind}-reset", "")), headers, now)) is not None
    ]
    return max(resets, default=None)


def observed_limits(headers: Mapping[str, str], *, now: float) -> ObservedLimits | None:
    """Return what the headers say about rate limits, or None; what is absent, negative or unreadable is None.

    OpenAI's and Azure's `x-ratelimit-remaining-requests` and its siblings (resets as durations or seconds), Anthropic's
    `anthropic-ratelimit-requests-remaining` (resets as moments), and OpenRouter's `x-ratelimit-remaining` (reset in
    milliseconds since 1970; its limit counts a time that is not said).
    """
    tokens = _scarcest_tokens(headers)
    found = ObservedLimits(
        _first(headers, "x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit"),
        _first(
            headers,
            "x-ratelimit-remaining-requests",
            "anthropic-ratelimit-requests-remaining",
            "x-ratelimit-remaining",
        ),
        _reset_s(headers, "requests", now),
        _first(headers, "x-ratelimit-limit-tokens", "anthropic-ratelimit-tokens-limit"),
        _first(headers, "x-ratelimit-remaining-tokens", f"anthropic-ratelimit-{tokens}-remaining"),
        _reset_s(headers, tokens, now),
    )
    return found if any(value is not None for value in found) else None


def _scarcest_tokens(headers: Mapping[str, str]) -> str:
    """Anthropic limits input and output apart, too: the name of the kind that is used up, or of both together."""
    kinds = ("tokens", "input-tokens", "output-tokens")
    return next(
        (kind for kind in kinds if _number(headers.get(f"anthropic-ratelimit-{kind}-remaining")) == 0), "tokens"
    )


def _first(headers: Mapping[str, str], *names: str) -> float | None:
    return next((value for name in names if (value := _number(headers.get(name))) is not None), None)


def _reset_s(headers: Mapping[str, str], kind: str, now: float) -> float | None:
    """Seconds until there is more of one kind, whichever way it is said."""
    duration = duration_s(headers.get(f"x-ratelimit-reset-{kind}", ""))
    if duration is not None:
        return duration
    moment = _rfc3339(headers.get(f"anthropic-ratelimit-{kind}-reset", ""))
    if moment is None and kind == "requests":
        milliseconds = _number(headers.get("x-ratelimit-reset"))
        moment = None if milliseconds is None else milliseconds / 1000
    return _until(moment, headers, now)


def duration_s(text: str) -> float | None:
    """Read a duration as servers write it (`120ms`, `1s`, `6m0s`, `1h2m3.5s`, or plain seconds)."""
    seconds = _number(text)
    if seconds is not None:
        return seconds
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return math.fsum(float(number) * _UNIT_S[unit] for number, unit in parts)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _until(moment: float | None, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until a moment, by the server's own clock where it says the time."""
    if moment is None:
        return None
    server_now = _http_date(headers.get("date", ""))
    return max(0.0, moment - (now if server_now is None else server_now))


def _http_date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _rfc3339(text: str) -> float | None:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
