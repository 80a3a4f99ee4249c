"""Rows through a pipeline, one after the other, and the status of the run as a whole."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from fennec_cli.chunk import ChunkMetadata, TokenUsage
from fennec_cli.errors import FennecError, PartialBatch
from fennec_cli.output.events import usage_fields
from fennec_cli.output.notes import Notes
from fennec_cli.output.text import Answer, Writer
from fennec_cli.prompts import Row
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Stage

BuildRequest = Callable[[Row], CompletionRequest]


def run_one(row: Row, stage: Stage, build: BuildRequest, writer: Writer) -> Answer:
    """Run the only row of text input."""
    chunks = stage(build(row))
    try:
        return writer.answer(row.id, chunks)
    finally:
        chunks.close()


class Tally:
    """What became of the rows of a batch."""

    def __init__(self) -> None:
        self.rows = 0
        self.by_class: Counter[str] = Counter()
        self.usage = TokenUsage()
        self.cost_usd: float | None = None
        self.last_error: FennecError | None = None

    def add(self, answer: Answer) -> None:
        self.rows += 1
        if answer.error is not None:
            self.by_class[answer.error.error_class] += 1
            self.last_error = answer.error
        if answer.usage is not None:
            self.usage = _sum(self.usage, answer.usage)
        if answer.metadata.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + answer.metadata.cost_usd

    @property
    def failed(self) -> int:
        return self.by_class.total()

    def verdict(self) -> FennecError | None:
        """None when all rows are good, the one class when all failed with it, else `PartialBatch`."""
        if not self.failed:
            return None
        if self.failed == self.rows and len(self.by_class) == 1:
            return self.last_error
        return PartialBatch(f"{self.failed} of {self.rows} rows failed")

    def fields(self, wall_s: float) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "ok": self.rows - self.failed,
            "failed": self.failed,
            "cached": 0,
            "by_class": dict(self.by_class),
            "usage": usage_fields(self.usage),
            "cost_usd": self.cost_usd,
            "wall_s": round(wall_s, 6),
        }


def run_rows(rows: Iterable[Row], stage: Stage, build: BuildRequest, writer: Writer, notes: Notes) -> Tally:
    """Run rows in order. A row that fails is said and counted, and stops nothing."""
    begin, tally = time.monotonic(), Tally()
    for row in rows:
        if row.fault is not None:
            writer.failure(row.id, row.fault)
            answer = Answer(row.fault, None, ChunkMetadata())
        else:
            answer = run_one(row, stage, build, writer)
        tally.add(answer)
        if answer.error is not None:
            notes.error(answer.error, where=f"row {row.id}: ")
    writer.summary(tally.fields(time.monotonic() - begin))
    return tally


def _sum(one: TokenUsage, other: TokenUsage) -> TokenUsage:
    return one._replace(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        estimated=one.estimated or other.estimated,
    )
