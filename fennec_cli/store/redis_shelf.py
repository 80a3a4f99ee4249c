"""Cached answers on a Redis or Valkey server: a hash for each, which ends by itself when its time is over.

How much may lie there is the server's business (`maxmemory`, with `volatile-lru`); `trim` is for who asks for it.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from fennec_cli.store import StoreFailed
from fennec_cli.store.redis import PREFIX, connect, translated
from fennec_cli.store.shelf import Stored

ANSWER_S = 1.0  # a value has up to 16 MiB
_ANSWERS = f"{PREFIX}answer:"
_COUNTS = f"{PREFIX}answers"
_PAGE = 500
_TOUCH = """
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'reads', 1)
  redis.call('HSET', KEYS[1], 'at', ARGV[1])
end
redis.call('HINCRBY', KEYS[2], 'hits', 1)
"""


class RedisShelf:
    """A `Shelf` on a server. It is connected to on first use, and given up for good once it has failed."""

    def __init__(self, url: str, *, answer_s: float = ANSWER_S, clock: Callable[[], float] = time.time) -> None:
        self._client: Any = connect(url, answer_s=answer_s)
        self._clock = clock
        self._failed = False
        self.rejected = 0

    def read(self, name: str) -> Stored | None:
        with self._using():
            data, reads = self._client.hmget(_key(name), "data", "reads")
        return Stored(data, int(reads or 0)) if data is not None else None

    def write(self, name: str, data: bytes, lifetime_s: float, *, missed: bool) -> None:
        key = _key(name)
        with self._using():
            pipe = self._client.pipeline(transaction=True)
            pipe.delete(key)
            pipe.hset(key, mapping={"data": data, "reads": 0, "at": self._clock()})
            pipe.pexpire(key, max(1, int(lifetime_s * 1000)))
            if missed:
                pipe.hincrby(_COUNTS, "misses", 1)
            pipe.execute()

    def touch(self, names: Sequence[str]) -> None:
        with self._using():
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.eval(_TOUCH, 2, _key(name), _COUNTS, self._clock())
            pipe.execute()

    def drop(self, names: Sequence[str]) -> None:
        with self._using():
            for begin in range(0, len(names), _PAGE):
                self._client.delete(*map(_key, names[begin : begin + _PAGE]))

    def reject(self, name: str) -> None:  # noqa: ARG002
        """Leave it alone: it may be good for a machine that has another key. Who stores anew overwrites it."""
        self.rejected += 1

    def names(self) -> Iterator[str]:
        with self._using():
            found = {key.decode() for key in self._client.scan_iter(match=f"{_ANSWERS}*", count=_PAGE)}
        return iter(key.removeprefix(_ANSWERS) for key in found)

    def volume(self) -> int:
        return sum(size for _, size, _ in self._sizes())

    def trim(self, limit: int) -> int:
        found = sorted(self._sizes())  # the least recently read first; what is over is gone already
        total, gone = sum(size for _, size, _ in found), []
        for _, size, name in found:
            if total <= limit:
                break
            total -= size
            gone.append(name)
        self.drop(gone)
        return len(gone)

    def counters(self) -> tuple[int, int]:
        with self._using():
            hits, misses = self._client.hmget(_COUNTS, "hits", "misses")
        return int(hits or 0), int(misses or 0)

    def tidy(self) -> None:
        """The server does so itself."""

    def close(self) -> None:
        self._client.connection_pool.disconnect()

    def _sizes(self) -> Iterator[tuple[float, int, str]]:
        """Yield when each entry was last used, its size, and its name."""
        names = list(self.names())
        for begin in range(0, len(names), _PAGE):
            page = names[begin : begin + _PAGE]
            with self._using():
                pipe = self._client.pipeline(transaction=False)
                for name in page:
                    pipe.hget(_key(name), "at")
                    pipe.hstrlen(_key(name), "data")
                answers = cast("list[Any]", pipe.execute())
            for name, at, size in zip(page, answers[::2], answers[1::2], strict=True):
                yield float(at or 0.0), int(size), name

    @contextmanager
    def _using(self) -> Generator[None, None, None]:
        if self._failed:
            raise StoreFailed("redis: it has failed before")
        try:
            with translated():
                yield
        except StoreFailed:
            self._failed = True
            raise


def _key(name: str) -> str:
    return _ANSWERS + name
