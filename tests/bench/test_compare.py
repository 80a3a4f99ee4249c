"""What is a regression, what is noise, and which files are a baseline."""

from random import Random
from typing import Any

import orjson
import pytest

from fennec_cli.bench.compare import Baseline, Verdict, compare, judged, read_baseline
from fennec_cli.bench.stats import Change, Interval
from fennec_cli.errors import InputError

LOAD = {"jobs": 1, "rate": None, "arrival": None, "prompts": "chat", "seed": 1}


def rows(centre: float, n: int = 60, *, seed: int = 1, model: str = "p/m", failed: int = 0) -> list[dict[str, Any]]:
    random = Random(seed)
    found = []
    for number in range(n):
        ttft = centre * random.lognormvariate(0, 0.1)
        row = {"v": 1, "type": "request", "model": model, "step": "j=1", "ok": number >= failed, "ttft_s": ttft}
        found.append({**row, "tpot_s": 0.01, "e2e_s": ttft + 1})
    return found


def verdicts(before: list[dict[str, Any]], after: list[dict[str, Any]], limit: float = 0.1) -> dict[str, Verdict]:
    found = compare(Baseline(before, LOAD), after, LOAD, limit, seed=1)
    return {each.metric: each.verdict for each in found.findings}


def test_what_is_certainly_worse_by_more_than_the_limit_is_a_regression() -> None:
    assert verdicts(rows(0.1), rows(0.15, seed=2))["ttft_s"] == "regression"
    assert verdicts(rows(0.1), rows(0.15, seed=2), limit=0.8)["ttft_s"] == "same"


def test_another_run_of_the_same_is_no_regression() -> None:
    wrong = sum(
        verdicts(rows(0.1, seed=seed), rows(0.1, seed=seed + 100))["ttft_s"] == "regression" for seed in range(12)
    )
    assert wrong == 0


def test_a_few_noisy_requests_decide_nothing() -> None:
    few = [{**row, "ttft_s": value} for row, value in zip(rows(0.1, 3), (0.1, 0.4, 0.1), strict=True)]
    assert verdicts(rows(0.1, 3), few)["ttft_s"] == "inconclusive"


def test_faster_is_better_and_unchanged_is_the_same() -> None:
    found = verdicts(rows(0.1), rows(0.05, seed=2))
    assert found["ttft_s"] == "better"
    assert found["tpot_s"] == "same"


def test_requests_that_fail_more_often_are_a_regression() -> None:
    assert verdicts(rows(0.1), rows(0.1, failed=20))["ok"] == "regression"
    assert verdicts(rows(0.1, failed=20), rows(0.1))["ok"] == "better"


def test_failed_requests_do_not_count_in_times() -> None:
    slow_failures = [{**row, "ok": False, "ttft_s": 9.0} if row["ttft_s"] < 0.1 else row for row in rows(0.1)]
    assert verdicts(rows(0.1), slow_failures, limit=0.3)["ttft_s"] != "regression"


@pytest.mark.parametrize(
    ("relative", "low", "high", "verdict"),
    [
        (0.20, 0.05, 0.35, "regression"),
        (0.20, -0.01, 0.40, "inconclusive"),
        (0.05, 0.02, 0.08, "same"),
        (0.05, 0.02, 0.12, "inconclusive"),
        (-0.20, -0.30, -0.10, "better"),
        (0.0, 0.0, 0.0, "same"),
    ],
)
def test_verdicts_by_change_and_interval(relative: float, low: float, high: float, verdict: Verdict) -> None:
    change = Change(1.0, 1.0 + relative, relative, Interval(low, high), 0.0)
    assert judged(change, 0.1, more_is_worse=True) == (relative, verdict)
    mirrored = Change(1.0, 1.0 - relative, -relative, Interval(-high, -low), 0.0)
    assert judged(mirrored, 0.1, more_is_worse=False) == (relative, verdict)


def test_other_conditions_and_unknown_models_are_said() -> None:
    after = [*rows(0.1), *rows(0.1, model="p/new")]
    found = compare(Baseline(rows(0.1), LOAD), after, {**LOAD, "prompts": "rag", "seed": 2}, 0.1, seed=1)
    assert found.differences == ("prompts was chat and is rag", "seed was 1 and is 2")
    assert found.missing == ("p/new at j=1",)


def test_a_baseline_is_a_document_or_lines() -> None:
    document = orjson.dumps({"v": 1, "type": "bench", "load": LOAD, "requests": rows(0.1, 2)})
    summary = orjson.dumps({"v": 1, "type": "summary", "load": LOAD})
    lines = b"".join(orjson.dumps(row) + b"\n" for row in rows(0.1, 2)) + summary + b"\n"
    assert read_baseline(document, "f") == read_baseline(lines, "f") == Baseline(rows(0.1, 2), LOAD)


@pytest.mark.parametrize(
    "data",
    [b"", b"not json", b"[]", b"{}", b"null", b'{"v": 1, "type": "bench", "requests": []}',
     b'{"v": 1, "type": "request"}',
     b'{"v": 1, "type": "request", "model": "m", "step": "s", "ok": true, "ttft_s": "1"}',
     b'{"v": 1, "type": "bench", "requests": 7}', b'{"v": 1, "type": "bench", "requests": [7]}', b"\xff"],
)  # fmt: skip
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^f "):
        read_baseline(data, "f")
