"""The response cache gives back what was stored, or nothing; what is wrong with it never costs an answer."""

import multiprocessing
import os
import pickle
import random
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fennec_cli.cache_care import prune
from fennec_cli.config import CacheConfig
from fennec_cli.errors import ConfigError, IntegrityError
from fennec_cli.recording import Record
from fennec_cli.responses import ResponseCache
from tests.conftest import soak
from tests.store.test_disk import Bomb, planted

KEY = "ab" * 32
USAGE = [7, 3, 0, 0, False]


def name(number: int) -> str:
    return f"{number:064x}"


def record(text: str = "Hello") -> Record:
    choice = {"content": text, "reasoning": "", "tool_calls": [], "finish_reason": "stop"}
    return {"form": 1, "choices": [choice], "usage": USAGE, "metadata": {"provider": "openai", "model": "m"}}


LARGE = record(random.Random(1).randbytes(300_000).hex())  # it gets a file of its own


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "responses"


def opened(place: Path, **settings: Any) -> ResponseCache:
    clock = settings.pop("clock", time.time)
    return ResponseCache(CacheConfig(dir=str(place), **settings), clock=clock)


def text_of(cache: ResponseCache, fingerprint: str = KEY) -> str | None:
    found = cache.get(fingerprint)
    return None if found is None else str(found.response["choices"][0]["content"])


@pytest.mark.parametrize("encrypt", [False, True])
def test_an_answer_comes_back_in_another_process_too(place: Path, encrypt: bool) -> None:
    opened(place, encrypt=encrypt).put(KEY, record("geheim"), {"fields": {"a": 1}})
    found = opened(place, encrypt=encrypt).get(KEY)
    assert found is not None
    assert (found.response, found.request, found.access_count) == (record("geheim"), {"fields": {"a": 1}}, 0)
    assert abs(found.timestamp - time.time()) < 60
    assert (b"geheim" in (place / "cache.db-wal").read_bytes()) is not encrypt


def test_readings_are_counted(place: Path) -> None:
    cache = opened(place)
    cache.put(KEY, record(), {}, missed=True)
    cache.touch(KEY)
    cache.touch(KEY)
    found = cache.get(KEY)
    assert found is not None
    assert found.access_count == 2
    cache.gathers = True
    cache.touch(KEY)
    assert cache.find(KEY) == found
    cache.tidy()
    again = cache.find(KEY)
    assert again is not None
    assert again.access_count == 3
    assert cache.counters() == (3, 1)


def test_an_answer_counts_for_its_time(place: Path) -> None:
    clock = Clock()
    cache = opened(place, clock=clock, ttl=100.0)
    cache.put(KEY, record(), {})
    cache.put(name(1), record(), {}, ttl=10.0)
    cache.put(name(2), record(), {}, ttl=0.0)
    assert cache.get(name(2)) is None
    clock.now += 50
    assert cache.get(name(1)) is None
    assert cache.get(KEY) is not None
    assert cache.get(KEY, ttl=40.0) is None
    clock.now += 51
    assert cache.get(KEY) is None


def test_a_shared_key_is_read_from_a_file(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("0123456789abcdef\n")
    opened(place, mac_key_file=str(file)).put(KEY, record(), {})
    assert text_of(opened(place, mac_key_file=str(file))) == "Hello"
    file.write_text("short")
    with pytest.raises(ConfigError, match="16 to 64 bytes"):
        opened(place, mac_key_file=str(file)).get(KEY)


@pytest.mark.parametrize("mode", [0, 3, 4, 5])
def test_cache_planted_pickle(place: Path, tmp_path: Path, mode: int) -> None:
    cache = opened(place)
    cache.put(name(1), record(), {})
    planted(place, key=KEY, mode=mode, value=pickle.dumps(Bomb(tmp_path / "harm")))
    planted(place, key=pickle.dumps(Bomb(tmp_path / "harm")), raw=0, value=b"")
    assert cache.get(KEY) is None
    assert [entry.fingerprint for entry in cache.entries()] == [name(1)]
    cache.trim(1)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "aa/bb/../../../secret", "aa/bb/x.val"])
