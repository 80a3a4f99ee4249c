"""Measure the state that processes share, and print seconds: `state.py CASE`, in an empty directory.

Run by the environment that fennec is installed in: a live answer pays for the first, `xargs -P16` for the second.
"""

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from fennec_cli.admission import Gate, Report
from fennec_cli.chunk import TokenUsage
from fennec_cli.metrics import Attempt
from fennec_cli.store import shared_state
from fennec_cli.store.state import DiskState
from fennec_cli.types import Record

ROUNDS = 201
PROCESSES, UPDATES = 16, 1000
REDIS_UPDATES = 3000
DONE = Report(Attempt(None, 0.5, 0.1, TokenUsage(9, 1)), "ok")


def transactions() -> float:
    """Both transactions of an attempt, opening the database and closing it included, importing it not."""
    environ = {"XDG_STATE_HOME": os.getcwd()}
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        store = shared_state(environ)
        gate = Gate(store, "openai", "https://api.openai.com", "m")
        gate.leave(gate.enter(10, None), DONE)
        store.close()
        taken.append(time.perf_counter() - begin)
        if store.failures:
            sys.exit("the state could not be used")
    return median(taken)


def updates() -> float:
    """The 99th percentile of what one of 16 processes waits for an update, none of which may be lost."""
    place = Path.cwd() / "counters"
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        taken = pool.map(_count, [place] * PROCESSES, chunksize=1)
    counted = DiskState(place).get("counter")
    if counted != {"n": PROCESSES * UPDATES}:
        sys.exit(f"updates were lost: {counted}")
    return quantiles([each for times in taken for each in times], n=100)[98]


def redis() -> float:
    """One update of a record on a Redis server of our own, over TCP on loopback: the median."""
    from fennec_cli.store.redis import RedisState

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            store, taken = RedisState(f"redis://127.0.0.1:{port}"), []
            for _ in range(REDIS_UPDATES):
                begin = time.perf_counter()
                store.update(["counter"], _one_more)
                taken.append(time.perf_counter() - begin)
            if store.get("counter") != {"n": REDIS_UPDATES}:
                sys.exit("updates were lost")
            store.close()
        finally:
            server.terminate()
    return median(taken)


def _wait_for(port: int) -> None:
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                sys.exit("redis-server does not answer")
            time.sleep(0.02)
        else:
            return


def _count(place: Path) -> list[float]:
    store, taken = DiskState(place, busy_s=30.0), []
    for _ in range(UPDATES):
        begin = time.perf_counter()
        store.update(["counter"], _one_more)
        taken.append(time.perf_counter() - begin)
    return taken


def _one_more(records: list[Record | None]) -> tuple[list[Record | None], None]:
    return [{"n": (records[0] or {"n": 0})["n"] + 1}], None


if __name__ == "__main__":
    with TemporaryDirectory(prefix="fennec-state-") as scratch:
        os.chdir(scratch)
        print({"transactions": transactions, "updates": updates, "redis": redis}[sys.argv[1]]())
