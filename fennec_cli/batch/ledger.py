"""The ledger of a batch that can be resumed: an append-only file of results.

A line of text says what the file is; then come records: a head (kind, length, checksums, hashes of the row's id and of
its content) and a payload. The finished results, one after the other, are the stream that the output receives: what was
delivered is a position in it. A record that a crash cut short is cut off at the next start.
"""

import fcntl
import os
import re
import stat
import threading
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from struct import Struct

from fennec_cli import signals
from fennec_cli.batch.offsets import Offsets
from fennec_cli.errors import InputError, IntegrityError, OutputError, UsageError
from fennec_cli.tuples import NamedTuple

_HEAD = Struct("<cIIQ16s16sI")  # kind, length and checksum of the payload, stream position, id, content, own checksum
_FINISHED, _FAILED, _DELIVERED, _OUTPUT, _TAIL = b"F", b"E", b"D", b"O", b"T"
_KINDS = frozenset((_FINISHED, _FAILED, _DELIVERED, _OUTPUT, _TAIL))
_POSITION = Struct("<QQ")
_TITLE = re.compile(rb"fennec ledger 1 ([a-z]+)\n")
_NOBODY = bytes(16)
_SPAN = 256 * 1024  # bytes read at once
_CHECKED = 64 * 1024 * 1024  # of the end of the file: what a power cut may have left half written
_COUNTED = 4096  # results from whose size that of the others is guessed
_SPARSE = 512  # finished results between two positions that are remembered


class Output(NamedTuple):
    """A file that the stream goes to: stream position `first` is at its byte `base`."""

    base: int
    first: int


class Entry(NamedTuple):
    """A result to keep. `content` is the hash of the row that it answers."""

    row_id: str
    content: bytes
    lines: bytes
    finished: bool


