"""From rows to batches at the provider, each step taken once, whatever happens in between."""

import fcntl
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from fennec_cli.dialects.base import HTTPCall
from fennec_cli.errors import FennecError, InputError, NetworkError, ProviderTimeout
from fennec_cli.jobs.records import Job, Jobs, PartState
from fennec_cli.jobs.service import TRIES, Service
from fennec_cli.jobs.spool import Records, Spool, forget, forget_body, plan_of, prefix, put_on_record, read_body, sweep
from fennec_cli.private import make_directory, open_file
from fennec_cli.provider_batches import Remote
from fennec_cli.spending import Taken
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import PutOnRecord, Say, no_record, silent

SETTLE_S = 2.0  # a call that was cut off may still be on its way for so long
SLACK_S = 300.0  # by which the clocks of us and the provider may differ
KEPT_S = 31 * 86_400.0  # providers have forgotten the results by then
_FILE_TRIES = 60
Reserve = Callable[[float], Sequence[Taken]]  # so many dollars, of which budgets


class Prepared(NamedTuple):
    """A row of the input, as a completion request or as what is wrong with it.

    `records` are for the audit log, `usd` is what it may cost.
    """

    id: str
    meta: bytes | None
    model: str
    call: HTTPCall | FennecError
    records: Records = ()
    usd: float = 0.0


