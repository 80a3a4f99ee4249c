"""How long to wait before the next attempt: pure arithmetic without a clock, which is given its chance."""

from typing import Literal

from fennec_cli.tuples import NamedTuple

Jitter = Literal["full", "equal", "none"]


def chance(low: float, high: float) -> float:
    """What others take for chance: `random.uniform`, imported when it is first asked; most runs never ask."""
    import random

    return random.uniform(low, high)


DEFAULT_MAX_WAIT_S = 60.0  # for a rate limit


class RetryConfig(NamedTuple):
    """When a failed attempt is repeated. Delays are seconds; `max_attempts` counts the first attempt too."""

    max_attempts: int = 3
    initial_delay: float = 0.5
    max_delay: float = 8.0
    backoff_factor: float = 2.0
    jitter: Jitter = "full"
    max_retry_after: float = 120.0

    def calculate_delay(self, attempt: int) -> float:
        """Return `min(initial_delay * backoff_factor ** attempt, max_delay)`; `attempt` is 0 for the first retry."""
        try:
            return min(self.initial_delay * float(self.backoff_factor) ** attempt, self.max_delay)
        except OverflowError:
            return self.max_delay if self.initial_delay else 0.0


class RetryBudget:
    """How many retries all processes together may make: a bucket of tokens, so that an outage is not made worse.

    A retry costs `COST`, a first try that succeeds gives 1, and time gives 1 a second, up to `FULL`.
    """

    FULL = 100.0
    COST = 10.0

    @classmethod
    def spend(cls, record: dict[str, float] | None, now: float) -> tuple[dict[str, float], bool]:
        """Take a retry's tokens; False when there are not enough."""
        tokens = cls._tokens(record, now)
        enough = tokens >= cls.COST
        return {"tokens": tokens - cls.COST if enough else tokens, "at": now}, enough

    @classmethod
    def earn(cls, record: dict[str, float] | None, now: float) -> dict[str, float] | None:
        """Count a first try that succeeded; None when the bucket is full: there is nothing to remember."""
        tokens = min(cls.FULL, cls._tokens(record, now) + 1)
        return {"tokens": tokens, "at": now} if tokens < cls.FULL else None

    @classmethod
    def _tokens(cls, record: dict[str, float] | None, now: float) -> float:
        if record is None:
            return cls.FULL
        return min(cls.FULL, record["tokens"] + max(0.0, now - record["at"]))
