"""Usage times price. Pure."""

from fennec_cli.chunk import TokenUsage
from fennec_cli.tuples import NamedTuple


class Price(NamedTuple):
    """USD per million tokens. `cached` is the price of cached input tokens, `input`'s where it is None."""

    input: float
    output: float
    cached: float | None = None

    def cost_usd(self, usage: TokenUsage) -> float:
        cached_price = self.input if self.cached is None else self.cached
        fresh = max(0, usage.input_tokens - usage.cached_tokens)
        return (fresh * self.input + usage.cached_tokens * cached_price + usage.output_tokens * self.output) / 1e6
