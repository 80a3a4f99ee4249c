from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fennec_cli.backoff import RetryBudget, RetryConfig

delays = st.floats(0, 1e6)
factors = st.floats(1, 100)


@given(initial=delays, longest=delays, factor=factors, attempt=st.integers(0, 40))
def test_retry_delay_formula_property(initial: float, longest: float, factor: float, attempt: int) -> None:
    policy = RetryConfig(initial_delay=initial, max_delay=longest, backoff_factor=factor)
    exact = min(Fraction(initial) * Fraction(factor) ** attempt, Fraction(longest))
    assert policy.calculate_delay(attempt) == pytest.approx(float(exact), rel=1e-9)


@given(initial=delays, longest=delays, factor=factors, attempt=st.integers(0, 10**6))
def test_a_delay_stays_below_its_limit_however_late_the_attempt(
    initial: float, longest: float, factor: float, attempt: int
) -> None:
    policy = RetryConfig(initial_delay=initial, max_delay=longest, backoff_factor=factor)
    assert 0 <= policy.calculate_delay(attempt) <= longest


@given(initial=delays, longest=delays, factor=factors, attempt=st.integers(0, 1000))
def test_delays_never_shrink(initial: float, longest: float, factor: float, attempt: int) -> None:
    policy = RetryConfig(initial_delay=initial, max_delay=longest, backoff_factor=factor)
    assert policy.calculate_delay(attempt) <= policy.calculate_delay(attempt + 1)


def test_the_defaults_double_from_half_a_second_to_eight() -> None:
    assert [RetryConfig().calculate_delay(n) for n in range(6)] == [0.5, 1, 2, 4, 8, 8]


@pytest.mark.parametrize("factor", [2, 2.0, 1e308])
def test_a_million_attempts_do_not_overflow(factor: float) -> None:
    assert RetryConfig(backoff_factor=factor).calculate_delay(10**6) == 8


def test_no_initial_delay_stays_none() -> None:
    assert RetryConfig(initial_delay=0).calculate_delay(10**6) == 0


def spent(record: dict[str, float] | None, now: float, times: int) -> tuple[dict[str, float] | None, list[bool]]:
    granted = []
    for _ in range(times):
        record, answer = RetryBudget.spend(record, now)
        granted.append(answer)
    return record, granted


def test_ten_retries_at_once_use_the_budget_up() -> None:
    assert spent(None, 5.0, 11) == ({"tokens": 0.0, "at": 5.0}, [True] * 10 + [False])


def test_the_last_tokens_are_enough_for_a_last_retry() -> None:
    assert RetryBudget.spend({"tokens": 10.0, "at": 5.0}, 5.0) == ({"tokens": 0.0, "at": 5.0}, True)
    assert RetryBudget.spend({"tokens": 9.5, "at": 5.0}, 5.0) == ({"tokens": 9.5, "at": 5.0}, False)


def test_time_gives_one_token_a_second_up_to_the_whole_budget() -> None:
    empty, _ = spent(None, 5.0, 10)
    assert spent(empty, 14.0, 1)[1] == [False]
    assert spent(empty, 25.0, 3)[1] == [True, True, False]
    assert spent(empty, 1e6, 11)[1] == [True] * 10 + [False]
    assert spent(empty, 1.0, 1) == ({"tokens": 0.0, "at": 1.0}, [False])  # a clock that was set back takes nothing


def test_first_tries_that_succeed_give_one_each_and_a_full_budget_is_forgotten() -> None:
    assert RetryBudget.earn({"tokens": 3.0, "at": 5.0}, 7.0) == {"tokens": 6.0, "at": 7.0}
    assert RetryBudget.earn({"tokens": 98.0, "at": 5.0}, 5.0) == {"tokens": 99.0, "at": 5.0}
    assert RetryBudget.earn({"tokens": 99.0, "at": 5.0}, 5.0) is None
    assert RetryBudget.earn(None, 5.0) is None
