"""Definitions, checked on a request whose moments are known."""

import pytest

from fennec_cli.bench.sample import DEFINITIONS, METRICS, Sample, packed, row, unpacked
from fennec_cli.bench.stats import QUANTILES, needed

SAMPLE = Sample(
    index=3,
    model="p/m",
    planned=1.0,
    sent=1.25,
    connect_s=0.2,
    first=1.75,
    first_output=2.25,
    events=(0.0, 0.5, 1.0, 2.0),
    end=4.0,
    input_tokens=5,
    output_tokens=9,
)


def test_times_are_what_the_definitions_say() -> None:
    assert SAMPLE.ttft == 0.5
    assert SAMPLE.ttfo == 1.0
    assert SAMPLE.last == 3.75
    assert SAMPLE.e2e == 2.5
    assert SAMPLE.ttft_from_planned == 0.75
    assert SAMPLE.ttfo_from_planned == 1.25
    assert SAMPLE.e2e_from_planned == 2.75
    assert SAMPLE.tpot == 2.0 / 8
    assert SAMPLE.tokens_per_s == 4.0
    assert SAMPLE.gaps == [0.5, 0.5, 1.0]
    assert SAMPLE.lag == pytest.approx(0.05)


def test_what_did_not_happen_has_no_time() -> None:
    failed = Sample(index=0, model="m", planned=0.0, end=1.0, error_class="unavailable")
    assert [getattr(failed, name) for name in METRICS] == [None] * len(METRICS)
    assert failed.lag is None
    assert failed.gaps == []
    single = SAMPLE._replace(events=(0.0,), output_tokens=1)
    assert (single.tpot, single.tokens_per_s, single.e2e) == (None, None, 0.5)


def test_a_limit_is_kept_by_those_who_keep_all_of_them() -> None:
    assert SAMPLE.meets({"ttft": 0.5, "tpot": 0.25})
    assert not SAMPLE.meets({"ttft": 0.5, "tpot": 0.2})
    assert not SAMPLE._replace(error_class="timeout").meets({"ttft": 9.0})
    assert SAMPLE._replace(events=(0.0,), output_tokens=1).meets({"ttft": 0.5, "tpot": 0.01})
    assert not SAMPLE._replace(first=None, events=()).meets({"ttft": 9.0})


def test_a_sample_survives_the_way_from_the_worker() -> None:
    assert unpacked(packed(SAMPLE)) == SAMPLE


def test_a_row_names_no_prompt_and_has_every_metric() -> None:
    fields = row(SAMPLE, "j=1", {"ttft": 1.0})
    assert {f"{name}_s" for name in METRICS} <= fields.keys()
    assert fields["good"] is True
    assert row(SAMPLE, "j=1", {})["good"] is None


def test_the_definitions_give_the_limits_that_the_code_has() -> None:
    assert "p50: 20, p90: 100, p99: 1,000" in DEFINITIONS["quantiles"]
    assert [needed(p) for p in QUANTILES] == [20, 100, 1000]
