"""The file: records are appended under a lock, each with its number and the hash of the line before.

Whoever finds the last line torn (a kill, a full disk) closes it and says so in a `repair` record. A file that is large
or old is renamed, and the next one begins with a `rotate` record that goes on with number and hash.
"""

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Literal

import orjson

from fennec_cli.audit.records import LONGEST, digest, line
from fennec_cli.private import FilePath, check_directory, make_directory, open_file
from fennec_cli.tuples import NamedTuple

ROTATE_BYTES = 64 * 1024 * 1024
ROTATE_AGE_S = 30 * 24 * 3600.0
LOCK_WAIT_S = 1.0
TOGETHER = 256  # records of one writing
GENESIS = "0" * 64  # the hash of the line before the first
_TAIL = 2 * LONGEST  # a torn line and the whole one before it


class Head(NamedTuple):
    """The last record: its number, and the hash of its line."""

    seq: int
    hash: str


class AuditBusy(OSError):
    """Another process held the lock for longer than we wait."""


class _Record:
    """What a thread wants to write, of which moment, and what came of it."""

    def __init__(self, fields: Mapping[str, Any], moment: float) -> None:
        self.fields, self.moment = fields, moment
        self.head: Head | None = None
        self.failure: OSError | None = None


class AuditLog:
    """Appends to the file at `path`, for any number of threads and processes. Opens nothing before the first record.

    `key` is asked for the secret that vouches for records. `own_directory` is made and must be ours alone.
    """

    def __init__(
        self,
        path: FilePath,
        *,
        key: Callable[[], bytes | None] = lambda: None,
        fsync: Literal["exit", "always", "never"] = "exit",
        keep: int = 12,
        own_directory: bool = True,
        rotate_bytes: int = ROTATE_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = os.fspath(path)
        self._ask_key, self._fsync, self._keep, self._own_directory = key, fsync, keep, own_directory
        self._key: bytes | None = None
        self._rotate_bytes = rotate_bytes
        self._clock = clock
        self._threads = threading.Lock()
        self._waiting: deque[_Record] = deque()
        self._lock_fd = self._fd = -1
        self._file = (0, 0)  # device and inode
        self._size = -1  # of the file when we last wrote, and what its last record was then
        self._head = Head(-1, GENESIS)
        self._began = ""  # the time of the file's first record

    def append(self, fields: Mapping[str, Any]) -> Head:
        """Write one record. Raises `OSError`.

        What other threads want to write meanwhile is written under the same lock.
        """
        own = _Record(fields, self._clock())
        self._waiting.append(own)
        with self._threads:
            while own.head is None and own.failure is None:  # else who was at it before has done it too
                self._append_waiting(own)
        if own.failure is not None:
            raise own.failure
        assert own.head is not None
        return own.head

    def later(self, fields: Mapping[str, Any]) -> None:
        """Have a record written along with the next one, or by `flush`."""
        self._waiting.append(_Record(fields, self._clock()))

    def flush(self) -> None:
        """Write what is to be written `later`, or wait for the thread that is at it. Raises `OSError`."""
        while True:
            with self._threads:
                if not self._waiting:
                    return
                failure = self._append_waiting(None)
            if failure is not None:
                raise failure

    def _append_waiting(self, own: "_Record | None") -> OSError | None:
        records = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
        if not records:
            return None
        try:
            with self._locked():
                self._repair(self._open())
                if self._is_due():
                    self._rotate()
                self._write(records)
        except OSError as error:
            for record in records:
                if record.head is None:
                    record.failure = error
            return error
        except BaseException:  # a signal to this thread: the others' records wait for the next one
            self._waiting.extend(record for record in records if record.head is None and record is not own)
            raise
        return None

    def close(self) -> None:
        """Let go of the file. Raises `OSError` when what was written may not be on the disk."""
        self.flush()
        with self._threads:
            try:
                if self._fd >= 0 and self._fsync == "exit":
                    os.fdatasync(self._fd)
            finally:
                for fd in (self._fd, self._lock_fd):
                    if fd >= 0:
                        os.close(fd)
                self._fd = self._lock_fd = -1

    @contextmanager
    def _locked(self) -> Any:
        if self._lock_fd < 0:
            if self._own_directory:
                try:
                    check_directory(os.path.dirname(self.path))
                except FileNotFoundError:
                    make_directory(os.path.dirname(self.path))
            self._lock_fd = open_file(lock_path(self.path), os.O_RDWR | os.O_CREAT)
            self._key = self._ask_key()
        end = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise AuditBusy(11, "another process holds the lock of the audit log") from None
                time.sleep(0.002)
        try:
            yield
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _open(self) -> int:
        """Have the file open that is at the path now: another process may have rotated it. Return its size."""
        if self._fd >= 0:
            with suppress(FileNotFoundError):
                there = os.stat(self.path)
                if (there.st_dev, there.st_ino) == self._file:
                    return there.st_size
            if self._fsync != "never":
                os.fdatasync(self._fd)
            os.close(self._fd)
            self._fd = -1
        self._fd = open_file(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._size = -1
        opened = os.fstat(self._fd)
        self._file = (opened.st_dev, opened.st_ino)
        return opened.st_size

    def _repair(self, size: int) -> None:
        """Know the last record; close a torn line."""
        if size == self._size:
            return
        if size == 0:
            self._begin()
            return
        self._began = str((_first(self._fd) or {}).get("ts") or _stamp(self._clock()))
        tail = os.pread(self._fd, _TAIL, max(0, size - _TAIL))
        if not tail.endswith(b"\n"):
            os.write(self._fd, b"\n")
            tail += b"\n"
        *before, last = tail[:-1].split(b"\n")
        record = read_record(last)
        if record is not None:
            self._head = Head(record["seq"], digest(last))
            self._size = os.fstat(self._fd).st_size
            return
        good = next((record for record in map(read_record, reversed(before)) if record), None)
        older, previous = ("", Head(good["seq"], "")) if good else self._before()
        begins = {"fennec.previous_file": older, "fennec.previous_sha256": previous.hash} if older else {}
        torn = {"fennec.torn_sha256": digest(last), "fennec.torn_bytes": len(last)}
        self._head = Head(previous.seq, digest(last))
        self._size = os.fstat(self._fd).st_size
        self._write_own({"event": "repair", **torn, **begins})

    def _begin(self) -> None:
        """Begin a file: a new chain, or the next part of the one in the files that were renamed."""
        self._size, self._began = 0, _stamp(self._clock())
        older, self._head = self._before()
        if older:
            self._write_own({"event": "rotate", "fennec.previous_file": older})

    def _before(self) -> tuple[str, Head]:
        """Return the name of the file that was renamed last, if there is one, and its last record."""
        older = rotated(self.path)
        if not older:
            return "", Head(-1, GENESIS)
        fd = open_file(older[-1], os.O_RDONLY)
        try:
            data = os.pread(fd, _TAIL, max(0, os.fstat(fd).st_size - _TAIL))
        finally:
            os.close(fd)
        last = data.rstrip(b"\n").rpartition(b"\n")[2]
        record = read_record(last)
        return os.path.basename(older[-1]), Head(record["seq"], digest(last)) if record else Head(-1, GENESIS)

    def _is_due(self) -> bool:
        if self._size <= 0:
            return False
        return self._size >= self._rotate_bytes or self._began < _stamp(self._clock() - ROTATE_AGE_S)

    def _rotate(self) -> None:
        os.fdatasync(self._fd)
        os.rename(self.path, f"{self.path}.{self._head.seq:012}")
        for old in rotated(self.path)[: -self._keep]:
            with suppress(FileNotFoundError):
                os.unlink(old)
        self._repair(self._open())

    def _write_own(self, fields: Mapping[str, Any]) -> None:
        self._write([_Record(fields, self._clock())])

    def _write(self, records: Sequence[_Record]) -> None:
        head, heads, lines = self._head, [], []
        for record in records:
            fields = {"ts": _stamp(record.moment), "seq": head.seq + 1, "prev": head.hash, **record.fields}
            data = line(fields, self._key)
            head = Head(head.seq + 1, digest(data))
            heads.append(head)
            lines.append(data)
        data = b"\n".join([*lines, b""])
        written = os.write(self._fd, data)
        if written < len(data):
            self._size = -1
            raise OSError(28, "the audit record was written in part only")
        if self._fsync == "always":
            os.fdatasync(self._fd)
        self._head, self._size = head, self._size + written
        for record, own in zip(records, heads, strict=True):
            record.head = own


def lock_path(path: FilePath) -> str:
    return f"{os.fspath(path).removesuffix('.jsonl')}.lock"


def rotated(path: FilePath) -> list[str]:
    """Return the files that were `path` before, oldest first."""
    directory, name = os.path.split(path)
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    mark = f"{name}."
    return [
        os.path.join(directory, each) for each in sorted(names) if each.startswith(mark) and each[len(mark) :].isdigit()
    ]


def read_record(data: bytes) -> dict[str, Any] | None:
    """Return the record of a line, or None if it is none."""
    try:
        record = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("seq"), int) else None


def _first(fd: int) -> dict[str, Any] | None:
    return read_record(os.pread(fd, LONGEST, 0).partition(b"\n")[0])


def _stamp(moment: float) -> str:
    """RFC 3339 with microseconds, in UTC: as texts, later ones are greater."""
    return f"{_second(int(moment))}.{int(moment % 1 * 1e6):06}Z"


@lru_cache(maxsize=2)
def _second(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
