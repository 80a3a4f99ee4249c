"""Cached answers on a server: they end by themselves, and a server that fails is left alone."""

import time
from collections.abc import Iterator

import pytest

from tests.redis_server import RedisServer, redis_server

pytest.importorskip("redis", reason="the extra `redis` is not installed")

from fennec_cli.store import StoreFailed
from fennec_cli.store.redis import connect
from fennec_cli.store.redis_shelf import RedisShelf
from fennec_cli.store.shelf import Stored
from fennec_cli.store.shelves import Shelf

__all__ = ["redis_server"]
ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)


@pytest.fixture
def moments() -> list[float]:
    return [1000.0]


@pytest.fixture
def shelf(redis_server: RedisServer, moments: list[float]) -> Iterator[RedisShelf]:
    made = RedisShelf(redis_server.url, clock=lambda: moments[0])
    yield made
    made.close()


def test_what_was_written_is_read(shelf: RedisShelf) -> None:
    place: Shelf = shelf
    assert place.read(ONE) is None
    place.write(ONE, b"\x00\xffdata", 60.0, missed=True)
    assert place.read(ONE) == Stored(b"\x00\xffdata", 0)
    place.touch([ONE, ONE])
    assert place.read(ONE) == Stored(b"\x00\xffdata", 2)
    place.touch([TWO])
    assert place.read(TWO) is None
    assert place.counters() == (3, 1)
    place.drop([ONE, TWO])
    assert place.read(ONE) is None


def test_an_entry_ends_by_itself(shelf: RedisShelf, redis_server: RedisServer) -> None:
    shelf.write(ONE, b"x", 0.05, missed=False)
    shelf.write(TWO, b"x", 3600.0, missed=False)
    time.sleep(0.1)
    assert shelf.read(ONE) is None
    assert 3590 < connect(redis_server.url).ttl("{fennec}:answer:" + TWO) <= 3600


def test_the_least_recently_read_goes_first(shelf: RedisShelf, moments: list[float]) -> None:
    for name in (ONE, TWO, THREE):
        moments[0] += 1
        shelf.write(name, b"x" * 100, 60.0, missed=False)
    moments[0] += 1
    shelf.touch([ONE])
    assert shelf.volume() == 300
    assert set(shelf.names()) == {ONE, TWO, THREE}
    assert shelf.trim(250) == 1
    assert set(shelf.names()) == {ONE, THREE}


def test_a_rejected_entry_stays_for_others(shelf: RedisShelf) -> None:
    shelf.write(ONE, b"x", 60.0, missed=False)
    shelf.reject(ONE)
    assert shelf.read(ONE) is not None
    assert shelf.rejected == 1


def test_a_server_that_fails_is_asked_once(redis_server: RedisServer) -> None:
    shelf = RedisShelf(redis_server.url, answer_s=0.1)
    shelf.write(ONE, b"x", 60.0, missed=False)
    connect(redis_server.url).execute_command("CLIENT", "PAUSE", "5000")
    begin = time.monotonic()
    for _ in range(3):
        with pytest.raises(StoreFailed):
            shelf.read(ONE)
    assert time.monotonic() - begin < 1.0
