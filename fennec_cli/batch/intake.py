"""Rows on their way in: those of other shards and finished ones are passed over, and a repeated id is said."""

from collections.abc import Callable, Iterator

from fennec_cli.batch.ids import IdSet
from fennec_cli.batch.shard import Shard
from fennec_cli.errors import FennecError, InputError
from fennec_cli.prompts import Row


class Intake:
    """Rows, until there are no more or they cannot be read: then `failure` says why, and those before it count."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self.failure: FennecError | None = None

    def __iter__(self) -> Iterator[Row]:
        try:
            yield from self._rows
        except FennecError as error:
            self.failure = error


def taken_in(
    rows: Iterator[Row],
    *,
    shard: Shard | None = None,
    named: bool = False,
    finished: Callable[[Row], bool] = lambda _row: False,
) -> Iterator[Row]:
    """Yield the rows of `shard` that are not `finished`.

    With `named`, where ids are the input's own, a second row of one id has a fault.
    """
    seen = IdSet()
    for row in rows:
        if shard is not None and not shard.has(row.id):
            continue
        if named and not seen.add(row.id) and row.fault is None:
            row = row._replace(fault=InputError("an earlier row has this id", hint="ids name rows: give each its own"))
        if row.fault is not None or not finished(row):
            yield row
