"""Plain text: the answer's bytes, nothing else."""

from typing import Any, Protocol

import orjson

from fennec_cli import signals
from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, TokenUsage
from fennec_cli.errors import Bug, FennecError
from fennec_cli.output.sink import Sink
from fennec_cli.stages import Chunks
from fennec_cli.tuples import NamedTuple


class Answer(NamedTuple):
    """What became of one row: `error` is None when the answer is one to rely on."""

    error: FennecError | None
    usage: TokenUsage | None
    metadata: ChunkMetadata


class Writer(Protocol):
    """A format. Every method writes through the sink it was made with and raises only what concerns the whole run.

    `meta` is the JSON text that a row wants back with its answer.
    """

    def answer(self, row_id: str, chunks: Chunks, meta: bytes | None = None, /) -> Answer: ...

    def failure(self, row_id: str, error: FennecError, meta: bytes | None = None, /) -> None: ...

    def interrupted(self, exit_status: int, /) -> bytes:
        """Return what closes the answer under way after a signal; it may still be in the hands of another thread."""
        ...

    def summary(self, fields: dict[str, Any], /) -> None: ...


def failure_of(caught: Exception) -> FennecError:
    """Return what a row failed with. A bug of ours costs the answer of one row, and not those of the others.

    Raises it again once a signal ends the run: Python wraps what a handler raises in some places.
    """
    if isinstance(caught, FennecError):
        return caught
    if signals.stopping():
        raise caught
    return Bug(caught)


class TextWriter:
    """`end` closes every answer: nothing for a single one, LF for lines, NUL for `-0`; a failed row is an empty one.

    On a terminal `final_newline` adds a newline where the answer lacks one. `reasoning` goes to its own sink.
    """

    def __init__(
        self, sink: Sink, *, end: bytes = b"", final_newline: bool = False, reasoning: Sink | None = None
    ) -> None:
        self._sink = sink
        self._end = end
        self._final_newline = final_newline
        self._reasoning = reasoning

    def answer(self, row_id: str, chunks: Chunks, meta: bytes | None = None) -> Answer:  # noqa: ARG002 - a text has none
        fold = ResponseAggregator(keep_text=False)
        fault: FennecError | None = None
        pending: list[str] = []
        last = ""
        try:
            for chunk in chunks:
                if chunk.content is not None:
                    pending.append(chunk.content)
                elif chunk is PAUSE:
                    last = self._flush(pending) or last
                else:
                    fold.add_chunk(chunk)
                    fault = chunk.fault or fault
                    self._show_reasoning(chunk)
        except Exception as caught:
            error = failure_of(caught)
            last = self._flush(pending) or last
            self._close(last)
            return Answer(error, fold.usage, fold.metadata)
        last = self._flush(pending) or last
        for call in fold.finalize().tool_calls:
            fields = {"id": call.id, "name": call.name, "arguments": call.arguments}
            line = b"\n" if last and last != "\n" else b""
            self._sink.write(line + orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
            last = "\n"
        self._close(last)
        return Answer(fault, fold.usage, fold.metadata)

    def failure(self, row_id: str, error: FennecError, meta: bytes | None = None) -> None:  # noqa: ARG002
        """A row that was not sent is an empty answer; the caller says why on standard error."""
        if self._end:
            self._sink.write(self._end)

    def interrupted(self, exit_status: int) -> bytes:  # noqa: ARG002
        """A text that was broken off has nothing to say so."""
        return b""

    def summary(self, fields: dict[str, Any]) -> None:
        """Text output has no summary."""

    def _flush(self, pending: list[str]) -> str:
        """Write what is pending and return its last character."""
        if not pending:
            return ""
        text = "".join(pending)
        pending.clear()
        self._sink.write(text.encode())
        return text[-1:]

    def _close(self, last: str) -> None:
        if self._end and not (self._end == b"\n" and last == "\n"):
            self._sink.write(self._end)
        elif self._final_newline and last not in ("", "\n"):
            self._sink.write(b"\n")

    def _show_reasoning(self, chunk: CompletionChunk) -> None:
        if self._reasoning is not None and chunk.reasoning:
            self._reasoning.write(chunk.reasoning.encode())
