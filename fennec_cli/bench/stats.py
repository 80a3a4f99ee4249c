"""Statistics of latencies. Pure.

A quantile is a value that was measured (the nearest rank), never one between two. Intervals are bootstrap intervals, of
`RESAMPLES` resamples: they ask how different the figure would be if the run were repeated under the same conditions.

The k-th smallest of n values drawn with replacement from n has the rank that the k-th of n uniform numbers has, and
that is beta distributed: so a resampled quantile is one random number, exactly, however many values there are (David
and Nagaraja, Order Statistics, section 2.5). A resampled mean of more than `MANY` values is from its normal limit.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from fennec_cli.tuples import NamedTuple

Figure = Literal["median", "mean"]
RESAMPLES = 2000
LEVEL = 0.95
MANY = 300
QUANTILES = (0.5, 0.9, 0.99)


class Interval(NamedTuple):
    """Bounds between which a figure lies at `LEVEL`."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A figure and its interval."""

    value: float
    interval: Interval


class Distribution(NamedTuple):
    """What is known of a set of values. A quantile is None when there are too few values for it."""

    n: int
    least: float
    most: float
    mean: Estimate
    quantiles: tuple[Estimate | None, ...]  # of `QUANTILES`

    @property
    def p50(self) -> Estimate | None:
        return self.quantiles[0]

    @property
    def p90(self) -> Estimate | None:
        return self.quantiles[1]

    @property
    def p99(self) -> Estimate | None:
        return self.quantiles[2]


def needed(p: float) -> int:
    """How many values a quantile needs: so many that ten of them lie beyond it."""
    return round(10 / (1 - p))


def quantile(ordered: Sequence[float], p: float) -> float:
    """The nearest rank: the smallest value that at least a share `p` of all values do not exceed."""
    return ordered[_rank(len(ordered), p) - 1]


def describe(values: Sequence[float], random: Random) -> Distribution | None:
    """Return what is known of `values`, or None when there are none."""
    if not values:
        return None
    ordered = sorted(values)
    n = len(ordered)
    quantiles = tuple(
        Estimate(quantile(ordered, p), interval_of(quantile_draws(ordered, p, random))) if n >= needed(p) else None
        for p in QUANTILES
    )
    mean = Estimate(math.fsum(ordered) / n, interval_of(mean_draws(ordered, random)))
    return Distribution(n, ordered[0], ordered[-1], mean, quantiles)


def quantile_draws(ordered: Sequence[float], p: float, random: Random) -> list[float]:
    """The quantile of `RESAMPLES` resamples."""
    n = len(ordered)
    rank = _rank(n, p)
    return [ordered[min(n - 1, int(n * random.betavariate(rank, n - rank + 1)))] for _ in range(RESAMPLES)]


def mean_draws(values: Sequence[float], random: Random) -> list[float]:
    """The mean of `RESAMPLES` resamples."""
    n = len(values)
    if n <= MANY:
        return [sum(random.choices(values, k=n)) / n for _ in range(RESAMPLES)]
    mean = math.fsum(values) / n
    error = math.sqrt(math.fsum((value - mean) ** 2 for value in values)) / n
    return [random.gauss(mean, error) for _ in range(RESAMPLES)]


def interval_of(draws: Sequence[float]) -> Interval:
    """The middle `LEVEL` of the draws."""
    ordered, tail = sorted(draws), (1 - LEVEL) / 2
    return Interval(quantile(ordered, tail), quantile(ordered, 1 - tail))


def share(good: int, n: int, random: Random) -> Estimate:
    """How many of n were good, as a share. All or none is so in each resample: there the bound is exact (Clopper)."""
    bound = ((1 - LEVEL) / 2) ** (1 / n)
    if good in (0, n):
        return Estimate(good / n, Interval(bound, 1.0) if good else Interval(0.0, 1 - bound))
    return Estimate(good / n, interval_of(mean_draws([1.0] * good + [0.0] * (n - good), random)))


class Change(NamedTuple):
    """How a figure differs from before: relative to it, with an interval, and Cliff's delta (-1 … 1) of all values."""

    before: float
    after: float
    relative: float
    interval: Interval
    delta: float


def change(before: Sequence[float], after: Sequence[float], figure: Figure, random: Random) -> Change:
    """Compare two sets of values by their median or their mean."""
    old, new = sorted(before), sorted(after)
    centre, draws = _FIGURES[figure]
    relative = [relative_to(one, other) for one, other in zip(draws(old, random), draws(new, random), strict=True)]
    one, other = centre(old), centre(new)
    return Change(one, other, relative_to(one, other), interval_of(relative), cliffs_delta(old, new))


def relative_to(before: float, after: float) -> float:
    """How much larger `after` is than `before`, as a share of it."""
    if before == after:
        return 0.0
    return (after - before) / before if before else math.inf


def cliffs_delta(before: Sequence[float], after: Sequence[float]) -> float:
    """How much more often a value of `after` is larger than one of `before` than the other way round. Both sorted."""
    larger = sum(bisect_left(before, value) - (len(before) - bisect_right(before, value)) for value in after)
    return larger / (len(before) * len(after))


def size_of(delta: float) -> str:
    """The usual word for a Cliff's delta. Source: Romano et al. 2006, thresholds 0.147, 0.33, 0.474."""
    words = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"))
    return next((word for limit, word in words if abs(delta) < limit), "large")


class Bins(NamedTuple):
    """A histogram with bins of equal ratio: `edges` has one more than `counts`."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


def histogram(values: Sequence[float], bins: int = 24) -> Bins:
    """Count `values` in bins from the least to the most of them; equal ratios, since latencies have long tails."""
    positive = [max(value, 1e-6) for value in values]
    if not positive:
        return Bins((), ())
    low, high = min(positive), max(positive)
    if high / low < 1.0001:
        return Bins((low, high), (len(positive),))
    width = math.log(high / low) / bins
    counts = [0] * bins
    for value in positive:
        counts[min(bins - 1, int(math.log(value / low) / width))] += 1
    edges = [low * math.exp(width * number) for number in range(bins)]
    return Bins((*edges, high), tuple(counts))


def _rank(n: int, p: float) -> int:
    return max(1, min(n, math.ceil(p * n - 1e-9)))


_FIGURES: dict[Figure, tuple[Callable[[Sequence[float]], float], Callable[[Sequence[float], Random], list[float]]]] = {
    "median": (lambda ordered: quantile(ordered, 0.5), lambda ordered, random: quantile_draws(ordered, 0.5, random)),
    "mean": (lambda ordered: math.fsum(ordered) / len(ordered), mean_draws),
}