def test_cache_planted_traversal(place: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    cache = opened(place)
    cache.put(name(1), record(), {})
    planted(place, key=KEY, mode=2, filename=path, value=None)
    assert cache.get(KEY) is None
    cache.trim(1)
    cache.drop([KEY])
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_cache_bad_mac(place: Path, tmp_path: Path) -> None:
    cache = opened(place)
    cache.put(KEY, record("right"), {})
    cache.put(name(1), record("other"), {})
    with sqlite3.connect(place / "cache.db") as connection:
        ((value,),) = connection.execute("SELECT value FROM Cache WHERE key = ?", (name(1),)).fetchall()
        connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (value, KEY))  # of another request
        connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (value[:-1] + b"x", name(1)))
    connection.close()
    assert cache.get(KEY) is None
    with pytest.raises(IntegrityError):
        cache.find(name(1))
    assert list(cache.entries()) == []
    other = ResponseCache(CacheConfig(dir=str(place)), environ={"HOME": str(tmp_path / "another")})
    cache.put(KEY, record("right"), {})
    assert other.get(KEY) is None


def test_cache_modes_umask0(place: Path) -> None:
    before = os.umask(0)
    try:
        cache = opened(place)
        cache.put(KEY, record(random.Random(1).randbytes(400_000).hex()), {})  # large enough for a file of its own
        cache.tidy()
    finally:
        os.umask(before)
    found = [*place.rglob("*")]
    assert any(path.suffix == ".val" for path in found)
    for path in [place, *found]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_cache_size_within_110_percent(place: Path) -> None:
    limit, rng = 16 * 2**20, random.Random(1)
    cache = opened(place, max_size=limit)
    for number in range(1500):
        large = number % 100 == 0
        cache.put(name(number), record(rng.randbytes(200_000 if large else 10_000).hex()), {})
    cache.close()
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    assert 0.5 * limit < size <= 1.1 * limit
    assert opened(place, max_size=limit).get(name(1499)) is not None
    assert opened(place, max_size=limit).get(name(0)) is None


