"""The figures are right, their intervals hold what they promise, and what cannot be said is not said."""

import math
from random import Random
from statistics import quantiles

import pytest

from fennec_cli.bench import stats


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [stats.quantile(values, p) for p in (0.5, 0.9, 0.99, 1.0)] == [50.0, 90.0, 99.0, 100.0]
    assert stats.quantile([7.0], 0.5) == 7.0


def test_quantiles_agree_with_the_standard_library() -> None:
    random = Random(3)
    values = sorted(random.lognormvariate(0, 1) for _ in range(5000))
    cuts = quantiles(values, n=100)
    for p in (0.5, 0.9, 0.99):
        assert stats.quantile(values, p) == pytest.approx(cuts[round(p * 100) - 1], rel=0.02)


@pytest.mark.parametrize(("p", "least"), [(0.5, 20), (0.9, 100), (0.99, 1000)])
def test_a_quantile_needs_ten_values_beyond_it(p: float, least: int) -> None:
    place = stats.QUANTILES.index(p)
    random = Random(1)
    values = [random.random() for _ in range(least)]
    enough, too_few = stats.describe(values, Random(1)), stats.describe(values[:-1], Random(1))
    assert enough is not None
    assert too_few is not None
    assert enough.quantiles[place] is not None
    assert too_few.quantiles[place] is None


def test_nothing_is_said_of_no_values() -> None:
    assert stats.describe([], Random(1)) is None


def plain_bootstrap(values: list[float], p: float, random: Random) -> list[float]:
    """The slow, obvious way."""
    n = len(values)
    return [stats.quantile(sorted(random.choices(values, k=n)), p) for _ in range(stats.RESAMPLES)]


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_one_number_a_resample_gives_the_interval_of_plain_resampling(p: float) -> None:
    random = Random(5)
    values = sorted(random.lognormvariate(0, 0.5) for _ in range(200))
    ours = stats.interval_of(stats.quantile_draws(values, p, Random(1)))
    theirs = stats.interval_of(plain_bootstrap(values, p, Random(2)))
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.15 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.15 * width)


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random, held, runs = Random(11), 0, 150
    for _ in range(runs):
        values = sorted(random.lognormvariate(0, 0.5) for _ in range(60))
        low, high = stats.interval_of(stats.quantile_draws(values, 0.5, random))
        held += low <= 1.0 <= high  # the median of this distribution
    assert 0.90 <= held / runs <= 0.99


def test_means_of_many_values_have_the_interval_of_plain_resampling() -> None:
    random = Random(7)
    values = [random.expovariate(1) for _ in range(stats.MANY + 1)]
    ours = stats.interval_of(stats.mean_draws(values, Random(1)))
    plain = stats.interval_of([sum(random.choices(values, k=len(values))) / len(values) for _ in range(1000)])
    assert ours.low == pytest.approx(plain.low, abs=0.02)
    assert ours.high == pytest.approx(plain.high, abs=0.02)


def test_the_same_seed_gives_the_same_figures() -> None:
    values = [math.sin(number) + 2 for number in range(50)]
    assert stats.describe(values, Random("a")) == stats.describe(values, Random("a"))
    assert stats.describe(values, Random("a")) != stats.describe(values, Random("b"))


@pytest.mark.parametrize(("good", "low", "high"), [(20, 0.83, 1.0), (0, 0.0, 0.17)])
def test_all_or_none_of_a_few_is_not_taken_for_certain(good: int, low: float, high: float) -> None:
    interval = stats.share(good, 20, Random(1)).interval
    assert interval.low == pytest.approx(low, abs=0.01)
    assert interval.high == pytest.approx(high, abs=0.01)


def test_cliffs_delta_counts_pairs() -> None:
    before, after = [1.0, 2.0, 3.0, 3.0], [2.0, 3.0, 4.0]
    pairs = [(y > x) - (y < x) for y in after for x in before]
    assert stats.cliffs_delta(before, after) == sum(pairs) / len(pairs)
    assert stats.cliffs_delta([1.0], [2.0]) == 1.0
    assert [stats.size_of(delta) for delta in (0.1, -0.2, 0.4, -0.9)] == ["negligible", "small", "medium", "large"]


def test_a_histogram_counts_every_value_once() -> None:
    random = Random(2)
    values = [random.lognormvariate(0, 2) for _ in range(500)]
    bins = stats.histogram(values)
    assert sum(bins.counts) == 500
    assert len(bins.edges) == len(bins.counts) + 1
    assert bins.edges[0] == min(values)
    assert bins.edges[-1] == max(values)
    assert stats.histogram([0.5, 0.5]).counts == (2,)
    assert stats.histogram([]).counts == ()


def test_a_change_has_the_figures_the_interval_and_the_effect() -> None:
    random = Random(4)
    before = [1.0 + random.random() / 10 for _ in range(100)]
    after = [value * 1.5 for value in before]
    found = stats.change(before, after, "median", Random(1))
    assert found.relative == pytest.approx(0.5, abs=1e-9)
    assert found.interval.low < 0.5 < found.interval.high
    assert found.delta == 1.0
    assert stats.change([0.0], [0.0], "mean", Random(1)).relative == 0.0
