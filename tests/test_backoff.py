from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fennec_cli.backoff import RetryConfig

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