class Submission:
    """Submits rows to one provider. `home` is where the rows are kept until they are fetched.

    `record` writes into the audit log, before anything is sent. `reserve` is asked for leave to spend, once a job: what
    one that is killed right then has taken stays taken until the budget's period ends.
    """

    def __init__(
        self,
        service: Service,
        jobs: Jobs,
        home: Path,
        key: bytes,
        say: Say = silent,
        record: PutOnRecord = no_record,
        reserve: Reserve = lambda _usd: (),
    ) -> None:
        self._service, self._jobs, self._home, self._key = service, jobs, home, key
        self._say, self._record, self._reserve = say, record, reserve

    def submit(self, rows: Iterable[Prepared], provider: str, model: str) -> Job:
        """Submit rows, or go on where an earlier submission of the same rows was stopped."""
        make_directory(self._home)
        sweep(self._home, self._service.clock())
        for old in self._jobs.all():
            if self._service.clock() - old.created > KEPT_S:
                forget(self._home, old.id)
                self._jobs.remove(old)
        spool, usd = Spool(self._home, self._service.api, self._service.endpoint), 0.0
        try:
            for row in rows:
                if isinstance(row.call, FennecError):
                    spool.fail(row.id, row.meta, row.call, row.records)
                else:
                    spool.add(row.id, row.meta, row.model, row.call, row.records)
                    usd += row.usd
            digest = spool.close()
            if not spool.rows:
                raise InputError("there are no rows", hint="write one JSON object a line to standard input")
            with self._locked():
                job = self._job(spool, digest, provider, model, usd)
                put_on_record(self._home, job.id, self._record)
                for number, state in self._jobs.parts(job):
                    self._advance(job, number, state)
            return job
        finally:
            spool.discard()

    def _job(self, spool: Spool, digest: str, provider: str, model: str, usd: float) -> Job:
        """The job of these rows: one that is under way already, or a new one."""
        seed = f"{provider}|{self._service.endpoint.base_url}|{digest}"
        for generation in range(1000):
            name = f"{seed}|{generation}".encode()
            job_id = f"b{sha256(self._key + name).hexdigest()[:15]}"
            job = self._jobs.find(job_id)
            if job is None:
                break
            if job.state == "open":
                self._say(0, f"these rows are batch {job_id} already; going on with it")
                return job
        taken = self._reserve(usd)
        plan = plan_of(self._home, job_id)  # there is one if it was killed before it wrote the job down
        if plan is None:
            spool.keep(job_id)
            plan = plan_of(self._home, job_id)
        assert plan is not None
        nonce, number, plans = plan
        job = Job(job_id, provider, model, nonce, number, len(plans), self._service.clock())
        self._jobs.add(job, plans, taken)
        return job

    def _advance(self, job: Job, number: int, state: PartState) -> None:
        """Take a part through the steps that are left."""
        files = self._service.api.files
        if files is not None and state.step in ("spooled", "uploading"):
            # A file that an earlier start has uploaded is of no use to anybody, and expires.
            state = self._jobs.write_part(job, number, state._replace(step="uploading"))
            rows = read_body(self._home, job.id, number)
            call = files.upload_call(self._service.endpoint, state.part(), rows)
            file_id = files.decode_upload(self._service.ask(call))
            state = self._jobs.write_part(job, number, state._replace(step="uploaded", file_id=file_id))
        if state.step in ("spooled", "uploaded"):
            self._wait_for_file(state)
            state = self._create(job, number, state)
        elif state.step == "creating":
            state = self._create_unless_there(job, number, state)
        if not state.guessed:
            forget_body(self._home, job.id, number)

    def found(self, job: Job, number: int, state: PartState) -> PartState:
        """Return the part with its batch, if a call that was cut off has made one."""
        return (self._find(job, number, state) or state) if state.step == "creating" else state

    def _create(self, job: Job, number: int, state: PartState) -> PartState:
        api = self._service.api
        rows = b"" if api.files else read_body(self._home, job.id, number)
        call = api.create_call(self._service.endpoint, state.part(), rows)
        for attempt in range(1, TRIES + 1):
            before = state
            state = self._jobs.write_part(job, number, state._replace(step="creating", begun=self._service.clock()))
            try:
                remote = api.decode_status(self._service.send(call))
            except (NetworkError, ProviderTimeout) as error:  # there may be a batch now
                if not error.retryable or attempt == TRIES:
                    raise
                self._say(1, f"{job.id}: {error.message}; looking whether the batch was made")
                found = self._find(job, number, state)
                if found is not None:
                    return found
            except FennecError:
                self._jobs.write_part(job, number, before)
                raise
            else:
                return self._created(job, number, state, remote)
        raise AssertionError("the last attempt returns or raises")

    def _create_unless_there(self, job: Job, number: int, state: PartState) -> PartState:
        return self._find(job, number, state) or self._create(job, number, state)

    def _find(self, job: Job, number: int, state: PartState) -> PartState | None:
        """Look for the batch that a call may have made whose answer we do not know."""
        waited = self._service.clock() - state.begun
        if 0.0 <= waited < SETTLE_S:
            self._service.sleep(SETTLE_S - waited)
        unsure = []
        known = self._jobs.batch_ids()
        for remote in self._service.since(state.part(), state.begun - SLACK_S):
            ours = self._service.api.is_ours(remote, state.part())
            if ours is None and remote.id not in known:
                ours = self._has_our_rows(job, number, state, remote)
                if ours is None and remote.total in (state.rows, 0, None):  # some count only at the end
                    unsure.append(remote)
            if ours:
                return self._created(job, number, state, remote)
        if len(unsure) > 1:
            names = ", ".join(remote.id for remote in unsure)
            raise NetworkError(
                f"one of {names} may be the batch that an earlier submit has made",
                hint="submit again when they have ended: their results tell",
                provider=job.provider,
            )
        return self._created(job, number, state, unsure[0], guessed=True) if unsure else None

    def _has_our_rows(self, job: Job, number: int, state: PartState, remote: Remote) -> bool | None:
        """Whether the results of a batch are those of our rows; None while there are none."""
        if not remote.ended:
            return None
        first = next(self._service.results(state.part(), remote), None)
        return first is not None and first.custom_id.startswith(prefix(job.nonce, number))

    def _created(self, job: Job, number: int, state: PartState, remote: Remote, *, guessed: bool = False) -> PartState:
        new = state._replace(step="created", batch_id=remote.id, remote=remote.state, guessed=guessed)
        return self._jobs.write_part(job, number, new)

    def _wait_for_file(self, state: PartState) -> None:
        files = self._service.api.files
        call = files.file_call(self._service.endpoint, state.part()) if files else None
        if files is None or call is None:
            return
        for number in range(_FILE_TRIES):
            if files.file_is_ready(self._service.ask(call)):
                return
            self._service.sleep(min(5.0, 0.5 * (number + 1)))
        raise ProviderTimeout("the uploaded rows are still not processed", hint="submit again to go on")

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        """One submission at a time: the same rows twice at once would be two batches."""
        fd = open_file(self._home / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
