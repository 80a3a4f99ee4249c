"""The rows of a batch through the pipeline: in turn, or many at once; with a ledger, taken up where a run ended."""

import os
from collections.abc import Callable
from contextlib import ExitStack

from fennec_cli.batch import Ask
from fennec_cli.batch.course import Course, DeadLetters
from fennec_cli.batch.intake import Intake, taken_in
from fennec_cli.batch.policy import FAIL_FAST, FailurePolicy
from fennec_cli.batch.progress import Progress, input_size
from fennec_cli.batch.runner import Buffer, Piece, Runner
from fennec_cli.batch.sequence import run_in_turn
from fennec_cli.completion.gathering import Gathering
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.requests import Requests
from fennec_cli.errors import FennecError, PartialBatch, UsageError
from fennec_cli.output.notes import Notes, shows_progress
from fennec_cli.output.sink import DescriptorSink, Sink
from fennec_cli.output.text import Writer
from fennec_cli.prompts import Row

MakeWriter = Callable[[Sink, Sink], Writer]  # where answers go, and where reasoning in text goes


def run_batch(
    options: CompleteOptions,
    requests: Requests,
    ask: Ask,
    writer: MakeWriter,
    sink: Sink,
    notes: Notes,
    gathering: Gathering,
    *,
    most: int,
) -> FennecError | None:
    """Run the batch, and return what its exit status says. `most` is how many rows may be under way at once."""
    with ExitStack() as open_files:
        policy, letters = _policy(options), _dead_letters(options, open_files)
        course = Course(notes, policy, letters.add if letters else _forget, _progress(options, notes))
        outlet = _outlet(options, sink, course, notes, open_files)
        rows = _intake(options, requests, outlet)
        jobs = min(options.jobs, most)
        if jobs < options.jobs:
            notes.say(1, f"{jobs} rows at once: max_parallel of the provider is the limit")
        last = Buffer()
        closing = writer(last, last)
        if letters is not None:
            letters.begin()
        outlet.begin()
        if jobs == 1 and options.resume is None:
            run_in_turn(rows, ask, writer(sink, DescriptorSink(2)), course)
        else:
            events = options.output_format == "ndjson"
            runner = Runner(
                iter(rows),
                ask,
                writer,
                jobs=jobs,
                ordered=options.ordered,
                whole=not events or options.resume is not None,
                broken=events,
                ahead=outlet.AHEAD,
            )
            _run_at_once(runner, outlet, course, gathering)
        course.end()
        closing.summary(course.summary())
        outlet.end(last.taken())
    error = course.tally.verdict()
    if isinstance(error, PartialBatch):
        notes.error(error)
    if (error is None or isinstance(error, PartialBatch)) and (rows.failure is None or course.tally.answered):
        sink.commit()
    if rows.failure is not None:
        notes.error(rows.failure)
        error = rows.failure
    if options.usage:
        from fennec_cli.completion.usage import total_line

        notes.usage(total_line(course.tally))
    return error


def _intake(options: CompleteOptions, requests: Requests, outlet: "Outlet") -> Intake:
    named = options.input_format == "ndjson"
    return Intake(taken_in(requests.rows(), shard=options.shard, named=named, finished=outlet.is_finished))


def _run_at_once(runner: Runner, outlet: "Outlet", course: Course, gathering: Gathering) -> None:
    def deliver(pieces: list[Piece]) -> None:
        gathering.before_output()
        outlet.deliver(pieces)
        if course.given_up:
            runner.stop()

    def tick() -> None:
        gathering.tick()
        course.tick()

    gathering.begin()
    runner.run(deliver, keep=outlet.keep, idle=tick)


class Outlet:
    """Writes what threads have answered, as it comes."""

    AHEAD = 2  # rows of the window for each thread: one that is being answered, one that waits to be written

    def __init__(self, sink: Sink, course: Course) -> None:
        self._sink, self._course = sink, course
        self._aside = DescriptorSink(2)

    def is_finished(self, _row: Row) -> bool:
        return False

    def begin(self) -> None: ...

    def deliver(self, pieces: list[Piece]) -> None:
        self._write(pieces)
        aside = b"".join(piece.aside for piece in pieces)
        if aside:
            self._aside.write(aside)
        for piece in pieces:
            if piece.answer is not None:
                self._course.done(piece.row, piece.answer)

    def keep(self, pieces: list[Piece]) -> None:
        """Take what can no longer be delivered."""

    def end(self, summary: bytes) -> None:
        self._sink.write(summary)

    def _write(self, pieces: list[Piece]) -> None:
        self._sink.write(b"".join(piece.data for piece in pieces))


def _outlet(options: CompleteOptions, sink: Sink, course: Course, notes: Notes, open_files: ExitStack) -> Outlet:
    if options.resume is None:
        return Outlet(sink, course)
    from fennec_cli.completion.resumable import LedgerOutlet

    return open_files.enter_context(LedgerOutlet.open(options, sink, course, notes))


def _dead_letters(options: CompleteOptions, open_files: ExitStack) -> DeadLetters | None:
    if options.dead_letter is None:
        return None
    letters = DeadLetters(options.dead_letter)
    open_files.callback(letters.close)
    return letters


def _forget(_row: Row, _error: FennecError) -> None: ...


def _progress(options: CompleteOptions, notes: Notes) -> Progress | None:
    if not shows_progress(os.environ, quiet=options.quiet):
        return None
    from fennec_cli.output.progress import fitting

    return Progress(lambda text: notes.status(fitting(text)), input_size())


def _policy(options: CompleteOptions) -> FailurePolicy:
    if options.fail_fast and options.max_failures is not None:
        raise UsageError("--fail-fast and --max-failures exclude each other", hint="drop one of them")
    return FAIL_FAST if options.fail_fast else options.max_failures or FailurePolicy()
