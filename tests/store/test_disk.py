"""The safe database: nothing is unpickled, nothing outside the directory is read, planted rows are thrown away."""

import os
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fennec_cli.store import StoreFailed
from fennec_cli.store.disk import DiskCache, OnNetwork, translated

KEY = "a1" * 32


class Bomb:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._mark),)


def planted(directory: Path, **columns: object) -> None:
    """Write a row as somebody else would."""
    row: dict[str, object] = {"key": KEY, "raw": 1, "store_time": 0, "mode": 1, "filename": None, "value": b""}
    row |= columns
    with sqlite3.connect(directory / "cache.db") as connection:
        names = ", ".join(row)
        connection.execute(f"INSERT INTO Cache ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    connection.close()


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "cache", disk_min_file_size=1000)


@pytest.mark.parametrize("value", [b"", b"short", b"long" * 1000])
def test_values_come_back(cache: DiskCache, value: bytes) -> None:
    cache.set(KEY, value)
    assert cache.get(KEY) == value
    assert list(cache.names()) == [KEY]


@pytest.mark.parametrize("key", ["", "A1" * 32, "a1" * 31, b"a1" * 32, ("a",), 5])
def test_other_keys_are_refused(cache: DiskCache, key: object) -> None:
    with pytest.raises(TypeError):
        cache.set(key, b"")


@pytest.mark.parametrize("value", ["text", 5, 1.5, None, ["list"], bytearray(b"x")])
def test_other_values_are_refused(cache: DiskCache, value: object) -> None:
    with pytest.raises(TypeError):
        cache.set(KEY, value)


@pytest.mark.parametrize("mode", [0, 3, 4, 5, None])
def test_a_planted_pickle_is_not_run(cache: DiskCache, tmp_path: Path, mode: int | None) -> None:
    planted(tmp_path / "cache", mode=mode, value=pickle.dumps(Bomb(tmp_path / "harm")))
    assert cache.get(KEY) is None
    assert cache.rejected == 1
    assert not list(cache.names())
    assert not (tmp_path / "harm").exists()


def test_a_planted_pickled_key_is_not_run(cache: DiskCache, tmp_path: Path) -> None:
    planted(tmp_path / "cache", raw=0, key=pickle.dumps(Bomb(tmp_path / "harm")))
    assert not list(cache.names())
    assert cache.rejected == 1
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "aa/bb/../../../secret", "aa/bb/x.val", "", b"aa"])
def test_a_planted_path_is_not_read(cache: DiskCache, tmp_path: Path, name: object) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    planted(tmp_path / "cache", mode=2, filename=name, value=None)
    assert cache.get(KEY) is None
    assert cache.rejected == 1
    assert (tmp_path / "secret").exists()


def test_a_link_in_the_place_of_a_value_is_not_followed(cache: DiskCache, tmp_path: Path) -> None:
    cache.set(KEY, b"long" * 1000)
    (value,) = (tmp_path / "cache").glob("??/??/*.val")
    value.unlink()
    (tmp_path / "secret").write_bytes(b"secret")
    value.symlink_to(tmp_path / "secret")
    assert cache.get(KEY) is None


def test_a_directory_that_others_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(StoreFailed, match="not a directory of yours alone"):
        DiskCache(tmp_path / "open")


def test_opening_an_existing_one_writes_nothing(cache: DiskCache, tmp_path: Path) -> None:
    cache.close()
    before = (tmp_path / "cache" / "cache.db").read_bytes()
    DiskCache(tmp_path / "cache", disk_min_file_size=1000).close()
    assert (tmp_path / "cache" / "cache.db").read_bytes() == before


def test_other_settings_are_written_once(cache: DiskCache, tmp_path: Path) -> None:
    cache.set(KEY, b"kept")
    cache.close()
    again = DiskCache(tmp_path / "cache", disk_min_file_size=1000, size_limit=12345)
    assert again.size_limit == 12345
    assert again.get(KEY) == b"kept"


@pytest.mark.parametrize("other", [{"size_limit": 12345}, {"cull_limit": 5}])
def test_other_settings_leave_the_locks_of_this_process(
    cache: DiskCache, tmp_path: Path, other: dict[str, int]
) -> None:
    """Who believes that nobody else has it open takes the log away."""
    cache.set(KEY, b"kept")
    DiskCache(tmp_path / "cache", disk_min_file_size=1000, **other).close()
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('DELETE FROM Cache WHERE 0'); c.close()"
    subprocess.run([sys.executable, "-c", program, tmp_path / "cache" / "cache.db"], check=True)
    assert (tmp_path / "cache" / "cache.db-wal").exists()
    assert cache.get(KEY) == b"kept"


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fennec_cli.store.disk._is_network", lambda _path: True)
    with pytest.raises(OnNetwork):
        DiskCache(tmp_path / "cache")


def test_a_failed_transaction_is_rolled_back(cache: DiskCache) -> None:
    def half() -> None:
        with cache.transact():
            cache.set(KEY, b"never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half()
    assert cache.get(KEY) is None
    cache.set(KEY, b"kept")
    assert cache.get(KEY) == b"kept"


def test_failures_are_one_class(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed), translated():
        sqlite3.connect(tmp_path / "no" / "such" / "place")