def test_patience_ends_with_the_deadline_however_early_it_was_opened(place: Path) -> None:
    end = time.monotonic() + 1.0
    cache = ResponseCache(CacheConfig(dir=str(place)), patient=True, deadline=end)
    cache.put(KEY, record(), {})
    holder = sqlite3.connect(place / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    time.sleep(0.8)
    cache.put(KEY, record("another"), {})
    assert -0.1 < time.monotonic() - end < 0.4
    assert cache.failure == "another process holds it"
    holder.close()


def test_the_least_recently_read_goes_first(place: Path) -> None:
    cache = opened(place, max_size=2**20)
    for number in range(200):
        cache.put(name(number), record(random.Random(number).randbytes(4000).hex()), {})
        cache.touch(name(0))
    assert cache.get(name(0)) is not None
    assert cache.get(name(1)) is None


def test_trimming_drops_what_is_stale_and_what_is_too_much(place: Path) -> None:
    cache = opened(place)
    for number in range(1, 100):
        cache.put(name(number), record(random.Random(number).randbytes(4000).hex()), {})
    cache.put(name(0), record(), {}, ttl=0.01)
    time.sleep(0.02)
    assert cache.trim(2**30) == 1
    assert cache.trim(200_000) > 0
    assert cache.volume() <= 200_000
    assert cache.get(name(99)) is not None


@pytest.mark.parametrize("change", ["raw = 0", "key = 'zz' || rowid", "access_time = NULL, expire_time = 0"])
def test_trimming_ends_where_somebody_else_has_written(place: Path, change: str) -> None:
    cache = opened(place)
    for number in range(10):
        cache.put(name(number), LARGE, {})
    changed(place, change)
    assert list(place.glob("??/??/*.val"))
    assert cache.trim(1) == 10
    assert not list(place.glob("??/??/*.val"))
    assert cache.trim(1) == 0


def test_what_is_expired_is_dropped_and_counted_once(place: Path) -> None:
    cache = opened(place)
    for number in range(3):
        cache.put(name(number), record(), {})
    changed(place, f"expire_time = 1 WHERE key < '{name(2)}'")
    assert prune(cache, older_than_s=0.0, max_size=None) == 3
    cache.put(KEY, LARGE, {})
    changed(place, "expire_time = 1")
    cache.drop([KEY])
    assert cache.names() == []
    assert not list(place.glob("??/??/*.val"))


def changed(place: Path, change: str) -> None:
    with sqlite3.connect(place / "cache.db") as connection:
        connection.execute(f"UPDATE Cache SET {change}")
    connection.close()


def test_cache_readonly(place: Path) -> None:
    said: list[str] = []
    place.write_text("a file in the way")
    cache = ResponseCache(CacheConfig(dir=str(place)), say=said.append)
    cache.put(KEY, record(), {})
    assert cache.get(KEY) is None
    assert len(said) == 1
    assert cache.failure is not None


def test_without_a_home_there_is_no_cache_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    cache = ResponseCache(CacheConfig(dir=str(tmp_path / "c")), environ={}, say=said.append)
    assert cache.get(KEY) is None
    assert "HOME is not set" in said[0]


@pytest.mark.soak
def test_cache_corrupt_random_pages(place: Path) -> None:
    rng = random.Random(7)
    texts = {name(number): rng.randbytes(3000).hex() for number in range(30)}
    for _ in range(soak(25, 500)):
        cache = opened(place)
        for key, text in texts.items():
            cache.put(key, record(text), {})
        cache.close()
        database = place / "cache.db"
        data = bytearray(database.read_bytes())
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(data) // 512) * 512
            data[at : at + rng.choice((16, 512))] = rng.randbytes(rng.choice((16, 512)))
        database.write_bytes(data)
        again = opened(place)
        for key, text in texts.items():
            assert text_of(again, key) in (None, text)
        again.put(KEY, record("after"), {})
        assert text_of(again, KEY) in (None, "after")
        again.close()


def test_a_broken_database_is_put_aside_once_and_replaced(place: Path) -> None:
    opened(place).put(KEY, record(), {})
    for path in place.glob("cache.db*"):
        path.write_bytes(b"garbage" * 1000)
    cache = opened(place)
    cache.put(KEY, record("new"), {})
    assert text_of(cache) == "new"
    assert len(list(place.glob("corrupt-*"))) == 1


def write_for_ever(place: Path, seed: int, ready: Any) -> None:
    cache, rng = opened(place), random.Random(seed)
    cache.put(KEY, record(), {})
    ready.set()
    while True:
        number = rng.randrange(50)
        cache.put(name(number), record(str(number) * rng.choice((10, 1000, 300_000))), {})


@pytest.mark.soak
def test_cache_kill9_1000(place: Path) -> None:
    rng, context = random.Random(3), multiprocessing.get_context("fork")
    for turn in range(soak(50, 1000) // 2):
        started = []
        for each in range(2):
            ready = context.Event()
            writer = context.Process(target=write_for_ever, args=(place, 2 * turn + each, ready))
            writer.start()
            started.append((writer, ready))
        for _, ready in started:
            assert ready.wait(20)
        time.sleep(rng.uniform(0.0, 0.05))
        for writer, _ in started:
            writer.kill()
            writer.join()
        cache = opened(place)
        for entry in cache.entries():
            text, number = entry.response["choices"][0]["content"], str(int(entry.fingerprint, 16))
            assert entry.fingerprint == KEY or text in [number * count for count in (10, 1000, 300_000)]
        assert cache.failure is None
        cache.close()


def test_threads_may_share_it(place: Path) -> None:
    cache = opened(place)

    def work(number: int) -> str | None:
        key = name(number % 20)
        if cache.get(key) is None:
            cache.put(key, record(str(number % 20)), {})
        cache.touch(key)
        return text_of(cache, key)

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(1000))) == [str(number % 20) for number in range(1000)]
    assert cache.failure is None


def test_orphans_are_swept_once_a_day(place: Path) -> None:
    cache = opened(place)
    cache.put(KEY, record(random.Random(1).randbytes(400_000).hex()), {})
    (value,) = place.glob("??/??/*.val")
    orphan = value.with_name("0" * 28 + ".val")
    orphan.write_bytes(b"left behind")
    os.utime(orphan, (0, 0))
    os.utime(value, (0, 0))
    cache.tidy()
    assert not orphan.exists()
    assert value.exists()
    orphan.write_bytes(b"left behind")
    os.utime(orphan, (0, 0))
    cache.tidy()
    assert orphan.exists()
