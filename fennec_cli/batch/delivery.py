"""From the ledger to the output: exactly once into a regular file, at least once into a pipe.

What a file has of the ledger's stream is seen from its length and its last bytes. What failed, and the summary, follow
the stream, and are cut off when the run is taken up again: a row that failed is sent anew.
"""

import os
import stat
from collections.abc import Iterator, Sequence

from fennec_cli import signals
from fennec_cli.batch.ledger import Entry, Ledger, Output
from fennec_cli.errors import OutputError
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import Sink

_COMPARED = 4096  # bytes before the place where we go on
_AT_ONCE = 1024 * 1024


class FileDelivery:
    """Delivers into the regular file that `fd` is open on; `file` is the same file, open for reading too."""

    def __init__(self, ledger: Ledger, sink: Sink, fd: int, file: int, *, lines: bool, notes: Notes) -> None:
        self._ledger, self._sink, self._fd, self._file = ledger, sink, fd, file
        self._lines, self._notes = lines, notes

    def begin(self) -> None:
        """Bring the file to where the ledger is."""
        position = self._position()
        os.lseek(self._fd, 0, os.SEEK_END)
        if position < self._ledger.total:
            for data in _gathered(self._ledger.results(position)):
                self._sink.write(data)

    def deliver(self, entries: Sequence[Entry]) -> None:
        with signals.postponed:  # the file has the stream without a gap, whatever comes
            self._ledger.append(entries)
            self._sink.write(b"".join(entry.lines for entry in entries if entry.finished))
            self._ledger.mark_delivered()  # for a run that goes on into a pipe

    def end(self, summary: bytes) -> None:
        """Write what failed, from the ledger, and the summary."""
        length = sum(map(len, self._ledger.failures())) + len(summary)
        self._ledger.mark_tail(length)
        for data in _gathered(self._ledger.failures()):
            self._sink.write(data)
        self._sink.write(summary)
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise OutputError(f"cannot write the output ({error.strerror})") from error

    def _position(self) -> int:
        """Return the position in the stream where the file goes on, after cutting off what is to be written anew."""
        ledger, size = self._ledger, os.fstat(self._file).st_size
        known = ledger.output
        if known is None or size < known.base:
            return self._new(size, 0, again=ledger.count if known else 0)
        reached = size - known.base + known.first
        position = min(reached, ledger.total)
        place = known.base + position - known.first
        length = min(_COMPARED, position - known.first)
        if os.pread(self._file, length, place - length) != ledger.last_bytes(position, length):
            return self._new(size, 0, again=ledger.count)
        if reached == position:
            return position
        if reached - position > ledger.tail:  # not by us
            return self._new(size, ledger.total)
        self._cut(place)
        return position

    def _new(self, size: int, first: int, *, again: int = 0) -> int:
        if again:
            self._notes.warn(f"the output has none of the {again} results in the ledger: all of them are written to it")
        if self._lines and size and os.pread(self._file, 1, size - 1) != b"\n":
            os.lseek(self._fd, 0, os.SEEK_END)
            self._sink.write(b"\n")
            size += 1
        self._ledger.mark_output(Output(size, first))
        return first

    def _cut(self, size: int) -> None:
        try:
            os.ftruncate(self._file, size)
        except OSError as error:
            raise OutputError(f"cannot cut the output ({error.strerror})") from error


class PipeDelivery:
    """Delivers into anything else. `repeated` marks lines that may have been written before."""

    def __init__(self, ledger: Ledger, sink: Sink, *, marks: bool) -> None:
        self._ledger, self._sink, self._marks = ledger, sink, marks

    def begin(self) -> None:
        if self._ledger.delivered >= self._ledger.total:
            return
        for data in _gathered(self._ledger.results(self._ledger.delivered)):
            self._sink.write(repeated(data) if self._marks else data)
        self._ledger.mark_delivered()

    def deliver(self, entries: Sequence[Entry]) -> None:
        self._ledger.append(entries)
        self._sink.write(b"".join(entry.lines for entry in entries))
        if not signals.stopping():  # else the sink does not wait for a slow reader
            self._ledger.mark_delivered()

    def end(self, summary: bytes) -> None:
        self._sink.write(summary)


Delivery = FileDelivery | PipeDelivery


def delivery(ledger: Ledger, sink: Sink, fd: int, *, lines: bool, notes: Notes) -> Delivery:
    """Return how the output that `fd` is open on gets its results. `lines`: they are JSON, one object a line."""
    if stat.S_ISREG(os.fstat(fd).st_mode):
        try:  # `>>` is open for writing only
            file = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            notes.say(1, "the output cannot be read: what it has already may be repeated")
        else:
            return FileDelivery(ledger, sink, fd, file, lines=lines, notes=notes)
    return PipeDelivery(ledger, sink, marks=lines)


def repeated(lines: bytes) -> bytes:
    """Say in each object that it may have been written before."""
    return b"".join(line[:-1] + b',"replayed":true}\n' for line in lines.split(b"\n")[:-1])


def _gathered(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Join parts to pieces of about a megabyte; each piece is whole parts."""
    gathered: list[bytes] = []
    size = 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= _AT_ONCE:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
