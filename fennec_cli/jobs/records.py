"""What is known of jobs, in the state store: a record for each job, for each of its parts, and for what it has taken.

A step is written down before it is taken, so that whoever comes after a kill knows what may have happened.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from fennec_cli.errors import InputError, OutputError
from fennec_cli.jobs.spool import PartPlan
from fennec_cli.provider_batches import Part
from fennec_cli.spending import Taken
from fennec_cli.store import SharedState
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Record

Step = Literal["spooled", "uploading", "uploaded", "creating", "created"]
_PREFIX = "batch|"


class Job(NamedTuple):
    """A job. `state` is `open`, `fetched` or `cancelled`; `created` in seconds since 1970."""

    id: str
    provider: str
    model: str
    nonce: str
    rows: int
    parts: int
    created: float
    state: str = "open"


class PartState(NamedTuple):
    """How far a part is. `begun` is the moment at which a call was sent that may have made a batch."""

    path: str
    variant: str
    rows: int
    step: Step = "spooled"
    marker: str = ""
    file_id: str | None = None
    batch_id: str | None = None
    begun: float = 0.0
    guessed: bool = False  # the batch is probably ours: its results will tell
    remote: str = ""  # its state at the provider when it was last asked for
    ended: bool = False
    done: int = 0
    failed: int = 0

    def part(self) -> Part:
        return Part(self.path, self.variant, self.marker, self.file_id)

    def is_over(self, job: Job) -> bool:
        """Whether no answer is to come any more: nobody makes the missing batch of a job that was closed."""
        return self.ended or (self.batch_id is None and job.state != "open")


class Jobs:
    """The records of all jobs. What cannot be kept safe is an `OutputError`: a batch costs money twice if forgotten."""

    def __init__(self, state: SharedState) -> None:
        self._state = state

    def add(self, job: Job, plans: list[PartPlan], taken: Sequence[Taken] = ()) -> None:
        """Write a job down, unless it is there already. `taken` is what it holds of budgets."""

        def change(records: list[Record | None]) -> tuple[list[Record | None], None]:
            return [records[0] or {"v": 1, **job._asdict()}], None

        for number, plan in enumerate(plans):
            fresh = PartState(plan.path, plan.variant, plan.rows, marker=f"fennec-{job.nonce}-{number}")
            self._update(_part_name(job.id, number), lambda old, new=fresh: old or new._asdict())  # type: ignore[misc]
        if taken:
            self._update(_money_name(job.id), lambda old: old or {"taken": list(taken)})
        self._state.update([_PREFIX + job.id], change)
        self._check()

    def release(self, job: Job) -> list[Taken]:
        """Return what a job holds of budgets, to the first who asks."""

        def change(records: list[Record | None]) -> tuple[list[Record | None], list[Taken]]:
            return [None], (records[0] or {}).get("taken", [])

        return self._state.update([_money_name(job.id)], change)

    def get(self, job_id: str) -> Job:
        """Return a job. Raises `InputError` for an id that nobody knows."""
        job = self.find(job_id)
        if job is None:
            raise InputError(f"there is no batch {job_id!r:.80}", hint="`fennec batch status` lists them")
        return job

    def find(self, job_id: str) -> Job | None:
        found: Job | None = _read(Job, self._state.get(_PREFIX + job_id))
        self._check()
        return found

    def all(self) -> list[Job]:
        """Return all jobs, the oldest first."""
        names = ((name, record) for name, record in self._state.scan(_PREFIX) if name.count("|") == 1)
        jobs = [job for _, record in names if (job := _read(Job, record)) is not None]
        self._check()
        return sorted(jobs, key=lambda job: job.created)

    def parts(self, job: Job) -> Iterator[tuple[int, PartState]]:
        for number in range(job.parts):
            state = _read(PartState, self._state.get(_part_name(job.id, number)))
            if state is None:
                raise OutputError(f"the record of part {number} of {job.id} is gone", hint="submit the rows again")
            yield number, state

    def write_part(self, job: Job, number: int, state: PartState) -> PartState:
        self._update(_part_name(job.id, number), lambda _old: state._asdict())
        return state

    def close_job(self, job: Job, state: str) -> Job:
        """Say how a job ended, and return it."""
        closed = job._replace(state=state)
        self._update(_PREFIX + job.id, lambda _old: {"v": 1, **closed._asdict()})
        return closed

    def remove(self, job: Job) -> None:
        parts = (_part_name(job.id, number) for number in range(job.parts))
        names = [_PREFIX + job.id, _money_name(job.id), *parts]
        for name in names:
            self._state.update([name], lambda _records: ([None], None))

    def batch_ids(self) -> set[str]:
        """The providers' ids of all batches that are known to be somebody's."""
        rows = (record for name, record in self._state.scan(_PREFIX) if name.count("|") == 2)
        return {record["batch_id"] for record in rows if record.get("batch_id")}

    def _update(self, name: str, change: Callable[[Record | None], Record]) -> None:
        self._state.update([name], lambda records: ([change(records[0])], None))
        self._check()

    def _check(self) -> None:
        if self._state.failures:
            raise OutputError(
                "the shared state cannot be used, and a batch must not be forgotten",
                hint="-v says why; see XDG_STATE_HOME and cache.backend",
            )


def _money_name(job_id: str) -> str:
    return f"{_PREFIX}{job_id}|money"


def _part_name(job_id: str, number: int) -> str:
    return f"{_PREFIX}{job_id}|{number}"


def _read(kind: Any, record: Record | None) -> Any:
    """A record that is none of ours counts as none."""
    if record is None:
        return None
    try:
        return kind(**{key: value for key, value in record.items() if key != "v"})
    except TypeError:
        return None
