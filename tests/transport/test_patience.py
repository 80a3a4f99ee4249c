"""Which limit counts when, and what is said when it is used up: a fake clock, no waiting."""

import pytest

from fennec_cli.errors import ProviderTimeout
from fennec_cli.transport.patience import TAIL_S, Limits, Patience

LIMITS = Limits(connect=5, write=30, first_event=10, idle=3, content=20)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_phase_has_its_own_limit() -> None:
    patience = Patience(LIMITS, clock=Clock())
    assert (patience.connect_s(), patience.write_s(), patience.read_s()) == (5, 30, 10)
    patience.event_seen()
    assert patience.read_s() == 3
    patience.finish_seen()
    assert patience.read_s() == TAIL_S


def test_waiting_for_the_first_event_adds_up() -> None:
    patience = Patience(LIMITS, clock=Clock())
    patience.waited(6)
    patience.waited(3)
    assert patience.read_s() == 1
    patience.waited(1)
    with pytest.raises(ProviderTimeout, match="no first event within 10 s") as caught:
        patience.read_s()
    assert caught.value.hint == "raise --first-token-timeout"
    assert caught.value.retryable


def test_bytes_without_content_have_a_limit_of_their_own() -> None:
    patience = Patience(LIMITS, clock=Clock())
    patience.event_seen()
    for _ in range(9):
        patience.waited(2)
    assert patience.read_s() == 2
    patience.waited(2)
    with pytest.raises(ProviderTimeout, match="no content came within 20 s"):
        patience.read_s()


def test_content_starts_that_limit_anew() -> None:
    patience = Patience(LIMITS, clock=Clock())
    patience.event_seen()
    patience.waited(19)
    patience.content_seen()
    assert patience.read_s() == 3


def test_time_that_the_reader_takes_does_not_count_as_idle() -> None:
    clock = Clock()
    patience = Patience(LIMITS, clock=clock)
    patience.event_seen()
    clock.now += 3600
    assert patience.read_s() == 3


def test_the_attempt_as_a_whole_is_limited_by_the_clock() -> None:
    clock = Clock()
    patience = Patience(Limits(idle=3, attempt=8), clock=clock)
    patience.event_seen()
    clock.now += 6
    assert patience.read_s() == 2
    clock.now += 2
    with pytest.raises(ProviderTimeout, match="not finished within 8 s") as caught:
        patience.read_s()
    assert caught.value.hint == "raise --timeout"


def test_the_deadline_wins_and_forbids_another_try() -> None:
    clock = Clock()
    patience = Patience(LIMITS, deadline=1001.0, clock=clock)
    assert patience.connect_s() == 1
    clock.now += 1
    with pytest.raises(ProviderTimeout, match="the deadline passed") as caught:
        patience.connect_s()
    assert not caught.value.retryable
