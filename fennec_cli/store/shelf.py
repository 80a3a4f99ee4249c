"""Where cached answers lie: bytes by name, the least recently read going first when there are too many.

What a response cache needs of a place, and no more, so that another place can be put under it.
"""

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from fennec_cli.private import open_file
from fennec_cli.store import StoreBusy
from fennec_cli.store.disk import DiskCache, Rejected, StoreBroken, translated

CULLED_AT_ONCE = 64  # most entries that one writing drops
ORPHANS_EVERY_S = 86_400.0
ORPHAN_AGE_S = 3600.0
_SETTINGS: dict[str, Any] = {
    "eviction_policy": "least-recently-used",
    "cull_limit": CULLED_AT_ONCE,
    "disk_min_file_size": 2**18,  # smaller values stay in the database: one write, and nothing to leave behind
    "sqlite_mmap_size": 2**24,
    "sqlite_cache_size": 2**9,
}
_T = TypeVar("_T")


class Stored(NamedTuple):
    """A value and how often it was read before."""

    data: bytes
    reads: int


class Shelf(Protocol):
    """Every method may raise `StoreFailed`. Threads may share it. Names are 64 hexadecimal digits."""

    def read(self, name: str, /) -> Stored | None: ...

    def write(self, name: str, data: bytes, lifetime_s: float, /, *, missed: bool) -> None:
        """Store a value for a time; `missed` counts that it was looked for before, in vain."""
        ...

    def touch(self, name: str, /) -> None:
        """Count that a value was read and is of use. It is no failure if somebody else keeps us from it."""
        ...

    def drop(self, names: Sequence[str], /) -> None: ...

    def reject(self, name: str, /) -> None:
        """Drop a value that is not ours, and count it."""
        ...

    def names(self) -> Iterator[str]: ...

    def volume(self) -> int:
        """How many bytes it all takes."""
        ...

    def trim(self, limit: int, /) -> int:
        """Drop what is expired, then the least recently read until `limit` bytes are left; return how many went."""
        ...

    def counters(self) -> tuple[int, int]:
        """How often something was found, and how often not."""
        ...

    def tidy(self) -> None:
        """Now and then throw away what dead processes have left behind; called at the end of a run."""
        ...

    def close(self) -> None: ...


class DiskShelf:
    """A `Shelf` in a directory of ours. A database that turns out to be broken is replaced."""

    def __init__(self, directory: Path, *, limit: int) -> None:
        self._directory = directory
        self._cache = DiskCache(directory, size_limit=limit, **_SETTINGS)
        self._wrote = False
        self._touched: deque[str] = deque()
        self._writing = threading.Lock()  # threads of one process need not wait for each other's locks in the file

    def read(self, name: str) -> Stored | None:
        return self._do(lambda cache: _read(cache, name))

    def write(self, name: str, data: bytes, lifetime_s: float, *, missed: bool) -> None:
        def work(cache: DiskCache) -> None:
            with cache.transact():
                cache.set(name, data, expire=lifetime_s)
                if missed:
                    _count(cache, "misses")

        with self._writing:
            self._wrote = True
            self._do(work)

    def touch(self, name: str) -> None:
        """What other threads touch meanwhile goes into the same transaction."""
        self._touched.append(name)
        with self._writing, suppress(StoreBusy):
            names = [self._touched.popleft() for _ in range(len(self._touched))]
            if names:
                self._do(lambda cache: _touch(cache, names))

    def drop(self, names: Sequence[str]) -> None:
        def work(cache: DiskCache) -> None:
            with cache.transact():
                for name in names:
                    cache.delete(name)

        self._do(work)

    def reject(self, name: str) -> None:
        self._do(lambda cache: cache.reject(name))

    def names(self) -> Iterator[str]:
        return iter(self._do(lambda cache: list(cache.names())))

    def volume(self) -> int:
        return self._do(lambda cache: cache.volume())

    def trim(self, limit: int) -> int:
        def work(cache: DiskCache) -> int:
            before = len(cache)
            cache.expire()
            while len(cache) and cache.volume() > limit:
                oldest = cache.execute(
                    "SELECT key FROM Cache ORDER BY access_time LIMIT ?", (max(1, len(cache) // 20),)
                ).fetchall()
                with cache.transact():
                    for (name,) in oldest:
                        cache.delete(name)
            _sweep(cache, self._directory, older_than_s=ORPHAN_AGE_S)
            gone = before - len(cache)
            if gone:  # give the space back, unless somebody is reading
                with suppress(sqlite3.Error, StoreBusy):
                    cache.execute("VACUUM")
                    cache.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return gone

        return self._do(work)

    def counters(self) -> tuple[int, int]:
        return self._do(lambda cache: (cache.reset("hits"), cache.reset("misses")))

    @property
    def rejected(self) -> int:
        """How many entries this process has thrown away because somebody else wrote them."""
        return self._cache.rejected

    def close(self) -> None:
        self._cache.close()

    def tidy(self) -> None:
        """Once a day, after a run that wrote."""
        if not self._wrote:
            return
        mark = self._directory / "swept"
        with suppress(OSError):
            if time.time() - mark.stat().st_mtime < ORPHANS_EVERY_S:
                return

        def work(cache: DiskCache) -> None:
            os.close(open_file(mark, os.O_WRONLY | os.O_CREAT))
            os.utime(mark)
            _sweep(cache, self._directory, older_than_s=ORPHAN_AGE_S)

        self._do(work)

    def _do(self, work: Callable[[DiskCache], _T]) -> _T:
        try:
            with translated():
                return work(self._cache)
        except StoreBroken:
            self._cache.replace()
            with translated():
                return work(self._cache)


def _read(cache: DiskCache, name: str) -> Stored | None:
    """Nothing is written: who is reading need not wait for who is writing."""
    rows = cache.execute(
        "SELECT access_count, mode, filename, value FROM Cache WHERE key = ? AND raw = 1", (name,)
    ).fetchall()
    for reads, mode, filename, value in rows:
        try:
            return Stored(cache.disk.fetch(mode, filename, value, False), int(reads))
        except (Rejected, TypeError, ValueError):
            cache.reject(name)
        except FileNotFoundError:  # dropped a moment ago
            pass
    return None


def _touch(cache: DiskCache, names: Sequence[str]) -> None:
    now = time.time()
    with cache.transact():
        for name in names:
            cache.execute(
                "UPDATE Cache SET access_time = ?, access_count = access_count + 1 WHERE key = ? AND raw = 1",
                (now, name),
            )
        _count(cache, "hits", len(names))


def _count(cache: DiskCache, what: str, more: int = 1) -> None:
    cache.execute("UPDATE Settings SET value = value + ? WHERE key = ?", (more, what))


def _sweep(cache: DiskCache, directory: Path, *, older_than_s: float) -> None:
    """Remove files of values that no row names: a process died between the two."""
    known = {name for (name,) in cache.execute("SELECT filename FROM Cache WHERE filename IS NOT NULL")}
    for path in directory.glob("??/??/*.val"):
        name = str(path.relative_to(directory))
        with suppress(OSError, sqlite3.Error):
            if name not in known and time.time() - path.stat().st_mtime > older_than_s:
                cache.disk.remove(name)
