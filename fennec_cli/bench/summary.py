"""Samples to figures. Pure, but for the seed the caller chooses."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from fennec_cli.bench import stats
from fennec_cli.bench.plan import Step
from fennec_cli.bench.sample import Sample, Slo
from fennec_cli.bench.stats import Bins, Distribution, Estimate
from fennec_cli.request import EMPTY
from fennec_cli.tuples import NamedTuple

# A run is not valid when our own side was late by more than this (seconds, and share of the median TTFT) or too busy.
LATE_S, LATE_SHARE, BUSY = 0.010, 0.05, 0.80
SHOWN = ("ttft", "ttfo", "tpot", "icl", "e2e", "ttft_from_planned", "ttfo_from_planned", "e2e_from_planned")


class Figures(NamedTuple):
    """One model at one level of load."""

    model: str
    step: Step
    requests: int
    ok: int
    errors: Mapping[str, int]  # class -> number
    wall_s: float
    rate: float  # requests a second that ended well
    tokens_per_s: float  # of all requests together
    distributions: Mapping[str, Distribution | None]  # by `SHOWN` and tokens_per_s (of each request)
    histograms: Mapping[str, Bins]
    good: int | None = None
    goodput: Estimate | None = None  # a second
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cost_usd: float | None = None

    @property
    def cost_per_request(self) -> float | None:
        return None if self.cost_usd is None or not self.requests else self.cost_usd / self.requests

    @property
    def reasons(self) -> bool:
        """Whether reasoning came before the answer, so that TTFO is not TTFT."""
        first, output = self.distributions["ttft"], self.distributions["ttfo"]
        return first is not None and output is not None and output.mean.value > first.mean.value * 1.001

    def middle(self, metric: str) -> float | None:
        """The median, or the mean where there are too few values for one."""
        found = self.distributions[metric]
        if found is None:
            return None
        return found.p50.value if found.p50 else found.mean.value


class Check(NamedTuple):
    """Whether our own side was fast enough for the figures to be the provider's. Seconds; `cpu` is a share."""

    step: Step
    lag: Distribution | None
    lag_p99: float | None
    lag_limit: float
    cpu: float
    stall_p99: float | None
    stall_max: float | None
    reasons: tuple[str, ...] = ()
    clocks: Mapping[str, int] = EMPTY  # whose moments -> number of requests
    chunks: int = 0
    merged: int = 0

    @property
    def valid(self) -> bool:
        return not self.reasons


def figures(samples: Sequence[Sample], model: str, step: Step, slo: Slo, seed: int) -> Figures:
    """Return the figures of one model at one level. `samples` are those of the step, of all models."""
    mine = [sample for sample in samples if sample.model == model]
    good_ones = [sample for sample in mine if sample.ok]
    wall = wall_s(samples)
    random = Random(f"bootstrap {seed} {model} {step.label}")
    values = {name: measured(good_ones, name) for name in SHOWN}
    tokens = sum(sample.output_tokens for sample in mine)
    good = sum(sample.meets(slo) for sample in mine) if slo else None
    goodput = None
    if good is not None and mine and wall > 0:
        portion = stats.share(good, len(mine), random)
        goodput = Estimate(*_scaled(portion, len(mine) / wall))
    costs = [sample.cost_usd for sample in mine if sample.cost_usd is not None]
    return Figures(
        model=model,
        step=step,
        requests=len(mine),
        ok=len(good_ones),
        errors=dict(Counter(sample.error_class for sample in mine if sample.error_class is not None).most_common()),
        wall_s=wall,
        rate=len(good_ones) / wall if wall > 0 else 0.0,
        tokens_per_s=tokens / wall if wall > 0 else 0.0,
        distributions={
            **{name: stats.describe(found, random) for name, found in values.items()},
            "tokens_per_s": stats.describe(measured(good_ones, "tokens_per_s"), random),
        },
        histograms={name: stats.histogram(found) for name, found in values.items()},
        good=good,
        goodput=goodput,
        input_tokens=sum(sample.input_tokens for sample in mine),
        output_tokens=tokens,
        cached_tokens=sum(sample.cached_tokens for sample in mine),
        reasoning_tokens=sum(sample.reasoning_tokens for sample in mine),
        estimated=any(sample.estimated for sample in good_ones),
        cost_usd=math.fsum(costs) if costs else None,
    )


def measured(samples: Sequence[Sample], metric: str) -> list[float]:
    """All values of a metric; of the gaps between chunks, those of all requests together."""
    if metric == "icl":
        return [gap for sample in samples for gap in sample.gaps]
    return [value for sample in samples if (value := getattr(sample, metric)) is not None]


def wall_s(samples: Sequence[Sample]) -> float:
    """From the first planned moment to the end of the last request."""
    if not samples:
        return 0.0
    return max(sample.end for sample in samples) - min(sample.planned for sample in samples)


