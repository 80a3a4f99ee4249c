"""Leave to send, as many processes ask for it."""

import multiprocessing
import os
import signal
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import pytest

from fennec_cli.admission import Gate, Report, Rules, Ticket
from fennec_cli.backoff import RetryBudget, RetryConfig
from fennec_cli.bucket import RateLimiter
from fennec_cli.chunk import CompletionChunk
from fennec_cli.circuit import CircuitBreaker
from fennec_cli.errors import CircuitOpen, FennecError, LimitReached, NetworkError
from fennec_cli.metrics import Attempt, read
from fennec_cli.request import CompletionRequest
from fennec_cli.slots import TTL_S
from fennec_cli.stages import Chunks
from fennec_cli.stages.admit import admit
from fennec_cli.stages.retry import retry
from fennec_cli.store import Change, MemoryStore, Result, SharedState, StateStore, StoreFailed
from fennec_cli.store.state import DiskState
from fennec_cli.types import Record
from tests.conftest import soak

FORK = multiprocessing.get_context("fork")
REQUEST = CompletionRequest.from_text("hi", model="m")
OK = Report(Attempt(None, 0.1), "ok")
FAILED = Report(Attempt("unavailable", 0.1), "failure")
BREAKER = CircuitBreaker(threshold=1, timeout=30.0, jitter=0.0)


def gate(store: StateStore, rules: Rules = Rules(), clock: Callable[[], float] = time.time) -> Gate:
    return Gate(store, "p", "http://p", "m", rules, clock=clock, sleep=lambda _seconds: None)


def passed(at: Gate, report: Report = OK) -> Ticket:
    ticket = at.enter(0, None)
    at.leave(ticket, report)
    return ticket


def admitted(at: Gate) -> bool:
    try:
        passed(at)
    except FennecError:
        return False
    return True


def test_an_attempt_leaves_nothing_but_its_figures() -> None:
    store = MemoryStore()
    passed(gate(store))
    names = gate(store).names
    assert store.get(names.slots) is None
    assert store.get(names.budget) is None
    assert read(store.get(names.metrics), time.time()).success_count == 1


def test_an_open_circuit_refuses_and_says_for_how_long() -> None:
    store = MemoryStore()
    passed(gate(store, Rules(breaker=BREAKER)), FAILED)
    with pytest.raises(CircuitOpen, match="nothing is sent for another 30 s") as caught:
        passed(gate(store, Rules(breaker=BREAKER)))
    assert caught.value.retry_after == pytest.approx(30.0, abs=1.0)
    assert admitted(gate(store, Rules(breaker=None)))


def test_the_probe_s_first_event_closes_the_circuit() -> None:
    store = MemoryStore()
    passed(gate(store, Rules(breaker=BREAKER)), FAILED)
    later = gate(store, Rules(breaker=BREAKER), clock=lambda: time.time() + 31)
    ticket = later.enter(0, None)
    assert not admitted(later)
    later.prove(ticket)
    assert admitted(later)  # while the probe's answer still streams


def test_a_limit_makes_wait_or_refuses() -> None:
    waited: list[float] = []
    rules = Rules(requests=RateLimiter(1.0, 1.0), max_wait=1.5)
    at = Gate(MemoryStore(), "p", "o", "m", rules, sleep=waited.append)
    passed(at)
    passed(at)
    assert waited == pytest.approx([1.0], abs=0.1)
    with pytest.raises(LimitReached) as caught:
        passed(at)
    assert caught.value.retry_after == pytest.approx(2.0, abs=0.1)


def test_a_wait_never_goes_past_the_deadline() -> None:
    at = gate(MemoryStore(), Rules(requests=RateLimiter(1.0, 1.0)))
    passed(at)
    with pytest.raises(LimitReached):
        at.enter(0, time.monotonic() + 0.5)


def test_the_wait_for_a_slot_is_a_part_of_the_longest_wait() -> None:
    store, waited = MemoryStore(), list[float]()
    rules = Rules(max_parallel=1, single=False, requests=RateLimiter(0.5, 1.0), max_wait=1.8)
    held = gate(store, rules).enter(0, None)

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(0.4)
        gate(store, rules).leave(held, OK)

    at = Gate(store, "p", "http://p", "m", rules, sleep=sleep)
    with pytest.raises(LimitReached, match="used up"):  # for 1.6 s, and 1.4 are left
        at.enter(0, None)
    assert len(waited) == 1


