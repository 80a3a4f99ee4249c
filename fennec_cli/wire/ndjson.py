"""JSON objects, one a line. Lines end at LF; a CR before it is dropped; blank lines count for nothing."""

import re
from typing import ClassVar

from fennec_cli.wire import Event
from fennec_cli.wire.frames import FrameDecoder


class NDJSONDecoder(FrameDecoder):
    """Cut a stream of lines into events. Only a last line without LF is looked at as JSON."""

    frame_end: ClassVar[re.Pattern[bytes]] = re.compile(rb"\n")

    def close(self) -> list[Event]:
        """Return the last line though it has no LF, if it is whole: that is, if it parses as JSON."""
        events = super().close()
        if not self._pending:
            return events
        import orjson

        last = self._take_pending()
        try:
            orjson.loads(last)
        except orjson.JSONDecodeError:
            return events
        return events + self._events([last])

    def _cut(self, data: bytes) -> list[bytes]:
        return data.split(b"\n")

    def _events(self, frames: list[bytes]) -> list[Event]:
        return [Event(frame.removesuffix(b"\r")) for frame in frames if frame and not frame.isspace()]
