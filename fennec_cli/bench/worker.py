"""A process that sends requests and notes when things happened; what it learns goes to the runner, one JSON line each.

Tickets, the numbers of jobs, come through one pipe that all workers read: each is a read of `TICKET` bytes, which the
system never divides. So a closed loop has one queue, and the runner, which issues the tickets, is what limits the cost.
An open loop needs no tickets: each worker knows the plan and sends its share of it, as far as the runner allows.

Lines to the runner: `ready` (warm-up over), `sample`, `failure` (the first of its class), `bye`, `bug`.
Lines from it: `begin` (the moment), `allowed` (no job from this number on; 0: no more at all).
"""

import gc
import os
import queue
import select
import signal
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Any

import orjson

from fennec_cli.bench.lane import Lanes, Setup
from fennec_cli.bench.plan import Step, arrivals, job
from fennec_cli.bench.sample import Sample, packed
from fennec_cli.config import server_url
from fennec_cli.errors import FennecError
from fennec_cli.store import shared_state
from fennec_cli.tuples import NamedTuple

TICKET = 4  # bytes
NO_END = 2**32 - 1
MOST_LANES = 512  # of one worker; an open loop that needs more is late, and the run says so
WATCH_S = 0.01
RAMP_S, LONGEST_RAMP_S = 0.005, 1.0  # between two lanes of a closed loop, so that they do not go on in step
_SWITCH_S = 0.0005  # a thread that has read something waits no longer for Python (its default is 0.005)


class Share(NamedTuple):
    """What one worker of a step has to do."""

    setup: Setup
    step: Step
    number: int  # of this worker
    workers: int
    total: int  # jobs of the step, warm-up not counted
    warmup: int  # jobs of the step's warm-up
    duration: float | None
    seed: int


