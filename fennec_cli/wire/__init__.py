"""Bytes to events, incremental and pure."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
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
