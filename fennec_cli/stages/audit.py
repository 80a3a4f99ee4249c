"""Put every interaction on record: before anything is sent, and at its end."""

import time
from collections.abc import Callable
from contextlib import closing

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.audit.records import Outcome
from fennec_cli.audit.trail import Trail
from fennec_cli.chunk import PAUSE
from fennec_cli.errors import FennecError
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


def recorded(inner: Stage, trail: Trail) -> Stage:
    """Have on the disk what is to be there before anything is sent."""

    def stage(request: CompletionRequest) -> Chunks:
        trail.flush()
        return inner(request)

    return stage


def audited(
    inner: Stage,
    trail: Trail,
    provider: str | None = None,
    *,
    identity: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Stage:
    """Write two records of each request, whatever becomes of it; `provider` is asked first.

    With `identity` only the second is written: the first one was, perhaps a day ago, under that id.
    Raises `OutputError` where a record is required.
    """

    def stage(request: CompletionRequest) -> Chunks:
        begin, size = clock(), 0
        name = identity or trail.began(request, provider)
        keeps = trail.keeps(request)
        fold = ResponseAggregator(keep_text=keeps)
        fault: FennecError | None = None
        interrupted = True
        try:
            with closing(inner(request)) as chunks:
                for chunk in chunks:
                    if chunk.content is not None:
                        size += len(chunk.content.encode("utf-8", "replace"))
                        if keeps:
                            fold.add_chunk(chunk)
                    elif chunk is not PAUSE:
                        fold.add_chunk(chunk)
                        fault = chunk.fault or fault
                    yield chunk
            interrupted = False
        except FennecError as error:
            fault, interrupted = error, False
            raise
        finally:
            outcome = Outcome(
                clock() - begin, fold.finish_reason, fold.usage, fold.metadata, size, fault, interrupted=interrupted
            )
            trail.ended(name, request, outcome, fold.finalize().content if keeps else "", provider)

    return stage
