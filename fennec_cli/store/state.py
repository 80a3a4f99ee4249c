"""Records on the disk: one row of a `DiskCache` for each, with its name inside it.

Threads of a process share one connection, and what they want to change while one of them is at it goes into the next
transaction together: with 16 threads a transaction carries several updates, and nobody waits for SQLite's lock.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import orjson

from fennec_cli.hashes import sha256
from fennec_cli.private import FilePath
from fennec_cli.store import BUSY_S, Change, RecordTooLarge, Result, StoreFailed, largest
from fennec_cli.store.rows import Rows, StoreBroken, translated
from fennec_cli.types import Record

_SETTINGS: dict[str, Any] = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "disk_min_file_size": 2**20,  # records stay in the database
    "sqlite_mmap_size": 2**22,
    "sqlite_cache_size": 2**8,
}
_T = TypeVar("_T")


class DiskState:
    """A `StateStore` in a directory of ours. A database that turns out to be broken is replaced once.

    `busy_s` is how long it waits for other processes, in seconds.
    """

    def __init__(self, directory: FilePath, *, busy_s: float = BUSY_S) -> None:
        self._cache = Rows(directory, busy_s=busy_s, **_SETTINGS)
        self._replaced = False
        self._lock = threading.Lock()  # of the connection
        self._waiting: deque[_Update] = deque()

    def get(self, name: str) -> Record | None:
        with self._lock:
            return self._do(lambda: _read(name, self._cache.get(_key(name))))

    def update(self, names: Sequence[str], change: Change[Result]) -> Result:
        own = _Update(names, change)
        self._waiting.append(own)
        with self._lock:
            if not own.done:  # else who had the lock before did it along with its own
                self._update_all(own)
        if own.failure is not None:
            raise own.failure
        result: Result = own.result
        return result

    def scan(self, prefix: str) -> Iterator[tuple[str, Record]]:
        with self._lock:
            rows = self._do(self._rows)
        for row in rows:
            if row is not None and row[0].startswith(prefix):
                yield row

    def close(self) -> None:
        with self._lock:
            self._cache.close()

    def _do(self, work: Callable[[], _T]) -> _T:
        try:
            with translated():
                return work()
        except StoreBroken:
            if self._replaced:
                raise
            self._replaced = True
        self._cache.replace()
        with translated():
            return work()

    def _update_all(self, own: "_Update") -> None:
        """Do everything that waits. A change that raises is its own thread's trouble: the others wait again."""
        updates = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            results = self._do(lambda: self._transaction(updates))
        except BaseException as error:
            if isinstance(error, StoreFailed) and not isinstance(error, RecordTooLarge):
                for update in updates:
                    update.done, update.failure = True, error
                return
            self._waiting.extend(update for update in updates if update is not own)
            if len(updates) == 1 or not isinstance(error, Exception):
                raise
            (own.result,) = self._do(lambda: self._transaction([own]))
            own.done = True
        else:
            for update, result in zip(updates, results, strict=True):
                update.done, update.result = True, result

    def _transaction(self, updates: "Sequence[_Update]") -> list[Any]:
        names = list(dict.fromkeys(name for update in updates for name in update.names))
        with self._cache.transact():
            keys = [_key(name) for name in names]
            before = self._cache.get_all(keys)
            records = {name: _read(name, data) for name, data in zip(names, before, strict=True)}
            results = []
            for update in updates:
                changed, result = update.change([records[name] for name in update.names])
                records.update(zip(update.names, changed, strict=True))
                results.append(result)
            for name, key, old in zip(names, keys, before, strict=True):
                record = records[name]
                if record is not None:
                    self._write(name, key, old, record)
                elif old is not None:
                    self._cache.delete(key)
            return results

    def _write(self, name: str, key: str, old: bytes | None, record: Record) -> None:
        data = orjson.dumps([name, record])
        if len(data) > largest(name) + len(name):
            raise RecordTooLarge(f"a record of {len(data)} bytes is too large")
        if old is None:
            self._cache.set(key, data)
        elif data != old:
            self._cache.overwrite(key, data)

    def _rows(self) -> list[tuple[str, Record] | None]:
        return [_parsed(self._cache.get(key)) for key in self._cache.names()]


class _Update:
    """One thread's update: what it wants, and what came of it."""

    def __init__(self, names: Sequence[str], change: Change[Any]) -> None:
        self.names, self.change = names, change
        self.done = False
        self.result: Any = None
        self.failure: StoreFailed | None = None


@lru_cache(maxsize=256)
def _key(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def _read(name: str, data: bytes | None) -> Record | None:
    row = _parsed(data)
    return row[1] if row is not None and row[0] == name else None


def _parsed(data: bytes | None) -> tuple[str, Record] | None:
    """A row that is not one of ours counts as none."""
    try:
        name, record = orjson.loads(data or b"")
    except (ValueError, TypeError):  # JSONDecodeError is a ValueError
        return None
    return (name, record) if isinstance(name, str) and isinstance(record, dict) else None
