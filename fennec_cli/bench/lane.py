"""One request at a time through the pipeline of `fennec complete`, and a note of when what happened."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.answering import Answering
from fennec_cli.assembly import Overrides
from fennec_cli.bench.sample import Sample
from fennec_cli.chunk import CompletionChunk, TokenUsage
from fennec_cli.config import Config
from fennec_cli.errors import FennecError
from fennec_cli.pipeline import PipelineSettings, attempts, request_pipeline
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import EMPTY, CompletionRequest
from fennec_cli.safeguards import Safeguards, audit_trail
from fennec_cli.stages import Stage
from fennec_cli.stages.measure import estimated_usage
from fennec_cli.store import NullStore, StateStore
from fennec_cli.transport.arrival import Arrival, asking
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.engine import Engine
    from fennec_cli.stages.cache import Keeping

DEADLINE_S = 1800.0
MOST_PARALLEL = 256  # what a shared state can count


class Setup(NamedTuple):
    """What all lanes of a run have in common."""

    config: Config
    overrides: Overrides
    targets: Sequence[Target]
    requests: Sequence[CompletionRequest]  # without their model
    retries: int = 0
    breaker: bool = False
    cache: str = "off"
    engines: "Mapping[str, Engine]" = EMPTY

    def name(self, model: int) -> str:
        target = self.targets[model]
        return f"{target.provider}/{target.model}"

    def shares_state(self, target: Target) -> bool:
        """Whether the requests count in what all processes share: where the user limits the rate, or asks for it."""
        provider = self.config.provider_config(target.provider)
        return bool(self.breaker or provider.rpm or provider.tpm)


class Lanes:
    """The pipelines of all models, for all threads of a process. `shared` is the state of those that share theirs."""

    def __init__(self, setup: Setup, shared: StateStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._setup = setup
        self._clock = clock
        self._own, self._asking = _Own(), asking()
        config, engines = setup.config, setup.engines
        self._alone = ProviderRegistry(config, overrides=setup.overrides, state=NullStore(), engines=engines)
        self._sharing = ProviderRegistry(config, overrides=setup.overrides, state=shared, engines=engines)
        self._guards = Safeguards(trail=audit_trail(config))  # prompts have gone through the filter already
        self._stages = [self._stage(target) for target in setup.targets]

    def open(self) -> None:
        """Build what can be built before this thread's first request."""
        for target in self._setup.targets:
            self._registry(target).get_provider(target.provider, target.model).note(self._own.arrival)

    def run(self, index: int, model: int, prompt: int, planned: float) -> tuple[Sample, FennecError | None]:
        """Send one request; moments are of the monotonic clock."""
        target = self._setup.targets[model]
        request = self._setup.requests[prompt]._replace(model=target.model, deadline=self._clock() + DEADLINE_S)
        watch, error = _Watch(self._clock, self._own.arrival), None
        try:
            request = self._alone.privately(target.provider, request)
            with closing(self._stages[model](request)) as chunks:
                for chunk in chunks:
                    watch.see(chunk)
            error = watch.fault
            watch.settle()
        except FennecError as raised:
            error = raised
        cost = watch.cost_usd(request, lambda usage: self._alone.cost(target.provider, target.model, usage))
        return watch.sample(index, self._setup.name(model), planned, error, cost), error

    def close(self) -> None:
        self._asking.close()
        self._alone.close()
        self._sharing.close()
        self._guards.close()

    def _registry(self, target: Target) -> ProviderRegistry:
        return self._sharing if self._setup.shares_state(target) else self._alone

    def _stage(self, target: Target) -> Stage:
        setup, registry = self._setup, self._registry(target)
        provider = registry.get_provider(target.provider, target.model)
        gate = registry.gate(target.provider, target.model, single=False)
        breaker = gate.rules.breaker if setup.breaker else None
        gate.rules = gate.rules._replace(breaker=breaker, counted=False, max_parallel=MOST_PARALLEL)
        settings = PipelineSettings(
            retry=setup.config.provider_config(target.provider).retry._replace(max_attempts=setup.retries + 1),
            shows_reasoning=True,
            allow_truncated=True,  # prompts of a set are made to be cut at their length
        )

        guards = self._guards._replace(provider=target.provider)
        return request_pipeline(
            attempts(provider, gate, settings),
            settings,
            registry.cost,
            self._keeping(registry, target, settings),
            guards,
        )

    def _keeping(self, registry: ProviderRegistry, target: Target, settings: PipelineSettings) -> "Keeping | None":
        if self._setup.cache == "off":
            return None
        from fennec_cli.caching import Caching

        answering = Answering(registry, target, lambda _target: settings, single=False)
        return Caching(self._setup.config, registry, answering).keeping(self._setup.cache, allow_truncated=True)


class _Own(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.arrival = Arrival()


class _Watch:
    """Notes the moment of each event of one answer: when the bytes that were read last had come."""

    def __init__(self, clock: Callable[[], float], arrival: Arrival) -> None:
        self._clock, self._arrival = clock, arrival
        self._stamped = True
        arrival.at = None  # what was read before is another answer
        self._fold = ResponseAggregator(keep_text=False)
        self._moments: list[float] = []
        self._characters = 0
        self._first_output: float | None = None
        self.fault: FennecError | None = None

    def see(self, chunk: CompletionChunk) -> None:
        if chunk.content or chunk.reasoning or chunk.tool_call is not None:
            moment = self._arrival.at
            if moment is None:
                moment, self._stamped = self._clock(), False
            self._moments.append(moment)
            self._characters += chunk.characters
            if self._first_output is None and not chunk.reasoning:
                self._first_output = moment
        self._fold.add_chunk(chunk)
        self.fault = chunk.fault or self.fault

    def settle(self) -> None:
        """Let the cache keep a good answer: nobody writes it who would say so."""
        settle = self._fold.metadata.settle
        if settle is not None:
            settle(self.fault is None)

    def cost_usd(self, request: CompletionRequest, price: Callable[[TokenUsage], float | None]) -> float | None:
        """What it cost: an answer that broke off, as far as it came."""
        metadata = self._fold.metadata
        if metadata.cost_usd is not None or metadata.sent_at is None:
            return metadata.cost_usd
        return price((self._fold.usage or estimated_usage(request)).at_least(self._characters))

    def sample(self, index: int, model: str, planned: float, error: FennecError | None, cost: float | None) -> Sample:
        fold, moments = self._fold, self._moments
        usage, metadata = fold.usage or TokenUsage(estimated=True), fold.metadata
        first = moments[0] if moments else None
        return Sample(
            index=index,
            model=model,
            planned=planned,
            end=self._clock(),
            sent=planned if metadata.cached else metadata.sent_at,  # of what was kept nothing is sent
            connect_s=metadata.connect_s or 0.0,
            first=first,
            first_output=self._first_output,
            events=tuple(moment - moments[0] for moment in moments),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            estimated=usage.estimated,
            cost_usd=cost,
            clock=("kernel" if self._stamped else "process") if moments else None,
            finish_reason=fold.finish_reason,
            attempts=metadata.attempts or (error.attempts if error else 0) or 1,
            cached=bool(metadata.cached),
            error_class=error.error_class if error else None,
            status=error.status if error else None,
        )
