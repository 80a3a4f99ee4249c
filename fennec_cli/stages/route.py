"""Ask one model after the other, until one answers."""

from collections.abc import Callable, Sequence
from contextlib import closing

from fennec_cli.chunk import ChunkMetadata, CompletionChunk, FallbackNotice
from fennec_cli.errors import ConfigError, FennecError
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Say


class Route(NamedTuple):
    """A model to ask: its full name for people, its own id, and how to get the stage that asks it."""

    name: str
    model: str
    open: Callable[[], Stage]
    left: Callable[[], None] = lambda: None  # told when it failed and another one is asked


def route(plan: Callable[[CompletionRequest], Sequence[Route]], say: Say) -> Stage:
    """Send each request along the routes that `plan` gives for it.

    The next one is taken when a failure `falls_back` and nothing of the answer was handed on. Raises the last error.
    """

    def stage(request: CompletionRequest) -> Chunks:
        routes, spent = plan(request), 0
        earlier: FennecError | None = None
        failed: FennecError
        for here, following in zip(routes, [*routes[1:], None], strict=True):
            try:
                inner = here.open()
            except ConfigError as error:  # it cannot be asked at all: that hides no answer and no better error
                failed, goes_on = error, True
                if following is None and earlier is not None:
                    say(1, f"{here.name} skipped: {error.line()}")
                    raise earlier from None
            else:
                try:
                    yield from _counted(inner(request._replace(model=here.model)), spent)
                except FennecError as error:
                    spent += error.attempts
                    error.attempts = spent
                    failed, goes_on = error, error.falls_back and not error.partial
                    earlier = error
                    if goes_on and following is not None:
                        here.left()
                else:
                    return
            if not goes_on or following is None:
                _tell_tried(failed, [each.name for each in routes[: routes.index(here) + 1]])
                raise failed
            say(1, f"{failed.line(advice=False)}: falling back from {here.name} to {following.name}")
            yield CompletionChunk(fallback=FallbackNotice(here.name, following.name, failed.error_class))

    return stage


def _tell_tried(error: FennecError, names: list[str]) -> None:
    """Say in the error's advice who was asked, where that was more than one."""
    if len(names) > 1:
        tried = f"asked in this order: {', '.join(names)}"
        error.hint = f"{error.hint}; {tried}" if error.hint else tried


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
