"""A run as a whole, as all reports see it, and its forms for programs. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from fennec_cli.bench.compare import Comparison, comparison_fields
from fennec_cli.bench.plan import Step
from fennec_cli.bench.sample import DEFINITIONS, Sample, Slo, row
from fennec_cli.bench.summary import Check, Figures, check_fields, figures_fields
from fennec_cli.tuples import NamedTuple

_FORM = orjson.OPT_APPEND_NEWLINE


class Level(NamedTuple):
    """What happened at one level of load. `stopped_by` is requests, duration, cost or signal."""

    step: Step
    samples: Sequence[Sample]
    check: Check
    workers: int
    stopped_by: str


class Run(NamedTuple):
    """A run that is over. `load` is what was asked for, `environment` where it ran."""

    models: Sequence[str]
    levels: Sequence[Level]
    figures: Sequence[Figures]
    load: Mapping[str, Any]
    environment: Mapping[str, Any]
    slo: Slo
    cost_usd: float | None = None  # warm-up included
    comparison: Comparison | None = None
    baseline: str | None = None

    @property
    def valid(self) -> bool:
        return all(level.check.valid for level in self.levels)

    @property
    def stopped_by(self) -> str:
        return self.levels[-1].stopped_by if self.levels else "requests"

    def rows(self) -> Iterator[dict[str, Any]]:
        for level in self.levels:
            for sample in level.samples:
                yield row(sample, level.step.label, self.slo)


def summary_fields(run: Run) -> dict[str, Any]:
    """Everything but the requests. Its schema: `fennec_cli/schemas/bench.json`."""
    return {
        "v": 1,
        "type": "summary",
        "models": list(run.models),
        "load": dict(run.load),
        "environment": dict(run.environment),
        "definitions": dict(DEFINITIONS),
        "valid": run.valid,
        "stopped_by": run.stopped_by,
        "checks": [check_fields(level.check) | {"workers": level.workers} for level in run.levels],
        "results": [figures_fields(each) for each in run.figures],
        "cost_usd": run.cost_usd,
        "comparison": comparison_fields(run.comparison) if run.comparison else None,
    }


def as_json(run: Run) -> bytes:
    """One document."""
    document = summary_fields(run) | {"type": "bench", "requests": list(run.rows())}
    return orjson.dumps(document, option=_FORM | orjson.OPT_INDENT_2)


def summary_line(run: Run) -> bytes:
    """The last line of NDJSON, after one for each request."""
    return orjson.dumps(summary_fields(run), option=_FORM)


def request_line(sample: Sample, step: Step, slo: Slo) -> bytes:
    return orjson.dumps(row(sample, step.label, slo), option=_FORM)


def as_csv(run: Run) -> bytes:
    """A header and one line for each request (RFC 4180, but with LF)."""
    rows = list(run.rows())
    if not rows:
        return b""
    lines = [list(rows[0]), *(list(each.values()) for each in rows)]
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines).encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if any(each in text for each in ',"\r\n') else text
