"""The runner against servers whose timing is known: what it measures is what happened."""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from fennec_cli.assembly import Overrides
from fennec_cli.bench.lane import Setup
from fennec_cli.bench.loopback import Truth
from fennec_cli.bench.plan import Step, workers_for
from fennec_cli.bench.runner import Outcome, Purse, Wanted, WarmupFailed, run_step
from fennec_cli.bench.sample import Sample
from fennec_cli.bench.stats import quantile
from fennec_cli.bench.worker import NO_END
from fennec_cli.config import Config, ProviderConfig
from fennec_cli.pricing import Price
from fennec_cli.registry import Target
from fennec_cli.request import EMPTY, CompletionRequest
from tests.bench.known import KnownServer, before_others
from tests.e2e.peer import ROLE, Peer, delta, head, send

TTFT_S, GAP_S, TOKENS = 0.1, 0.02, 20
EXACT_S = 0.002


@pytest.fixture
def server() -> Iterator[KnownServer]:
    with KnownServer(TTFT_S, GAP_S, TOKENS) as running:
        yield running


@pytest.fixture
def quick() -> Iterator[KnownServer]:
    with KnownServer(0.01, 0.0, 3) as running:
        yield running


def measure(
    url: str,
    step: Step,
    total: int,
    *,
    duration: float | None = None,
    warmup: int = 4,
    purse: Purse | None = None,
    models: tuple[str, ...] = ("m",),
    says: Mapping[int, str] = EMPTY,
) -> Outcome:
    provider = ProviderConfig("k", "openai", api="chat", base_url=url, prices={"m": Price(0.0, 1e6 / 3)})
    number = min(total, 2000)
    setup = Setup(
        Config(providers={"k": provider}),
        Overrides(),
        [Target("k", model, "") for model in models],
        [CompletionRequest.from_text(f"p{place} {says.get(place, 'go')}", model="") for place in range(number)],
    )
    outcome = Outcome(step, workers=workers_for(step, 2))
    run_step(outcome, Wanted(setup, total, warmup, duration, 1), purse or Purse(None, 0.0))
    return outcome


@pytest.mark.parametrize(("jobs", "requests"), [(1, 10), (16, 96), (64, 256)])
def test_bench_known_delays(server: KnownServer, jobs: int, requests: int) -> None:
    """Every TTFT, TPOT and ICL is within 2 ms of the truth. Where we may not go before others, 99 of 100 are.

    Of events that one read brought only the last one's moment can be known: they are few, and compared as such.
    """
    with before_others() as alone:
        outcome = measure(server.url, Step(jobs), requests, warmup=min(jobs, 32))
    truth = server.truth()
    assert sorted(sample.index for sample in outcome.samples) == list(range(requests))
    errors: dict[str, list[float]] = {"ttft": [], "tpot": [], "icl": []}
    for sample in outcome.samples:
        assert sample.ok
        assert sample.output_tokens == TOKENS == len(sample.events)
        assert not sample.estimated
        assert sample.clock == ("kernel" if sys.platform == "linux" else "process")
        for name, found in errors_of(sample, truth[f"p{sample.index}"]).items():
            errors[name] += found
    for name, found in errors.items():
        assert quantile(sorted(found), 1.0 if alone else 0.99) < EXACT_S, f"{name}: {sorted(found)[-20:]}"
    if max(outcome.stalls) < GAP_S:  # a machine that stands still as a whole, as virtual ones do, merges what it likes
        assert sum(sample.merged for sample in outcome.samples) < 0.005 * requests * TOKENS


def errors_of(sample: Sample, truth: Truth) -> dict[str, list[float]]:
    """How far each figure is from all that the truth allows."""
    sent = list(truth.sent)
    for place in range(len(sent) - 2, -1, -1):
        if sample.events[place] == sample.events[place + 1]:  # one read brought both
            sent[place] = sent[place + 1]
    (first, first_end), (last, last_end) = sent[0], sent[-1]
    assert sample.ttft is not None
    assert sample.tpot is not None
    return {
        "ttft": [beyond(sample.ttft, first - truth.received, first_end - truth.received)],
        "tpot": [beyond(sample.tpot, (last - first_end) / (TOKENS - 1), (last_end - first) / (TOKENS - 1))],
        "icl": [
            beyond(gap, later - end, later_end - begin)
            for gap, ((begin, end), (later, later_end)) in zip(sample.gaps, pairwise(sent), strict=True)
            if gap
        ],
    }


def beyond(value: float, least: float, most: float) -> float:
    return max(least - value, value - most, 0.0)


def test_bench_open_loop_sees_stall(quick: KnownServer) -> None:
    """A server that does nothing for a second, at 50 requests a second: those who came then have waited for it."""
    stall = 50
    outcome = measure(quick.url, Step(1, 50.0, "constant"), 150, says={stall: "stall=1.0"})
    assert all(sample.ok for sample in outcome.samples)
    waited = {sample.index: sample.ttft_from_planned or 0.0 for sample in outcome.samples}
    assert quantile(sorted(waited.values()), 0.99) >= 0.9
    assert sum(value > 0.1 for value in waited.values()) >= 40  # not one of them, as in a closed loop: all that second
    assert median(waited[index] for index in range(stall - 10)) < 0.5


def test_an_open_loop_sends_when_it_said_it_would(quick: KnownServer) -> None:
    outcome = measure(quick.url, Step(1, 40.0, "constant"), 40)
    planned = sorted(sample.planned for sample in outcome.samples)
    assert planned == pytest.approx([number / 40 for number in range(40)], abs=1e-6)
    lags = [sample.lag for sample in outcome.samples if sample.lag is not None]
    assert min(lags) >= 0
    assert median(lags) < 0.005


