"""Hold an answer back until it is complete, so that nothing is committed before its end."""

import time
from collections.abc import Callable
from contextlib import closing

from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


def hold(inner: Stage, *, clock: Callable[[], float] = time.monotonic) -> Stage:
    """Hand on no chunk of `inner` before its last one has come: even a late failure may then be retried.

    A last chunk says when the first token came.
    """

    def stage(request: CompletionRequest) -> Chunks:
        held: list[CompletionChunk] = []
        first_at: float | None = None
        with closing(inner(request)) as chunks:
            for chunk in chunks:
                if chunk is not PAUSE:
                    held.append(chunk)
                    if first_at is None and (chunk.content or chunk.reasoning or chunk.tool_call is not None):
                        first_at = clock()
        yield from held
        yield CompletionChunk(metadata=ChunkMetadata(first_at=first_at))

    return stage
