"""One row after the other, written as it comes."""

from collections.abc import Iterable

from fennec_cli.batch import Ask, run_row
from fennec_cli.batch.course import Course
from fennec_cli.output.text import Writer
from fennec_cli.prompts import Row


def run_in_turn(rows: Iterable[Row], ask: Ask, writer: Writer, course: Course) -> None:
    """Answer rows until there are no more, or too many have failed."""
    for row in rows:
        course.done(row, run_row(row, ask, writer))
        course.tick()
        if course.given_up:
            return
