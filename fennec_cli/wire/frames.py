"""What the decoders share: gather bytes until a frame is whole, check it, and fail at the right moment.

A frame is what one event is made of: a line of NDJSON; in SSE, the lines up to a blank one. Frames are cut and checked
whole, so that the usual case costs little more than `bytes.split`. Bytes of an unfinished frame are only searched once.
"""

import re
from abc import ABC, abstractmethod
from itertools import islice
from typing import ClassVar

from fennec_cli.errors import ProtocolError
from fennec_cli.wire import Event

MAX_EVENT = 8 * 1024 * 1024


class FrameDecoder(ABC):
    """A `Decoder` for one framing: a subclass says where a frame ends and which event it holds.

    Events that stand before the bytes that break a rule are returned first, and the next call raises: a failure, too,
    comes after the same events however the bytes are split.
    """

    frame_end: ClassVar[re.Pattern[bytes]]

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._skip = b""  # counts for nothing if it comes next
        self._pending = bytearray()  # the unfinished frame
        self._offset = 0  # of the unfinished frame in the stream
        self._given = 0
        self._failure: ProtocolError | None = None

    @abstractmethod
    def _cut(self, data: bytes) -> list[bytes]:
        """Split at every `frame_end`; the last part is the unfinished frame."""

    @abstractmethod
    def _events(self, frames: list[bytes]) -> list[Event]:
        """Return the events of frames that are known to be good."""

    def feed(self, data: bytes) -> list[Event]:
        if self._failure is not None:
            raise self._failure
        if self._skip:
            data = self._skip_start(data)
        if self._pending:
            data = self._join(data)
        frames = self._cut(data)
        rest = frames.pop()
        bad = None if data.isascii() and len(data) <= self._max_event else self._first_bad(frames)
        events = self._events(frames if bad is None else frames[:bad])
        self._given += len(events)
        if bad is not None:
            self._fail(frames[bad], self._offset + self._start(data, bad))
        else:
            self._offset += len(data) - len(rest)
            if rest:
                self._keep(rest)
        if self._failure is not None and not events:
            raise self._failure
        return events

    def close(self) -> list[Event]:
        if self._failure is not None:
            raise self._failure
        return []

    def _skip_start(self, data: bytes) -> bytes:
        data = self._take_pending() + data
        if len(data) < len(self._skip):
            self._pending += data  # no event is as short as that
            return b""
        skip, self._skip = self._skip, b""
        if not data.startswith(skip):
            return data
        self._offset += len(skip)
        return data[len(skip) :]

    def _join(self, data: bytes) -> bytes:
        """Put the unfinished frame before `data`, once it can end: joining at every call would be quadratic."""
        if self.frame_end.search(self._pending[-1:] + data):
            return self._take_pending() + data
        self._keep(data)
        return b""

    def _take_pending(self) -> bytes:
        pending = bytes(self._pending)
        self._pending.clear()
        return pending

    def _keep(self, data: bytes) -> None:
        self._pending += data
        if self._too_long(self._pending):
            self._fail(bytes(self._pending), self._offset)

    def _too_long(self, frame: bytes | bytearray) -> bool:
        """Say whether a frame is over the limit; the end of its last line may have come or not and does not count."""
        return len(frame) > self._max_event and len(frame.removesuffix(b"\n").removesuffix(b"\r")) > self._max_event

    def _first_bad(self, frames: list[bytes]) -> int | None:
        for index, frame in enumerate(frames):
            if self._too_long(frame) or (not frame.isascii() and self._find_not_utf8(frame) >= 0):
                return index
        return None

    def _find_not_utf8(self, frame: bytes) -> int:
        """Return where the first byte stands that is not UTF-8, or -1."""
        try:
            frame.decode()
        except UnicodeDecodeError as error:
            return error.start
        return -1

    def _start(self, data: bytes, index: int) -> int:
        """Return where frame `index` of `data` starts."""
        ends = (end.end() for end in self.frame_end.finditer(data))
        return next(islice(ends, index - 1, None)) if index else 0

    def _fail(self, frame: bytes, offset: int) -> None:
        if self._too_long(frame):
            what = f"longer than {self._max_event} bytes"
        else:
            what = "not UTF-8"
            offset += self._find_not_utf8(frame)
        self._failure = ProtocolError(f"event {self._given + 1}, byte {offset} of the stream: {what}")
