"""What the cache stage has to know of a run: where requests go, what they are made of, how the cache is used."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fennec_cli.answering import Answering
from fennec_cli.config import Config
from fennec_cli.errors import ConfigError
from fennec_cli.registry import UNDECIDED, ProviderRegistry, Target
from fennec_cli.request import CompletionRequest
from fennec_cli.responses import ResponseCache
from fennec_cli.stages import Stage
from fennec_cli.stages.cache import Keeping, Known
from fennec_cli.types import Say, silent

if TYPE_CHECKING:
    from fennec_cli.embeddings import Embedder
    from fennec_cli.flights import Flights

EMBEDDING_TYPES = ("openai", "openrouter", "ollama", "azure")
MOST_PROMPT = 32 * 1024  # characters of a prompt that are kept beside its answer


class Caching:
    """The response cache of a run. Opens nothing. `sending` is put round what asks for a vector."""

    def __init__(
        self,
        config: Config,
        registry: ProviderRegistry,
        answering: Answering,
        *,
        say: Say = silent,
        patient: bool = False,
        deadline: float | None = None,
        sending: Callable[[Stage], Stage] = lambda stage: stage,
    ) -> None:
        self._config = config.cache
        self._registry = registry
        self._answering = answering
        self._say = say
        self._sending = sending
        self.responses = ResponseCache(config.cache, say=lambda text: say(1, text), patient=patient, deadline=deadline)

    def keeping(
        self,
        mode: str,
        *,
        ttl: float | None = None,
        allow_truncated: bool = False,
        semantic: bool = False,
        threshold: float | None = None,
    ) -> Keeping:
        """Return what the stage is given for `mode`: use, refresh or only. `ttl` in seconds.

        `semantic` also takes answers to requests that mean the same; raises `ConfigError` without what that needs.
        """
        asks = mode != "only"
        exact = Keeping(
            self.responses,
            lambda request: self.identified(request, usable=asks),
            reads=mode != "refresh",
            asks=asks,
            ttl=self._config.ttl if ttl is None else ttl,
            allow_truncated=allow_truncated,
            flights=self._flights if self._config.single_flight and mode == "use" else None,
            describe=describe,
            counted=lambda provider, model: self._registry.count(provider, model, "hits"),
        )
        wanted = semantic or self._config.semantic.enabled
        return self._similar(exact, threshold) if wanted else exact

    def _similar(self, keeping: Keeping, threshold: float | None) -> Keeping:
        from fennec_cli.semantic import SimilarAnswers, index_of

        index = index_of(self._config, self.responses, lambda text: self._say(1, text))
        answers = SimilarAnswers(
            self.responses,
            index,
            self._embedder(asks=keeping.asks),
            lambda request, known: str(self._registry.call(_target(known), request).fingerprint),
            threshold=self._config.semantic.threshold if threshold is None else threshold,
            ttl=keeping.ttl,
            say=lambda text: self._say(1, text),
        )
        return keeping._replace(similar=answers.find, remember=answers.remember)

    def _embedder(self, *, asks: bool) -> "Embedder | None":
        from fennec_cli.embeddings import LOCAL, EndpointEmbedder, LocalEmbedder

        named = self._config.semantic.embeddings
        if named == LOCAL:
            return LocalEmbedder()
        target = self._registry.choose(named)
        provider = self._registry.direct(target.provider)
        type_ = self._registry.type_of(target.provider)
        if type_ not in EMBEDDING_TYPES:
            raise ConfigError(f"cache.semantic.embeddings: {target.provider} offers none", hint="write `local`")
        if not asks:
            return None
        from fennec_cli.stages.admit import admit

        return EndpointEmbedder(
            target.provider,
            type_,
            provider.endpoint.base_url,
            target.model,
            provider.send,
            headers=provider.endpoint.headers,
            admitted=lambda stage: self._sending(
                self._answering.charged(admit(stage, self._registry.gate(target.provider, target.model)), target)
            ),
            cost=lambda usage: self._registry.cost(target.provider, target.model, usage),
        )

    def _flights(self) -> "Flights":
        from fennec_cli.flights import Flights  # a hit needs none

        return Flights(self._registry.state)

    def identified(self, request: CompletionRequest, *, usable: bool = True) -> Iterator[Known]:
        """Yield the request as each model would get it, the first to be asked first."""
        targets = self._answering.targets(request, usable=usable)
        if targets[0].reason == UNDECIDED:
            targets = self._registry.defaults(targets[0])
        for target in targets:
            try:
                yield Known(target.provider, target.model, self._registry.call(target, request))
            except ConfigError:
                if usable:
                    raise


def _target(known: Known) -> Target:
    return Target(known.provider, known.model, "")


def describe(request: CompletionRequest, known: Known) -> dict[str, object]:
    """What is kept of a request: its fields for `cache explain`, and its texts, unless they are long."""
    from fennec_cli.digest import fields_of

    call = known.call
    texts = [[message.role, message.content] for message in request.messages]
    return {
        "fields": fields_of(known.provider, call.url, call.headers, call.body),
        "prompt": texts if sum(len(text) for _, text in texts) <= MOST_PROMPT else None,
    }