class Ledger:
    """One ledger file, open and locked. `damage` is the number of bytes that were cut off its end."""

    def __init__(self, path: str, form: str) -> None:
        self._path = path
        self._lock = threading.Lock()  # of the index: rows are looked up in threads
        self._title = f"fennec ledger 1 {form}\n".encode()
        self._offsets = Offsets(self._id_at)
        self._marks: tuple[list[int], list[int]] = ([], [])  # stream positions, offsets
        self.count = 0  # finished results
        self.total = 0  # their bytes
        self.delivered = 0
        self.tail = 0  # bytes that followed the stream in the output
        self.output: Output | None = None
        self._fd = self._opened()
        try:
            self.damage = self._read()
        except BaseException:
            self.close()
            raise
        self._begin = self._end  # where this run's records are

    def content_of(self, row_id: str) -> bytes | None:
        """Return the content's hash of a finished row, or None."""
        key = _hash(row_id.encode())
        with self._lock:
            offset = self._offsets.get(key)
        return None if offset is None else _HEAD.unpack(self._at(offset, _HEAD.size))[5]

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep results, and return when they are safe."""
        records, found, place, total = [], [], self._end, self.total
        for entry in entries:
            key = _hash(entry.row_id.encode())
            record = _record(_FINISHED if entry.finished else _FAILED, entry.lines, total, key, entry.content)
            if entry.finished:
                found.append((key, place, total))
                total += len(entry.lines)
            records.append(record)
            place += len(record)
        with signals.postponed:
            self._write(b"".join(records), safe=True)
            with self._lock:
                for key, place, position in found:
                    self._note(key, place, position)
            self.total = total
            if found:
                self.tail = 0

    def mark_delivered(self) -> None:
        """All that is finished was written."""
        self.delivered = self.total
        self._write(_record(_DELIVERED, b"", self.total))

    def mark_output(self, output: Output) -> None:
        self.output = output
        self._write(_record(_OUTPUT, _POSITION.pack(*output), self.total))

    def mark_tail(self, length: int) -> None:
        """Something of this length that is no finished result follows the stream."""
        self.tail = length
        self._write(_record(_TAIL, _POSITION.pack(length, 0), self.total), safe=True)

    def results(self, position: int) -> Iterator[bytes]:
        """Yield the stream from a position on, result by result; the first may be the rest of one."""
        marks, offsets = self._marks
        mark = bisect_right(marks, position) - 1
        for at, payload in self._records(offsets[mark] if mark >= 0 else len(self._title), _FINISHED):
            if at + len(payload) > position:
                yield payload[max(0, position - at) :]

    def failures(self) -> Iterator[bytes]:
        """Yield the lines of the rows that failed in this run."""
        for _, payload in self._records(self._begin, _FAILED):
            yield payload

    def last_bytes(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes of the stream before a position."""
        begin = max(0, position - size)
        data = bytearray()
        for result in self.results(begin):
            data += result
            if len(data) >= position - begin:
                break
        return bytes(data[: position - begin])

    def close(self) -> None:
        os.close(self._fd)

    def _opened(self) -> int:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(f"cannot open the ledger {self._path} ({error.strerror})") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise self._no_ledger()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise UsageError(f"another process uses the ledger {self._path}", hint="wait for it to end") from None
        return fd

    def _read(self) -> int:
        size = os.fstat(self._fd).st_size
        title = os.pread(self._fd, len(self._title) + 32, 0).partition(b"\n")[0] + b"\n"
        if size == 0 or (size < len(self._title) and self._title.startswith(title[:-1])):
            os.ftruncate(self._fd, 0)
            self._end = 0
            self._write(self._title, safe=True)
            return 0
        if title != self._title:
            begun = _TITLE.fullmatch(title)
            if begun is None:
                raise self._no_ledger()
            form = begun[1].decode()
            raise UsageError(
                f"the ledger {self._path} was begun with --format {form}", hint="use that, or a new ledger"
            )
        self._end = size
        self._offsets = Offsets(self._id_at, self._expected(size))
        end = self._scan(size)
        if end < size:
            os.ftruncate(self._fd, end)
        self._end = end
        return size - end

    def _no_ledger(self) -> InputError:
        return InputError(f"{self._path} is no ledger", hint="name a file that --resume made, or a new one")

    def _expected(self, size: int) -> int:
        """Guess from its beginning how many results a ledger of this size has, somewhat more than less."""
        place, count = len(self._title), 0
        while count < _COUNTED and len(head := self._at(place, _HEAD.size)) == _HEAD.size:
            kind, length, *_ = _HEAD.unpack(head)
            count += kind == _FINISHED
            place += _HEAD.size + length
        return size * count // place * 17 // 16 if count == _COUNTED else count

    def _scan(self, size: int) -> int:
        """Take in every record that is whole; return where the last one ends."""
        place, span, begin = len(self._title), b"", 0
        while True:
            if place + _HEAD.size > begin + len(span):
                begin, span = place, self._at(place, _SPAN)
                if len(span) < _HEAD.size:
                    return place
            head = span[place - begin : place - begin + _HEAD.size]
            kind, length, checksum, position, key, _, own = _HEAD.unpack(head)
            end = place + _HEAD.size + length
            if kind not in _KINDS or own != zlib.crc32(head[:-4]) or end > size:
                return place
            if kind in (_OUTPUT, _TAIL) and length != _POSITION.size:
                return place
            payload = b""
            if end > size - _CHECKED or kind in (_OUTPUT, _TAIL):
                inside = place - begin + _HEAD.size
                payload = span[inside : inside + length]
                if len(payload) < length:
                    payload = self._at(place + _HEAD.size, length)
                if zlib.crc32(payload) != checksum:
                    return place
            if kind == _FINISHED:
                self._note(key, place, position)
                self.total, self.tail = position + length, 0
            elif kind == _DELIVERED:
                self.delivered = position
            elif kind == _OUTPUT:
                self.output = Output(*_POSITION.unpack(payload))
            elif kind == _TAIL:
                self.tail = _POSITION.unpack(payload)[0]
            place = end

    def _note(self, key: bytes, place: int, position: int) -> None:
        if self.count % _SPARSE == 0:
            self._marks[0].append(position)
            self._marks[1].append(place)
        self.count += 1
        self._offsets.put(key, place)

    def _records(self, place: int, wanted: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield stream position and payload of the records of a kind, from an offset on."""
        while place < self._end:
            kind, length, checksum, position, *_ = _HEAD.unpack(self._at(place, _HEAD.size))
            if kind == wanted:
                payload = self._at(place + _HEAD.size, length)
                if zlib.crc32(payload) != checksum:
                    raise IntegrityError(f"the ledger {self._path} is damaged at byte {place}", hint="begin a new one")
                yield position, payload
            place += _HEAD.size + length

    def _write(self, data: bytes, *, safe: bool = False) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            if safe:
                os.fdatasync(self._fd)
        except OSError as error:
            raise OutputError(f"cannot write the ledger {self._path} ({error.strerror})") from error
        self._end += len(data)

    def _at(self, place: int, size: int) -> bytes:
        return os.pread(self._fd, size, place)

    def _id_at(self, offset: int) -> bytes:
        return self._at(offset + _KEY_PLACE, 16)


_KEY_PLACE = Struct("<cIIQ").size


def content_hash(data: bytes) -> bytes:
    return _hash(data)


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def _record(kind: bytes, payload: bytes, position: int, key: bytes = _NOBODY, content: bytes = _NOBODY) -> bytes:
    head = _HEAD.pack(kind, len(payload), zlib.crc32(payload), position, key, content, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "little") + payload
