"""`fennec bench --self`: how far our own figures are from what really happened, and what a request costs us.

A server on this machine knows when it received and sent what. First it keeps a schedule, which shows how exact our
moments are; then it answers as fast as it can, which shows how much we can measure at all.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import orjson

from fennec_cli import signals
from fennec_cli.assembly import Overrides
from fennec_cli.bench import stats
from fennec_cli.bench.lane import Setup
from fennec_cli.bench.loopback import Loopback, Schedule, Truth
from fennec_cli.bench.options import BenchOptions
from fennec_cli.bench.plan import Step, workers_for
from fennec_cli.bench.runner import Outcome, Purse, Wanted, run_step
from fennec_cli.bench.sample import Sample
from fennec_cli.bench.stats import Distribution
from fennec_cli.bench.summary import distribution_fields, measured, wall_s
from fennec_cli.bench.units import digits, seconds
from fennec_cli.bench.worker import NO_END
from fennec_cli.config import Config, ProviderConfig
from fennec_cli.config.settings import AuditConfig
from fennec_cli.errors import UsageError
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import open_output
from fennec_cli.registry import Target
from fennec_cli.request import CompletionRequest
from fennec_cli.tuples import NamedTuple

_EXACT = Schedule(ttft_s=0.05, gap_s=0.01, tokens=20)
_FAST = Schedule(ttft_s=0.0, gap_s=0.0, tokens=20)
_JOBS, _REQUESTS, _FAST_S = 8, 100, 2.0
_ERRORS = ("ttft_error", "tpot_error", "icl_error", "lag")
_MEANING: Mapping[str, str] = {
    "ttft_error": "our TTFT - the server's, from the request's arrival to the call that sent the first event",
    "tpot_error": "our TPOT - the server's",
    "icl_error": "our gaps between chunks - the server's",
    "lag": "from the planned moment to the first byte sent, connecting left out",
}


class Overhead(NamedTuple):
    """What was found. Seconds; `cpu` of one processor."""

    jobs: int
    requests: int
    errors: Mapping[str, Distribution | None]
    chunks: int
    merged: int
    requests_per_s: float
    chunks_per_s: float
    cpu_request_s: float
    cpu_chunk_s: float


def measure_itself(options: BenchOptions, notes: Notes) -> int:
    """Run both measurements and write what they found. Returns the exit status."""
    if options.model or options.models_from or options.baseline or options.report or options.rate:
        raise UsageError("--self measures fennec alone", hint="give only -j, --seed, --json and -o with it")
    if options.output_format == "csv":
        raise UsageError("--self has no CSV form", hint="use --json")
    signals.install()
    jobs = options.jobs if options.jobs > 1 else _JOBS
    notes.say(1, f"{jobs} streams, {_EXACT.tokens} tokens each, then as fast as they come")
    sink = open_output(options.output)
    try:
        found = overhead(jobs, options.seed)
        sink.write(_shown(found) if options.output_format == "table" else _document(found, options.output_format))
        sink.commit()
    finally:
        sink.discard()
    return 0


def overhead(jobs: int, seed: int) -> Overhead:
    """Measure with so many streams at once."""
    requests = jobs * max(3, -(-_REQUESTS // jobs))
    outcome, truth = _run(_EXACT, jobs, requests, None, seed)
    errors = {name: stats.describe(values, Random(seed)) for name, values in _compared(outcome.samples, truth).items()}
    fast, _ = _run(_FAST, jobs, NO_END, _FAST_S, seed)
    wall, number = wall_s(fast.samples), max(1, len(fast.samples))
    chunks = max(1, sum(len(sample.events) for sample in fast.samples))
    cpu = fast.cpu_s / number
    exact_cpu = outcome.cpu_s / max(1, len(outcome.samples))
    return Overhead(
        jobs=jobs,
        requests=len(outcome.samples),
        errors=errors,
        chunks=sum(len(sample.events) for sample in outcome.samples),
        merged=sum(sample.merged for sample in outcome.samples),
        requests_per_s=number / wall,
        chunks_per_s=chunks / wall,
        cpu_request_s=cpu,
        cpu_chunk_s=max(0.0, exact_cpu - cpu) / _EXACT.tokens,
    )


def _run(
    schedule: Schedule, jobs: int, total: int, duration: float | None, seed: int
) -> tuple[Outcome, dict[str, Truth]]:
    server = Loopback(schedule)
    try:
        known = min(total, 4096)
        setup = Setup(
            config=Config(
                providers={"self": ProviderConfig("self", "openai", api="chat", base_url=server.url)},
                audit=AuditConfig(enabled=False),  # nothing was asked of anybody
            ),
            overrides=Overrides(),
            targets=[Target("self", "loopback", "")],
            requests=[CompletionRequest.from_text(str(number), model="") for number in range(known + jobs)],
        )
        outcome = Outcome(Step(jobs), workers=workers_for(Step(jobs), 1))
        run_step(outcome, Wanted(setup, total, 2 * jobs, duration, seed), Purse(None, 0.0))
    finally:
        truth = server.close()
    return outcome, truth


def _compared(samples: Sequence[Sample], truth: Mapping[str, Truth]) -> dict[str, list[float]]:
    """How far our figures are from all that the server's moments allow; below it is negative."""
    found: dict[str, list[float]] = {name: [] for name in _ERRORS}
    for sample in samples:
        each = truth.get(str(sample.index))
        if each is None or sample.ttft is None or len(sample.events) != len(each.sent):
            continue
        (first, first_end), (last, last_end) = each.sent[0], each.sent[-1]
        found["ttft_error"].append(_beyond(sample.ttft, first - each.received, first_end - each.received))
        whole = _beyond(sample.events[-1], last - first_end, last_end - first)
        found["tpot_error"].append(whole / (len(each.sent) - 1))
        found["icl_error"] += [
            _beyond(gap, later - end, later_end - begin)
            for gap, ((begin, end), (later, later_end)) in zip(sample.gaps, pairwise(each.sent), strict=True)
        ]
    found["lag"] = measured(samples, "lag")
    return found


