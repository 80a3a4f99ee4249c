"""Which models a run may ask, and which of them a request goes to first."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

from fennec_cli import circuit, metrics
from fennec_cli.admission import Names
from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import AuthenticationError, CircuitOpen, ConfigError, FennecError, RequestError
from fennec_cli.pricing import Price
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import CompletionRequest
from fennec_cli.selection import Candidate, Choice, Needs, SelectionStrategy, Standing, choose
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Say

ALL_MODELS = "*"  # as a model's name: every model of the provider's kept list
_HERE, _FREE = ("local", "ollama"), Price(0.0, 0.0)  # what runs on this machine costs nothing


class Wanted(NamedTuple):
    """What options and configuration say about the choice."""

    strategy: SelectionStrategy = "manual"
    named: bool = False  # a model was named on the command line
    fallback: Sequence[str] = ()
    candidates: Sequence[str] = ()
    no_breaker: bool = False


class ModelSelector:
    """The models of providers' own lists, as `fennec models refresh` has kept them. Asks no provider."""

    def __init__(self, registry: ProviderRegistry, environ: Mapping[str, str]) -> None:
        self._registry = registry
        self._environ = environ
        self._lists: dict[str, dict[str, ModelInfo] | None] = {}

    def all_of(self, provider: str) -> list[str]:
        """Return the names of every model of a provider. Raises `ConfigError` when nobody asked it yet."""
        models = self._known(provider)
        if models is None:
            raise ConfigError(
                f"the models of {provider} are not known yet",
                hint=f"`fennec models refresh --provider {provider}` asks it for its list",
            )
        return list(models)

    def facts(self, target: Target) -> ModelInfo | None:
        """Return what the provider says about a model, or None."""
        return (self._known(target.provider) or {}).get(target.model)

    def _known(self, provider: str) -> dict[str, ModelInfo] | None:
        if provider not in self._lists:
            from fennec_cli.model_lists import ModelLists

            kept = ModelLists(environ=self._environ).kept(provider, self._registry.address(provider))
            self._lists[provider] = {model.id: model for model in kept.models} if kept else None
        return self._lists[provider]


class ProviderSelector:
    """Puts the models that a run may ask into order, for each request. Opens nothing but the shared state."""

    def __init__(
        self,
        registry: ProviderRegistry,
        target: Target,
        wanted: Wanted,
        *,
        say: Say,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._say = say
        self._models = ModelSelector(registry, environ)
        self._clock = clock
        self._strategy = wanted.strategy
        self._trusts = wanted.no_breaker  # circuits are not looked at
        self._named = _bare(target) if wanted.named else None
        self._targets = self._allowed(target, wanted)
        self._facts: dict[Target, Candidate] = {}

    def plan(self, request: CompletionRequest) -> list[Target]:
        """Return the models to ask for `request`, in order. Raises a `FennecError` when none of them can answer."""
        needs = Needs.of(request)
        candidates = [self._candidate(target, request, needs) for target in self._targets]
        found = choose(candidates, self._strategy, needs)
        for candidate, reason in found.skipped:
            self._say(1, f"{self._strategy}: {candidate.name} skipped: {reason}")
        if not found.order:
            raise self._nobody(found)
        if self._strategy != "fallback":
            best, reason = found.order[0]
            self._say(1, f"{self._strategy}: {best.name} chosen: {reason}")
        return [Target(candidate.provider, candidate.model, reason) for candidate, reason in found.order]

    @property
    def targets(self) -> list[Target]:
        """All models that the run may ask, whether they can answer at the moment or not."""
        return list(self._targets)

    def _allowed(self, target: Target, wanted: Wanted) -> list[Target]:
        chosen = [self._registry.choose(name) for name in wanted.fallback]
        if wanted.strategy == "fallback":
            return list(dict.fromkeys(_bare(each) for each in (target, *chosen)))
        among = [_bare(target)] if wanted.named else []
        for name in wanted.candidates:
            among += self._expanded(self._registry.choose(name))
        if not among:
            raise ConfigError(
                f"--strategy {wanted.strategy} has no models to choose from",
                hint='list them in the configuration: candidates = ["openai/gpt-5.4-mini", …]',
            )
        return list(dict.fromkeys([*among, *map(_bare, chosen)]))

    def _expanded(self, target: Target) -> list[Target]:
        if target.model != ALL_MODELS:
            return [_bare(target)]
        return [Target(target.provider, model, "") for model in self._models.all_of(target.provider)]

    def _candidate(self, target: Target, request: CompletionRequest, needs: Needs) -> Candidate:
        falls_back = self._strategy == "fallback"
        if falls_back and (not needs.capabilities or target == self._named):
            return Candidate(target.provider, target.model)  # it is asked, whatever is known
        known = self._facts.get(target)
        if known is None:
            known = self._facts[target] = self._looked_up(target)
        if falls_back:
            return known
        keeps_private = not needs.private or self._keeps_private(target, request)
        return known._replace(standing=self._standing(target), private=keeps_private)

    def _keeps_private(self, target: Target, request: CompletionRequest) -> bool:
        try:
            return self._registry.keeps_private(target.provider, request._replace(model=target.model))
        except ConfigError:
            return True  # it says so itself when it is asked

    def _looked_up(self, target: Target) -> Candidate:
        name, model = target.provider, target.model
        if not self._registry.is_usable(name):
            return Candidate(name, model, unusable="no key for it was found")
        from fennec_cli.catalogue import lookup

        kind = self._registry.type_of(name)
        price = self._registry.price(name, model)
        if target == self._named:  # by the user: what a catalogue thinks of it does not count
            return Candidate(name, model, price=price or (_FREE if kind in _HERE else None))
        known, listed = lookup(kind, model), self._models.facts(target)
        abilities = (listed.capabilities if listed else ()) or (known.capabilities if known else ())
        return Candidate(
            name,
            model,
            context_window=(listed and listed.context_window) or (known.context_window if known else None),
            capabilities=frozenset(abilities) if abilities else None,
            price=self._registry.price(name, model)
            or _listed_price(listed)
            or (Price(0, 0) if kind in _HERE else None),
        )

    def _standing(self, target: Target) -> Standing:
        try:
            names = Names.of(target.provider, self._registry.origin(target.provider), target.model)
        except ConfigError:
            return Standing()
        store = self._registry.state
        recent = metrics.recent(store.get(names.metrics))
        left = 0.0 if self._trusts else circuit.state_of(store.get(names.circuit), self._clock())[1]
        return Standing(recent.success_rate, recent.ttft_s, recent.output_tokens, left)

    def _nobody(self, found: Choice) -> FennecError:
        """The error for a request that none of the candidates can answer: that of the nearest one."""
        reasons = "; ".join(f"{candidate.name}: {reason}" for candidate, reason in found.skipped)
        message = f"none of the candidates can answer ({reasons})"
        open_for = [each.standing.circuit_open_s for each, _ in found.skipped if each.standing.circuit_open_s]
        if open_for:
            return CircuitOpen(message, retry_after=min(open_for), hint="try again later, or use --no-breaker")
        if all(candidate.unusable for candidate, _ in found.skipped):
            return AuthenticationError(message, hint="set the key of one of them")
        return RequestError(message, hint="add a model that can to `candidates`, or name one with -m")


def _bare(target: Target) -> Target:
    return target._replace(reason="")


def _listed_price(listed: ModelInfo | None) -> Price | None:
    if listed is None or listed.input_usd_per_mtok is None or listed.output_usd_per_mtok is None:
        return None
    return Price(listed.input_usd_per_mtok, listed.output_usd_per_mtok)