def check(samples: Sequence[Sample], step: Step, cpu: float, stalls: Sequence[float], seed: int) -> Check:
    """Ask whether our own lag is the story. Fewer requests than a p99 needs are judged by the latest of them."""
    lags = sorted(measured(samples, "lag"))
    ttft = sorted(measured(samples, "ttft"))
    limit = max(LATE_S, LATE_SHARE * stats.quantile(ttft, 0.5)) if ttft else LATE_S
    late = stats.quantile(lags, 0.99) if lags else None
    reasons = []
    if late is not None and late > limit:
        reasons.append(f"requests went out {late * 1e3:.0f} ms late (p99; limit {limit * 1e3:.0f} ms)")
    if cpu > BUSY:
        reasons.append(f"a worker used {cpu:.0%} of a processor (limit {BUSY:.0%})")
    ordered = sorted(stalls)
    return Check(
        step=step,
        lag=stats.describe(lags, Random(f"lag {seed}")),
        lag_p99=late,
        lag_limit=limit,
        cpu=cpu,
        stall_p99=stats.quantile(ordered, 0.99) if ordered else None,
        stall_max=ordered[-1] if ordered else None,
        reasons=tuple(reasons),
        clocks=Counter(sample.clock for sample in samples if sample.clock is not None),
        chunks=sum(len(sample.events) for sample in samples),
        merged=sum(sample.merged for sample in samples),
    )


def clocks_told(checks: Sequence[Check]) -> str:
    """Say whose moments the arrivals have. Empty where nothing arrived."""
    clocks = sum((Counter(each.clocks) for each in checks), Counter[str]())
    whose = {"kernel": "noted by the kernel", "process": "noted once we had read them"}
    parts = [f"{whose[name]}{f' ({number:,} requests)' if len(clocks) > 1 else ''}" for name, number in clocks.items()]
    if merged := sum(each.merged for each in checks):
        parts.append(f"{merged:,} of {sum(each.chunks for each in checks):,} in one read with the next")
    return f"arrivals {', '.join(parts)}" if parts else ""


def figures_fields(found: Figures) -> dict[str, Any]:
    """Figures for programs."""
    return {
        "model": found.model,
        "step": found.step.label,
        "jobs": found.step.jobs if found.step.rate is None else None,
        "rate": found.step.rate,
        "requests": found.requests,
        "ok": found.ok,
        "failed": found.requests - found.ok,
        "errors": dict(found.errors),
        "error_rate": _rounded((found.requests - found.ok) / found.requests) if found.requests else None,
        "wall_s": _rounded(found.wall_s),
        "requests_per_s": _rounded(found.rate),
        "system_tokens_per_s": _rounded(found.tokens_per_s),
        "good": found.good,
        "goodput_per_s": estimate_fields(found.goodput),
        "metrics": {
            ("tokens_per_s" if name == "tokens_per_s" else f"{name}_s"): distribution_fields(each)
            for name, each in found.distributions.items()
        },
        "histograms": {
            f"{name}_s": {"edges": [_rounded(edge) for edge in bins.edges], "counts": list(bins.counts)}
            for name, bins in found.histograms.items()
            if bins.counts
        },
        "usage": {
            "input_tokens": found.input_tokens,
            "output_tokens": found.output_tokens,
            "cached_tokens": found.cached_tokens,
            "reasoning_tokens": found.reasoning_tokens,
            "estimated": found.estimated,
        },
        "cost_usd": found.cost_usd,
    }


def check_fields(found: Check) -> dict[str, Any]:
    return {
        "step": found.step.label,
        "valid": found.valid,
        "reasons": list(found.reasons),
        "lag_s": distribution_fields(found.lag),
        "lag_p99_s": _rounded(found.lag_p99),
        "lag_limit_s": _rounded(found.lag_limit),
        "cpu": _rounded(found.cpu),
        "stall_p99_s": _rounded(found.stall_p99),
        "stall_max_s": _rounded(found.stall_max),
        "clocks": dict(found.clocks),
        "chunks": found.chunks,
        "merged_chunks": found.merged,
    }


def distribution_fields(found: Distribution | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "n": found.n,
        "min": _rounded(found.least),
        "max": _rounded(found.most),
        "mean": estimate_fields(found.mean),
        "p50": estimate_fields(found.p50),
        "p90": estimate_fields(found.p90),
        "p99": estimate_fields(found.p99),
    }


def estimate_fields(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    interval = found.interval
    return {"value": _rounded(found.value), "low": _rounded(interval.low), "high": _rounded(interval.high)}


def _scaled(found: Estimate, factor: float) -> tuple[float, stats.Interval]:
    low, high = found.interval
    return found.value * factor, stats.Interval(low * factor, high * factor)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
