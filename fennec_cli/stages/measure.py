"""Measure an answer from outside and say the figures in one last chunk."""

import time
from collections.abc import Callable
from contextlib import closing

from fennec_cli.chunk import ChunkMetadata, CompletionChunk, TokenUsage
from fennec_cli.request import CompletionRequest, estimate_tokens
from fennec_cli.stages import Chunks, Stage

Price = Callable[[str, str, TokenUsage], float | None]  # provider, model, usage -> USD


def measure(
    inner: Stage, *, price: Price = lambda _provider, _model, _usage: None, clock: Callable[[], float] = time.monotonic
) -> Stage:
    """Add a last chunk with the times (seconds), the cost, and the usage where the provider has not counted it."""

    def stage(request: CompletionRequest) -> Chunks:
        start, first, bytes_out = clock(), None, 0
        usage: TokenUsage | None = None
        opening: ChunkMetadata | None = None  # of who answers
        reported_cost = False
        with closing(inner(request)) as chunks:
            for chunk in chunks:
                text = chunk.content or chunk.reasoning
                if text:
                    bytes_out += len(text)
                    if first is None:
                        first = clock() - start
                elif chunk.usage is not None:
                    usage = chunk.usage if usage is None else usage.merged(chunk.usage)
                    reported_cost |= chunk.metadata is not None and chunk.metadata.cost_usd is not None
                elif chunk.tool_call is not None:
                    bytes_out += len(chunk.tool_call.arguments)
                    if first is None:
                        first = clock() - start
                elif opening is None and chunk.metadata is not None and chunk.metadata.provider is not None:
                    opening = chunk.metadata
                elif chunk.metadata is not None and chunk.metadata.first_at is not None:
                    first = chunk.metadata.first_at - start
                yield chunk
        total = clock() - start
        known = (usage or estimated_usage(request)).at_least(bytes_out)
        cost = None
        if opening is not None and opening.cached:
            cost = 0.0
        elif not reported_cost and opening is not None:
            cost = price(opening.provider or "", opening.model or request.model, known)
        yield CompletionChunk(
            usage=known if known.estimated else None,
            metadata=ChunkMetadata(ttft_s=first, total_s=total, cost_usd=cost),
        )

    return stage


def estimated_usage(request: CompletionRequest) -> TokenUsage:
    """The tokens of a request whose provider counts none; what came of the answer is for `at_least` to add."""
    return TokenUsage(sum(estimate_tokens(message.content) for message in request.messages), estimated=True)
