"""The rows of a database that `DiskCache` has made, on plain sqlite3: most runs only read some and change a few.

Importing diskcache takes as long as everything else that a run does with its databases. It is for making them, for
replacing a broken one, and for dropping what is too much. Values are bytes, keys 64 hexadecimal digits; everything else
in a row is `Rejected`, and nothing is unpickled.

A process that ends does not close its database: the last one that does so makes SQLite copy its log into the database,
wait for the disk and remove the log, and the next one makes a new log: 20 ms and more, where a cached answer takes 60.
To end without is as safe as to be killed.
"""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from fennec_cli.private import FilePath, check_directory
from fennec_cli.store import BUSY_S, StoreBusy, StoreFailed

if TYPE_CHECKING:
    from fennec_cli.store.disk import DiskCache

DBNAME = "cache.db"
LOCK = "init.lock"  # of who makes the database
KEY = re.compile("[0-9a-f]{64}")
FILE_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
# SQLite's own mark for applications, set when the last table is made: who opens it before would miss one.
FINISHED = 1
_OF_A_CONNECTION = {"synchronous": 1, "cache_size": 2**10, "mmap_size": 2**22}
_RAW, _BINARY = 1, 2  # diskcache's modes of values: in the row, or in a file of its own
# What a new database helps against. Everything else that goes wrong, a full disk or quota above all, says nothing
# against what is in it.
_BROKEN = {
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_IOERR_READ,
    sqlite3.SQLITE_IOERR_SHORT_READ,
    sqlite3.SQLITE_IOERR | 33 << 8,  # SQLITE_IOERR_CORRUPTFS, which SQLite has from 3.34 on
}
_BROKEN_TEXTS = ("Could not decode", "no such table")  # of Python, and a general error
_UPDATE = """UPDATE Cache SET store_time = ?, expire_time = NULL, access_time = ?, access_count = 0, tag = NULL,
    size = 0, mode = 1, filename = NULL, value = ? WHERE key = ? AND raw = 1"""
_INSERT = """INSERT INTO Cache
    (store_time, expire_time, access_time, access_count, tag, size, mode, filename, value, key, raw)
    VALUES (?, NULL, ?, 0, NULL, 0, 1, NULL, ?, ?, 1)"""


class StoreBroken(StoreFailed):
    """The database is damaged: `replace` helps."""


class OnNetwork(StoreFailed):
    """The directory is on a file system that several machines may share."""


class Rejected(Exception):
    """A row of the database that we did not write."""


