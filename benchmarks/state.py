"""Measure the state that processes share, and print seconds: `state.py transactions|updates`, in an empty directory.

Run by the environment that fennec is installed in: a live answer pays for the first, `xargs -P16` for the second.
"""

import multiprocessing
import os
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from fennec_cli.admission import Gate, Report
from fennec_cli.chunk import TokenUsage
from fennec_cli.metrics import Attempt
from fennec_cli.store import Record, shared_state
from fennec_cli.store.state import DiskState

ROUNDS = 201
PROCESSES, UPDATES = 16, 1000
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
        print({"transactions": transactions, "updates": updates}[sys.argv[1]]())