def test_a_wait_for_a_slot_ends_in_time() -> None:
    store, waited = MemoryStore(), list[float]()
    rules = Rules(max_parallel=1, single=False, max_wait=0.02)
    gate(store, rules).enter(0, None)

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(seconds)

    with pytest.raises(LimitReached, match="under way already"):
        Gate(store, "p", "http://p", "m", rules, sleep=sleep).enter(0, None)
    assert sum(waited) <= 0.02


def test_a_deadline_that_is_over_is_not_called_a_rate_limit() -> None:
    at = gate(MemoryStore())
    at.leave(at.enter(0, time.monotonic() - 1.0), OK)


def test_who_is_stopped_while_waiting_gives_everything_back() -> None:
    store = MemoryStore()

    def stopped(_seconds: float) -> None:
        raise KeyboardInterrupt

    passed(gate(store, Rules(requests=RateLimiter(1.0, 1.0))))
    at = Gate(store, "p", "http://p", "m", Rules(requests=RateLimiter(1.0, 1.0)), sleep=stopped)
    with pytest.raises(KeyboardInterrupt):
        at.enter(0, None)
    assert store.get(at.names.slots) is None


def test_a_single_request_goes_on_without_a_slot_and_a_batch_does_not() -> None:
    store = MemoryStore()
    rules = Rules(max_parallel=1, max_wait=0.05)
    held = gate(store, rules).enter(0, None)
    assert admitted(gate(store, rules))
    with pytest.raises(LimitReached, match="under way already"):
        passed(gate(store, rules._replace(single=False)))
    gate(store, rules).leave(held, OK)
    assert admitted(gate(store, rules._replace(single=False)))


def test_a_429_holds_everybody() -> None:
    store = MemoryStore()
    limited = Report(Attempt("rate_limit", 0.1, rate_limited=True), "neutral", retry_after=100.0)
    passed(gate(store), limited)
    with pytest.raises(LimitReached, match="another 100 s"):
        passed(gate(store))


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_jumps_stops_nobody(seconds: float) -> None:
    store = MemoryStore()
    rules = Rules(breaker=BREAKER, requests=RateLimiter(1.0, 1.0))
    passed(gate(store, rules), FAILED)
    assert admitted(gate(store, rules, clock=lambda: time.time() + seconds))


def test_state_clock_back_1h() -> None:
    test_a_clock_that_jumps_stops_nobody(-3600.0)


def test_state_clock_forward_1h() -> None:
    test_a_clock_that_jumps_stops_nobody(3600.0)


def test_breaker_store_down_fails_open() -> None:
    def broken() -> StateStore:
        raise StoreFailed("no place")

    store = SharedState(broken)
    at = gate(store, Rules(breaker=CircuitBreaker(threshold=2)))
    assert admitted(at)
    passed(at, FAILED)
    passed(at, FAILED)
    assert not admitted(at)  # this process remembers for itself


# Many processes.


def shared_by_many(directory: Path) -> DiskState:
    """The state with more patience than a run has: other work on this machine must not look like a failure."""
    return DiskState(directory, busy_s=30.0)


def _race(directory: Path, number: int, rounds: int, start: "multiprocessing.synchronize.Barrier") -> list[bool]:
    """Ask at the same moment as the others, round after round; tell in which rounds we got the probe."""
    found = []
    store = shared_by_many(directory)
    for turn in range(rounds):
        at = gate(store, Rules(breaker=BREAKER, max_parallel=64, single=False), lambda at=turn: 1e9 + 1000.0 * at)  # type: ignore[misc]
        start.wait()
        try:
            ticket = at.enter(0, None)
        except CircuitOpen:
            found.append(False)
            start.wait()
        else:
            found.append(ticket.permit.probe)
            start.wait()
            at.leave(ticket, FAILED)  # open again, for the next round
    del number
    return found


