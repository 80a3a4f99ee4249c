"""Ask for leave before an attempt is sent, and say afterwards how it went."""

import time
from collections.abc import Callable
from contextlib import closing

from fennec_cli.admission import Gate, Report
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, TokenUsage
from fennec_cli.errors import FennecError, RateLimitError
from fennec_cli.metrics import Attempt
from fennec_cli.request import CompletionRequest, estimate_tokens
from fennec_cli.stages import Chunks, Stage

CANCELLED = "cancelled"


def admit(inner: Stage, gate: Gate, *, clock: Callable[[], float] = time.monotonic) -> Stage:
    """Let each attempt through circuit and limits, or raise what they say; report its end, however it ends."""

    def stage(request: CompletionRequest) -> Chunks:
        ticket = gate.enter(_tokens(request), request.deadline)
        watch = _Watch(clock)
        try:
            with closing(inner(request)) as chunks:
                for chunk in chunks:
                    if chunk.content is None or watch.ttft_s is None:
                        before = watch.events
                        watch.see(chunk)
                        if ticket.permit.probe and before == 0 and watch.events == 1:
                            gate.prove(ticket)
                    yield chunk
        except BaseException as error:
            gate.leave(ticket, watch.failed(error, request.attempt))
            raise
        gate.leave(ticket, watch.report(None, request.attempt))

    return stage


class _Watch:
    """What is to be known of an attempt at its end."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begin = clock()
        self._usage: TokenUsage | None = None
        self._opening: ChunkMetadata | None = None
        self._cost: float | None = None
        self.ttft_s: float | None = None
        self.events = 0  # chunks that the provider's events gave: the opening is our own

    def see(self, chunk: CompletionChunk) -> None:
        if chunk is PAUSE:
            return
        if self._opening is None and chunk.metadata is not None:
            self._opening = chunk.metadata
            return
        self.events += 1
        if self.ttft_s is None and (chunk.content or chunk.reasoning or chunk.tool_call is not None):
            self.ttft_s = self._clock() - self._begin
        if chunk.usage is not None:
            self._usage = chunk.usage if self._usage is None else self._usage.merged(chunk.usage)
        if chunk.metadata is not None and chunk.metadata.cost_usd is not None:
            self._cost = chunk.metadata.cost_usd

    def failed(self, error: BaseException, number: int) -> Report:
        if not isinstance(error, FennecError):  # a signal, or the reader has gone
            return self.report(None, number)._replace(
                attempt=Attempt(CANCELLED, self._clock() - self._begin), outcome="neutral"
            )
        return self.report(error, number)

    def report(self, error: FennecError | None, number: int) -> Report:
        attempt = Attempt(
            error_class=error.error_class if error else None,
            duration_s=self._clock() - self._begin,
            ttft_s=self.ttft_s,
            usage=self._usage,
            cost_usd=self._cost,
            rate_limited=isinstance(error, RateLimitError),
            ambiguous=error is not None and self._opening is not None,
        )
        return Report(
            attempt,
            "ok" if error is None else "failure" if error.trips_breaker else "neutral",
            first_try=number == 1,
            limits=self._opening.limits if self._opening else None,
            retry_after=error.retry_after if error else None,
        )


def _tokens(request: CompletionRequest) -> float:
    """Input as estimated, and the most that the answer may be."""
    given = sum(estimate_tokens(message.content) for message in request.messages)
    return given + (request.sampling.max_tokens or 0)
