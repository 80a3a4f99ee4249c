"""What became of the rows of a batch. Pure, and of one size however many rows there are."""

from collections import Counter
from typing import Any

from fennec_cli.chunk import TokenUsage
from fennec_cli.errors import FennecError, PartialBatch
from fennec_cli.output.events import usage_fields
from fennec_cli.output.text import Answer


class Tally:
    """Counts of rows, failures, tokens and cost; `resumed` rows were finished by an earlier run."""

    def __init__(self) -> None:
        self.answered = 0
        self.cached = 0
        self.resumed = 0  # counted by the threads that read, the rest by the one that writes
        self.by_class: Counter[str] = Counter()
        self.usage = TokenUsage()
        self.cost_usd: float | None = None
        self.last_error: FennecError | None = None

    def add(self, answer: Answer) -> None:
        self.answered += 1
        if answer.error is not None:
            self.by_class[answer.error.error_class] += 1
            self.last_error = answer.error
        if answer.usage is not None:
            self.usage = _sum(self.usage, answer.usage)
        if answer.metadata.cached:
            self.cached += 1
        if answer.metadata.cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + answer.metadata.cost_usd

    @property
    def rows(self) -> int:
        return self.answered + self.resumed

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
            "cached": self.cached,
            **({"resumed": self.resumed} if self.resumed else {}),
            "by_class": dict(self.by_class),
            "usage": usage_fields(self.usage),
            "cost_usd": self.cost_usd,
            "wall_s": round(wall_s, 6),
        }


def _sum(one: TokenUsage, other: TokenUsage) -> TokenUsage:
    return one._replace(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        reasoning_tokens=one.reasoning_tokens + other.reasoning_tokens,
        estimated=one.estimated or other.estimated,
    )
