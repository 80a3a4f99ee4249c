"""The circuit breaker's decisions, against a slow and obvious model of them."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from fennec_cli.circuit import CircuitBreaker, Outcome, Permit, Rejection, acquire, report, reset, state_of
from fennec_cli.types import Record
from tests.conftest import soak

BREAKER = CircuitBreaker(threshold=3, timeout=30.0, longest=100.0)
LEASE = 80.0


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def leave(record: Record | None, now: float, owner: str = "o") -> tuple[Record | None, Permit]:
    record, permit = acquire(record, now, owner, LEASE, BREAKER)
    assert isinstance(permit, Permit)
    return record, permit


def refused(record: Record | None, now: float) -> float:
    same, answer = acquire(record, now, "x", LEASE, BREAKER)
    assert isinstance(answer, Rejection)
    assert same == record
    return answer.wait_s


def after(record: Record | None, now: float, *outcomes: Outcome) -> Record | None:
    for outcome in outcomes:
        record, permit = leave(record, now)
        record = report(record, permit, outcome, now, middle, BREAKER)
    return record


OPEN = after(None, 1000.0, "failure", "failure", "failure")


def test_failures_in_a_row_open_it() -> None:
    assert state_of(after(None, 0.0, "failure", "failure"), 0.0) == ("closed", 0.0)
    assert state_of(OPEN, 1000.0) == ("open", 30.0)
    assert refused(OPEN, 1010.0) == 20.0


def test_a_success_between_starts_the_count_again() -> None:
    record = after(None, 0.0, "failure", "failure", "ok", "failure", "failure")
    assert state_of(record, 0.0) == ("closed", 0.0)


def test_half_of_ten_in_a_minute_open_it_too() -> None:
    record = after(None, 0.0, *["ok", "failure"] * 4, "ok")
    assert state_of(record, 0.0)[0] == "closed"
    assert state_of(after(record, 50.0, "failure"), 50.0)[0] == "open"
    assert state_of(after(record, 70.0, "failure"), 70.0)[0] == "closed"  # the others are over a minute old


def test_one_probe_and_its_success_closes() -> None:
    record, permit = leave(OPEN, 1031.0)
    assert permit.probe
    assert refused(record, 1031.0) == LEASE
    assert state_of(report(record, permit, "ok", 1032.0, middle, BREAKER), 1032.0) == ("closed", 0.0)


def test_each_failed_probe_doubles_the_time_up_to_the_longest() -> None:
    record, now, waits = OPEN, 1000.0, []
    for _ in range(4):
        now += state_of(record, now)[1]
        record, permit = leave(record, now)
        record = report(record, permit, "failure", now, middle, BREAKER)
        waits.append(state_of(record, now)[1])
    assert waits == [60.0, 100.0, 100.0, 100.0]


def test_the_time_varies_by_a_tenth() -> None:
    record = after(None, 0.0, "failure", "failure")
    record, permit = leave(record, 0.0)
    assert state_of(report(record, permit, "failure", 0.0, lambda _low, high: high, BREAKER), 0.0)[1] == 33.0


def test_breaker_neutral_outcomes() -> None:
    assert after(after(None, 0.0, "failure"), 0.0, *["neutral"] * 5) == after(None, 0.0, "failure")
    record, permit = leave(OPEN, 1031.0)
    record = report(record, permit, "neutral", 1031.0, middle, BREAKER)
    assert state_of(record, 1031.0)[0] == "half_open"
    assert leave(record, 1031.0, "next")[1].probe  # the lease was given back


def test_breaker_stale_report_ignored() -> None:
    record, old = leave(None, 0.0)
    record = after(record, 0.0, "failure", "failure", "failure")
    for outcome in ("ok", "failure", "neutral"):
        assert report(record, old, outcome, 1.0, middle, BREAKER) == record  # type: ignore[arg-type]
    record, first = leave(record, 31.0, "first")
    record, second = leave(record, 31.0 + LEASE, "second")  # the lease of the first is over
    assert report(record, first, "ok", 112.0, middle, BREAKER) == record
    assert state_of(report(record, second, "ok", 112.0, middle, BREAKER), 112.0)[0] == "closed"


def test_breaker_clock_jumps() -> None:
    assert leave(OPEN, 1000.0 - 3600.0)[1].probe  # stored times too far ahead are past
    assert leave(OPEN, 1000.0 + 3600.0)[1].probe
    record, _ = leave(OPEN, 5000.0)
    assert leave(record, 5000.0 - 3600.0, "next")[1].probe
    counted = after(None, 7200.0, "failure", "failure")
    assert state_of(after(counted, 3600.0, "failure"), 3600.0)[0] == "open"


def test_a_reset_closes_and_old_reports_do_not_count() -> None:
    record, permit = leave(OPEN, 1031.0)
    closed = reset(record)
    assert state_of(closed, 1031.0) == ("closed", 0.0)
    assert report(closed, permit, "failure", 1031.0, middle, BREAKER) == closed
    assert reset(None) is None


class Machine(RuleBasedStateMachine):
    """Callers come, wait, die and report in any order; the model keeps every attempt and counts anew each time."""

    permits = Bundle("permits")

    @initialize()
    def begin(self) -> None:
        self.record: Record | None = None
        self.now = 1_000_000.0
        self.number = 0
        self.state, self.generation, self.until, self.streak, self.reopen = "closed", 0, 0.0, 0, 0
        self.history: list[tuple[float, bool]] = []
        self.owner: str | None = None

    @rule(seconds=st.sampled_from([0.5, 9.0, 29.0, 31.0, 79.0, 81.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=permits)
    def ask(self):  # type: ignore[no-untyped-def]
        self.number += 1
        owner = f"{self.number}"
        self.record, answer = acquire(self.record, self.now, owner, LEASE, BREAKER)
        if self.state == "closed":
            assert answer == Permit(self.generation, owner)
            return answer
        if self.until > self.now:
            assert answer == Rejection(pytest.approx(self.until - self.now))
            return multiple()
        self.state, self.owner, self.until = "half_open", owner, self.now + LEASE
        self.generation += 1
        assert answer == Permit(self.generation, owner, probe=True)
        return answer

    @rule(permit=consumes(permits), outcome=st.sampled_from(["ok", "failure", "neutral"]))
    def tell(self, permit: Permit, outcome: Outcome) -> None:
        self.record = report(self.record, permit, outcome, self.now, middle, BREAKER)
        if permit.generation != self.generation or self.state == "open":
            return
        if self.state == "half_open":
            if permit.owner != self.owner:
                return
            if outcome == "neutral":
                self.until = 0.0
                self.owner = None
            elif outcome == "ok":
                self.close()
            else:
                self.open()
        elif outcome != "neutral":
            self.count(outcome == "failure")

    def count(self, failed: bool) -> None:
        self.streak = self.streak + 1 if failed else 0
        self.history.append((self.now, failed))
        slot = self.now // 10
        recent = [bad for moment, bad in self.history if slot - moment // 10 < 6]
        if failed and (self.streak >= 3 or (len(recent) >= 10 and sum(recent) * 2 >= len(recent))):
            self.open()

    def open(self) -> None:
        self.until = self.now + min(30.0 * 2**self.reopen, 100.0)
        self.state, self.reopen, self.owner = "open", self.reopen + 1, None
        self.generation += 1
        self.streak, self.history = 0, []

    def close(self) -> None:
        self.state, self.reopen, self.until, self.owner, self.streak, self.history = "closed", 0, 0.0, None, 0, []
        self.generation += 1

    @invariant()
    def agrees(self) -> None:
        state, left = state_of(self.record, self.now, BREAKER)
        assert state == self.state
        if state == "open":
            assert left == pytest.approx(max(0.0, self.until - self.now))


@pytest.mark.soak
def test_breaker_model_stateful() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    examples = soak(100, 10_000)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )


def test_the_last_second_before_a_probe_is_refused_too() -> None:
    assert refused(OPEN, 1029.5) == 0.5
    assert leave(OPEN, 1030.0)[1].probe


def test_the_longest_time_with_its_jitter_is_a_legal_one() -> None:
    record, now = OPEN, 1000.0
    for _ in range(2):
        now += state_of(record, now, BREAKER)[1]
        record, permit = leave(record, now)
        record = report(record, permit, "failure", now, lambda _low, high: high, BREAKER)
    assert state_of(record, now, BREAKER) == ("open", pytest.approx(110.0))
    assert state_of(record, now - 0.5, BREAKER)[1] == 0.0  # further ahead than that is no moment of ours


def test_a_reset_counts_from_the_generation_that_was() -> None:
    record, permit = leave(OPEN, 1031.0)
    assert leave(reset(record), 1031.0)[1].generation == permit.generation + 1


def test_successes_of_the_last_minute_are_counted_against_failures() -> None:
    record = after(None, 0.0, *["ok"] * 6)
    for moment in (10.0, 20.0, 30.0, 40.0, 50.0):
        record = after(record, moment, "failure", "ok")
    assert state_of(record, 50.0)[0] == "closed"  # 5 of 16
    record = after(record, 60.0, "failure")  # and without those of the first ten seconds 6 of 11
    assert state_of(record, 60.0)[0] == "open"


def test_attempts_of_one_moment_share_a_bucket() -> None:
    record = after(None, 3.0, "ok", "ok", "failure")
    assert record is not None
    assert record["buckets"] == [[0, 2, 1]]
    record = after(record, 9.9, "ok")
    record = after(record, 10.0, "failure")
    assert record is not None
    assert record["buckets"] == [[0, 3, 1], [1, 0, 1]]


def test_a_probe_that_was_neutral_reports_nothing_more() -> None:
    record, permit = leave(OPEN, 1031.0)
    released = report(record, permit, "neutral", 1031.0, middle, BREAKER)
    assert released is not None
    assert released["probe"] is None
    for outcome in ("ok", "failure", "neutral"):
        assert report(released, permit, outcome, 1031.0, middle, BREAKER) == released  # type: ignore[arg-type]


def test_the_lease_of_a_dead_owner_is_over() -> None:
    record, permit = leave(OPEN, 1040.0, "one")
    assert permit.probe
    assert isinstance(acquire(record, 1041.0, "two", LEASE, BREAKER, is_dead=lambda _owner: False)[1], Rejection)
    record, other = acquire(record, 1041.0, "two", LEASE, BREAKER, is_dead=lambda owner: owner == "one")
    assert other == Permit(permit.generation + 1, "two", probe=True)
    assert isinstance(acquire(record, 1042.0, "three", LEASE, BREAKER, is_dead=lambda o: o == "one")[1], Rejection)


def test_an_open_circuit_stays_open_whoever_is_dead() -> None:
    assert isinstance(acquire(OPEN, 1001.0, "two", LEASE, BREAKER, is_dead=lambda _owner: True)[1], Rejection)
