"""`--resume LEDGER`: results are kept, then written, then marked as delivered."""

from collections.abc import Generator
from contextlib import contextmanager

import orjson

from fennec_cli.batch.course import Course
from fennec_cli.batch.delivery import Delivery, delivery
from fennec_cli.batch.ledger import Entry, Ledger, content_hash
from fennec_cli.batch.runner import Piece
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.rows import Outlet
from fennec_cli.errors import UsageError
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import DescriptorSink, Sink
from fennec_cli.prompts import Row


class LedgerOutlet(Outlet):
    """Keeps each group of results in the ledger before it writes them."""

    AHEAD = 1  # a thread begins a row when its last one is safe: no more of them can be lost than are under way

    def __init__(self, ledger: Ledger, output: Delivery, sink: Sink, course: Course, notes: Notes) -> None:
        super().__init__(sink, course)
        self._ledger, self._output, self._notes = ledger, output, notes

    @classmethod
    @contextmanager
    def open(
        cls, options: CompleteOptions, sink: Sink, course: Course, notes: Notes
    ) -> "Generator[LedgerOutlet, None, None]":
        assert options.resume is not None
        if not isinstance(sink, DescriptorSink):
            raise UsageError("--resume cannot write there")
        ledger = Ledger(options.resume, options.output_format)
        try:
            if ledger.damage:
                notes.warn(f"the ledger's last {ledger.damage} bytes were not whole and are gone")
            lines = options.output_format != "text"
            yield cls(ledger, delivery(ledger, sink, sink.fd, lines=lines, notes=notes), sink, course, notes)
        finally:
            ledger.close()

    def is_finished(self, row: Row) -> bool:
        known = self._ledger.content_of(row.id)
        if known is None:
            return False
        if known != _content(row):
            self._notes.warn(f"row {row.id}: it is not the row that the ledger has an answer to, and is sent anew")
            return False
        self._course.resumed(row)
        return True

    def begin(self) -> None:
        self._output.begin()

    def end(self, summary: bytes) -> None:
        self._output.end(summary)

    def keep(self, pieces: list[Piece]) -> None:
        self._ledger.append(_entries(pieces))

    def _write(self, pieces: list[Piece]) -> None:
        self._output.deliver(_entries(pieces))


def _entries(pieces: list[Piece]) -> list[Entry]:
    return [
        Entry(piece.row.id, _content(piece.row), piece.data, piece.answer.error is None)
        for piece in pieces
        if piece.answer is not None
    ]


def _content(row: Row) -> bytes:
    """Hash what a row says; neither white space nor the order of its keys counts."""
    if row.given is None:
        return content_hash(row.source)
    try:
        document = orjson.loads(row.source)
        document.pop("error", None)  # of a dead letter
        return content_hash(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # no UTF-8 everywhere, or nested too deeply to be written
        return content_hash(row.source)
