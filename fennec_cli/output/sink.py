"""Where bytes go: a descriptor, or a file that appears whole or not at all."""

import errno
import os
from typing import Protocol

from fennec_cli.errors import OutputError


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
    """Standard output: one `write` call per piece, looped where the system takes only a part."""

    def __init__(self, fd: int, *, closed: bool = False) -> None:
        self._fd = fd
        self._closed = closed

    def write(self, data: bytes) -> None:
        if self._closed:
            raise OutputError("standard output is closed", hint="redirect it, or use -o FILE")
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BrokenPipeError:
                raise ReaderGone from None
            except BlockingIOError:
                _wait_writable(self._fd)
            except OSError as error:
                raise _failed("standard output", error) from error

    def commit(self) -> None:
        pass

    def discard(self) -> None:
        pass


class FileSink:
    """A file written beside its place and renamed on `commit`. Nothing is created before the first write."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._temporary: str | None = None
        self._fd = -1

    def check(self) -> None:
        """Raise `OutputError` now if the file cannot be made, before anything is paid for."""
        self._open()

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
            os.unlink(temporary)

    def _open(self) -> None:
        if self._temporary is not None:
            return
        directory, name = os.path.split(self._path)
        temporary = os.path.join(directory, f".{name[:200]}.{os.getpid()}.part")
        try:
            if os.path.isdir(self._path):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise _failed(self._path, error) from error
        self._temporary = temporary


def _failed(place: str, error: OSError) -> OutputError:
    return OutputError(f"cannot write {place} ({error.strerror})", hint="check space and permissions")


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _wait_writable(fd: int) -> None:
    import select

    select.select([], [fd], [])
