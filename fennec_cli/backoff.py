"""How long to wait before the next attempt: pure arithmetic, without jitter and without a clock."""

from typing import Literal, NamedTuple

Jitter = Literal["full", "equal", "none"]


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
