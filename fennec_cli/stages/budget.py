"""Take what a request may cost out of the budgets before it is sent, and settle when it is over.

It lies around each attempt at one model: its price is known there, every attempt may be billed, a hit of the cache
costs nothing, and an answer that is held back can still be stopped midway.
"""

from collections.abc import Callable
from contextlib import closing

from fennec_cli.chunk import TokenUsage
from fennec_cli.errors import BudgetExceeded
from fennec_cli.pricing import Price
from fennec_cli.request import CompletionRequest, estimate_tokens
from fennec_cli.spending import Held, Spending
from fennec_cli.stages import Chunks, Stage
from fennec_cli.tuples import NamedTuple

EXPECTED_TOKENS = 1000  # of an answer, where neither a limit nor a mean is known
# What is taken for the input is more than the estimate, and the difference comes back: languages other than English
# have up to twice the tokens, and every message some more for its frame.
_MARGIN, _FRAME_TOKENS = 2, 8


class Purse(NamedTuple):
    """What a model costs. `most` is the configured limit of an answer, `mean` its usual length."""

    price: Price | None
    model: str  # for people
    most: int | None = None
    mean: Callable[[], float | None] = lambda: None


def budget(inner: Stage, purse: Purse, spending: Spending, *, waits: bool = True) -> Stage:
    """Send only what the budgets allow. An answer without a limit is stopped midway when it outgrows them.

    What `waits` is sent once other requests have given back what they did not need.
    """

    def stage(request: CompletionRequest) -> Chunks:
        refuse_unknown(purse, spending)
        meter = _Meter(request, purse, spending)
        meter.begin(waits=waits)
        try:
            with closing(inner(request)) as chunks:
                for chunk in chunks:
                    if characters := chunk.characters:
                        meter.text(characters)
                    if chunk.usage is not None:
                        meter.usage = chunk.usage if meter.usage is None else meter.usage.merged(chunk.usage)
                    if chunk.metadata is not None:
                        meter.sent = True
                        if chunk.metadata.cost_usd is not None:
                            meter.reported_usd = chunk.metadata.cost_usd
                    yield chunk
        finally:
            meter.end()

    return stage


def estimate(request: CompletionRequest, price: Price, output_tokens: float) -> float:
    """What a request costs in USD if its answer is so long."""
    given = sum(estimate_tokens(message.content) for message in request.messages)
    return (given * price.input + request.choices * output_tokens * price.output) / 1e6


def reservation(request: CompletionRequest, purse: Purse) -> float:
    """What is taken for a request in USD: it is not expected to cost more."""
    return _at_most(request, purse.price, _expected_tokens(request, purse)) if purse.price else 0.0


def _expected_tokens(request: CompletionRequest, purse: Purse) -> float:
    return request.sampling.max_tokens or purse.most or purse.mean() or EXPECTED_TOKENS


def _at_most(request: CompletionRequest, price: Price, output_tokens: float) -> float:
    given = sum(_MARGIN * estimate_tokens(message.content) + _FRAME_TOKENS for message in request.messages)
    return (given * price.input + request.choices * output_tokens * price.output) / 1e6


class _Meter:
    """One request: what it holds, and what it has cost so far."""

    def __init__(self, request: CompletionRequest, purse: Purse, spending: Spending) -> None:
        self._request, self._purse, self._spending = request, purse, spending
        self._held = Held()
        self._limited = request.sampling.max_tokens or purse.most
        self._allowed = 0.0  # output tokens that are paid for
        self._characters = 0
        self.sent = False
        self.usage: TokenUsage | None = None
        self.reported_usd: float | None = None

    def begin(self, *, waits: bool) -> None:
        self._allowed = _expected_tokens(self._request, self._purse)
        price = self._purse.price
        usd = _at_most(self._request, price, self._allowed) if price else 0.0
        self._spending.take(self._held, usd, waits=waits)

    def text(self, characters: int) -> None:
        """So much of the answer has come. Raises `BudgetExceeded` when no more is allowed."""
        self._characters += characters
        price = self._purse.price
        if self._limited or price is None or self._characters / 4 <= self._allowed:
            return
        try:
            self._spending.take(self._held, self._allowed * price.output / 1e6)
        except BudgetExceeded as error:
            error.partial = True
            raise
        self._allowed *= 2

    def end(self) -> None:
        self._spending.settle(self._held, self._cost_usd())

    def _cost_usd(self) -> float:
        price = self._purse.price
        if self.reported_usd is not None:
            return self.reported_usd
        if price is None or not (self.sent or self.usage):
            return 0.0
        if self.usage is not None:
            return price.cost_usd(self.usage.at_least(self._characters))
        return estimate(self._request, price, -(-self._characters // 4))


def refuse_unknown(purse: Purse, spending: Spending) -> None:
    """Raise `BudgetExceeded` for a model whose price is not known, if a budget needs it."""
    strict = spending.refuses_unknown
    if purse.price is None and strict is not None:
        raise BudgetExceeded(
            f"the price of {purse.model} is not known, and {strict.name} needs it",
            hint=f'write input and output under [provider.NAME.prices."{purse.model.partition("/")[2]}"]'
            ', or set unknown_price = "allow" for a [budget.NAME]',
        )
