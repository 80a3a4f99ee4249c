"""The library: the pipeline of `fennec complete` for programs.

Settings come from the same places as the command's: environment and configuration files, the project file included.
"""

import os
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from fennec_cli.aggregate import CompletionResponse, ResponseAggregator
from fennec_cli.answering import Answering
from fennec_cli.chunk import PAUSE, CompletionChunk
from fennec_cli.completion.options import DEFAULT_DEADLINE_S
from fennec_cli.config import Config, load_config
from fennec_cli.pipeline import PipelineSettings, request_pipeline
from fennec_cli.registry import ProviderRegistry
from fennec_cli.request import CompletionRequest
from fennec_cli.safeguards import safeguards

if TYPE_CHECKING:
    from fennec_cli.caching import Caching


def stream_completion(
    request: CompletionRequest, *, config: Config | None = None
) -> Generator[CompletionChunk, None, None]:
    """Send `request` and yield the chunks of its answer; closing the generator cancels upstream.

    `request.model` is named as in `-m`: `provider/model`, an alias, a model of the default provider, or empty for the
    default. The last chunks carry usage, cost and times; a chunk with a `fault` says that the answer is complete but
    not one to rely on (`Truncated`, `ContentFiltered`, `InvalidOutput`).

    Raises `FennecError`; after the first chunk with text that is always `StreamBroken`.
    """
    start = time.monotonic()
    settings = config if config is not None else load_config(environ=os.environ, cwd=os.getcwd())
    guards = safeguards(settings)
    registry = ProviderRegistry(settings, record=guards.record, offline=settings.cache.mode == "only")
    caching: Caching | None = None
    settle: Callable[[bool], None] | None = None
    good, whole = True, False
    try:
        target = registry.choose(request.model or settings.model)
        pipeline_settings = PipelineSettings(
            retry=settings.provider_config(target.provider).retry,
            shows_reasoning=request.reasoning,
            conform=request.schema is not None,
        )
        answering = Answering(registry, target, lambda _target: pipeline_settings)

        caching = _caching(settings, registry, answering)
        keeping = caching.keeping(settings.cache.mode) if caching else None
        guards = guards._replace(provider=target.provider)
        pipeline = request_pipeline(answering.stage(), pipeline_settings, registry.cost, keeping, guards)
        request = request._replace(
            model=target.model,
            private=request.private or registry.requires_private(request.provider or target.provider),
            deadline=request.deadline or _deadline(settings, start),
        )
        with closing(pipeline(request)) as chunks:
            for chunk in chunks:
                if chunk.metadata is not None and chunk.metadata.settle is not None:
                    settle = chunk.metadata.settle
                good &= chunk.fault is None
                if chunk is not PAUSE:
                    yield chunk
        whole = True
    finally:
        if settle is not None:
            settle(good and whole)
        if caching is not None:
            caching.responses.close()
        registry.close()
        guards.close()


def _deadline(config: Config, start: float) -> float | None:
    given = DEFAULT_DEADLINE_S if config.deadline is None else config.deadline
    return start + given if given else None


def _caching(config: Config, registry: ProviderRegistry, answering: Answering) -> "Caching | None":
    if config.cache.mode == "off":
        return None
    from fennec_cli.caching import Caching

    return Caching(config, registry, answering)


def complete(
    prompt: str,
    *,
    model: str = "",
    system: str | None = None,
    allow_truncated: bool = False,
    allow_filtered: bool = False,
    config: Config | None = None,
    **fields: Any,
) -> CompletionResponse:
    """Return the whole answer to one prompt. `fields` are those of `CompletionRequest` (sampling, tools, schema, …).

    Raises `FennecError`, also for a complete answer that is not one to rely on, unless that is allowed.
    """
    fold = ResponseAggregator()
    request = CompletionRequest.from_text(prompt, model=model, system=system, **fields)
    with closing(stream_completion(request, config=config)) as chunks:
        for chunk in chunks:
            fold.add_chunk(chunk)
            if chunk.fault is not None:
                allowed = {"truncated": allow_truncated, "filtered": allow_filtered}
                if not allowed.get(chunk.fault.error_class, False):
                    raise chunk.fault
    return fold.finalize()
