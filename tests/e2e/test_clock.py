"""Clocks that were set: an hour or a year forward or back, under everything that is kept, stops nothing."""

import shutil
from collections.abc import Callable

import pytest

from tests.e2e.peer import Peer, answer, failure
from tests.e2e.runner import Fennec, Result, finished

SHIFTS = ("+1h", "-1h", "+1y", "-1y")
CONFIG = """
[provider.openai]
rpm = 1
burst = 1
[cache]
mode = "use"
ttl = "30m"
[provider.openai.retry]
max_attempts = 1
[provider.openai.breaker]
threshold = 1
"""


def at(fennec: Fennec, shift: str, *arguments: str) -> Result:
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed: set clocks were NOT tried")
    with fennec.start(*arguments, prefix=("faketime", "-f", shift)) as process:
        return finished(process)


def configured(fennec: Fennec) -> None:
    config = fennec.home / ".config" / "fennec" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)


@pytest.mark.parametrize("shift", SHIFTS)
def test_what_is_kept_outlives_a_clock_that_was_set(fennec: Fennec, serve: Callable[..., Peer], shift: str) -> None:
    peer = serve(answer("first"), answer("second"), answer("third"))
    configured(fennec)
    ask = ("complete", "--no-stdin", "hi")
    fennec(*ask).succeeded("first")  # the limit is used up for a minute, an answer is kept for half an hour
    at(fennec, shift, *ask).succeeded("second")
    assert len(peer.requests) == 2  # older than its time to live, or of a future that does not count
    fennec("complete", "--no-stdin", "--cache", "off", "--max-wait", "0", "other")  # whatever it says, it ends
    assert fennec("audit", "verify").status == 0
    assert fennec("cache", "stats").status == 0


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_circuit_that_a_clock_left_behind_is_closed(fennec: Fennec, serve: Callable[..., Peer], shift: str) -> None:
    configured(fennec)
    serve(failure(503), answer("back"))
    ask = ("complete", "--no-stdin", "hi")
    fennec(*ask).failed("unavailable", 7)
    fennec(*ask).failed("circuit_open", 14)
    at(fennec, shift, *ask).succeeded("back")
