"""JSON objects from the wire."""

from typing import Any

import orjson

from fennec_cli.errors import ProtocolError, ProviderError
from fennec_cli.wire import check_depth

_MOST_USD = 1e6  # that an answer may cost


def json_object(data: bytes) -> dict[str, Any]:
    """Parse one JSON object. Raises `ProtocolError` for anything else, and for one that is nested too deeply."""
    check_depth(data)
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ProtocolError(f"the provider sent invalid JSON ({error.msg} at character {error.pos})") from None
    if not isinstance(document, dict):
        raise ProtocolError(f"the provider sent a JSON {type(document).__name__} where an object belongs")
    return document


def text_of(value: Any) -> str:
    """Return a field that must be text. Raises `TypeError`, which decoders turn into a `ProtocolError`."""
    if not isinstance(value, str):
        raise TypeError(f"text is a {type(value).__name__}")
    return value


def text_or_none(value: Any) -> str | None:
    """Like `text_of`, of a field that may be missing."""
    return None if value is None else text_of(value)


def name_of(value: Any) -> str | None:
    """Return a model's name or an answer's id, None for what is none: an answer is one without it too."""
    return value if isinstance(value, str) and value else None


def index_of(value: Any) -> int:
    """Return a number that tells choices or calls apart. Raises `TypeError` for what is none."""
    if type(value) is not int or value < 0:
        raise TypeError(f"an index is {value!r:.40}")
    return value


def arguments_of(value: Any) -> str:
    """Return the arguments of a tool call, or a piece of them, as JSON text; some servers send an object."""
    return orjson.dumps(value).decode() if isinstance(value, dict) else text_of(value)


def tokens_of(value: Any) -> int:
    """Return a number of tokens, 0 where it is missing. Raises `TypeError` or `ValueError` for what is none."""
    number = float(value or 0)
    if not 0 <= number <= 2**53:
        raise ValueError(f"{value!r:.40} tokens")
    return int(number)


def usd_of(value: Any) -> float | None:
    """Return what a provider says that its answer cost; None for what cannot be true: the price list says it then."""
    try:
        cost = float(value)
    except (TypeError, ValueError):
        return None
    return cost if 0 <= cost <= _MOST_USD else None


def reported_error(fault: Any) -> ProviderError:
    """Classify an error object inside a stream of one of OpenAI's dialects; its table is imported when it is needed."""
    from fennec_cli.dialects.openai_errors import error_from_event

    return error_from_event(fault)
