"""One asks, the others wait; who died does not block anybody."""

import threading

from fennec_cli.flights import LONGEST_WAIT_S, TTL_S, Flights
from fennec_cli.keeper import Keeper
from fennec_cli.store import MemoryStore

PRINT = "ab" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def idle(_seconds: float) -> None:
    """A keeper that never renews."""
    threading.Event().wait()


def flights(store: MemoryStore, clock: Clock) -> Flights:
    keeper = Keeper(TTL_S, 1.0, sleep=idle)
    return Flights(store, keeper=keeper, clock=clock, monotonic=clock, sleep=clock.sleep, uniform=lambda _a, b: b)


def test_only_one_has_the_lease() -> None:
    store, clock = MemoryStore(), Clock()
    one, other = flights(store, clock), flights(store, clock)
    owner = one.take(PRINT)
    assert owner is not None
    assert other.take(PRINT) is None
    assert other.take("cd" * 32) is not None
    one.free(PRINT, owner)
    assert other.take(PRINT) is not None


def test_a_lease_ends_by_itself() -> None:
    store, clock = MemoryStore(), Clock()
    assert flights(store, clock).take(PRINT) is not None
    clock.now += TTL_S + 0.1
    assert flights(store, clock).take(PRINT) is not None


def test_pauses_grow_and_end() -> None:
    clock = Clock()
    list(flights(MemoryStore(), clock).pauses(None))
    assert clock.slept[:5] == [0.05, 0.1, 0.2, 0.4, 0.5]
    assert abs(sum(clock.slept) - LONGEST_WAIT_S) < 1e-6


def test_nobody_waits_past_the_deadline() -> None:
    clock = Clock()
    list(flights(MemoryStore(), clock).pauses(clock.now + 1.0))
    assert abs(sum(clock.slept) - 1.0) < 1e-6
