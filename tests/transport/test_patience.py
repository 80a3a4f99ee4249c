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


def test_the_end_is_waited_for_once_however_much_comes_before_it() -> None:
    patience = Patience(LIMITS, clock=Clock())
    patience.event_seen()
    patience.waited(2)
    patience.finish_seen()
    patience.waited(TAIL_S - 1)
    patience.event_seen()
    assert patience.read_s() == 1
    patience.linger(0.5)
    patience.waited(0.4)
    assert patience.read_s() == pytest.approx(0.1)
    patience.waited(0.1)
    with pytest.raises(ProviderTimeout, match="no end of the answer"):
        patience.read_s()
    patience.linger(0.0)
    patience.waited(1)
    with pytest.raises(ProviderTimeout, match="no end of the stream"):
        patience.read_s()


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


def test_that_limit_begins_with_the_first_event() -> None:
    patience = Patience(LIMITS._replace(first_event=60), clock=Clock())
    patience.waited(50)
    patience.event_seen()
    assert patience.read_s() == 3
    patience.waited(19)
    assert patience.read_s() == 1


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


def test_a_model_that_reasons_may_be_silent_for_longer() -> None:
    asked: list[int] = []
    patience = Patience(LIMITS._replace(idle_reasoning=9), reasons=lambda: not asked.append(1), clock=Clock())
    assert patience.read_s() == 10
    assert patience.longer_s() == 0  # the first event has a limit of its own
    patience.event_seen()
    assert patience.read_s() == 3
    assert not asked  # a catalogue is not read for models that do not make us wait
    assert patience.longer_s() == 6
    assert patience.longer_s() == 0
    assert "nothing came within 9 s" in patience.overrun.message
    patience.waited(9)
    assert patience.read_s() == 9
    assert len(asked) == 1


def test_a_model_that_does_not_reason_may_not() -> None:
    patience = Patience(LIMITS._replace(idle_reasoning=9), clock=Clock())
    patience.event_seen()
    assert (patience.read_s(), patience.longer_s()) == (3, 0)


def test_the_longer_silence_ends_with_the_limit_for_content() -> None:
    patience = Patience(LIMITS._replace(idle_reasoning=90), reasons=lambda: True, clock=Clock())
    patience.event_seen()
    patience.waited(5)
    assert (patience.read_s(), patience.longer_s()) == (3, 12)
    assert "no content came within 20 s" in patience.overrun.message


def test_a_connection_waits_for_a_model_that_reasons() -> None:
    import socket
    import threading

    from fennec_cli.transport.network import Network
    from fennec_cli.transport.stream import Stream

    ours, theirs = socket.socketpair()
    with ours, theirs:
        network = Network()
        network.patience = Patience(LIMITS._replace(idle=0.1, idle_reasoning=5.0), reasons=lambda: True)
        network.patience.event_seen()
        stream = Stream(ours, network, "peer")
        stream.is_at_body = True
        threading.Timer(0.4, theirs.send, [b"late"]).start()
        assert stream.read(100) == b"late"
        network.patience = Patience(LIMITS._replace(idle=0.1, idle_reasoning=0.3), reasons=lambda: True)
        network.patience.event_seen()
        with pytest.raises(ProviderTimeout, match="nothing came within"):
            stream.read(100)