@pytest.mark.soak
def test_breaker_one_probe_32_procs_1000_rounds(tmp_path: Path) -> None:
    rounds, processes = soak(50, 1000), 32
    first = gate(DiskState(tmp_path), Rules(breaker=BREAKER), lambda: 1e9 - 100.0)
    passed(first, FAILED)
    start = FORK.Barrier(processes)
    results = FORK.Queue()
    jobs = [
        FORK.Process(target=lambda n=n: results.put(_race(tmp_path, n, rounds, start)))  # type: ignore[misc]
        for n in range(processes)
    ]
    for job in jobs:
        job.start()
    found = [results.get(timeout=600) for _ in jobs]
    for job in jobs:
        job.join()
    assert [sum(each[turn] for each in found) for turn in range(rounds)] == [1] * rounds


def _killed_with(directory: Path, rules: Rules) -> None:
    gate(DiskState(directory), rules).enter(0, None)
    os.kill(os.getpid(), signal.SIGKILL)


def died_holding(directory: Path, rules: Rules) -> None:
    job = FORK.Process(target=_killed_with, args=(directory, rules))
    job.start()
    job.join(10)
    assert job.exitcode == -signal.SIGKILL


def test_breaker_probe_killed_lease_takeover(tmp_path: Path) -> None:
    rules = Rules(breaker=CircuitBreaker(threshold=1, timeout=0.01, jitter=0.0), lease_s=0.8)
    at = gate(DiskState(tmp_path), rules)
    passed(at, FAILED)
    time.sleep(0.02)
    died_holding(tmp_path, rules)
    assert admitted(at)  # it is seen to be dead


def test_breaker_probe_killed_elsewhere_lease_takeover(tmp_path: Path) -> None:
    rules = Rules(breaker=CircuitBreaker(threshold=1, timeout=0.01, jitter=0.0), lease_s=0.8)
    store = DiskState(tmp_path)
    at = gate(store, rules)
    passed(at, FAILED)
    time.sleep(0.02)
    died_holding(tmp_path, rules)

    def moved(records: list[Record | None]) -> tuple[list[Record | None], None]:
        (record,) = records
        assert record is not None
        return [{**record, "probe": {**record["probe"], "owner": f"{'0' * 16}-1-1-{'0' * 12}.1"}}], None

    store.update([at.names.circuit], moved)
    begin = time.monotonic()
    assert not admitted(at)
    while not admitted(at):
        assert time.monotonic() - begin < rules.lease_s + 1.0
        time.sleep(0.02)


def test_slots_freed_after_kill(tmp_path: Path) -> None:
    """At once where it can be seen that their holder is dead, else when nobody has renewed them for `TTL_S`."""
    rules = Rules(max_parallel=1, max_wait=0.0, single=False)
    died_holding(tmp_path, rules)
    store = DiskState(tmp_path)
    at = gate(store, rules)
    elsewhere = {"leases": [[f"{'0' * 16}-1-1-{'0' * 12}", time.time() + TTL_S, ["1"]]]}
    assert admitted(at)
    store.update([at.names.slots], lambda _records: ([elsewhere], None))
    assert not admitted(at)
    assert admitted(gate(store, rules, clock=lambda: time.time() + TTL_S + 1))


Asked = tuple[float, float, bool]  # before, after, and whether it was granted


def _hammer(directory: Path, seconds: float) -> list[Asked]:
    """Ask again and again, and until it was refused once."""
    at = gate(shared_by_many(directory), Rules(requests=RateLimiter.per_minute(600), max_wait=0.0, max_parallel=64))
    end, asked = time.monotonic() + seconds, []
    while time.monotonic() < end or all(granted for *_, granted in asked):
        begin = time.time()
        granted = admitted(at)
        asked.append((begin, time.time(), granted))
        time.sleep(0.002)
    return asked


