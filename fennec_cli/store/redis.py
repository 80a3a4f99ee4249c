"""Records on a Redis or Valkey server, for machines that share their state.

An update is one script that runs on the server at once: it compares the raw bytes of all records that the change was
made for, and writes the new ones only if none of them is another by now. If one is, the script answers with what is
there, and the change is made anew. What this process saw last is where it begins, so that an update that nobody
disturbs is one exchange.

Who is slow would lose such races again and again (of 16 processes that do nothing else, some for longer than 250 ms).
So whoever has lost for a while asks for the turn: for a moment the script refuses all others.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha1
from typing import Any, cast

import orjson
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, parse_url
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

from fennec_cli.store import BUSY_S, Change, RecordTooLarge, Result, StoreBusy, StoreFailed, largest
from fennec_cli.types import Record

CONNECT_S = 1.0
PREFIX = "{fennec}:"  # with the braces everything is in one slot of a cluster, as a script needs it
_STATE = f"{PREFIX}state:"
_TURN = f"{PREFIX}turn"
_LOSING_S = 0.01  # after this long an update asks for the turn
_TURN_MS = b"50"
_REMEMBERED = 256  # records
_PAGE = 500

_parse_url: Any = parse_url  # it has no types

# The first key is the turn, the others are the records; then come who asks, for how long it wants the turn ("" for not
# at all), the old records and the new ones. Absent records are "" here, which no record is.
_SCRIPT = b"""
local n, turn = #KEYS - 1, redis.call('GET', KEYS[1])
local found = redis.call('MGET', unpack(KEYS, 2))
local free = not turn or turn == ARGV[1]
for i = 1, n do
  free = free and (found[i] or '') == ARGV[2 + i]
end
if not free then
  if not turn and ARGV[2] ~= '' then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    turn = ARGV[1]
  end
  found[n + 1] = turn and turn ~= ARGV[1] and 'others' or ''
  return found
end
for i = 1, n do
  local new = ARGV[2 + n + i]
  if new == '' then redis.call('DEL', KEYS[1 + i])
  elseif new ~= ARGV[2 + i] then redis.call('SET', KEYS[1 + i], new) end
end
if turn then redis.call('DEL', KEYS[1]) end
return 1
"""
_SCRIPT_SHA = sha1(_SCRIPT, usedforsecurity=False).hexdigest()


class RedisState:
    """A `StateStore` on a server. It is connected to on first use, and given up for good once it has failed."""

    def __init__(
        self,
        url: str,
        *,
        connect_s: float = CONNECT_S,
        busy_s: float = BUSY_S,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._client = connect(url, connect_s=connect_s, answer_s=busy_s)
        self._busy_s = busy_s
        self._sleep = sleep
        self._uniform = uniform
        self._seen: dict[str, bytes] = {}
        self._lock = threading.Lock()  # threads of one process would only disturb each other
        self._closed = False

    def get(self, name: str) -> Record | None:
        with self._using():
            return _parsed(cast("bytes | None", self._client.get(_key(name))))

    def update(self, names: Sequence[str], change: Change[Result]) -> Result:
        keys = [_key(name) for name in names]
        with self._lock, self._using():
            return self._update(keys, change)

    def scan(self, prefix: str) -> Iterator[tuple[str, Record]]:
        with self._using():
            keys = [bytes(key) for key in self._client.scan_iter(match=_pattern(prefix), count=_PAGE)]
            for begin in range(0, len(keys), _PAGE):
                page = keys[begin : begin + _PAGE]
                for key, data in zip(page, cast("list[bytes | None]", self._client.mget(page)), strict=True):
                    record = _parsed(data)
                    if record is not None:
                        yield key.decode("utf-8", "replace").removeprefix(_STATE), record

    def close(self) -> None:
        self._closed = True
        self._client.connection_pool.disconnect()

    def _update(self, keys: list[str], change: Change[Result]) -> Result:
        before = self._expected(keys)
        begin = time.monotonic()
        owner = b""
        while True:
            records, result = change([_parsed(data) for data in before])
            after = [_data(key, record) for key, record in zip(keys, records, strict=True)]
            current = self._exchange(keys, owner, before, after)
            if current is None:
                self._remember(keys, after)
                return result
            before, others_turn = current
            lost_s = time.monotonic() - begin
            if lost_s > self._busy_s:
                raise StoreBusy("redis: other processes are always quicker")
            if others_turn:  # who has waited for longer asks more often, as on the disk
                self._sleep(self._uniform(0.0, 0.002 * (1.0 - lost_s / self._busy_s)))
            if not owner and lost_s > _LOSING_S:
                owner = os.urandom(16)

    def _expected(self, keys: list[str]) -> list[bytes]:
        """What the records are, as far as we know: as they were last seen, or else as they are now."""
        if all(key in self._seen for key in keys):
            return [self._seen[key] for key in keys]
        return [data or b"" for data in cast("list[bytes | None]", self._client.mget(keys))]

    def _exchange(
        self, keys: list[str], owner: bytes, before: list[bytes], after: list[bytes]
    ) -> tuple[list[bytes], bool] | None:
        """Put `after` in the place of `before`. An `owner` asks for the turn.

        If that may not be, return what is there, and whether it is somebody else's turn.
        """
        arguments: list[Any] = [_TURN, *keys, owner, _TURN_MS if owner else b"", *before, *after]
        try:
            answer: Any = self._client.evalsha(_SCRIPT_SHA, 1 + len(keys), *arguments)
        except NoScriptError:  # the server does not know it yet, or not any more
            answer = self._client.eval(_SCRIPT.decode(), 1 + len(keys), *arguments)
        if not isinstance(answer, list):
            return None
        *found, turn = answer
        return [data or b"" for data in found], bool(turn)

    def _remember(self, keys: list[str], data: list[bytes]) -> None:
        if len(self._seen) > _REMEMBERED:
            self._seen.clear()
        self._seen.update(zip(keys, data, strict=True))

    @contextmanager
    def _using(self) -> Generator[None, None, None]:
        if self._closed:
            raise StoreFailed("the connection is closed")
        with translated():
            yield


def connect(url: str, *, connect_s: float = CONNECT_S, answer_s: float = BUSY_S) -> "Redis":
    """Return a client for one of the addresses that `config.backend_url` takes. It opens nothing yet.

    Nothing is repeated on its own: a script may have run although its answer is lost. A connection that the server has
    closed while it was idle is opened again.
    """
    pool = ConnectionPool(
        **_parse_url(url),
        socket_connect_timeout=connect_s,
        socket_timeout=answer_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,  # or it introduces itself first, in two exchanges
    )
    return Redis(connection_pool=pool)


@contextmanager
def translated() -> Generator[None, None, None]:
    """Turn what the client raises into `StoreFailed`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreFailed(f"redis: {error}" if str(error) else f"redis: {type(error).__name__}") from error


def _key(name: str) -> str:
    return _STATE + name


def _pattern(prefix: str) -> str:
    """The keys that begin so; a backslash takes their meaning from the characters that have one."""
    return "".join(f"\\{each}" if each in "*?[]\\" else each for each in _key(prefix)) + "*"


def _data(key: str, record: Record | None) -> bytes:
    if record is None:
        return b""
    data = orjson.dumps(record)
    if len(data) > largest(key.removeprefix(_STATE)):
        raise RecordTooLarge(f"a record of {len(data)} bytes is too large")
    return data


def _parsed(data: bytes | None) -> Record | None:
    """What is not one of our records counts as none."""
    try:
        record = orjson.loads(data or b"")
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
