"""Runs a step of load in worker processes, and gathers what they saw.

The runner itself sends nothing, so that drawing progress and computing figures disturb no measurement. It is what ends
a step: by number, by duration, or because the next request could cost more than is allowed.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from fennec_cli.bench.lane import Setup
from fennec_cli.bench.plan import Step
from fennec_cli.bench.sample import Sample, unpacked
from fennec_cli.bench.worker import NO_END, TICKET, Share, start
from fennec_cli.tuples import NamedTuple

_AHEAD = 4096  # tickets that lie in the pipe (64 KiB) at most
_TICK_S = 0.1
_SOON_S = 0.02  # from the word to begin to the beginning


class Failure(NamedTuple):
    """The first failure of a class at a model. `counts` is false in the warm-up."""

    model: str
    error_class: str
    line: str
    message: str
    hint: str | None
    provider: str | None
    counts: bool


@dataclass
class Outcome:
    """What came of a step. `cpu` is the busiest worker's share of one processor, `stalls` how late threads woke up."""

    step: Step
    samples: list[Sample] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warm: list[tuple[int, bool]] = field(default_factory=list)  # model, whether its warm-up request was answered
    cpu: float = 0.0
    cpu_s: float = 0.0  # of all workers
    stalls: list[float] = field(default_factory=list)
    workers: int = 1
    stopped_by: str = "requests"
    cost_usd: float = 0.0  # warm-up included


class Purse:
    """What may be spent by all steps together. `worst_usd`: the most that one request may cost, as estimated."""

    def __init__(self, limit_usd: float | None, worst_usd: float) -> None:
        self.limit_usd = limit_usd
        self.worst_usd = worst_usd
        self.spent_usd = 0.0

    def pay(self, cost: float | None) -> None:
        self.spent_usd += cost or 0.0
        self.worst_usd = max(self.worst_usd, cost or 0.0)

    def affords(self) -> int:
        """How many requests more may be under way."""
        if self.limit_usd is None or self.worst_usd <= 0:
            return NO_END
        return max(0, int((self.limit_usd - self.spent_usd) / self.worst_usd + 1e-9))


class Wanted(NamedTuple):
    """How much is sent in each step."""

    setup: Setup
    total: int  # requests of a step, all models together
    warmup: int
    duration: float | None
    seed: int


class WarmupFailed(Exception):
    """No request of the warm-up was answered: those that count would not be either."""


def run_step(
    outcome: Outcome,
    wanted: Wanted,
    purse: Purse,
    on_sample: Callable[[Sample], None] = lambda _sample: None,
    on_tick: Callable[[], None] = lambda: None,
) -> None:
    """Run the step of `outcome` in as many workers as it says, and fill it, also when a signal ends it early.

    `on_tick` is called about ten times a second. Whatever happens, no process is left behind.
    """
    run = _Run(outcome, wanted, purse, on_sample)
    try:
        for _ in run.events():
            on_tick()
    finally:
        run.close()


