"""diskcache, made safe and quick for us: bytes only, private files, short waits, and a broken database is replaced.

diskcache unpickles what it finds in its database (CVE-2025-69872): who can write the file can run code in the process
that reads it. `ByteDisk` reads and writes bytes only and unpickles nothing, and the directory is ours alone.

Opening an existing database is the usual case and writes nothing (diskcache writes 18 settings each time). Making one,
and replacing a broken one, happens under a lock: two processes that do it at once break it.
"""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fennec_cli.private import FilePath, make_directory, open_file
from fennec_cli.store import BUSY_S, StoreBusy, StoreFailed
from fennec_cli.store.lean import core
from fennec_cli.store.rows import (
    DBNAME,
    FILE_NAME,
    FINISHED,
    KEY,
    LOCK,
    OnNetwork,
    Rejected,
    StoreBroken,
    connected,
    is_being_made,
    translated,
    value_of,
    wait,
)

DEFAULT_SETTINGS, ENOVAL, METADATA, UNKNOWN = core.DEFAULT_SETTINGS, core.ENOVAL, core.METADATA, core.UNKNOWN

CREATE_S = 5.0  # how long for one that makes the database
_LIMIT = "size_limit"  # the one setting that runs may have each their own of
_FILES = (DBNAME, f"{DBNAME}-wal", f"{DBNAME}-shm")
# File systems on which SQLite's locks or its memory map cannot be relied on.
_NETWORK = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "glusterfs", "lustre", "afs", "beegfs", "gpfs")


