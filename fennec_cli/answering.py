"""Who answers the requests of a run: the one model that was named, or those that a strategy chooses."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from fennec_cli.errors import UsageError
from fennec_cli.pipeline import PipelineSettings, attempts, routed
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Stage
from fennec_cli.types import Say, silent

if TYPE_CHECKING:
    from fennec_cli.admission import Gate
    from fennec_cli.choosing import ProviderSelector, Wanted
    from fennec_cli.spending import Spending
    from fennec_cli.stages.budget import Purse


_OPEN = 64  # models of rows whose stages are kept


class Answering:
    """Turns targets into stages. `single` is for one prompt whose user waits; `wanted` None for no strategy."""

    def __init__(
        self,
        registry: ProviderRegistry,
        target: Target,
        settings: Callable[[Target], PipelineSettings],
        wanted: "Wanted | None" = None,
        *,
        single: bool = True,
        spending: "Spending | None" = None,
        say: Say = silent,
    ) -> None:
        self._registry = registry
        self._target = target
        self._settings = settings
        self._single = single
        self._gates: dict[Target, Gate] = {}
        self._spending = spending
        self._say = say
        self._selector = self._selecting(wanted)
        self._falls_back = wanted is not None and wanted.strategy == "fallback"

    def stage(self) -> Stage:
        """Return the stage that gets the answer."""
        opened = lru_cache(_OPEN)(self._attempts)
        if self._selector is None:
            return lambda request: opened(_own(request) if request.provider else self._target)(request)
        from fennec_cli.stages.route import Route

        def left(target: Target) -> None:
            self._gate(target).count("fallbacks")

        def plan(request: CompletionRequest) -> list[Route]:
            return [
                Route(f"{target.provider}/{target.model}", target.model, partial(opened, target), partial(left, target))
                for target in self.targets(request)
            ]

        return routed(plan, self._say)

    def targets(self, request: CompletionRequest, *, usable: bool = True) -> list[Target]:
        """Return the models that `request` may go to, in order; without `usable` also those that cannot be asked now.

        A row's own model takes the place of the run's, and nobody chooses then.
        Raises a `FennecError` when nobody can answer it.
        """
        own = [_own(request)] if request.provider else []
        if self._selector is None:
            return own or [self._target]
        if own and not self._falls_back:
            return own
        others = self._selector.plan(request) if usable else self._selector.targets
        return [*own, *others[1:]] if own else others

    def first(self, request: CompletionRequest) -> Target:
        """Return the model that `request` goes to first. Raises a `FennecError` when nobody can answer it."""
        return self.targets(request)[0]

    def _selecting(self, wanted: "Wanted | None") -> "ProviderSelector | None":
        if wanted is None or (wanted.strategy == "manual" and not wanted.fallback):
            return None
        if wanted.strategy == "manual":
            raise UsageError("--strategy manual and --fallback exclude each other", hint="drop one of them")
        from fennec_cli.choosing import ProviderSelector

        return ProviderSelector(self._registry, self._target, wanted, say=self._say)

    def _attempts(self, target: Target) -> Stage:
        provider = self._registry.get_provider(target.provider, target.model)
        money = None if self._spending is None else (self.purse(target), self._spending)
        stage = attempts(provider, self._gate(target), self._settings(target), money)
        if not self._registry.requires_private(target.provider):
            return stage
        from fennec_cli.stages.privacy import privately

        return privately(stage, partial(self._registry.privately, target.provider))

    def charged(self, stage: Stage, target: Target) -> Stage:
        """`stage` asks a model for something other than an answer, which can be done without: the budgets of the run
        pay for its input, if there is money for it now.
        """
        if self._spending is None:
            return stage
        from fennec_cli.stages.budget import budget

        purse = self.purse(target)
        price = purse.price._replace(output=0.0) if purse.price else None
        return budget(stage, purse._replace(price=price, most=1), self._spending, waits=False)

    def purse(self, target: Target) -> "Purse":
        """What a model costs."""
        return self._registry.purse(target.provider, target.model)

    def _gate(self, target: Target) -> "Gate":
        gate = self._gates.get(target)
        if gate is None:
            if len(self._gates) >= _OPEN:
                self._gates.clear()
            gate = self._gates[target] = self._registry.gate(target.provider, target.model, single=self._single)
        return gate


def _own(request: CompletionRequest) -> Target:
    return Target(request.provider, request.model, "named by its row")
