"""Decompress an answer that comes compressed although we asked for identity, without trusting its size."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from fennec_cli.errors import ProtocolError

if TYPE_CHECKING:
    import zlib

PIECE = 1024 * 1024
MAX_RATIO = 200  # text reaches 10, repetitive JSON 50; deflate itself can reach 1032
_STEP = (
    64 * 1024
)  # zlib hands back a copy of what it did not use: many small members in one big feed would be quadratic
_GZIP, _ZLIB, _RAW = 31, 15, -15  # window bits, as zlib counts them


class Inflater:
    """Decompress one body. `encoding` is its Content-Encoding: gzip or deflate.

    Every method raises `ProtocolError` for bytes that are not what they should be.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower().removeprefix("x-")
        if self._encoding not in ("gzip", "deflate"):
            raise ProtocolError(f"the answer has Content-Encoding {encoding[:40]!r}, though identity was asked for")
        self._stream: zlib._Decompress | None = None
        self._taken = 0
        self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes and yield what they hold, in pieces of at most 1 MiB, as far as the caller reads."""
        for start in range(0, len(data), _STEP):
            yield from self._feed_step(data[start : start + _STEP])

    def close(self) -> None:
        """Say that the body is over. Raises if the compressed stream is not. A body without any byte is empty."""
        if self._stream is not None and not self._stream.eof:
            raise ProtocolError(f"the {self._encoding} body is cut short")

    def _feed_step(self, data: bytes) -> Iterator[bytes]:
        import zlib

        while data:
            if self._stream is None or (self._stream.eof and self._encoding == "gzip"):  # gzip: perhaps several members
                self._stream = zlib.decompressobj(self._window_bits(data[0]))
            if self._stream.eof:
                raise ProtocolError(f"bytes after the end of the {self._encoding} body")
            data = yield from self._inflate(self._stream, data)

    def _window_bits(self, first: int) -> int:
        # "deflate" means zlib (RFC 9110, section 8.4.1.2), but some servers send it raw. A zlib stream starts with
        # method 8 in the low four bits; a raw one would need a stored block with a padding bit set: nobody writes that.
        if self._encoding == "gzip":
            return _GZIP
        return _ZLIB if first & 15 == 8 else _RAW

    def _inflate(self, stream: zlib._Decompress, data: bytes) -> Generator[bytes, None, bytes]:
        """Yield the pieces that `data` holds; return the bytes behind the end of the stream."""
        import zlib

        piece = b""
        while data or len(piece) == PIECE:  # a full piece may have left more inside zlib
            try:
                piece = stream.decompress(data, PIECE)
            except zlib.error as error:
                raise ProtocolError(f"the {self._encoding} body is corrupt ({error})") from error
            rest = stream.unused_data if stream.eof else stream.unconsumed_tail
            self._taken += len(data) - len(rest)
            self._given += len(piece)
            if self._given > max(PIECE, MAX_RATIO * self._taken):
                raise ProtocolError(f"the {self._encoding} body grows more than {MAX_RATIO}-fold")
            if piece:
                yield piece
            if stream.eof:
                return rest
            data = rest
        return b""
