"""Rows through a pipeline: one after the other, or many at a time."""

from collections.abc import Callable

from fennec_cli.chunk import ChunkMetadata
from fennec_cli.output.text import Answer, Writer, failure_of
from fennec_cli.prompts import Row
from fennec_cli.stages import Chunks

Ask = Callable[[Row], Chunks]  # may raise a `FennecError` for a row that cannot be sent


def run_row(row: Row, ask: Ask, writer: Writer) -> Answer:
    """Ask for the answer to a row, and write it. One that cannot be sent is an answer too, and stops nothing."""
    fault = row.fault
    if fault is None:
        try:
            chunks = ask(row)
        except Exception as caught:
            fault = failure_of(caught)
        else:
            return _written(row, chunks, writer)
    writer.failure(row.id, fault, row.meta)
    return Answer(fault, None, ChunkMetadata())


def _written(row: Row, chunks: Chunks, writer: Writer) -> Answer:
    try:
        answer = writer.answer(row.id, chunks, row.meta)
    finally:
        chunks.close()
    if answer.metadata.settle is not None:
        answer.metadata.settle(answer.error is None)
    return answer