class _Run:
    def __init__(self, outcome: Outcome, wanted: Wanted, purse: Purse, on_sample: Callable[[Sample], None]) -> None:
        step, workers = outcome.step, outcome.workers
        self._step, self._wanted, self._purse, self._on_sample = step, wanted, purse, on_sample
        self.outcome = outcome
        self._issued = self._done = self._warmed = 0
        self._ready = 0
        self._begin: float | None = None
        self._allowed = NO_END
        tickets_out, self._tickets = os.pipe()
        pipes = [(os.pipe(), os.pipe()) for _ in range(workers)]
        ours = [self._tickets, *(fd for control, results in pipes for fd in (control[1], results[0]))]
        theirs = [fd for control, results in pipes for fd in (control[0], results[1])]
        self._controls = [control[1] for control, _ in pipes]
        self._open = {results[0]: b"" for _, results in pipes}
        self._pids: list[int] = []
        warmup = min(wanted.warmup, purse.affords())
        for number, (control, results) in enumerate(pipes):
            share = Share(wanted.setup, step, number, workers, wanted.total, warmup, wanted.duration, wanted.seed)
            others = [*ours, *(fd for fd in theirs if fd not in (control[0], results[1]))]
            self._pids.append(start(share, tickets_out, control[0], results[1], others))
        for fd in (tickets_out, *theirs):
            os.close(fd)
        os.set_blocking(self._tickets, False)

    def events(self) -> Iterator[None]:
        """Go on until all workers are done, with a stop at each tick."""
        tick = time.monotonic()
        while self._open:
            for fd in select.select(list(self._open), [], [], _TICK_S)[0]:
                self._read(fd)
            self._steer()
            if time.monotonic() >= tick + _TICK_S:
                tick = time.monotonic()
                yield

    def close(self) -> None:
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for fd in (*self._open, *self._controls):
            os.close(fd)
        self._end_tickets()

    def _read(self, fd: int) -> None:
        data = os.read(fd, 1 << 18)
        if not data:
            os.close(fd)
            if self._open.pop(fd) != b"bye":
                raise RuntimeError("a worker ended without a word")
            return
        *lines, rest = (self._open[fd] + data).split(b"\n")
        self._open[fd] = rest
        for line in lines:
            self._hear(fd, orjson.loads(line))

    def _hear(self, fd: int, message: dict[str, Any]) -> None:
        outcome = self.outcome
        if "sample" in message:
            sample = unpacked(message["sample"])
            self._done += 1
            self._paid(sample.cost_usd)
            outcome.samples.append(sample)
            self._on_sample(sample)
        elif "warm" in message:
            model, ok, cost = message["warm"]
            self._warmed += 1
            self._paid(cost)
            outcome.warm.append((model, ok))
        elif "failure" in message:
            model, told = message["failure"]
            outcome.failures.append(Failure(self._wanted.setup.name(model), told.pop("class"), **told))
        elif "ready" in message:
            self._ready += 1
        elif "bye" in message:
            bye = message["bye"]
            outcome.cpu = max(outcome.cpu, bye["cpu_s"] / max(bye["wall_s"], 1e-9))
            outcome.cpu_s += bye["cpu_s"]
            outcome.stalls += bye["stalls_s"]
            self._open[fd] = b"bye"
        elif "bug" in message:
            raise RuntimeError(f"a worker failed: {message['bug']}")

    def _paid(self, cost: float | None) -> None:
        self._purse.pay(cost)
        self.outcome.cost_usd += cost or 0.0

    def _steer(self) -> None:
        if self._begin is None:
            if self._ready < len(self._controls):
                return
            if self.outcome.warm and not any(ok for _, ok in self.outcome.warm):
                raise WarmupFailed
            self._begin = time.monotonic() + _SOON_S
            self._allow()
            self._say({"begin": self._begin, "allowed": self._allowed})
        elif self._allow() and self._step.rate is not None:  # a closed loop goes by its tickets, and reads no more
            self._say({"allowed": self._allowed})
        if self._step.rate is None:
            self._issue()

    def _allow(self) -> bool:
        """Compute how far the money goes; whether that is news."""
        affordable = self._purse.affords()
        allowed = NO_END if affordable == NO_END else self._done + affordable
        if allowed < self._wanted.total and self._done >= allowed:
            self.outcome.stopped_by, allowed = "cost", 0
        changed, self._allowed = allowed != self._allowed, allowed
        return changed

    def _issue(self) -> None:
        """Put tickets into the pipe: what is wanted, what is affordable, and not so many that it fills."""
        if self._tickets < 0:
            return
        assert self._begin is not None
        late = self._wanted.duration is not None and time.monotonic() >= self._begin + self._wanted.duration
        end = min(self._wanted.total, self._allowed, self._done + self._step.jobs + _AHEAD)
        if not late and end > self._issued:
            numbers = range(self._issued, end)
            os.write(self._tickets, b"".join(number.to_bytes(TICKET, "little") for number in numbers))
            self._issued = end
        broke = self._issued >= self._allowed and self._done >= self._issued
        if late or broke or self._issued >= self._wanted.total:
            self._end_tickets()

    def _end_tickets(self) -> None:
        if self._tickets >= 0:
            os.close(self._tickets)
            self._tickets = -1

    def _say(self, word: dict[str, Any]) -> None:
        for control in self._controls:
            with suppress(BrokenPipeError):  # a worker of an open loop that has sent its share
                os.write(control, orjson.dumps(word, option=orjson.OPT_APPEND_NEWLINE))
