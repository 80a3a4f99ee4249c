"""Rate limits: never above burst and rate, places in a queue, what providers say, and clocks that jump."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from fennec_cli.bucket import LONGEST_WAIT_S, RateLimiter, hold, learn, reserve, settle
from fennec_cli.chunk import ObservedLimits
from fennec_cli.types import Record
from tests.conftest import soak

NOW = 1_000_000.0


def waits(count: int, limiter: RateLimiter, now: float = NOW) -> list[float]:
    record: Record | None = None
    found = []
    for _ in range(count):
        record, turn = reserve(record, now, requests=limiter, longest_wait=1e6)
        found.append(turn.wait_s)
    return found


def test_a_burst_at_once_and_then_one_after_the_other() -> None:
    assert waits(5, RateLimiter(per_s=2.0, burst=3.0)) == pytest.approx([0.0, 0.0, 0.0, 0.5, 1.0])


def test_the_default_burst_is_a_tenth_of_a_minute() -> None:
    assert RateLimiter.per_minute(60) == (1.0, 6.0)
    assert RateLimiter.per_minute(3) == (0.05, 1.0)


def test_without_limits_nothing_is_remembered() -> None:
    assert reserve(None, NOW) == (None, (0.0, True))


def test_a_wait_that_is_too_long_reserves_nothing() -> None:
    record, _ = reserve(None, NOW, requests=RateLimiter(0.1, 1.0))
    same, turn = reserve(record, NOW, requests=RateLimiter(0.1, 1.0), longest_wait=5.0)
    assert not turn.granted
    assert turn.wait_s == pytest.approx(10.0)
    assert same == record


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), min_size=1, max_size=60),
    st.floats(0.5, 50),
    st.floats(1, 100),
)
def test_never_more_than_burst_and_rate(steps: list[tuple[float, int]], per_s: float, burst: float) -> None:
    """Between any two admissions no more tokens went out than burst + rate x time, but for one that is larger."""
    record: Record | None = None
    now, sent = NOW, []
    for pause, amount in steps:
        now += pause
        record, turn = reserve(record, now, tokens=RateLimiter(per_s, burst), amount=amount, longest_wait=1e9)
        sent.append((now + turn.wait_s, amount))
    for first in range(len(sent)):
        total = 0.0
        for moment, amount in sent[first:]:
            total += amount
            allowed = max(burst, sent[first][1]) + per_s * (moment - sent[first][0])
            assert total <= allowed + max(size for _, size in sent) + 1e-3 or total <= allowed


def test_what_was_used_less_is_given_back() -> None:
    limiter = RateLimiter(per_s=10.0, burst=100.0)
    record, _ = reserve(None, NOW, tokens=limiter, amount=100)
    assert reserve(record, NOW, tokens=limiter, amount=50)[1].wait_s == pytest.approx(5.0)
    record = settle(record, reserved=100, used=20, tokens=limiter)
    assert reserve(record, NOW, tokens=limiter, amount=50)[1].wait_s == 0.0


def test_ratelimit_shared_429() -> None:
    record = hold(None, NOW, 20.0)
    assert reserve(record, NOW + 5)[1].wait_s == pytest.approx(15.0)
    assert reserve(record, NOW + 21)[1].wait_s == 0.0
    assert hold(record, NOW, 5.0) == record  # a shorter one does not shorten it


def test_an_exhausted_limit_stops_everybody_until_its_reset() -> None:
    record = learn(None, NOW, ObservedLimits(requests=500.0, requests_left=0.0, requests_reset_s=7.0))
    assert reserve(record, NOW)[1].wait_s == pytest.approx(7.0)


def test_a_learnt_limit_lets_a_minute_s_worth_through() -> None:
    record = learn(None, NOW, ObservedLimits(requests=3.0, requests_left=2.0, requests_reset_s=20.0))
    found = []
    for _ in range(4):
        record, turn = reserve(record, NOW)
        found.append(turn.wait_s)
    assert found == pytest.approx([0.0, 0.0, 0.0, 20.0])


def test_clocks_that_jump() -> None:
    record, _ = reserve(None, NOW, requests=RateLimiter(1.0, 1.0))
    assert reserve(record, NOW + 1e6, requests=RateLimiter(1.0, 1.0))[1].wait_s == 0.0
    for back in (3600.0, 2 * LONGEST_WAIT_S):
        assert reserve(record, NOW - back, requests=RateLimiter(1.0, 1.0))[1].wait_s == 0.0
        assert reserve(hold(record, NOW, 20.0), NOW - back)[1].wait_s == 0.0
    assert hold(None, NOW, -5.0) is None
    assert hold(None, NOW, 1e9) is None


def test_the_end_of_a_hold_is_no_burst() -> None:
    record = hold(None, NOW, 10.0)
    waits = []
    for _ in range(4):
        record, turn = reserve(record, NOW, requests=RateLimiter(1.0, 1.0))
        waits.append(turn.wait_s)
    assert waits == pytest.approx([10.0, 11.0, 12.0, 13.0])


def test_tokens_are_taken_when_the_request_is_sent() -> None:
    limits = {"requests": RateLimiter(0.1, 1.0), "tokens": RateLimiter(1.0, 10.0)}
    record, _ = reserve(None, NOW, amount=0.0, **limits)
    record, turn = reserve(record, NOW, amount=10.0, **limits)
    assert turn.wait_s == pytest.approx(10.0)
    assert reserve(record, NOW + 10.0, amount=10.0, tokens=limits["tokens"])[1].wait_s == pytest.approx(10.0)


def test_a_burst_of_one_s_own_takes_the_place_of_the_default() -> None:
    assert RateLimiter.per_minute(60, 2.0) == (1.0, 2.0)


def test_a_learnt_limit_of_tokens_counts_like_a_given_one() -> None:
    record = learn(None, NOW, ObservedLimits(tokens=600.0))
    record, turn = reserve(record, NOW, amount=600.0)
    assert turn.wait_s == 0.0
    assert reserve(record, NOW, amount=100.0)[1].wait_s == pytest.approx(10.0)
    record = settle(record, reserved=600.0, used=200.0)
    assert reserve(record, NOW, amount=100.0)[1].wait_s == 0.0
    record = settle(record, reserved=0.0, used=400.0)  # and more than was reserved is taken
    assert reserve(record, NOW, amount=100.0)[1].wait_s == pytest.approx(10.0)


def test_what_was_never_reserved_is_not_settled() -> None:
    assert settle(None, 5.0, 1.0, RateLimiter(1.0, 1.0)) is None
    record, _ = reserve(None, NOW, requests=RateLimiter(1.0, 1.0))
    assert settle(record, 5.0, 1.0, RateLimiter(1.0, 1.0)) == record
    assert settle(record, 5.0, 1.0) == record


def test_requests_and_tokens_are_different_buckets() -> None:
    record, _ = reserve(None, NOW, requests=RateLimiter(1.0, 1.0))
    assert reserve(record, NOW, tokens=RateLimiter(1.0, 1.0), amount=1.0)[1].wait_s == 0.0
    assert reserve(record, NOW, requests=RateLimiter(1.0, 1.0))[1].wait_s == pytest.approx(1.0)


def test_a_wait_as_long_as_allowed_is_granted_and_a_longer_one_is_not() -> None:
    slow = RateLimiter(1 / 60, 1.0)
    record, _ = reserve(None, NOW, requests=slow)
    assert reserve(record, NOW, requests=slow)[1] == (60.0, True)
    assert reserve(record, NOW - 0.5, requests=slow)[1] == (60.5, False)


def test_holds_of_a_moment_and_of_the_longest_count() -> None:
    assert reserve(hold(None, NOW, 0.5), NOW)[1].wait_s == pytest.approx(0.5)
    assert hold(None, NOW, 0.0) is None
    longest = hold(None, NOW, LONGEST_WAIT_S)
    assert reserve(longest, NOW, longest_wait=1e9)[1].wait_s == LONGEST_WAIT_S


def test_a_limit_with_something_left_holds_nobody() -> None:
    record = learn(None, NOW, ObservedLimits(requests=500.0, requests_left=1.0, requests_reset_s=7.0))
    assert reserve(record, NOW)[1].wait_s == 0.0


def test_what_was_learnt_outlives_a_hold_and_a_clock_that_is_set_back() -> None:
    record = learn(None, NOW, ObservedLimits(requests=1.0, tokens=60.0))
    record = learn(record, NOW, ObservedLimits(tokens_left=0.0, tokens_reset_s=7.0))
    record, turn = reserve(record, NOW, amount=60.0)
    assert turn.wait_s == pytest.approx(7.0)
    earlier = NOW - 3600.0
    record, turn = reserve(record, earlier, amount=60.0)
    assert turn.wait_s == 0.0
    assert reserve(record, earlier, amount=0.0)[1].wait_s == pytest.approx(60.0)  # one request a minute
    record = learn(None, NOW, ObservedLimits(tokens=60.0))
    record, _ = reserve(record, earlier, amount=60.0)
    assert reserve(record, earlier, amount=30.0)[1].wait_s == pytest.approx(30.0)  # sixty tokens a minute


class Level:
    """A bucket as everybody draws it: what is in it at a moment, which may lie ahead; between moments it fills up."""

    def __init__(self, limiter: RateLimiter) -> None:
        self.limiter, self.left, self.at = limiter, limiter.burst, -1e9

    def read(self, now: float) -> float:
        return min(self.limiter.burst, self.left + self.limiter.per_s * (now - self.at))

    def wait(self, now: float, cost: float) -> float:
        """What is larger than the bucket goes when it is full."""
        return max(0.0, (min(cost, self.limiter.burst) - self.read(now)) / self.limiter.per_s)

    def take(self, moment: float, cost: float) -> None:
        self.left, self.at = self.read(moment) - cost, moment


class Machine(RuleBasedStateMachine):
    """Requests, corrections, answers of the provider and clocks that jump, against two buckets and a moment."""

    @initialize(
        per_s=st.sampled_from([0.5, 3.0]),
        burst=st.sampled_from([1.0, 4.0]),
        tokens_per_s=st.sampled_from([10.0, 100.0]),
    )
    def begin(self, per_s: float, burst: float, tokens_per_s: float) -> None:
        self.now, self.record = NOW, None
        self.requests, self.tokens = RateLimiter(per_s, burst), RateLimiter(tokens_per_s, 50.0)
        self.forget()

    record: Record | None

    def forget(self) -> None:
        self.levels, self.held, self.noted, self.counted = (Level(self.requests), Level(self.tokens)), 0.0, None, False

    noted: float | None

    @rule(seconds=st.sampled_from([0.1, 1.0, 20.0, 3600.0, -0.5, -50.0, -61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    def look(self) -> None:
        """A clock that was set back by more than a minute since the last note makes notes worthless."""
        if self.noted is not None and self.noted - self.now > 60.0:
            self.forget()

    @rule(amount=st.sampled_from([0.0, 1.0, 30.0, 50.0, 80.0]), longest=st.sampled_from([0.0, 2.0, 500.0]))
    def ask(self, amount: float, longest: float) -> None:
        self.look()
        costs = (1.0, amount)
        waits = [level.wait(self.now, cost) for level, cost in zip(self.levels, costs, strict=True)]
        wait = max(*waits, self.held - self.now)
        self.record, turn = reserve(
            self.record, self.now, requests=self.requests, tokens=self.tokens, amount=amount, longest_wait=longest
        )
        assert turn.wait_s == pytest.approx(max(0.0, wait), abs=1e-6)
        if abs(wait - longest) > 1e-6:
            assert turn.granted == (wait < longest)
        if turn.granted:
            self.noted, self.counted = self.now, True
            for level, cost in zip(self.levels, costs, strict=True):
                level.take(self.now + turn.wait_s, cost)

    @rule(reserved=st.sampled_from([10.0, 50.0]), used=st.sampled_from([0.0, 10.0, 70.0]))
    def correct(self, reserved: float, used: float) -> None:
        self.record = settle(self.record, reserved, used, self.tokens)
        if self.counted:
            self.levels[1].left += reserved - used

    @rule(seconds=st.sampled_from([0.0, 5.0, 300.0]))
    def told_to_wait(self, seconds: float) -> None:
        self.record = hold(self.record, self.now, seconds)
        if seconds:
            self.stopped(seconds)

    @rule(left=st.sampled_from([0.0, 7.0]), reset_s=st.sampled_from([3.0, 40.0]), kind=st.booleans())
    def told_what_is_left(self, left: float, reset_s: float, kind: bool) -> None:
        names = ("requests_left", "requests_reset_s") if kind else ("tokens_left", "tokens_reset_s")
        told = ObservedLimits(**dict(zip(names, (left, reset_s), strict=True)))
        self.look()
        self.record = learn(self.record, self.now, told)
        if not left:
            self.stopped(reset_s)

    def stopped(self, seconds: float) -> None:
        self.look()
        self.noted, self.held = self.now, max(self.held, self.now + seconds)


@pytest.mark.soak
def test_limiter_model_stateful() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine, settings=settings(max_examples=soak(100, 10_000), stateful_step_count=30, deadline=None)
    )
