"""The rows of a batch through the pipeline: in turn, or many at once."""

from collections.abc import Callable

from fennec_cli.batch import Ask
from fennec_cli.batch.course import Course, DeadLetters
from fennec_cli.batch.intake import taken_in
from fennec_cli.batch.policy import FAIL_FAST, FailurePolicy
from fennec_cli.batch.runner import Piece, Runner
from fennec_cli.batch.sequence import run_in_turn
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.requests import Requests
from fennec_cli.errors import FennecError, PartialBatch, UsageError
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import DescriptorSink, Sink
from fennec_cli.output.text import Writer

MakeWriter = Callable[[Sink, Sink], Writer]  # where answers go, and where reasoning in text goes


def run_batch(
    options: CompleteOptions,
    requests: Requests,
    ask: Ask,
    writer: MakeWriter,
    sink: Sink,
    notes: Notes,
    *,
    most: int,
) -> FennecError | None:
    """Run the batch, and return what its exit status says. `most` is how many rows may be under way at once."""
    letters = DeadLetters(options.dead_letter) if options.dead_letter else None
    course = Course(notes, _policy(options), letters.add if letters else lambda _row, _error: None)
    rows = taken_in(requests.rows(), shard=options.shard, named=options.input_format == "ndjson")
    jobs = min(options.jobs, most)
    if jobs < options.jobs:
        notes.say(1, f"{jobs} rows at once: max_parallel of the provider is the limit")
    try:
        if jobs == 1:
            run_in_turn(rows, ask, writer(sink, DescriptorSink(2)), course)
        else:
            events = options.output_format == "ndjson"
            runner = Runner(rows, ask, writer, jobs=jobs, ordered=options.ordered, whole=not events, broken=events)
            runner.run(_Outlet(sink, course, runner.stop).deliver)
    finally:
        if letters is not None:
            letters.close()
    writer(sink, sink).summary(course.summary())
    error = course.tally.verdict()
    if isinstance(error, PartialBatch):
        notes.error(error)
    if options.usage:
        from fennec_cli.completion.usage import total_line

        notes.usage(total_line(course.tally))
    return error


class _Outlet:
    """Writes what threads have answered, and follows the course."""

    def __init__(self, sink: Sink, course: Course, stop: Callable[[], None]) -> None:
        self._sink, self._course, self._stop = sink, course, stop
        self._aside = DescriptorSink(2)

    def deliver(self, pieces: list[Piece]) -> None:
        self._sink.write(b"".join(piece.data for piece in pieces))
        aside = b"".join(piece.aside for piece in pieces)
        if aside:
            self._aside.write(aside)
        for piece in pieces:
            if piece.answer is not None:
                self._course.done(piece.row, piece.answer)
        if self._course.given_up:
            self._stop()


def _policy(options: CompleteOptions) -> FailurePolicy:
    if options.fail_fast and options.max_failures is not None:
        raise UsageError("--fail-fast and --max-failures exclude each other", hint="drop one of them")
    return FAIL_FAST if options.fail_fast else options.max_failures or FailurePolicy()
