"""Take the chunk framing off an HTTP/1.1 body, for the usual case. Pure.

Servers send each event as a chunk of its own, and h11 needs 14 us for each. This needs 1, and gives what one network
read brought in one piece. Everything unusual, and the last chunk with its trailers, is left to h11, which judges it.
"""

import re

from fennec_cli.errors import ProtocolError

# The line end after a chunk's data and the next chunk's size. Source: RFC 9112, section 7.1.
_FRAMING = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n")


class Dechunker:
    """Cuts until `done`; `rest` is then what a stricter parser that saw nothing yet shall go on with."""

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # bytes of the chunk under way that have not come yet
        self._framing = b"\r\n"  # bytes between two chunks that came so far; before the first one they count as begun

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes in `data`. Raises `ProtocolError` for a chunk that is longer than it says."""
        data = self._framing + data
        position, parts = 0, []
        while True:
            if self._left:
                part = data[position : position + self._left]
                parts.append(part)
                position += len(part)
                self._left -= len(part)
            framing = _FRAMING.match(data, position)
            if framing is None:
                break
            self._left = int(framing[1], 16)
            if not self._left:
                self.done = True
                break
            position = framing.end()
        self._framing = data[position:]
        self.done = self.done or b"\n" in self._framing[2:] or len(self._framing) > 64
        if not b"\r\n".startswith(self._framing[:2]):
            raise ProtocolError("the server's answer is not whole HTTP (a chunk is longer than it says)")
        return b"".join(parts)

    @property
    def rest(self) -> bytes:
        if self._left:
            return b"%x\r\n" % self._left
        return self._framing[2:]
