"""What the rows of a batch may cost: taken out of budgets before they are sent, settled when their answers are here."""

from fennec_cli.provider_batches import PRICE_FACTOR
from fennec_cli.registry import ProviderRegistry
from fennec_cli.request import CompletionRequest
from fennec_cli.spending import Held, Spending, Taken
from fennec_cli.stages.budget import Purse, refuse_unknown, reservation


class Money:
    """The budgets of one submit, and what the rows for one provider may cost."""

    def __init__(self, spending: Spending, registry: ProviderRegistry, provider: str) -> None:
        self._spending, self._registry, self._provider = spending, registry, provider
        self._purses: dict[str, Purse] = {}

    def of(self, request: CompletionRequest) -> float:
        """What a row may cost, in USD. Raises `BudgetExceeded` for a price that nobody knows and a budget needs."""
        purse = self._purses.get(request.model)
        if purse is None:
            purse = self._purses[request.model] = self._registry.purse(self._provider, request.model)
            refuse_unknown(purse, self._spending)
        return PRICE_FACTOR * reservation(request, purse)

    def reserve(self, usd: float) -> list[Taken]:
        """Take what all rows may cost, and return what outlives this process. Raises `BudgetExceeded`."""
        held = Held()
        self._spending.take(held, usd)
        return self._spending.lasting(held)