def _beyond(value: float, least: float, most: float) -> float:
    return min(value - least, 0.0) + max(value - most, 0.0)


def _document(found: Overhead, output_format: str) -> bytes:
    """Its schema: `fennec_cli/schemas/bench-self.json`."""
    document: dict[str, Any] = {
        "v": 1,
        "type": "self",
        "jobs": found.jobs,
        "requests": found.requests,
        **{f"{name}_s": distribution_fields(each) for name, each in found.errors.items()},
        "chunks": found.chunks,
        "merged_chunks": found.merged,
        "requests_per_s": round(found.requests_per_s, 3),
        "chunks_per_s": round(found.chunks_per_s, 3),
        "cpu_request_s": round(found.cpu_request_s, 6),
        "cpu_chunk_s": round(found.cpu_chunk_s, 6),
        "definitions": {f"{name}_s": text for name, text in _MEANING.items()},
    }
    form = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if output_format == "json" else 0)
    return orjson.dumps(document, option=form)


def _shown(found: Overhead) -> bytes:
    lines = [
        f"fennec itself, {found.jobs} streams at once, {found.requests:,} requests to a server on this machine",
        "",
        f"{'':14}{'mean':>10}{'p50':>10}{'p90':>10}{'p99':>10}{'least':>12}{'most':>12}",
    ]
    for name, each in found.errors.items():
        if each is not None:
            cells = [each.mean.value, *(quantile.value if quantile else None for quantile in each.quantiles)]
            numbers = "".join(f"{seconds(cell):>10}" for cell in cells)
            lines.append(f"{name.replace('_', ' '):14}{numbers}{seconds(each.least):>12}{seconds(each.most):>12}")
    lines += [
        "",
        f"{found.merged:,} of {found.chunks:,} chunks came in one read with the next, so that nobody knows when",
        f"at most {digits(found.requests_per_s)} requests/s and {digits(found.chunks_per_s)} chunks/s"
        f" from a server that answers at once",
        f"a request takes {seconds(found.cpu_request_s)} of a processor, each chunk that comes alone"
        f" {seconds(found.cpu_chunk_s)} more",
        "",
        *(f"{name.replace('_', ' ')}: {text}" for name, text in _MEANING.items()),
    ]
    return "".join(f"{line}\n" for line in lines).encode()
