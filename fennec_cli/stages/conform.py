"""Check a complete answer against the schema that was asked for."""

from contextlib import closing

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.answer_schema import mismatch
from fennec_cli.chunk import CompletionChunk
from fennec_cli.errors import InvalidOutput
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


def conform(inner: Stage) -> Stage:
    """Add a last chunk with a `fault` when the answer of a request with a schema does not fit it."""

    def stage(request: CompletionRequest) -> Chunks:
        if request.schema is None:
            return inner(request)
        return _checked(inner, request)

    return stage


def _checked(inner: Stage, request: CompletionRequest) -> Chunks:
    fold = ResponseAggregator()
    with closing(inner(request)) as chunks:
        for chunk in chunks:
            fold.add_chunk(chunk)
            yield chunk
    response = fold.finalize()
    if response.finish_reason != "stop" or request.schema is None:
        return  # a truncated, filtered or tool-calling answer has its own verdict
    for choice in response.choices:
        reason = mismatch(choice.content, request.schema)
        if reason is not None:
            yield CompletionChunk(fault=InvalidOutput(f"the answer does not fit the schema ({reason})"))
            return
