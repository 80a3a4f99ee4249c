"""What the response cache costs: `store` prints the seconds that it adds to a live answer; `fill DIR N` fills one.

It runs with the Python of the environment that fennec is installed in.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from fennec_cli.config import CacheConfig
from fennec_cli.envelope import seal
from fennec_cli.flights import Flights
from fennec_cli.hashes import sha256
from fennec_cli.private import installation_key
from fennec_cli.recording import Record
from fennec_cli.responses import ResponseCache
from fennec_cli.store import shared_state
from fennec_cli.store.disk import DiskCache
from fennec_cli.store.shelf import SETTINGS

TIMES = 200


def record(text: str) -> Record:
    choice = {"content": text, "reasoning": "", "tool_calls": [], "finish_reason": "stop"}
    return {"form": 1, "choices": [choice], "usage": [9, 100, 0, 0, False], "metadata": {"model": "bench"}}


def store() -> float:
    """The median, in seconds, of a lookup in vain, the lease of who asks, and the storing of an answer of 4 KB."""
    with tempfile.TemporaryDirectory() as place:
        cache, taken = ResponseCache(CacheConfig(dir=f"{place}/responses")), []
        flights = Flights(shared_state({"XDG_STATE_HOME": place}))
        for number in range(TIMES):
            name = sha256(str(number).encode()).hexdigest()
            begin = time.perf_counter()
            cache.get(name)
            owner = flights.take(name)
            cache.put(name, record("word " * 800), {"fields": {"model": "bench"}}, missed=True)
            flights.free(name, owner or "")
            taken.append(time.perf_counter() - begin)
        cache.close()
    return median(taken)


def fill(place: str, count: int) -> None:
    """Put so many answers of 500 bytes into a cache, in few transactions."""
    ResponseCache(CacheConfig(dir=place)).put("0" * 64, record("first"), {})  # makes it as a run would
    cache, key = DiskCache(Path(place), size_limit=CacheConfig().max_size, **SETTINGS), installation_key("cache")
    body = b'{"response":{},"request":{},"timestamp":0.0,"filler":"' + b"x" * 500 + b'"}'
    now = time.time()
    for begin in range(0, count, 5000):
        with cache.transact():
            for number in range(begin, min(begin + 5000, count)):
                name = sha256(f"entry {number}".encode()).hexdigest()
                cache.set(name, seal(body, name=name, key=key, created=now, ttl=86_400.0), expire=86_400.0)
    cache.close()


if __name__ == "__main__":
    if sys.argv[1] == "store":
        print(store())
    else:
        fill(sys.argv[2], int(sys.argv[3]))
