"""Records on the disk: one row of a `DiskCache` for each, with its name inside it."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import orjson

from fennec_cli.store import MAX_RECORD, Change, Record, Result, StoreFailed
from fennec_cli.store.disk import DiskCache, StoreBroken, translated

_SETTINGS: dict[str, Any] = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "disk_min_file_size": 2**20,  # records stay in the database
    "sqlite_mmap_size": 2**22,
    "sqlite_cache_size": 2**8,
}
_T = TypeVar("_T")


class DiskState:
    """A `StateStore` in a directory of ours. A database that turns out to be broken is replaced once."""

    def __init__(self, directory: Path) -> None:
        self._cache = DiskCache(directory, **_SETTINGS)
        self._replaced = False

    def get(self, name: str) -> Record | None:
        return self._do(lambda: _read(name, self._cache.get(_key(name))))

    def update(self, names: Sequence[str], change: Change[Result]) -> Result:
        return self._do(lambda: self._update(names, change))

    def scan(self, prefix: str) -> Iterator[tuple[str, Record]]:
        for row in self._do(self._rows):
            if row is not None and row[0].startswith(prefix):
                yield row

    def close(self) -> None:
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

    def _update(self, names: Sequence[str], change: Change[Result]) -> Result:
        keys = [_key(name) for name in names]
        with self._cache.transact():
            before = [self._cache.get(key) for key in keys]
            records, result = change([_read(name, data) for name, data in zip(names, before, strict=True)])
            for name, key, old, record in zip(names, keys, before, records, strict=True):
                if record is not None:
                    self._write(name, key, old, record)
                elif old is not None:
                    self._cache.delete(key)
            return result

    def _write(self, name: str, key: str, old: bytes | None, record: Record) -> None:
        data = orjson.dumps([name, record])
        if len(data) > MAX_RECORD + len(name):
            raise StoreFailed(f"a record of {len(data)} bytes is too large")
        if data != old:
            self._cache.set(key, data)

    def _rows(self) -> list[tuple[str, Record] | None]:
        return [_parsed(self._cache.get(key)) for key in self._cache.names()]


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
