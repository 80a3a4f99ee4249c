"""Every single cut of a recorded stream, through the transport: an error, or the whole answer."""

from collections.abc import Iterator

from fennec_cli.aggregate import CompletionResponse, ResponseAggregator
from fennec_cli.dialects.base import Dialect
from fennec_cli.errors import ProviderError
from fennec_cli.transport.answer import Fold, read_stream
from fennec_cli.transport.patience import Limits, Patience


def received(dialect: Dialect, pieces: Iterator[bytes]) -> tuple[CompletionResponse, ProviderError | None]:
    """What arrives of a stream that ends tidily after `pieces`, and the error that says that it is not whole."""
    fold = ResponseAggregator()
    try:
        for chunk in read_stream(pieces, dialect.FRAMING, dialect.decode, Patience(Limits(), None), Fold()):
            fold.add_chunk(chunk)
    except ProviderError as error:
        return fold.finalize(), error
    return fold.finalize(), None


def check_every_cut(dialect: Dialect, body: bytes) -> None:
    whole, failure = received(dialect, iter([body]))
    for place in range(len(body)):
        cut, error = received(dialect, iter([body[:place]]))
        assert error is not None or (failure is None and cut.choices == whole.choices), f"cut at byte {place}"
        assert whole.content.startswith(cut.content)
