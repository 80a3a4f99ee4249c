"""This run against an earlier one: what changed, how sure that is, and whether it is a regression. Pure.

A figure is a regression when it is worse by more than the limit and the 95 % interval of the change leaves no doubt
that it is worse at all. Where the interval holds both, worse by more than the limit and no change, nothing can be said.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal

import orjson

from fennec_cli.bench import stats
from fennec_cli.bench.stats import Change, Figure
from fennec_cli.errors import InputError
from fennec_cli.tuples import NamedTuple

Verdict = Literal["regression", "better", "same", "inconclusive"]
# What is compared, and whether more of it is worse.
COMPARED: Mapping[str, bool] = {"ttft_s": True, "tpot_s": True, "e2e_s": True, "ok": False}
LIKE = ("jobs", "rate", "arrival", "prompts", "seed", "retries", "cache")
Row = Mapping[str, Any]


class Finding(NamedTuple):
    """One figure of a model at a level of load. `worse` is its relative change, positive for the worse."""

    model: str
    step: str
    metric: str
    figure: Figure
    change: Change
    worse: float
    verdict: Verdict


class Baseline(NamedTuple):
    """An earlier run: its requests, and the conditions it was made under."""

    rows: Sequence[Row]
    load: Row

    def has(self, model: str, step: str) -> bool:
        """Whether there is something to compare a model with at this level of load."""
        return any((row["model"], row["step"]) == (model, step) for row in self.rows)


class Comparison(NamedTuple):
    """`differences` are conditions that were not the same, `missing` what the baseline knows nothing of."""

    findings: tuple[Finding, ...]
    limit: float
    differences: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def regressions(self) -> list[Finding]:
        return [each for each in self.findings if each.verdict == "regression"]


def read_baseline(data: bytes, name: str) -> Baseline:
    """Read what `--json` or `--ndjson` wrote. Raises `InputError`."""
    try:
        documents = [orjson.loads(data)]
    except orjson.JSONDecodeError:
        try:
            documents = [orjson.loads(line) for line in data.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise InputError(f"{name} is not JSON ({error.msg})", hint=_HOW) from error
    known = [each for each in documents if isinstance(each, dict) and each.get("v") == 1]
    whole = [each for each in known if each.get("type") in ("bench", "summary")]
    rows = [each for each in known if each.get("type") == "request"]
    rows += [row for each in whole if isinstance(each.get("requests"), list) for row in each["requests"]]
    if not rows or not all(_is_row(row) for row in rows):
        raise InputError(f"{name} holds no requests of a benchmark", hint=_HOW)
    load = whole[-1].get("load") if whole else None
    return Baseline(rows, load if isinstance(load, dict) else {})


def compare(baseline: Baseline, rows: Sequence[Row], load: Row, limit: float, seed: int) -> Comparison:
    """Compare each model at each level that both runs have. `limit` is a share."""
    before, after = _grouped(baseline.rows), _grouped(rows)
    findings: list[Finding] = []
    for (model, step), now in after.items():
        if (model, step) in before:
            random = Random(f"compare {seed} {model} {step}")
            findings += _findings(model, step, before[model, step], now, limit, random)
    missing = tuple(f"{model} at {step}" for model, step in after if (model, step) not in before)
    known = [key for key in LIKE if key in baseline.load]
    differences = tuple(
        f"{key} was {baseline.load[key]} and is {load.get(key)}" for key in known if baseline.load[key] != load.get(key)
    )
    return Comparison(tuple(findings), limit, differences, missing)


def comparison_fields(found: Comparison) -> dict[str, Any]:
    """A comparison for programs."""
    return {
        "max_regression": found.limit,
        "regressions": len(found.regressions),
        "differences": list(found.differences),
        "missing": list(found.missing),
        "findings": [
            {
                "model": each.model,
                "step": each.step,
                "metric": each.metric,
                "figure": each.figure,
                "before": round(each.change.before, 6),
                "after": round(each.change.after, 6),
                "change": _finite(each.change.relative),
                "low": _finite(each.change.interval.low),
                "high": _finite(each.change.interval.high),
                "delta": round(each.change.delta, 4),
                "effect": stats.size_of(each.change.delta),
                "verdict": each.verdict,
            }
            for each in found.findings
        ],
    }


def judged(change: Change, limit: float, *, more_is_worse: bool) -> tuple[float, Verdict]:
    """Return by how much it is worse, as a share, and what that means."""
    low, high = change.interval if more_is_worse else (-change.interval.high, -change.interval.low)
    worse = change.relative if more_is_worse else -change.relative
    if worse > limit and low > 0:
        return worse, "regression"
    if high < 0:
        return worse, "better"
    return worse, "same" if high <= limit else "inconclusive"


def _findings(
    model: str, step: str, before: Sequence[Row], after: Sequence[Row], limit: float, random: Random
) -> list[Finding]:
    found = []
    for metric, more_is_worse in COMPARED.items():
        old, new = _values(before, metric), _values(after, metric)
        if not old or not new:
            continue
        enough = min(len(old), len(new)) >= stats.needed(0.5)
        figure: Figure = "median" if enough and metric != "ok" else "mean"
        change = stats.change(old, new, figure, random)
        worse, verdict = judged(change, limit, more_is_worse=more_is_worse)
        found.append(Finding(model, step, metric, figure, change, worse, verdict))
    return found


def _values(rows: Sequence[Row], metric: str) -> list[float]:
    if metric == "ok":
        return [float(row["ok"]) for row in rows]
    return [row[metric] for row in rows if row["ok"] and row.get(metric) is not None]


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["step"]), []).append(row)
    return groups


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    numbers = (row.get(metric) for metric in COMPARED)
    named = isinstance(row.get("model"), str) and isinstance(row.get("step"), str)
    return named and isinstance(row.get("ok"), bool) and all(isinstance(each, int | float | None) for each in numbers)


def _finite(value: float) -> float | None:
    return round(value, 6) if abs(value) != float("inf") else None


_HOW = "give a file that `fennec bench --json` or --ndjson wrote"
