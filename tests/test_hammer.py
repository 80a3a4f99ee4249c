"""Sixteen processes at once on everything that they share: nothing is lost, nothing torn, and nobody waits for long."""

import multiprocessing
import random
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from fennec_cli.audit.log import AuditLog
from fennec_cli.audit_report import checked
from fennec_cli.config import CacheConfig
from fennec_cli.responses import ResponseCache
from fennec_cli.store.state import DiskState
from tests.conftest import soak
from tests.store.test_state import counted
from tests.test_responses import name, record, text_of

FORK = multiprocessing.get_context("fork")
PROCESSES = 16
PAUSE_S = 0.05  # what a process does between two requests, on average
LONGEST_P99_S = 0.025
Waits = tuple[list[float], list[float], list[float]]


def _work(place: Path, number: int, seconds: float) -> Waits:
    """Use each store in turn; return how long each call took."""
    dice, waits = random.Random(number), ([], [], [])
    state = DiskState(place / "state", busy_s=30.0)
    log = AuditLog(place / "audit" / "audit.jsonl", key=lambda: b"key")
    cache = ResponseCache(CacheConfig(dir=str(place / "responses")), environ={"HOME": str(place)})
    end = time.monotonic() + seconds

    def timed(index: int, call: Callable[[], object]) -> None:
        time.sleep(dice.expovariate(1 / PAUSE_S))
        begin = time.monotonic()
        call()
        waits[index].append(time.monotonic() - begin)

    while time.monotonic() < end:
        key = dice.randrange(100)
        timed(0, lambda: state.update(["all", f"of-{number}"], counted))
        timed(1, lambda: log.append({"event": "test", "number": number}))
        timed(2, lambda: cache.put(name(key), record(f"{key}" * 500), {}))  # noqa: B023 - called at once
        found = text_of(cache, name(key))
        assert found in (None, f"{key}" * 500)
    assert cache.failure is None
    state.close()
    log.close()
    cache.close()
    return waits


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_hammer_16_procs_60s(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    with FORK.Pool(PROCESSES) as pool:
        found: list[Waits] = pool.starmap(
            _work, [(tmp_path, number, soak(15, 600) / 10) for number in range(PROCESSES)], chunksize=1
        )
    waits = [sorted(chain.from_iterable(each[index] for each in found)) for index in range(3)]
    state = DiskState(tmp_path / "state")
    assert state.get("all") == {"n": len(waits[0])}
    assert [state.get(f"of-{number}") for number in range(PROCESSES)] == [{"n": len(each[0])} for each in found]
    assert checked(tmp_path / "audit" / "audit.jsonl", b"key", None).records == len(waits[1])
    cache = ResponseCache(CacheConfig(dir=str(tmp_path / "responses")), environ={"HOME": str(tmp_path)})
    assert all(text_of(cache, name(key)) in (None, f"{key}" * 500) for key in range(100))
    for store, times in zip(("state", "audit", "cache"), waits, strict=True):
        p99 = times[len(times) * 99 // 100]
        record_property(store, f"{len(times)} calls, p99 {p99 * 1000:.1f} ms")
        if soak(0, 1):
            assert p99 < LONGEST_P99_S, store
    record_property("lost", 0)
    record_property("torn", 0)
