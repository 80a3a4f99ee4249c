"""A stream that breaks is opened again where it broke: exact, because the provider numbers its events and keeps them.

Only the Responses dialect can do it, and only for an answer that the provider makes in the background. Such an answer
goes on when we leave: whoever stops early asks the provider to stop, too.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

from fennec_cli import signals
from fennec_cli.chunk import CompletionChunk
from fennec_cli.dialects.base import Dialect, HTTPCall, Position, Resumable
from fennec_cli.errors import FennecError, ProviderError, RequestError
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.wire import Event

MOST_TRIES = 5  # in a row without a new event
LONGEST_S = 120.0  # all of them together
FIRST_WAIT_S = 0.25
GOODBYE = Limits(connect=0.2, write=0.2, first_event=0.2, idle=0.2, attempt=0.3)


def resumable(dialect: Dialect, request: CompletionRequest) -> Resumable:
    """Return the dialect as one that can resume. Raises `RequestError` for the others."""
    if not hasattr(dialect, "resume_call") or not request.stream:
        raise RequestError(
            "--on-interrupt resume needs a streamed answer of the Responses API",
            hint="choose a model that has it, or --on-interrupt fail or restart",
        )
    return dialect  # type: ignore[return-value] # checked by its attribute


class Track:
    """Passes on the events of a stream that were not there yet, and knows how far it came."""

    def __init__(self, dialect: Resumable, decode: Callable[[Event], list[CompletionChunk]]) -> None:
        self._dialect = dialect
        self._decode = decode
        self.position = Position()
        self.over = False  # the provider itself has ended the answer

    def decode(self, event: Event) -> list[CompletionChunk]:
        found, known = self._dialect.position(event), self.position
        if found.number is not None and known.number is not None and found.number <= known.number:
            return []
        try:
            chunks = self._decode(event)
        except ProviderError:
            self.over = True
            raise
        self.position = Position(
            known.response_id or found.response_id, known.number if found.number is None else found.number
        )
        return chunks


def resumed(
    track: Track,
    stream: Callable[[Iterator[bytes]], Chunks],
    first: Iterator[bytes],
    reopen: Callable[[Position], AbstractContextManager[Any]],
    left_s: Callable[[], float],
    *,
    sleep: Callable[[float], None] = signals.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Chunks:
    """Yield the chunks that `stream` makes of the bytes of `first`, and of those of `reopen` for as long as it breaks.

    Raises the last error when nothing new came in `MOST_TRIES` tries or `LONGEST_S` seconds, or when the next try would
    come too late: `left_s` says how many seconds there are.
    """
    source: AbstractContextManager[Any] | None = None
    tries, begin, reached = 0, 0.0, track.position
    while True:
        try:
            if source is None:
                yield from stream(first)
            else:
                with source as exchange:
                    yield from stream(exchange.chunks)
            return
        except ProviderError as error:
            if track.over or not error.retryable or track.position.response_id is None or track.position.number is None:
                raise
            if track.position != reached:
                tries, begin, reached = 0, clock(), track.position
            wait = max(FIRST_WAIT_S * 2 ** (tries - 1) if tries else 0.0, error.retry_after or 0.0)
            if tries >= MOST_TRIES or clock() - begin + wait >= LONGEST_S or wait >= left_s():
                raise
        tries += 1
        sleep(wait)
        source = reopen(track.position)


def say_goodbye(send: Callable[[HTTPCall, Patience], None], dialect: Resumable, call: HTTPCall, track: Track) -> None:
    """Ask the provider to stop an answer that nobody waits for any more; it has a third of a second to hear it."""
    if track.position.response_id is None or track.over:
        return
    with suppress(FennecError):
        send(dialect.cancel_call(call, track.position), Patience(GOODBYE))
