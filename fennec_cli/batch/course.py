"""What a batch does after each row: count it, say what failed, keep the row that failed, and give up in time."""

import os
import time
from collections.abc import Callable
from typing import Any

import orjson

from fennec_cli.batch.policy import FailurePolicy
from fennec_cli.batch.progress import Progress
from fennec_cli.batch.tally import Tally
from fennec_cli.errors import FennecError, OutputError, UsageError
from fennec_cli.output.events import error_fields
from fennec_cli.output.notes import Notes
from fennec_cli.output.text import Answer
from fennec_cli.prompts import Row


class Course:
    """The course of one batch. `lost` is told each row that failed."""

    def __init__(
        self,
        notes: Notes,
        policy: FailurePolicy = FailurePolicy(),
        lost: "Callable[[Row, FennecError], None]" = lambda _row, _error: None,
        progress: Progress | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = Tally()
        self._progress = progress
        self._notes, self._policy, self._lost, self._clock = notes, policy, lost, clock
        self._begin = clock()

    def done(self, row: Row, answer: Answer) -> None:
        self.tally.add(answer)
        if self._progress is not None:
            self._progress.bytes += len(row.source) + 1
        if answer.error is not None:
            self._notes.error(answer.error, where=f"row {row.id}: ")
            self._lost(row, answer.error)

    def resumed(self, row: Row) -> None:
        """An earlier run has finished this row. Called by the thread that reads."""
        self.tally.resumed += 1
        if self._progress is not None:
            self._progress.bytes += len(row.source) + 1

    def tick(self) -> None:
        """Show how far we are."""
        if self._progress is not None:
            self._progress.tick(self.tally)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.end()

    @property
    def given_up(self) -> bool:
        return self._policy.gives_up(self.tally.failed, self.tally.answered)

    def summary(self) -> dict[str, Any]:
        return self.tally.fields(self._clock() - self._begin)


class DeadLetters:
    """A file of the rows that failed in this run. Each line is a row that can be sent again, and says its `error`."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            self._refuse_what_is_in_use()
        except OSError as error:
            raise self._failed(error) from error

    def begin(self) -> None:
        """Drop those of earlier runs."""
        try:
            if os.fstat(self._fd).st_size:
                os.ftruncate(self._fd, 0)
        except OSError as error:
            raise self._failed(error) from error

    def add(self, row: Row, error: FennecError) -> None:
        data = orjson.dumps(letter(row, error), option=orjson.OPT_APPEND_NEWLINE)
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as failure:
            raise self._failed(failure) from failure

    def close(self) -> None:
        os.close(self._fd)

    def _failed(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path} ({error.strerror})")

    def _refuse_what_is_in_use(self) -> None:
        """It is emptied: that must not happen to the rows that are read, nor to the answers."""
        here = os.fstat(self._fd)
        for fd, name in ((0, "input"), (1, "output")):
            try:
                there = os.fstat(fd)
            except OSError:
                continue
            if os.path.samestat(here, there) and os.path.isfile(self._path):
                raise UsageError(f"--dead-letter {self._path} is the {name} too", hint="name another file")


def letter(row: Row, error: FennecError) -> dict[str, Any]:
    """Return a failed row as an object: its own keys, its id, and the error. One that is none has its text in `raw`."""
    text, said = row.source.decode("utf-8", "replace"), error_fields(error, started=False)
    if row.given is None and row.fault is None:
        return {"id": row.id, "prompt": text, "error": said}
    from fennec_cli.rows import members

    try:
        is_object = isinstance(orjson.loads(row.source if row.given is None else text), dict)
        parts = members(text) if is_object else {}
    except (orjson.JSONDecodeError, RecursionError):
        parts = {}
    if not parts:
        return {"id": row.id, "raw": text, "error": said}
    name = "custom_id" if "custom_id" in parts or "body" in parts else "id"
    kept = {key: orjson.Fragment(part) for key, part in parts.items() if key not in (name, "error")}
    return {name: row.id, **kept, "error": said}