class Rows:
    """One connection, for one thread at a time. Raises `StoreFailed` where it cannot be opened; its methods raise what
    sqlite3 raises: put calls into a `with translated():`.

    `busy_s` is how long it waits for other processes, in seconds; `rejected` counts planted rows that were thrown away;
    `settings` are diskcache's, of a database that has to be made.
    """

    def __init__(self, directory: FilePath, *, busy_s: float = BUSY_S, **settings: Any) -> None:
        self.busy_s = busy_s
        self.rejected = 0
        self._place = os.fspath(directory)
        self._settings = settings
        self._connection: sqlite3.Connection | None = None
        self._pid = 0
        self._inode = 0
        with translated(), suppress(FileNotFoundError):
            check_directory(directory)
        try:
            with translated():
                ready = self._is_ready()
        except StoreBusy:
            if not is_being_made(directory):
                raise
            ready = False
        if not ready:
            self.made().close()

    def made(self) -> "DiskCache":
        """Return the database as diskcache's, made where there is none. Raises `StoreFailed`."""
        from fennec_cli.store.disk import DiskCache

        self.close()
        return DiskCache(self._place, busy_s=self.busy_s, **self._settings)

    def get(self, key: str) -> bytes | None:
        """Return a value, or None; a planted row is deleted and counts as none."""
        found = self.counted(key)
        return None if found is None else found[0]

    def counted(self, key: str) -> tuple[bytes, int] | None:
        """Return a value and how often it was read before."""
        statement = "SELECT access_count, mode, filename, value FROM Cache WHERE key = ? AND raw = 1"
        for count, mode, filename, value in self.execute(statement, (key,)).fetchall():
            try:
                return value_of(self._place, mode, filename, value), int(count)
            except (Rejected, TypeError, ValueError):
                self.reject(key)
            except FileNotFoundError:  # dropped a moment ago
                pass
        return None

    def get_all(self, keys: Sequence[str]) -> list[bytes | None]:
        """Read values in one statement; what is not a plain one of ours goes the long way, which throws it away."""
        marks = ",".join("?" * len(keys))
        rows = self.execute(
            f"SELECT key, mode, filename, value FROM Cache WHERE raw = 1 AND key IN ({marks})", tuple(keys)
        ).fetchall()
        found: dict[str, bytes | None] = {}
        for key, mode, filename, value in rows:
            plain = mode == _RAW and filename is None and isinstance(value, bytes)
            found[key] = value if plain else self.get(key)
        return [found.get(key) for key in keys]

    def overwrite(self, key: str, value: bytes) -> None:
        """Replace a plain value."""
        self.execute("UPDATE Cache SET store_time = ?, value = ? WHERE key = ? AND raw = 1", (time.time(), value, key))

    def set(self, key: str, value: bytes) -> None:
        """Put a short value into its row, for ever."""
        if not KEY.fullmatch(key):
            raise TypeError("a key is 64 hexadecimal digits")
        now = time.time()
        if not self.execute(_UPDATE, (now, now, value, key)).rowcount:
            self.execute(_INSERT, (now, now, value, key))

    def delete(self, key: str) -> None:
        """Drop a row; a file of its own is swept up later."""
        self.execute("DELETE FROM Cache WHERE key = ? AND raw = 1", (key,))

    def reject(self, key: str) -> None:
        """Throw away a row that is not ours."""
        self.rejected += 1
        self.delete(key)

    def names(self) -> Iterator[str]:
        """Yield all keys, in no order, expired ones too; planted rows are deleted."""
        last = 0
        while True:
            rows = self.execute(
                "SELECT rowid, key, raw FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT 500", (last,)
            ).fetchall()
            if not rows:
                return
            for last, key, raw in rows:
                if raw and isinstance(key, str) and KEY.fullmatch(key):
                    yield key
                else:
                    self.rejected += 1
                    self.execute("DELETE FROM Cache WHERE rowid = ?", (last,))

    @contextmanager
    def transact(self) -> Generator[None, None, None]:
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._con.execute("ROLLBACK")
            raise

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run a statement, and wait for other processes no longer than we want."""
        execute = self._con.execute
        return wait(lambda: execute(statement, values), self.busy_s)  # type: ignore[no-any-return]

    def replace(self) -> None:
        """Put a broken database aside and make a new one, unless another process was quicker. Raises `StoreFailed`."""
        inode = self._inode
        cache = self.made()
        if cache.inode == inode:
            cache.replace()
        cache.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _is_ready(self) -> bool:
        """Whether there is a database that is as we make them."""
        if not os.path.exists(os.path.join(self._place, DBNAME)):
            return False
        try:
            found = dict(self.execute("SELECT key, value FROM Settings").fetchall())
            ((finished,),) = self.execute("PRAGMA user_version").fetchall()
        except UnicodeDecodeError:
            return False
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise
            return False  # it is made at the moment, or broken: `DiskCache` knows what to do
        return finished == FINISHED and all(found.get(key) == value for key, value in self._settings.items())

    @property
    def _con(self) -> sqlite3.Connection:
        if self._pid != os.getpid():  # a fork does not use its parent's
            self.close()
            self._pid = os.getpid()
        if self._connection is None:
            place = os.path.join(self._place, DBNAME)
            self._connection = connected(place, self._settings, self.busy_s)
            self._inode = os.stat(place).st_ino
        return self._connection


def connected(place: str, settings: Mapping[str, Any], busy_s: float) -> sqlite3.Connection:
    """Open a database, with what has to be set for each connection."""
    connection = sqlite3.connect(place, timeout=0, isolation_level=None, check_same_thread=False)
    for name, default in _OF_A_CONNECTION.items():
        statement = f"PRAGMA {name} = {settings.get(f'sqlite_{name}', default)}"
        wait(lambda: connection.execute(statement).fetchall(), busy_s)  # noqa: B023 - called at once
    return connection


def is_being_made(directory: FilePath) -> bool:
    """Whether another process makes or replaces the database at the moment."""
    import fcntl

    with suppress(OSError), open(os.path.join(directory, LOCK), "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def value_of(directory: str, mode: object, filename: object, value: object) -> bytes:
    """Return the value of a row. Raises `Rejected` for one that we did not write, `OSError` where its file is gone."""
    if mode == _RAW and isinstance(value, bytes) and filename is None:
        return value
    if mode != _BINARY or not isinstance(filename, str) or not FILE_NAME.fullmatch(filename):
        raise Rejected
    fd = os.open(os.path.join(directory, filename), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return file.read()


@contextmanager
def translated() -> Generator[None, None, None]:
    """Turn what diskcache, SQLite and the system raise into `StoreFailed`."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error) or type(error).__name__
        if "locked" in text:
            raise StoreBusy("another process holds it") from error
        if _is_broken(error):
            raise StoreBroken(text) from error
        raise StoreFailed(text) from error
    except UnicodeDecodeError as error:  # in what SQLite says about a damaged schema
        raise StoreBroken("the schema is damaged") from error
    except Rejected as error:
        raise StoreFailed("a row is not ours") from error
    except OSError as error:
        raise StoreFailed(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")) from error


def _is_broken(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF == sqlite3.SQLITE_CORRUPT or code in _BROKEN or str(error).startswith(_BROKEN_TEXTS)


def wait(action: Callable[[], Any], limit_s: float) -> Any:
    """Do `action`, again and again while somebody else holds the lock, for at most `limit_s` seconds.

    Who has waited for longer asks more often, or the last in line would stay it: with 16 processes that do nothing else
    the slowest of a hundred updates takes 17 ms so, 32 to 46 with even steps.
    """
    begin = 0.0
    while True:
        try:
            return action()
        except (BlockingIOError, sqlite3.OperationalError) as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" not in str(error):
                raise
            now = time.monotonic()
            begin = begin or now
            if now - begin >= limit_s:
                raise StoreBusy("another process holds it") from error
        import random  # who need not wait does not pay for it

        time.sleep(random.uniform(0.5, 1.0) * max(0.0001, 0.003 - 0.3 * (now - begin)))
