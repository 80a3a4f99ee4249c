"""`fennec batch status` and `cancel`: how far batches are."""

import time
from typing import Any

import orjson

from fennec_cli.config import Config
from fennec_cli.errors import FennecError
from fennec_cli.jobs.desk import Desk
from fennec_cli.jobs.fetch import noted
from fennec_cli.jobs.records import Job, PartState
from fennec_cli.jobs.spool import forget_body
from fennec_cli.output.sink import write_out
from fennec_cli.output.table import table
from fennec_cli.spending import settle_taken

HEADER = ("ID", "PROVIDER", "MODEL", "STATE", "ROWS", "DONE", "FAILED", "CREATED")


def run_status(config: Config, job_id: str | None, output_format: str) -> int:
    """Write the state of one job, or of all of them."""
    desk = Desk(config)
    jobs = [desk.jobs.get(job_id)] if job_id is not None else desk.jobs.all()
    failure: FennecError | None = None
    found = []
    for job in jobs:
        try:
            found.append(row_of(job, desk.collection(job).refreshed(job)))
        except FennecError as error:
            failure = error
            desk.notes.error(error, f"{job.id}: ")
            found.append(row_of(job, [state for _, state in desk.jobs.parts(job)]))
    write_out(rendered(found, output_format))
    return failure.exit_status if failure else 0


def run_cancel(config: Config, job_id: str, output_format: str) -> int:
    """Cancel a job's batches; rows that are answered already can be fetched all the same."""
    desk = Desk(config)
    job = desk.jobs.get(job_id)
    service = desk.service(job.provider)
    submission = desk.submission(service)
    for number, state in desk.jobs.parts(job):
        state = submission.found(job, number, state)
        if state.batch_id is not None and not state.ended:
            remote = service.status(state.part(), state.batch_id)
            if not remote.ended:
                remote = service.cancel(state.part(), state.batch_id)
            noted(desk.jobs, job, number, state, remote)
        forget_body(desk.home, job.id, number)
    states = [state for _, state in desk.jobs.parts(job)]
    if not any(state.batch_id and (state.done or not state.ended) for state in states):  # else the answers will tell
        settle_taken(desk.state, desk.jobs.release(job), 0.0)
    job = desk.jobs.close_job(job, "cancelled")
    write_out(rendered([row_of(job, states)], output_format))
    return 0


def row_of(job: Job, states: list[PartState]) -> dict[str, Any]:
    """A job for programs."""
    remote = list(dict.fromkeys(state.remote for state in states if not state.ended))
    if job.state != "open":
        state = job.state
    elif any(state.step != "created" for state in states):
        state = "submitting"
    else:
        state = remote[0] if len(remote) == 1 else "in_progress" if remote else "ready"
    return {
        "v": 1,
        "id": job.id,
        "provider": job.provider,
        "model": job.model,
        "state": state,
        "ready": all(part.is_over(job) for part in states),
        "rows": job.rows,
        "done": sum(part.done for part in states),
        "failed": sum(part.failed for part in states) + job.rows - sum(part.rows for part in states),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(job.created)),
        "batches": [
            {"id": part.batch_id, "state": part.remote or part.step, "rows": part.rows, "done": part.done,
             "failed": part.failed}
            for part in states
        ],
    }  # fmt: skip


def rendered(rows: list[dict[str, Any]], output_format: str) -> bytes:
    """Jobs as a table, a JSON array, or NDJSON."""
    if output_format == "json":
        return orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output_format == "ndjson":
        return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    if not rows:
        return b"there are no batches\n"
    keys = ("id", "provider", "model", "state", "rows", "done", "failed", "created")
    return table([HEADER, *(tuple(str(row[key]) for key in keys) for row in rows)]).encode()