@pytest.mark.soak
@pytest.mark.alone
def test_gcra_16_procs_rate_within_1_percent(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Never above burst and rate; and nobody is refused below them, however often a busy machine lets them ask."""
    seconds, processes, burst, per_s = soak(15, 300) / 10, 16, 60, 10
    DiskState(tmp_path).close()
    with FORK.Pool(processes) as pool:
        found = pool.starmap(_hammer, [(tmp_path, seconds)] * processes, chunksize=1)
    asked = sorted(chain.from_iterable(found))
    begins = [begin for begin, _, granted in asked if granted]
    first_end = min(end for _, end, granted in asked if granted)
    last_end = max(end for _, end, granted in asked if granted)
    assert len(begins) <= (burst + per_s * (last_end - begins[0])) * 1.01 + 1
    for begin, end, granted in asked:
        if not granted:
            sent = bisect_left(begins, end)  # all that may have been granted before
            assert sent > (burst + per_s * (begin - first_end)) * 0.99 - 1
    record_property("granted", len(begins))
    record_property("allowed", f"{burst + per_s * (last_end - begins[0]):.0f}")


def _outage(directory: Path, requests: int) -> int:
    attempts = 0

    def dead(_request: CompletionRequest) -> Chunks:
        nonlocal attempts
        attempts += 1
        raise NetworkError("refused")
        yield CompletionChunk()

    at = gate(shared_by_many(directory), Rules(breaker=None, max_parallel=64))
    stage = retry(admit(dead, at), RetryConfig(), may_retry=at.may_retry, sleep=lambda _seconds: None)
    for _ in range(requests):
        with pytest.raises(NetworkError):
            list(stage(REQUEST))
    return attempts


def test_retry_budget_outage_16_procs(tmp_path: Path) -> None:
    processes, requests = 16, 20
    begin = time.monotonic()
    with FORK.Pool(processes) as pool:
        attempts = sum(pool.starmap(_outage, [(tmp_path, requests)] * processes, chunksize=1))
    refill = (time.monotonic() - begin) / RetryBudget.COST
    assert processes * requests < attempts <= 1.1 * processes * requests + 10 + refill


def test_an_exhausted_budget_ends_the_retries_and_says_so() -> None:
    at = gate(MemoryStore(), Rules(breaker=None))
    while at.may_retry():
        pass

    def dead(_request: CompletionRequest) -> Chunks:
        raise NetworkError("refused")
        yield CompletionChunk()

    stage = retry(admit(dead, at), RetryConfig(), may_retry=at.may_retry)
    with pytest.raises(NetworkError) as caught:
        list(stage(REQUEST))
    assert caught.value.budget_exhausted
    assert caught.value.attempts == 1
    assert "used up" in caught.value.line()


def _measured(directory: Path, times: int) -> None:
    at = gate(shared_by_many(directory), Rules(max_parallel=64))
    for _ in range(times):
        passed(at)


@pytest.mark.soak
def test_metrics_exact_16x1000(tmp_path: Path) -> None:
    times = soak(60, 1000)
    with FORK.Pool(16) as pool:
        pool.starmap(_measured, [(tmp_path, times)] * 16, chunksize=1)
    found = read(DiskState(tmp_path).get(gate(MemoryStore()).names.metrics), time.time())
    assert (found.request_count, found.success_count, found.error_count) == (16 * times, 16 * times, 0)


class Counting(MemoryStore):
    """Counts how many transactions there were."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions = 0

    def update(self, names: Sequence[str], change: Change[Result]) -> Result:
        self.transactions += 1
        return super().update(names, change)


def gathering(rules: Rules = Rules(single=False)) -> tuple[Counting, SharedState, Gate]:
    store = Counting()
    shared = SharedState(lambda: store)
    shared.gathers = True
    at = Gate(shared, "p", "http://p", "m", rules, later=shared.later, sleep=lambda _seconds: None)
    return store, shared, at


def test_of_many_attempts_each_takes_one_transaction() -> None:
    store, shared, at = gathering()
    for _ in range(10):
        passed(at)
    assert store.transactions == 10
    shared.flush()
    assert store.transactions == 11
    assert store.get(at.names.slots) is None
    metrics = read(store.get(at.names.metrics), time.time())
    assert (metrics.request_count, metrics.success_count) == (10, 10)


def test_a_failure_is_known_to_all_at_once() -> None:
    store, _, at = gathering(Rules(breaker=BREAKER, single=False))
    passed(at, FAILED)
    assert store.get(at.names.circuit)["state"] == "open"  # type: ignore[index]


def test_a_slot_that_somebody_waits_for_is_given_back_at_once() -> None:
    rules = Rules(max_parallel=1, max_wait=0.0, single=False)
    store, _, at = gathering(rules)
    ticket = at.enter(0, None)
    assert not admitted(gate(store, rules))
    at.leave(ticket, OK)
    at.leave(at.enter(0, None), OK)  # it has learnt that somebody waits
    assert store.get(at.names.slots)["leases"] == []  # type: ignore[index]
    assert admitted(gate(store, rules))
