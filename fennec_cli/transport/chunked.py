"""Take the chunk framing off an HTTP/1.1 body, for the usual case. Pure.

Servers send each event as a chunk of its own, and h11 needs 14 us for each. This needs 1, and gives what one network
read brought in one piece. Everything unusual, and the last chunk with its trailers, is left to h11, which judges it.
"""

import re

# The line end after a chunk's data and the next chunk's size. Source: RFC 9112, section 7.1.
_FRAMING = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n")
_MAX_FRAMING = 64  # bytes; a chunk extension may be longer, but who sends one?


class Dechunker:
    """Cuts until `done`; `rest` is then what a parser that saw nothing of the body yet shall go on with."""

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # bytes of the chunk under way that have not come yet
        self._framing = b"\r\n"  # what came between two chunks so far; before the first one, as if behind another

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes in `data`."""
        data = self._framing + data
        position, parts = 0, []
        while True:
            if self._left:
                part = data[position : position + self._left]
                parts.append(part)
                position += len(part)
                self._left -= len(part)
            framing = _FRAMING.match(data, position)
            size = int(framing[1], 16) if framing else 0
            if not framing or not size:
                break
            self._left, position = size, framing.end()
        self._framing = data[position:]
        self.done = framing is not None or self._is_unusual
        return b"".join(parts)

    @property
    def _is_unusual(self) -> bool:
        framing = self._framing
        return not _may_begin(framing) or b"\n" in framing[2:] or len(framing) > _MAX_FRAMING

    @property
    def rest(self) -> bytes:
        if self._left:
            return b"%x\r\n" % self._left
        if _may_begin(self._framing):
            return self._framing[2:]
        return b"\r\n"  # no chunk begins like this, as no chunk goes on after its end: it is refused


def _may_begin(framing: bytes) -> bool:
    return b"\r\n".startswith(framing[:2])
