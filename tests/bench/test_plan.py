"""What is sent and when."""

import math
from collections import Counter
from itertools import islice, pairwise

import pytest

from fennec_cli.bench.plan import Step, arrivals, job, steps, workers_for
from fennec_cli.bench.sets import NAMED, prompts, sizes
from fennec_cli.errors import UsageError


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bench_poisson_ks_test(seed: int) -> None:
    """Gaps of a Poisson process are exponential: Kolmogorov and Smirnov's test at 1 % does not reject that."""
    n, rate = 5000, 8.0
    moments = list(islice(arrivals(rate, "poisson", seed), n + 1))
    gaps = sorted(later - earlier for earlier, later in pairwise(moments))
    distance = max(
        max((place + 1) / n - share, share - place / n)
        for place, gap in enumerate(gaps)
        for share in [1 - math.exp(-rate * gap)]
    )
    assert distance < 1.628 / math.sqrt(n)
    constant = list(islice(arrivals(rate, "constant", seed), n + 1))
    assert max(later - earlier for earlier, later in pairwise(constant)) == pytest.approx(1 / rate)


def test_arrivals_begin_at_once_and_are_seeded() -> None:
    one, same, other = (list(islice(arrivals(5, "poisson", seed), 50)) for seed in (1, 1, 2))
    assert one == same != other
    assert one[0] == 0.0
    assert one == sorted(one)


def test_each_round_asks_every_model_once_with_one_prompt() -> None:
    models, rounds = 5, 40
    jobs = [job(index, models, 7, seed=3) for index in range(models * rounds)]
    for turn in range(rounds):
        these = jobs[turn * models : (turn + 1) * models]
        assert sorted(each.model for each in these) == list(range(models))
        assert {each.prompt for each in these} == {turn % 7}
    first = Counter(jobs[turn * models].model for turn in range(rounds))
    assert len(first) == models  # no model always goes first


def test_a_sweep_goes_up_to_what_was_asked_for() -> None:
    assert [step.jobs for step in steps(12, None, "poisson", sweep=True)] == [1, 2, 4, 8, 12]
    assert [step.rate for step in steps(1, 16.0, "constant", sweep=True)] == [2.0, 4.0, 8.0, 16.0]
    assert steps(3, None, "poisson", sweep=False) == [Step(3)]


@pytest.mark.parametrize(
    ("step", "workers"), [(Step(32), 1), (Step(33), 2), (Step(64), 2), (Step(1, 1.0), 1), (Step(1, 50.0), 2)]
)
def test_one_worker_has_at_most_32_lanes(step: Step, workers: int) -> None:
    assert workers_for(step, processors=2) == workers


def test_sets_are_named_by_length_or_give_it() -> None:
    assert sizes("chat") == NAMED["chat"]
    assert sizes("512x64") == (512, 64)
    for wrong in ("", "x", "0x5", "5x0", "99999999x1", "chats"):
        with pytest.raises(UsageError):
            sizes(wrong)


@pytest.mark.parametrize("tokens", [32, 512])
def test_prompts_of_a_set_differ_from_the_first_word_and_have_their_length(tokens: int) -> None:
    texts = prompts(tokens, seed=1)
    assert len(set(texts)) == len(texts)
    assert len({text.split()[0] for text in texts}) > 20
    assert all(abs(len(text.split()) - tokens) <= 4 for text in texts)
    assert prompts(tokens, seed=1) == texts != prompts(tokens, seed=2)
