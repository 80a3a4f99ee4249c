"""The bytes of an answer become chunks.

A stream that ends before every choice has its finish reason is an error, also when it ends tidily. After the finish
reason a broken connection costs at most the usage numbers.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fennec_cli.aggregate import CallNumbers
from fennec_cli.chunk import PAUSE, TERMINATOR, CompletionChunk
from fennec_cli.dialects.base import Dialect, Framing, HTTPCall
from fennec_cli.errors import NetworkError, ProtocolError, ProviderError
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks
from fennec_cli.transport.patience import Patience
from fennec_cli.wire import Decoder, Event

if TYPE_CHECKING:
    from fennec_cli.transport.client import Exchange

MAX_STREAM = 256 * 1024 * 1024  # bytes of one streamed answer


def chunks_of(
    exchange: "Exchange", dialect: Dialect, patience: Patience, request: CompletionRequest, _call: HTTPCall
) -> Chunks:
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    expected = {"sse": "text/event-stream", "ndjson": "application/x-ndjson"}[dialect.FRAMING]
    if kind in (expected, "") and request.stream:
        yield from read_stream(exchange.chunks, dialect.FRAMING, dialect.decode, patience, Fold(request.choices))
    elif kind == "application/json" or (dialect.FRAMING == "ndjson" and not request.stream):
        yield from read_whole(exchange.read(), dialect, patience)
    else:
        raise ProtocolError(
            f"the server answered with {kind or 'no content type'} instead of {expected}",
            hint="check that base_url is the address of an API",
        )


def read_whole(body: bytes, dialect: Dialect, patience: Patience) -> Chunks:
    """Yield the chunks of an answer in one piece. Raises `NetworkError` for one without its finish reason."""
    fold = Fold()
    for chunk in dialect.decode_body(body):
        fold.finish.add(chunk, patience)
        yield fold.numbers.numbered(chunk)
    if not fold.finish.complete:
        raise NetworkError("the answer has no finish reason")


class Fold:
    """What is remembered from event to event of an answer, for which so many `choices` were asked."""

    def __init__(self, choices: int = 1) -> None:
        self.finish, self.numbers = _FinishWatch(choices), CallNumbers()


def read_stream(
    chunks: Iterator[bytes],
    framing: Framing,
    decode: Callable[[Event], list[CompletionChunk]],
    patience: Patience,
    fold: Fold,
) -> Chunks:
    decoder, finish, numbers = new_decoder(framing), fold.finish, fold.numbers
    try:
        for events in _events(chunks, decoder):
            ended = False
            for event in events:
                patience.event_seen()
                for chunk in decode(event):
                    if chunk is TERMINATOR:
                        ended = True
                        break
                    finish.add(chunk, patience)
                    yield chunk if chunk.tool_call is None else numbers.numbered(chunk)
                if ended:  # what follows is ignored, be it in the same piece
                    break
            if ended:
                finish.ended()
                break
            yield PAUSE
    except ProviderError:
        if not finish.complete:
            raise
    if not finish.complete:
        raise NetworkError("the stream ended before its finish reason")


def _events(chunks: Iterator[bytes], decoder: Decoder) -> Iterator[list[Event]]:
    """Yield the events that each piece completes, and at last those that the end does."""
    size = 0
    for data in chunks:
        size += len(data)
        if size > MAX_STREAM:
            raise ProtocolError(f"the answer is larger than {MAX_STREAM} bytes")
        yield decoder.feed(data)
    yield decoder.close()


def new_decoder(framing: Framing) -> Decoder:
    if framing == "sse":
        from fennec_cli.wire.sse import SSEDecoder

        return SSEDecoder()
    from fennec_cli.wire.ndjson import NDJSONDecoder

    return NDJSONDecoder()


class _FinishWatch:
    """Knows whether every choice has its finish reason: as many as were asked for, and all that were seen."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._open: set[int] = set()
        self._finished: set[int] = set()

    def add(self, chunk: CompletionChunk, patience: Patience) -> None:
        if chunk.content is not None or chunk.reasoning is not None or chunk.tool_call is not None:
            patience.content_seen()
            if chunk.index not in self._finished:
                self._open.add(chunk.index)
        elif chunk.role is not None and chunk.index not in self._finished:
            self._open.add(chunk.index)
        if chunk.finish_reason is not None:
            self._finished.add(chunk.index)
            self._open.discard(chunk.index)
            if self.complete:
                patience.finish_seen()

    def ended(self) -> None:
        """The provider says that no more choices come; one that knows no `n` gives one, whatever was asked for."""
        self._wanted = 1

    @property
    def complete(self) -> bool:
        return len(self._finished) >= self._wanted and not self._open
