"""Ask one model after the other, until one answers."""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import NamedTuple

from fennec_cli.chunk import ChunkMetadata, CompletionChunk, FallbackNotice
from fennec_cli.errors import FennecError
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


class Route(NamedTuple):
    """A model to ask: its full name for people, its own id, and how to get the stage that asks it."""

    name: str
    model: str
    open: Callable[[], Stage]
    left: Callable[[], None] = lambda: None  # told when it failed and another one is asked


def route(plan: Callable[[CompletionRequest], Sequence[Route]], say: Callable[[int, str], None]) -> Stage:
    """Send each request along the routes that `plan` gives for it.

    The next one is taken when a failure `falls_back` and nothing of the answer was handed on. Raises the last error.
    """

    def stage(request: CompletionRequest) -> Chunks:
        routes, spent = plan(request), 0
        for here, following in zip(routes, [*routes[1:], None], strict=True):
            try:
                yield from _counted(here.open()(request._replace(model=here.model)), spent)
            except FennecError as error:
                spent += error.attempts
                error.attempts = spent
                if error.partial or not error.falls_back or following is None:
                    raise
                here.left()
                say(1, f"{error.line()}: falling back from {here.name} to {following.name}")
                yield CompletionChunk(fallback=FallbackNotice(here.name, following.name, error.error_class))
            else:
                return

    return stage


def _counted(chunks: Chunks, spent: int) -> Chunks:
    """Add the attempts of earlier routes to those that the answer took."""
    with closing(chunks):
        if spent:
            yield CompletionChunk(metadata=ChunkMetadata(attempts=spent + 1))
        for chunk in chunks:
            if spent and chunk.metadata is not None and chunk.metadata.attempts is not None:
                yield chunk._replace(metadata=chunk.metadata._replace(attempts=spent + chunk.metadata.attempts))
            else:
                yield chunk
