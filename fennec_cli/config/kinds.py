"""The types of configuration values. A kind takes what TOML gives and returns what we keep, or raises ValueError.

The message continues the key's name ("... must be a number") and never repeats the value: it may be a secret.
"""

import math
from collections.abc import Callable

from fennec_cli.duration import EXAMPLES, parse_duration

Kind = Callable[[object], object]

# What fits into 64 bits: larger ones cannot be written into a request.
_LARGEST = 2**63 - 1
_HEADER_NAME = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    return value


def name(value: object) -> str:
    """Text that names something, so it cannot be empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a name in quotes, not empty")
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def texts(value: object) -> tuple[str, ...]:
    """One text or a list of them."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in items):
        raise ValueError("must be text in quotes or a list of such")
    return tuple(items)


def duration(value: object) -> float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            return parse_duration(value)
        except ValueError:
            pass
    raise ValueError(f"must be a duration: {EXAMPLES}")


def integer(low: int = -_LARGEST - 1, high: int = _LARGEST) -> Kind:
    limit = f" from {low} to {high}" if high < _LARGEST else f" from {low} on" if low > -_LARGEST else ""

    def kind(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"must be a whole number{limit}")
        return value

    return kind


def number(low: float, high: float = math.inf) -> Kind:
    limit = f"from {low:g} on" if math.isinf(high) else f"from {low:g} to {high:.15g}"

    def kind(value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            try:
                if math.isfinite(result := float(value)):
                    return result
            except OverflowError:  # an integer of more than 308 digits
                pass
        raise ValueError(f"must be a number {limit}")

    return kind


usd = number(0, 1e9)  # whole nano-dollars have room in 64 bits


def failures(value: object) -> str:
    """A number of rows, or a percentage as text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError('must be a whole number, or a percentage such as "5%"')
    return str(value)


def size(value: object) -> int:
    """A number of bytes, or a text such as `256MiB`."""
    from fennec_cli.size import EXAMPLES as SIZES
    from fennec_cli.size import parse_size

    if isinstance(value, str | int) and not isinstance(value, bool):
        try:
            return parse_size(value)
        except ValueError:
            pass
    raise ValueError(f"must be a size: {SIZES}")


def choice(*choices: str) -> Kind:
    def kind(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return kind


def provider_name(value: object) -> str:
    """A name that can stand before the slash of a model and inside a variable's name."""
    if isinstance(value, str):
        bare = value.replace("-", "").replace("_", "")
        if bare.isascii() and bare.isalnum():
            return value
    raise ValueError("must have a name of letters, digits, - and _")


def header_name(value: object) -> str:
    """RFC 9110 section 5.6.2, token."""
    if not isinstance(value, str) or not value or not _HEADER_NAME.issuperset(value.lower()):
        raise ValueError("is not the name of an HTTP header")
    return value


def header_value(value: object) -> str:
    """Printable ASCII: everything else could end the header or is refused by servers."""
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        raise ValueError("must be text in quotes, printable ASCII")
    return value


def keep_alive(value: object) -> object:
    """Ollama's own form: a duration as text, or seconds as a number (negative: for ever)."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a duration in quotes or a number of seconds")
    return value


def free_table(value: object) -> object:
    """A table that is the provider's business; its JSON form is sent as it stands."""
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return value


def backend(value: object) -> str:
    """Where shared state is kept: here, or on a server; `values.server_url` looks closer at its address."""
    schemes = ("redis://", "rediss://", "unix://", "${")
    if isinstance(value, str) and (value == "disk" or value.startswith(schemes)):
        return value
    raise ValueError('must be "disk" or the address of a server, redis://, rediss:// or unix://')


def command(value: object) -> tuple[str, ...]:
    """A program and its arguments; no shell is involved."""
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ValueError("must be a list of texts: the program and its arguments")
    return tuple(value)


def certificate(value: object) -> tuple[str, ...]:
    """A file with certificate and key, or a list of the two files."""
    paths = tuple(value) if isinstance(value, list) else (value,)
    if len(paths) > 2 or not paths or not all(isinstance(path, str) and path for path in paths):
        raise ValueError("must be a file in quotes, or a list of two: certificate and key")
    return paths


def filter_rules(value: object) -> tuple[dict[str, str], ...]:
    """What the filter looks for besides its own rules: a name, an expression with bounds, and a class."""
    from fennec_cli.rules.pattern import BadPattern, parse

    if not isinstance(value, list):
        raise ValueError("must be tables with name, pattern and class")
    for rule in value:
        if not isinstance(rule, dict) or set(rule) != {"name", "pattern", "class"}:
            raise ValueError("must have name, pattern and class, and nothing else")
        if not isinstance(rule["name"], str) or not rule["name"].replace("-", "").isalnum() or len(rule["name"]) > 40:
            raise ValueError("must have names of letters, digits and -")
        if rule["class"] not in ("secrets", "pii"):
            raise ValueError("must have secrets or pii as their class")
        if not isinstance(rule["pattern"], str):
            raise ValueError("must have a pattern in quotes")
        try:
            parse(rule["pattern"])
        except BadPattern as error:
            raise ValueError(f"has a pattern ({rule['name']}) that {error}") from None
    return tuple(value)


def regions(value: object) -> tuple[dict[str, str], ...]:
    """Places that serve the same model, in order of fallback."""
    known = {"name", "endpoint", "deployment"}
    if not isinstance(value, list) or not value:
        raise ValueError("must be tables with name, endpoint and deployment")
    for region in value:
        if not isinstance(region, dict) or not {"name", "endpoint"} <= set(region) <= known:
            raise ValueError("must have name and endpoint, may have deployment, and nothing else")
        if not all(isinstance(item, str) and item for item in region.values()):
            raise ValueError("must hold texts only")
    return tuple(value)