class ByteDisk(core.Disk):  # type: ignore[misc] # diskcache has no types
    """Keys are 64 hexadecimal digits, values are bytes. Anything else is `Rejected`, and nothing is unpickled."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise TypeError("a key is 64 hexadecimal digits")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or not isinstance(key, str) or not KEY.fullmatch(key):
            raise Rejected
        return key

    def store(self, value: object, read: bool, key: object = UNKNOWN) -> tuple[int, int, str | None, object]:
        if read or not isinstance(value, bytes):
            raise TypeError("a value is bytes")
        row: tuple[int, int, str | None, object] = super().store(value, False, key=key)
        return row

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        if read:
            raise Rejected
        return value_of(self._directory, mode, filename, value)

    def remove(self, file_path: object) -> None:
        if isinstance(file_path, str) and FILE_NAME.fullmatch(file_path):
            super().remove(file_path)

    def _write(self, full_path: str, iterator: Any, _mode: str, _encoding: str | None = None) -> int:
        """Write a value's file, with modes that do not depend on the umask."""
        directory = os.path.dirname(full_path)
        for folder in (os.path.dirname(directory), directory):
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700)
                os.chmod(folder, 0o700)
        fd = os.open(full_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as file:
                os.fchmod(fd, 0o600)
                return sum(file.write(data) for data in iterator)
        except BaseException:
            os.unlink(full_path)
            raise


class DiskCache(core.Cache):  # type: ignore[misc]
    """A `diskcache.Cache` on `ByteDisk`. Raises `StoreFailed` where it cannot be opened.

    Its methods raise what diskcache and sqlite3 raise: put calls into a `with translated():`. `busy_s` is how long it
    waits for other processes, in seconds; `rejected` counts planted rows that were thrown away; `settings` are
    diskcache's, and `inode` says which file it is.
    """

    def __init__(self, directory: FilePath, *, busy_s: float = BUSY_S, **settings: Any) -> None:
        self.busy_s = busy_s
        self.rejected = 0
        self._place = Path(directory)
        self._wanted = {**DEFAULT_SETTINGS, **settings}
        self.inode = 0
        self._prepare()
        with translated():
            make_directory(directory)
        try:
            ready = self._opened()
        except StoreBroken:
            self.replace()
            return
        except StoreBusy:
            if not is_being_made(directory):
                raise
            ready = False
        if not ready:
            self._make()

    def get(self, key: str, default: Any = None, **options: Any) -> Any:
        """Return the value, or `default`; a planted row is deleted and counts as none."""
        try:
            return super().get(key, default, **options)
        except Rejected:
            self.reject(key)
            return default

    def reject(self, key: str) -> None:
        """Throw away a row that is not ours."""
        self.rejected += 1
        self.delete(key)

    def volume(self) -> int:
        """Bytes on the disk that hold something: pages that were emptied are used again before the file grows."""
        ((pages,),) = self._sql("PRAGMA page_count").fetchall()
        ((empty,),) = self._sql("PRAGMA freelist_count").fetchall()
        return int((pages - empty) * self._page_size + self.reset("size"))

    def names(self) -> Iterator[str]:
        """Yield all keys, in no order, expired ones too; planted rows are deleted."""
        last = 0
        while True:
            rows = self._sql(
                "SELECT rowid, key, raw FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT 500", (last,)
            ).fetchall()
            if not rows:
                return
            for last, key, raw in rows:
                try:
                    yield self._disk.get(key, raw)
                except Rejected:
                    self.rejected += 1
                    self._sql("DELETE FROM Cache WHERE rowid = ?", (last,))

    def replace(self) -> None:
        """Put a broken database aside (one at most is kept) and make a new one. Raises `StoreFailed`."""
        with translated(), self._locked():
            self.close()
            if self.inode == self._inode_now():  # else another process was quicker
                self._put_aside()
            if not self._opened():
                self._create()

    def _prepare(self) -> None:
        """What diskcache's own opening begins with."""
        self._directory = str(self._place)
        self._timeout = 0.0  # waiting is ours: SQLite's steps grow to 100 ms, and the last in line would wait long
        self._local = threading.local()
        self._txn_id: int | None = None

    def _opened(self) -> bool:
        """Open a database that is as we make them; False if there is none, or one with other settings."""
        self.inode = self._inode_now()
        if not self.inode:
            return False
        with translated():
            try:
                found = dict(self._sql("SELECT key, value FROM Settings").fetchall())
            except sqlite3.OperationalError as error:
                if "no such table" not in str(error):
                    raise
                found = {}
            self._check(found)
            ((finished,),) = self._sql("PRAGMA user_version").fetchall()
            others = {key for key, value in self._wanted.items() if found.get(key) != value}
            if finished != FINISHED or not found.keys() >= {*METADATA, _LIMIT} or others - {_LIMIT}:
                self.close()
                return False
            if others:
                found[_LIMIT] = self._wanted[_LIMIT]
                self._sql("UPDATE Settings SET value = ? WHERE key = ?", (found[_LIMIT], _LIMIT))
            self._disk = ByteDisk(self._directory, self._wanted["disk_min_file_size"], 0)
            for key, value in found.items():
                setattr(self, key, value)
            ((self._page_size,),) = self._sql("PRAGMA page_size").fetchall()
        return True

    def _check(self, found: dict[object, object]) -> None:
        """A damaged table may hold anything, and diskcache would use it."""
        known = {*self._wanted, *METADATA}
        if not found.keys() <= known or not all(isinstance(found.get(key, 0), int) for key in METADATA):
            raise StoreBroken("the settings are damaged")

    @property
    def _con(self) -> sqlite3.Connection:
        """This thread's connection. diskcache's own reads its settings from the table."""
        if getattr(self._local, "pid", None) != os.getpid():  # a fork does not use its parent's
            self.close()
            self._local.pid = os.getpid()
        connection: sqlite3.Connection | None = getattr(self._local, "con", None)
        if connection is None:
            connection = connected(str(self._place / DBNAME), self._wanted, self.busy_s)
            self._local.con = connection
        return connection

    def _make(self) -> None:
        if _is_network(self._place):
            raise OnNetwork(f"{self._place} is on a network file system")
        with translated(), self._locked():
            if not self._opened():
                self._create()

    def _create(self) -> None:
        if os.path.expandvars(self._place) != self._directory:  # diskcache would go elsewhere
            raise StoreFailed(f"{self._place} has a variable in its name")
        # The side files get its mode. One that is there is not opened: to close it would end the locks of all that this
        # process has open, and somebody else would take its log away (fcntl(2)).
        with suppress(FileExistsError):
            os.close(open_file(self._place / DBNAME, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        super().__init__(self._directory, timeout=0, disk=ByteDisk, **self._wanted)
        self._sql(f"PRAGMA user_version = {FINISHED}")
        self.inode = self._inode_now()

    def _inode_now(self) -> int:
        with suppress(OSError):
            return os.stat(self._place / DBNAME).st_ino
        return 0

    def _put_aside(self) -> None:
        import shutil

        for older in self._place.glob("corrupt-*"):
            shutil.rmtree(older, ignore_errors=True)
        aside = self._place / f"corrupt-{int(time.time())}"
        aside.mkdir(0o700)
        for name in _FILES:
            with suppress(FileNotFoundError):
                os.rename(self._place / name, aside / name)

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        fd = open_file(self._place / LOCK, os.O_RDWR | os.O_CREAT)
        try:
            wait(lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB), CREATE_S)
            yield
        finally:
            os.close(fd)

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run a statement of our own."""
        return self._sql(statement, values)

    @property
    def _sql(self) -> Callable[..., sqlite3.Cursor]:
        """Run a statement, and wait for other processes no longer than we want."""
        execute = self._con.execute
        return lambda statement, *values: wait(lambda: execute(statement, *values), self.busy_s)

    @property
    def _sql_retry(self) -> Callable[..., sqlite3.Cursor]:
        return self._sql  # diskcache's own waits for a minute

    @contextmanager
    def _transact(self, retry: bool = False, filename: str | None = None) -> Generator[Any, None, None]:  # noqa: ARG002
        """Like diskcache's own, but for the wait, and for failures that SQLite has rolled back itself."""
        sql = self._sql
        removed: list[str | None] = []
        outermost = self._txn_id != threading.get_ident()
        if outermost:
            try:
                sql("BEGIN IMMEDIATE")
            except BaseException:
                self._disk.remove(filename)
                raise
            self._txn_id = threading.get_ident()
        try:
            yield sql, removed.append
            if outermost:
                self._txn_id = None  # before the end: another thread that waits for it sets its own
                sql("COMMIT")
        except BaseException:
            if outermost:
                self._txn_id = None
                with suppress(sqlite3.Error):
                    sql("ROLLBACK")
            raise
        for name in removed:
            self._disk.remove(name)

    def reset(self, key: str, value: Any = ENOVAL, update: bool = True) -> Any:
        """Read or change a setting; like diskcache's own, but for the wait."""
        if value is ENOVAL:
            ((value,),) = self._sql("SELECT value FROM Settings WHERE key = ?", (key,)).fetchall()
        else:
            if update:
                self._sql("UPDATE Settings SET value = ? WHERE key = ?", (value, key))
            if key.startswith("sqlite_"):
                self._pragma(key.removeprefix("sqlite_"), value)
            elif key.startswith("disk_"):
                setattr(self._disk, key.removeprefix("disk_"), value)
        setattr(self, key, value)
        return value

    def _pragma(self, name: str, value: object) -> None:
        rows = self._sql(f"PRAGMA {name}").fetchall()
        if not rows or rows[0][0] != value:
            self._sql(f"PRAGMA {name} = {value}").fetchall()


def _is_network(path: Path) -> bool:
    """Whether the directory is on a network file system, as far as Linux tells (proc(5), mountinfo)."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            before, _, after = line.partition(" - ")
            if before.split(" ", 3)[2] == wanted:
                return after.startswith(_NETWORK)
    return False
