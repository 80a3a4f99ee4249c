"""Samples to figures, and when a run is not valid."""

import pytest

from fennec_cli.bench.plan import Step
from fennec_cli.bench.sample import Sample
from fennec_cli.bench.summary import check, figures, figures_fields

STEP = Step(2)


def sample(index: int, *, model: str = "p/m", ttft: float = 0.1, late: float = 0.001, **more: object) -> Sample:
    begin = index * 0.5
    fields: dict[str, object] = {
        "index": index, "model": model, "planned": begin, "sent": begin + late, "first": begin + late + ttft,
        "first_output": begin + late + ttft, "events": (0.0, 0.1, 0.2), "end": begin + late + ttft + 0.2,
        "output_tokens": 3, "cost_usd": 0.01,
    }  # fmt: skip
    return Sample(**{**fields, **more})  # type: ignore[arg-type]


def failed(index: int, error_class: str) -> Sample:
    return Sample(index=index, model="p/m", planned=index * 0.5, end=index * 0.5 + 0.1, error_class=error_class)


def test_figures_are_of_one_model_and_leave_no_failure_out() -> None:
    samples = [*(sample(n) for n in range(20)), failed(20, "timeout"), failed(21, "timeout"), failed(22, "rate_limit")]
    found = figures([*samples, sample(23, model="p/other")], "p/m", STEP, {"ttft": 0.2}, seed=1)
    assert (found.requests, found.ok, found.errors) == (23, 20, {"timeout": 2, "rate_limit": 1})
    assert found.wall_s == pytest.approx(11.801)
    assert found.tokens_per_s == pytest.approx(60 / 11.801)
    assert found.good == 20
    assert found.goodput is not None
    assert found.goodput.value == pytest.approx(20 / 11.801)
    assert found.goodput.interval.low < found.goodput.value < found.goodput.interval.high
    assert found.cost_usd == pytest.approx(0.2)
    ttft = found.distributions["ttft"]
    assert ttft is not None
    assert ttft.n == 20
    assert ttft.mean.value == pytest.approx(0.1)
    assert ttft.p90 is None
    fields = figures_fields(found)
    assert fields["error_rate"] == pytest.approx(3 / 23, abs=1e-6)
    assert fields["metrics"]["icl_s"]["n"] == 40


def test_a_model_that_never_answered_has_no_distribution() -> None:
    found = figures([failed(0, "auth")], "p/m", STEP, {}, seed=1)
    assert set(found.distributions.values()) == {None}
    assert found.cost_usd is None
    assert found.goodput is None
    assert figures([], "p/m", STEP, {}, seed=1).wall_s == 0.0


def test_a_run_is_valid_while_our_side_is_fast_and_idle() -> None:
    found = check([sample(n) for n in range(50)], STEP, 0.3, [0.001], seed=1)
    assert found.valid
    assert found.lag_limit == pytest.approx(0.01)  # 5 % of 100 ms is less


def test_connecting_is_not_our_lag() -> None:
    assert check([sample(n, late=0.3, connect_s=0.299) for n in range(50)], STEP, 0.3, [], seed=1).valid


def test_late_requests_make_a_run_invalid() -> None:
    found = check([sample(n, late=0.02 if n < 2 else 0.001) for n in range(50)], STEP, 0.3, [], seed=1)
    assert found.reasons == ("requests went out 20 ms late (p99; limit 10 ms)",)
    slow = [sample(n, late=0.02, ttft=1.0) for n in range(50)]
    assert check(slow, STEP, 0.3, [], seed=1).valid  # 5 % of a second is more


def test_a_busy_worker_makes_a_run_invalid() -> None:
    assert check([sample(1)], STEP, 0.81, [], seed=1).reasons == ("a worker used 81% of a processor (limit 80%)",)
    assert check([], STEP, 0.1, [], seed=1).valid
