"""Where cached answers lie on the disk: bytes by name, the least recently read going first when there are too many."""

import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from fennec_cli.private import FilePath, open_file
from fennec_cli.store import BUSY_S, StoreBusy
from fennec_cli.store.rows import Rows, StoreBroken, translated
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.store.disk import DiskCache

CULLED_AT_ONCE = 64  # most entries that one writing drops
ORPHANS_EVERY_S = 86_400.0
ORPHAN_AGE_S = 3600.0
SETTINGS: dict[str, Any] = {
    "eviction_policy": "least-recently-used",
    "cull_limit": CULLED_AT_ONCE,
    "disk_min_file_size": 2**18,  # smaller values stay in the database: one write, and nothing to leave behind
    "sqlite_mmap_size": 2**24,
    "sqlite_cache_size": 2**9,
}
_COUNT = "UPDATE Settings SET value = value + ? WHERE key = ?"
_TOUCH = "UPDATE Cache SET access_time = ?, access_count = access_count + ? WHERE key = ? AND raw = 1"
_T = TypeVar("_T")


class Stored(NamedTuple):
    """A value and how often it was read before."""

    data: bytes
    reads: int


class DiskShelf:
    """A `Shelf` in a directory of ours. A database that turns out to be broken is replaced.

    `limit` in bytes; other processes are waited for as many seconds as `busy_s` says each time.
    """

    def __init__(self, directory: FilePath, *, limit: int, busy_s: Callable[[], float] = lambda: BUSY_S) -> None:
        self._directory = os.fspath(directory)
        self._busy_s = busy_s
        self._settings = {**SETTINGS, "size_limit": limit}
        self._rows = Rows(directory, busy_s=busy_s(), **self._settings)
        self._opened: DiskCache | None = None  # for what drops other entries
        self._lock = threading.Lock()  # of the connection
        self._wrote = False

    def read(self, name: str) -> Stored | None:
        found = self._do(lambda rows: rows.counted(name))
        return None if found is None else Stored(*found)

    def write(self, name: str, data: bytes, lifetime_s: float, *, missed: bool) -> None:
        def work(cache: "DiskCache") -> None:
            with cache.transact():
                cache.set(name, data, expire=lifetime_s)
                if missed:
                    cache.execute(_COUNT, (1, "misses"))

        self._wrote = True
        self._with_cache(work)

    def touch(self, names: Sequence[str]) -> None:
        def work(rows: Rows) -> None:
            now = time.time()
            with rows.transact():
                for each, count in Counter(names).items():
                    rows.execute(_TOUCH, (now, count, each))
                rows.execute(_COUNT, (len(names), "hits"))

        with suppress(StoreBusy):
            self._do(work)

    def drop(self, names: Sequence[str]) -> None:
        self._with_cache(lambda cache: _drop(cache, "key = ? AND raw = 1", names))

    def reject(self, name: str) -> None:
        self._do(lambda rows: rows.reject(name))

    def names(self) -> Iterator[str]:
        return iter(self._do(lambda rows: list(rows.names())))

    def volume(self) -> int:
        return self._with_cache(lambda cache: cache.volume())

    def trim(self, limit: int) -> int:
        def work(cache: "DiskCache") -> int:
            gone = int(cache.expire())
            while cache.volume() > limit:
                oldest = max(1, len(cache) // 20)
                dropped = _drop(cache, "rowid IN (SELECT rowid FROM Cache ORDER BY access_time LIMIT ?)", [oldest])
                if not dropped:
                    break
                gone += dropped
            _sweep(cache, self._directory, older_than_s=ORPHAN_AGE_S)
            if gone:  # give the space back, unless somebody is reading
                with suppress(sqlite3.Error, StoreBusy):
                    cache.execute("VACUUM")
                    cache.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return gone

        return self._with_cache(work)

    def counters(self) -> tuple[int, int]:
        return self._with_cache(lambda cache: (cache.reset("hits"), cache.reset("misses")))

    @property
    def rejected(self) -> int:
        """How many entries this process has thrown away because somebody else wrote them."""
        return self._rows.rejected

    def close(self) -> None:
        with self._lock:
            self._close()

    def tidy(self) -> None:
        """Once a day, after a run that wrote."""
        if not self._wrote:
            return
        mark = os.path.join(self._directory, "swept")
        with suppress(OSError):
            if time.time() - os.stat(mark).st_mtime < ORPHANS_EVERY_S:
                return

        def work(cache: "DiskCache") -> None:
            os.close(open_file(mark, os.O_WRONLY | os.O_CREAT))
            os.utime(mark)
            _sweep(cache, self._directory, older_than_s=ORPHAN_AGE_S)

        self._with_cache(work)

    def _with_cache(self, work: "Callable[[DiskCache], _T]") -> _T:
        def with_cache(rows: Rows) -> _T:
            if self._opened is None:
                from fennec_cli.store.disk import DiskCache

                self._opened = DiskCache(self._directory, busy_s=rows.busy_s, **self._settings)
            self._opened.busy_s = rows.busy_s
            return work(self._opened)

        return self._do(with_cache)

    def _do(self, work: Callable[[Rows], _T]) -> _T:
        with self._lock:
            self._rows.busy_s = self._busy_s()
            try:
                with translated():
                    return work(self._rows)
            except StoreBroken:
                self._close()
                self._rows.replace()
            with translated():
                return work(self._rows)

    def _close(self) -> None:
        self._rows.close()
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _drop(cache: "DiskCache", which: str, values: Sequence[object]) -> int:
    """Drop those rows, for each of `values`, with their files; return how many. diskcache's own way leaves what is
    expired, or planted."""
    select = f"SELECT rowid, filename FROM Cache WHERE {which}"
    with cache.transact():
        rows = [row for value in values for row in cache.execute(select, (value,)).fetchall()]
        for rowid, _ in rows:
            cache.execute("DELETE FROM Cache WHERE rowid = ?", (rowid,))
    for _, filename in rows:
        cache.disk.remove(filename)
    return len(rows)


def _sweep(cache: "DiskCache", directory: str, *, older_than_s: float) -> None:
    """Remove files of values that no row names: a process died between the two."""
    from pathlib import Path

    known = {name for (name,) in cache.execute("SELECT filename FROM Cache WHERE filename IS NOT NULL")}
    for path in Path(directory).glob("??/??/*.val"):
        name = str(path.relative_to(directory))
        with suppress(OSError, sqlite3.Error):
            if name not in known and time.time() - path.stat().st_mtime > older_than_s:
                cache.disk.remove(name)
