"""Where bytes go: a descriptor, or a file that appears whole or not at all."""

import os
import select
import stat
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from fennec_cli import signals
from fennec_cli.errors import OutputError

_ATOMIC = 4096  # PIPE_BUF: what a writable pipe takes at once
_CLOSING_S = 0.3  # how long the last lines of an interrupted run may take, if their reader is slow


class ReaderGone(BaseException):
    """Whoever reads our output closed it. Not an error: the program ends quietly, as a filter does."""


class Sink(Protocol):
    def write(self, data: bytes, /) -> None:
        """Write all of `data`. Raises `ReaderGone` for a closed pipe and `OutputError` for anything else."""
        ...

    def commit(self) -> None:
        """Make what was written final."""
        ...

    def discard(self) -> None:
        """Give up: a file leaves nothing behind. Does nothing after `commit`."""
        ...


class DescriptorSink:
    """Standard output: one `write` call per piece, looped where the system takes only a part.

    A signal may come while a slow reader keeps us waiting. How far we came is known then, so that the closing lines
    follow what was written: a line is never torn, nor written twice.
    """

    def __init__(self, fd: int, *, closed: bool = False, name: str = "standard output") -> None:
        self._fd = fd
        self._closed = closed
        self._name = name
        self._rest = memoryview(b"")  # not written when a signal came
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    @property
    def fd(self) -> int:
        return self._fd

    def write(self, data: bytes) -> None:
        if self._closed:
            raise OutputError("standard output is closed", hint="redirect it, or use -o FILE")
        self._rest = memoryview(bytes(self._rest) + data if self._rest else data)
        if signals.stopping():
            self._write_closing()
        else:
            while self._rest and not signals.stopping():  # else it is for the closing lines
                if self._poll.poll(signals.TICK_S * 1000):
                    self._write_some(len(self._rest))

    def _write_closing(self) -> None:
        end = time.monotonic() + _CLOSING_S
        with suppress(ReaderGone, OutputError):  # the signal says more than a reader that it stopped too
            while self._rest and self._poll.poll(max(0.0, end - time.monotonic()) * 1000):
                self._write_some(_ATOMIC)

    def _write_some(self, size: int) -> None:
        try:
            with signals.postponed:  # else we would not learn how much was written
                self._rest = self._rest[os.write(self._fd, self._rest[:size]) :]
        except BrokenPipeError:
            raise ReaderGone from None
        except BlockingIOError:
            return
        except OSError as error:
            self._rest = self._rest[:0]
            raise _failed(self._name, error) from error

    def commit(self) -> None:
        pass

    def discard(self) -> None:
        pass


class FileSink:
    """A file written beside its place and renamed on `commit`. Nothing stays there before the first write."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._temporary: str | None = None
        self._fd = -1

    def check(self) -> None:
        """Raise `OutputError` now if the file cannot be made, before anything is paid for."""
        self._open()
        os.close(self._fd)
        self.discard()

    def write(self, data: bytes) -> None:
        self._open()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise _failed(self._path, error) from error

    def commit(self) -> None:
        self._open()
        assert self._temporary is not None
        try:
            os.fsync(self._fd)
            os.close(self._fd)
            os.replace(self._temporary, self._path)
            _sync_directory(os.path.dirname(self._path) or ".")
        except OSError as error:
            self.discard()
            raise _failed(self._path, error) from error
        self._temporary = None

    def discard(self) -> None:
        if self._temporary is not None:
            temporary, self._temporary = self._temporary, None
            with suppress(OSError):  # its directory may be gone
                os.unlink(temporary)

    def _open(self) -> None:
        if self._temporary is not None:
            return
        directory, name = os.path.split(self._path)
        # Not the process id: in a container it may be the one of a run that was killed, or of one that is under way.
        temporary = os.path.join(directory, f".{name[:200]}.{os.urandom(6).hex()}.part")
        try:
            self._fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _failed(self._path, error) from error
        self._temporary = temporary


def open_output(path: str | None = None) -> Sink:
    """Return the sink for `path`, or standard output for None. A device or a named pipe is written into; only a
    regular file can be replaced.

    Raises `OutputError` now if it cannot be made, before anything is paid for.
    """
    if path is None:
        return DescriptorSink(1, closed=sys.stdout is None)
    try:
        mode = os.stat(path).st_mode
    except OSError:
        mode = stat.S_IFREG  # it does not exist yet, or making it will say what is wrong
    if stat.S_ISREG(mode):
        sink = FileSink(os.path.realpath(path))  # a link stays a link
        sink.check()
        return sink
    try:
        return DescriptorSink(os.open(path, os.O_WRONLY | os.O_CLOEXEC), name=path)
    except OSError as error:
        raise _failed(path, error) from error


def write_out(data: bytes, path: str | None = None) -> None:
    """Write what is ready to `path`, whole or not at all, or to standard output. Raises `OutputError`, `ReaderGone`."""
    write_parts((data,), path)


def write_parts(parts: Iterable[bytes], path: str | None = None) -> None:
    """Write each of `parts` as it comes, as `write_out` does. What `parts` raises leaves no file either.

    What is shown on a terminal must not drive it: control characters are left out there.
    """
    sink = open_output(path)
    if path is None and os.isatty(1):
        from fennec_cli.stages.printable import cleaned

        parts = map(cleaned, parts)
    try:
        for part in parts:
            sink.write(part)
        sink.commit()
    finally:
        sink.discard()


def open_appending(path: str) -> DescriptorSink:
    """Return a sink that adds to what is in `path`. Raises `OutputError`."""
    try:
        return DescriptorSink(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666), name=path)
    except OSError as error:
        raise _failed(path, error) from error


def _failed(place: str, error: OSError) -> OutputError:
    return OutputError(f"cannot write {place} ({error.strerror})", hint="check space and permissions")


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
