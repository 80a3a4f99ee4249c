"""Bytes to events, incremental and pure."""

from typing import Protocol

from fennec_cli.errors import ProtocolError
from fennec_cli.tuples import NamedTuple


class Event(NamedTuple):
    """One frame of the wire. `data` is valid UTF-8; `type` is `message` where the wire names none."""

    data: bytes
    type: str = "message"
    id: str = ""


class Decoder(Protocol):
    """Cut a byte stream into events, however the bytes are split.

    Both methods raise `ProtocolError` with event number and byte offset for bytes that break the framing or a limit.
    """

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of any length and return the events that they complete."""
        ...

    def close(self) -> list[Event]:
        """Say that no more bytes come; return what the end of the stream completes."""
        ...


def check_depth(data: bytes, limit: int = 64) -> None:
    """Refuse JSON that is nested deeper than `limit`, before a parser meets it. Does not check that it is JSON."""
    if data.count(b"[") + data.count(b"{") > limit and _depth(data) > limit:
        raise ProtocolError(f"JSON is nested deeper than {limit} levels")


def _depth(data: bytes) -> int:
    import re

    # Only brackets outside strings are left. A string that never ends counts up to the end of the data: a pattern that
    # failed there would start again behind every escaped quote, which takes quadratic time.
    brackets = re.sub(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[^"\[\]{}]++', b"", data, flags=re.DOTALL)
    depth = deepest = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