class Worker:
    """Runs a share. Moments in samples are seconds since the `begin` that the runner gives."""

    def __init__(self, share: Share, tickets: int, control: int, results: int) -> None:
        self._share = share
        self._tickets, self._control, self._results = tickets, control, results
        server = server_url(share.setup.config.cache.backend, os.environ)
        self._lanes = Lanes(share.setup, shared_state(server=server))
        self._lock = threading.Lock()
        self._warmups = deque(range(share.number, share.warmup, share.workers))
        self._begin = 0.0
        self._allowed = NO_END
        self._told: set[tuple[int, str]] = set()
        self._started = threading.Event()
        self._stalls: list[float] = []

    def run(self) -> None:
        sys.setswitchinterval(_SWITCH_S)
        gc.freeze()
        threading.excepthook = self._broken
        step = self._share.step
        threads = self._closed_lanes() if step.rate is None else []
        pool = _Pool(self) if step.rate is not None else None
        if pool is not None:
            pool.prepare(self._expected_lanes())
        while self._warmups or self._warming:
            time.sleep(0.01)
        self._tell({"ready": True})
        self._wait_for_begin()
        cpu = _cpu_s()
        threading.Thread(target=self._watch, daemon=True).start()
        if pool is not None:
            self._dispatch(pool)
            pool.close()
        for thread in threads:
            thread.join()
        self._tell(
            {"bye": {"cpu_s": _cpu_s() - cpu, "wall_s": time.monotonic() - self._begin, "stalls_s": self._stalls}}
        )

    # Lanes of both loops

    _warming = 0

    def open(self) -> None:
        """Make the thread we are in a lane."""
        self._lanes.open()

    def warm(self) -> None:
        """Take warm-up jobs until there are none; `_warming` counts lanes, so that the last one is waited for."""
        while True:
            with self._lock:
                if not self._warmups:
                    self._warming -= 1
                    return
                number = self._warmups.popleft()
            self._send(number, time.monotonic(), counts=False)

    def send(self, number: int, planned: float) -> None:
        self._send(number, planned, counts=True)

    def _send(self, number: int, planned: float, *, counts: bool) -> None:
        setup, seed = self._share.setup, self._share.seed
        each = job(number, len(setup.targets), len(setup.requests), seed)
        if not counts:  # prompts from the other end: the server shall not know those that count
            each = each._replace(prompt=len(setup.requests) - 1 - each.prompt)
        sample, error = self._lanes.run(number, each.model, each.prompt, planned)
        if error is not None:
            self._failure(each.model, error, counts=counts)
        if counts:
            self._tell({"sample": packed(_since(sample, self._begin))})
        else:
            self._tell({"warm": [each.model, sample.ok, sample.cost_usd]})

    def _failure(self, model: int, error: FennecError, *, counts: bool) -> None:
        with self._lock:
            new = (model, error.error_class) not in self._told
            if counts:
                self._told.add((model, error.error_class))
        if new:
            told = {"class": error.error_class, "line": error.line(), "message": error.message, "hint": error.hint}
            self._tell({"failure": [model, {**told, "provider": error.provider, "counts": counts}]})

    def _tell(self, message: dict[str, Any]) -> None:
        data = memoryview(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
        with self._lock:
            while data:
                data = data[os.write(self._results, data) :]

    def _broken(self, details: threading.ExceptHookArgs) -> None:
        """A lane that fails must not leave the others waiting for it."""
        _report(self._results, details.exc_type, details.exc_traceback)
        os._exit(1)

    def _wait_for_begin(self) -> None:
        while not self._begin:
            self._listen(None)
        self._started.set()

    def _listen(self, seconds: float | None) -> None:
        """Wait for a word of the runner, at most so long. One that has gone allows nothing more."""
        if not select.select([self._control], [], [], seconds)[0]:
            return
        data = os.read(self._control, 65536)
        if not data:
            self._allowed, self._begin = 0, self._begin or time.monotonic()
            if seconds:
                time.sleep(min(seconds, WATCH_S))
        for line in data.splitlines():
            word = orjson.loads(line)
            self._begin = word.get("begin", self._begin)
            self._allowed = word.get("allowed", self._allowed)

    def _watch(self) -> None:
        """Note how late a thread wakes up, as all the others do."""
        while True:
            before = time.monotonic()
            time.sleep(WATCH_S)
            if len(self._stalls) < 100_000:
                self._stalls.append(round(time.monotonic() - before - WATCH_S, 6))

    # Closed loop

    def _closed_lanes(self) -> list[threading.Thread]:
        share = self._share
        places = range(share.number, share.step.jobs, share.workers)
        threads = [threading.Thread(target=self._closed_lane, args=(place,), daemon=True) for place in places]
        self._warming = len(threads)
        for thread in threads:
            thread.start()
        return threads

    def _closed_lane(self, place: int) -> None:
        self.open()
        self.warm()
        self._started.wait()
        time.sleep(max(0.0, self._begin + min(place * RAMP_S, LONGEST_RAMP_S) - time.monotonic()))
        end = None if self._share.duration is None else self._begin + self._share.duration
        while data := os.read(self._tickets, TICKET):
            planned = time.monotonic()
            if end is not None and planned >= end:
                continue
            self.send(int.from_bytes(data, "little"), planned)

    # Open loop

    def _expected_lanes(self) -> int:
        """Lanes that are made before anything is sent: as many as two seconds of requests need."""
        rate = (self._share.step.rate or 0.0) / self._share.workers
        return max(4, min(64, int(2 * rate) + 1))

    def _dispatch(self, pool: "_Pool") -> None:
        share, step = self._share, self._share.step
        assert step.rate is not None
        for number, offset in enumerate(arrivals(step.rate, step.arrival, share.seed)):
            if number >= share.total or (share.duration is not None and offset >= share.duration):
                return
            if number % share.workers != share.number:
                continue
            planned = self._begin + offset
            while (left := planned - time.monotonic()) > 0:
                self._listen(left)
            self._listen(0)
            while number >= self._allowed > 0:  # what is under way may turn out to cost less than it could have
                self._listen(WATCH_S)
            if not self._allowed:
                return
            pool.send(number, planned)


class _Pool:
    """Lanes that wait for work, the last one used first: its connection is the one most likely to be open still."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._idle: list[queue.SimpleQueue[tuple[int, float] | None]] = []
        self._threads: list[threading.Thread] = []
        self._ready = threading.Semaphore(0)

    def prepare(self, number: int) -> None:
        self._worker._warming = number
        for _ in range(number):
            self._add(warms=True)

    def send(self, number: int, planned: float) -> None:
        if not self._ready.acquire(blocking=False):
            if len(self._threads) < MOST_LANES:
                self._add(warms=False)
            self._ready.acquire()
        self._idle.pop().put((number, planned))

    def close(self) -> None:
        for _ in self._threads:
            self._ready.acquire()
            self._idle.pop().put(None)
        for thread in self._threads:
            thread.join()

    def _add(self, *, warms: bool) -> None:
        thread = threading.Thread(target=self._serve, args=(warms,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, warms: bool) -> None:
        self._worker.open()
        if warms:
            self._worker.warm()
        inbox: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        while True:
            self._idle.append(inbox)
            self._ready.release()
            work = inbox.get()
            if work is None:
                return
            self._worker.send(*work)


def start(share: Share, tickets: int, control: int, results: int, others: list[int]) -> int:
    """Fork a worker and return its process number. It closes `others`, the runner's ends of all pipes."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        for fd in others:
            os.close(fd)
        Worker(share, tickets, control, results).run()
        status = 0
    finally:
        if status:
            kind, _, trace = sys.exc_info()
            _report(results, kind, trace)
        os._exit(status)


def _report(results: int, kind: type[BaseException] | None, trace: TracebackType | None) -> None:
    """Say where we failed, without anything of the user's."""
    if kind is BrokenPipeError:
        return  # the runner has gone
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else "?"
    with suppress(OSError):
        os.write(results, orjson.dumps({"bug": f"{kind.__name__ if kind else '?'} at {place}"}) + b"\n")


def _since(sample: Sample, begin: float) -> Sample:
    """The sample with moments counted from `begin`."""

    def moved(moment: float | None) -> float | None:
        return None if moment is None else moment - begin

    return sample._replace(
        planned=sample.planned - begin,
        end=sample.end - begin,
        sent=moved(sample.sent),
        first=moved(sample.first),
        first_output=moved(sample.first_output),
    )


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system