def test_a_closed_loop_has_never_more_under_way_than_it_was_told(server: KnownServer) -> None:
    outcome = measure(server.url, Step(3), 12)
    moments = [(sample.planned, 1) for sample in outcome.samples] + [(sample.end, -1) for sample in outcome.samples]
    under_way = most = 0
    for _, change in sorted(moments):
        under_way += change
        most = max(most, under_way)
    assert most == 3


def test_a_duration_ends_the_sending_and_not_the_answers(quick: KnownServer) -> None:
    for step in (Step(2), Step(1, 30.0)):
        outcome = measure(quick.url, step, NO_END, duration=0.5)
        assert outcome.samples
        assert max(sample.planned for sample in outcome.samples) < 0.5
        assert all(sample.ok for sample in outcome.samples)


@pytest.mark.parametrize("step", [Step(4), Step(1, 200.0)])
def test_nothing_is_sent_that_could_cost_too_much(quick: KnownServer, step: Step) -> None:
    """A request costs 1 USD, as estimated; 10 USD are ten requests with the warm-up, however many are under way."""
    purse = Purse(10.0, 1.0)
    outcome = measure(quick.url, step, 500, purse=purse, warmup=2)
    assert len(outcome.samples) == 8
    assert outcome.stopped_by == "cost"
    assert purse.spent_usd == pytest.approx(10.0)
    assert len(quick.truth()) <= 10


def test_requests_that_cost_less_than_estimated_leave_more(quick: KnownServer) -> None:
    for step in (Step(2), Step(1, 100.0)):
        outcome = measure(quick.url, step, 60, purse=Purse(30.5, 5.0), warmup=0)
        assert 24 <= len(outcome.samples) <= 30
        assert outcome.stopped_by == "cost"


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe can be set on Linux only")
def test_a_closed_loop_is_not_told_what_it_does_not_read(quick: KnownServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes are made small, so that a thousand words that nobody reads would fill one."""
    pipe = os.pipe

    def small() -> tuple[int, int]:
        ends = pipe()
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 4096)
        return ends

    monkeypatch.setattr(os, "pipe", small)
    outcome = measure(quick.url, Step(8), 1000, purse=Purse(1e6, 1.0), warmup=0, models=("unpriced",))
    assert len(outcome.samples) == 1000


@pytest.mark.parametrize("step", [Step(1), Step(1, 50.0)])
def test_an_answer_that_broke_off_is_paid_for(step: Step) -> None:
    """Its two tokens cost 2/3 USD; of the next one nobody knows that it would be as short."""
    with Peer([send(head(), ROLE, delta("12345678"))]) as peer:
        outcome = measure(peer.url, step, 20, purse=Purse(5.0, 1.0), warmup=0)
    assert {sample.error_class for sample in outcome.samples} == {"stream_broken"}
    assert outcome.stopped_by == "cost"
    assert [sample.cost_usd for sample in outcome.samples] == pytest.approx([2 / 3] * 7)
    assert outcome.cost_usd == pytest.approx(7 * 2 / 3)


def test_the_warm_up_is_not_measured_and_asks_for_other_prompts(quick: KnownServer) -> None:
    outcome = measure(quick.url, Step(1), 6, warmup=3)
    assert len(outcome.samples) == 6
    assert outcome.warm == [(0, True)] * 3
    assert len(quick.truth()) == 6  # the same six names: those of the warm-up are the last ones


def test_a_warm_up_without_an_answer_ends_the_run() -> None:
    outcome = Outcome(Step(1))
    setup = Setup(
        Config(providers={"k": ProviderConfig("k", "openai", api="chat", base_url="http://127.0.0.1:1/v1")}),
        Overrides(),
        [Target("k", "m", "")],
        [CompletionRequest.from_text("x", model="")],
    )
    with pytest.raises(WarmupFailed):
        run_step(outcome, Wanted(setup, 5, 2, None, 1), Purse(None, 0.0))
    assert [failure.error_class for failure in outcome.failures] == ["unavailable"] * 2
    assert outcome.samples == []


def test_failures_are_samples_and_their_first_is_told_once() -> None:
    outcome = measure("http://127.0.0.1:1/v1", Step(2), 8, warmup=0)
    assert [sample.error_class for sample in outcome.samples] == ["unavailable"] * 8
    assert [failure.error_class for failure in outcome.failures] == ["unavailable"]


def test_models_take_turns(quick: KnownServer) -> None:
    outcome = measure(quick.url, Step(1), 30, models=("a", "b", "c"))
    for turn in range(10):
        these = sorted((sample for sample in outcome.samples), key=lambda sample: sample.index)[turn * 3 : turn * 3 + 3]
        assert {sample.model for sample in these} == {"k/a", "k/b", "k/c"}


def test_a_run_that_is_stopped_leaves_no_worker_behind(server: KnownServer) -> None:
    class Stop(Exception):
        pass

    seen: list[Sample] = []

    def stop() -> None:
        if seen:
            raise Stop

    provider = ProviderConfig("k", "openai", api="chat", base_url=server.url)
    setup = Setup(
        Config(providers={"k": provider}),
        Overrides(),
        [Target("k", "m", "")],
        [CompletionRequest.from_text("x", model="")],
    )
    outcome = Outcome(Step(40), workers=2)
    with pytest.raises(Stop):
        run_step(outcome, Wanted(setup, NO_END, 0, 30.0, 1), Purse(None, 0.0), seen.append, stop)
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    workers = [Path("/proc", pid, "cmdline").read_bytes() for pid in children]
    assert sum(b"tests.bench.known" not in command for command in workers) == 0
