"""What is sent and when. Pure: the same seed gives the same plan, in every process of a run."""

import math
from collections.abc import Iterator
from random import Random
from typing import Literal

from fennec_cli.tuples import NamedTuple

Arrival = Literal["poisson", "constant"]
LANES_A_WORKER = 32


class Step(NamedTuple):
    """One level of load. With a `rate` (requests a second) the loop is open, else `jobs` requests are under way."""

    jobs: int = 1
    rate: float | None = None
    arrival: Arrival = "poisson"

    @property
    def label(self) -> str:
        return f"j={self.jobs}" if self.rate is None else f"rate={self.rate:g}"

    @property
    def text(self) -> str:
        if self.rate is None:
            return f"closed loop, {self.jobs} at a time: queueing hidden"
        return f"open loop, {self.rate:g} requests/s, {self.arrival} arrivals"


def steps(jobs: int, rate: float | None, arrival: Arrival, *, sweep: bool) -> list[Step]:
    """The levels of a run: the one that was asked for, with `sweep` also its halves down to one eighth (or one job)."""
    if rate is not None:
        return [Step(jobs, rate / 2**power, arrival) for power in ((3, 2, 1, 0) if sweep else (0,))]
    levels = sorted({jobs, *(2**power for power in range(int(math.log2(jobs)) + 1))}) if sweep else [jobs]
    return [Step(level) for level in levels]


def arrivals(rate: float, arrival: Arrival, seed: int) -> Iterator[float]:
    """Yield the moments of sending, in seconds; the first is 0."""
    random, moment = Random(f"arrivals {seed}"), 0.0
    while True:
        yield moment
        moment += random.expovariate(rate) if arrival == "poisson" else 1 / rate


class Job(NamedTuple):
    """A request to be sent: which model, which prompt, by number."""

    model: int
    prompt: int


def job(index: int, models: int, prompts: int, seed: int) -> Job:
    """The job of a number. Each round asks every model once, with one prompt and in an order of its own.

    So a drift of network or server meets all models alike, and each gets the same prompts.
    """
    turn, place = divmod(index, models)
    order = list(range(models))
    if models > 1:
        Random(f"order {seed} {turn}").shuffle(order)
    return Job(order[place], turn % prompts)


def workers_for(step: Step, processors: int) -> int:
    """How many processes: one thread wakes another one late when many of them share a Python.

    An open loop does not say how many requests will be under way, so it gets one process for each processor.
    """
    if step.rate is not None:
        return max(1, min(processors, 8, math.ceil(step.rate / 4)))
    return math.ceil(step.jobs / LANES_A_WORKER)
