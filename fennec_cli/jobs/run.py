"""`fennec batch`: options to jobs, and what is written of them."""

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from fennec_cli import signals
from fennec_cli.batch.intake import taken_in
from fennec_cli.batch.tally import Tally
from fennec_cli.chunk import ChunkMetadata
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.requests import Requests
from fennec_cli.completion.row_models import RowModels
from fennec_cli.config import Config, server_url
from fennec_cli.errors import Blocked, FennecError, OutputError, PartialBatch
from fennec_cli.jobs.fetch import Answered, Collection, Counts, chunks_of, kept, noted
from fennec_cli.jobs.records import Job, Jobs, PartState
from fennec_cli.jobs.service import Service
from fennec_cli.jobs.spool import Records, is_counted, note_counted
from fennec_cli.jobs.submit import Prepared, Submission
from fennec_cli.output.events import EventWriter, ObjectWriter
from fennec_cli.output.notes import Notes, wants_color
from fennec_cli.output.sink import DescriptorSink, Sink, open_output
from fennec_cli.output.table import table
from fennec_cli.output.text import Answer, Writer
from fennec_cli.private import home_of, installation_key
from fennec_cli.provider_batches import interface
from fennec_cli.providers import provider_module
from fennec_cli.registry import ProviderRegistry
from fennec_cli.request import CompletionRequest
from fennec_cli.responses import ResponseCache
from fennec_cli.safeguards import Safeguards, safeguards
from fennec_cli.spending import settle_taken
from fennec_cli.stages import Chunks
from fennec_cli.stages.judge import judge
from fennec_cli.store import shared_state
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Say

if TYPE_CHECKING:
    from fennec_cli.jobs.money import Money

HEADER = ("ID", "PROVIDER", "MODEL", "STATE", "ROWS", "DONE", "FAILED", "CREATED")


class SubmitOptions(NamedTuple):
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    option: tuple[str, ...] = ()
    attach_root: str | None = None
    max_cost: float | None = None
    budget: str | None = None
    redact: str | None = None
    private: bool = False
    audit: str | None = None
    quiet: bool = False
    verbose: int = 0


class FetchOptions(NamedTuple):
    """`wait` in seconds."""

    wait: float = 0.0
    output: str | None = None
    output_format: str = "json"
    reasoning: bool = False
    allow_truncated: bool = False
    allow_filtered: bool = False
    cache: str | None = None
    redact: str | None = None
    audit: str | None = None
    quiet: bool = False
    verbose: int = 0


def run_submit(options: SubmitOptions, config: Config) -> int:
    """Submit the rows on standard input, and write the job's id."""
    desk = _Desk(config, options.verbose, quiet=options.quiet)
    target = desk.registry.choose(options.model or config.model, options.provider)
    _refuse_private(options, desk, target.provider)
    guards = desk.guards(options.redact, options.audit, target.provider)
    service = desk.service(target.provider)
    complete = CompleteOptions(
        model=target.model,
        system=options.system,
        max_tokens=options.max_tokens,
        option=options.option,
        attach_root=options.attach_root,
        input_format="ndjson",
        output_format="json",
        no_stream=True,
    )
    models = RowModels(desk.registry, target, any_provider=False)
    requests = Requests(complete, config, target.model, start=time.monotonic(), named=models.target)
    money = desk.money(options.max_cost, options.budget, target.provider)
    submission = desk.submission(service, guards, money)
    try:
        job = submission.submit(_prepared(requests, service, guards, money), target.provider, target.model)
    finally:
        guards.close()
    desk.notes.say(1, f"{job.rows} rows in {job.parts} batches at {target.provider}")
    _write(f"{job.id}\n".encode())
    return 0


def _refuse_private(options: SubmitOptions, desk: "_Desk", provider: str) -> None:
    """Raise `Blocked` where requests have to be private: no batch is."""
    if options.private or desk.said("private") or desk.registry.requires_private(provider):
        raise Blocked(
            f"{provider} keeps the rows and answers of a batch for weeks, and private requests are asked for",
            hint="use `fennec complete --input ndjson`",
        )


def _prepared(requests: Requests, service: Service, guards: Safeguards, money: "Money | None") -> Iterator[Prepared]:
    """Every row of standard input as the request that `fennec complete` would send, or as what is wrong with it."""
    masked = 0
    for row in taken_in(requests.rows(), named=True):
        if row.fault is not None:
            yield Prepared(row.id, row.meta, "", row.fault)
            continue
        try:
            request = requests.build(row)
        except FennecError as error:
            yield Prepared(row.id, row.meta, "", error)
            continue
        try:
            sent, masks = guards._replace(say=_of_row(row.id, guards)).outgoing(request)
            call = service.module.build_request(sent, service.endpoint)
        except FennecError as error:
            yield Prepared(row.id, row.meta, "", error, _records(guards, request, error))
        else:
            masked += masks is not None
            usd = money.of(sent) if money is not None else 0.0
            yield Prepared(row.id, row.meta, request.model, call, _records(guards, request), usd)
    if masked:
        guards.say(0, f"{masked} rows go out with masks, which stay in their answers: what they stand for is not kept")


def _of_row(row_id: str, guards: Safeguards) -> Say:
    return lambda level, text: guards.say(level, f"row {row_id}: {text}")


def _records(guards: Safeguards, request: CompletionRequest, fault: FennecError | None = None) -> Records:
    """What the audit log says of a row: that it is sent, or what came of it if it is not."""
    if guards.trail is None:
        return ()
    asked = ("request", guards.trail.question(request, guards.provider))
    if fault is None:
        return (asked,)
    from fennec_cli.audit.records import Outcome, response_fields

    return (asked, ("response", response_fields(request, guards.provider, Outcome(0.0, error=fault), {})))


def run_status(config: Config, job_id: str | None, output_format: str) -> int:
    """Write the state of one job, or of all of them."""
    desk = _Desk(config)
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
    _write(rendered(found, output_format))
    return failure.exit_status if failure else 0


def run_cancel(config: Config, job_id: str, output_format: str) -> int:
    """Cancel a job's batches; rows that are answered already can be fetched all the same."""
    desk = _Desk(config)
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
    states = [state for _, state in desk.jobs.parts(job)]
    if not any(state.batch_id and (state.done or not state.ended) for state in states):  # else the answers will tell
        settle_taken(desk.state, desk.jobs.release(job), 0.0)
    job = desk.jobs.close_job(job, "cancelled")
    _write(rendered([row_of(job, states)], output_format))
    return 0


def run_fetch(options: FetchOptions, config: Config, job_id: str) -> int:
    """Write the answer to every row of a job whose batches have ended."""
    desk = _Desk(config, options.verbose, quiet=options.quiet)
    job = desk.jobs.get(job_id)
    collection = desk.collection(job)
    collection.wait(job, options.wait)
    mode = options.cache or config.cache.mode
    responses = ResponseCache(config.cache, say=partial(desk.notes.say, 1)) if mode != "off" else None
    guards = desk.guards(options.redact, options.audit, job.provider)
    again = is_counted(desk.home, job.id)
    if again:
        guards.record("batch_fetched_again", {"fennec.batch": job.id, "gen_ai.provider.name": job.provider})
    way = _Way(responses, guards._replace(trail=None) if again else guards, Counts())
    sink = open_output(options.output) if options.output else DescriptorSink(1, closed=sys.stdout is None)
    try:
        error = _deliver(options, desk, job, collection, sink, way)
    finally:
        sink.discard()
        if responses is not None:
            responses.close()
        guards.close()
    if not again:
        settle_taken(desk.state, desk.jobs.release(job), way.counts.cost_usd)
        note_counted(desk.home, job.id)
        way.counts.write(desk.state, job.provider)
    if job.state == "open":
        desk.jobs.close_job(job, "fetched")
    if isinstance(error, PartialBatch):
        desk.notes.error(error)
    return error.exit_status if error else 0


class _Way(NamedTuple):
    """What every answer passes."""

    responses: ResponseCache | None
    guards: Safeguards
    counts: Counts


def _deliver(
    options: FetchOptions,
    desk: "_Desk",
    job: Job,
    collection: Collection,
    sink: Sink,
    way: _Way,
) -> FennecError | None:
    kinds: dict[str, type[EventWriter] | type[ObjectWriter]] = {"ndjson": EventWriter, "json": ObjectWriter}
    writer: Writer = kinds[options.output_format](sink, reasoning=options.reasoning)
    tally, begin = Tally(), time.monotonic()
    for answered in collection.answers(job):
        entry = answered.entry
        if entry.custom_id is None:
            assert entry.fault is not None
            writer.failure(entry.id, entry.fault, entry.meta)
            answer = Answer(entry.fault, None, ChunkMetadata())
        else:
            answer = writer.answer(entry.id, _judged(options, desk, job, answered, way), entry.meta)
            if answer.metadata.settle is not None:
                answer.metadata.settle(answer.error is None)
        if answer.error is not None:
            desk.notes.error(answer.error, f"row {entry.id}: ")
        tally.add(answer)
    writer.summary(tally.fields(time.monotonic() - begin))
    sink.commit()
    return tally.verdict()


def _judged(options: FetchOptions, desk: "_Desk", job: Job, answered: Answered, way: _Way) -> Chunks:
    """The stages of a live request that a row has not passed yet, in their order."""
    entry = answered.entry

    def answer(_request: CompletionRequest) -> Chunks:
        chunks = way.counts.counted(chunks_of(job, answered, desk.registry.cost), entry.model)
        if way.responses is None:
            return chunks
        return kept(chunks, entry, way.responses, allow_truncated=options.allow_truncated)

    stage = way.guards.filtered(answer)
    stage = judge(stage, allow_truncated=options.allow_truncated, allow_filtered=options.allow_filtered)
    stage = way.guards.audited(stage, entry.custom_id)
    return stage(CompletionRequest(messages=(), model=entry.model))


class _Desk:
    """What every one of the commands needs, made once."""

    def __init__(self, config: Config, verbosity: int = 0, *, quiet: bool = False) -> None:
        signals.install()
        self.notes = Notes(verbosity=verbosity, quiet=quiet, log_file=config.log.file, color=wants_color(os.environ))
        self._config = config
        server = server_url(config.cache.backend, os.environ)
        self.state = state = shared_state(os.environ, partial(self.notes.say, 1), server)
        self.registry = ProviderRegistry(config, say=self.notes.say, state=state)
        self.jobs = Jobs(state)
        home = home_of("state")
        if home is None:
            raise OutputError("there is no place for the rows of a batch: HOME is not set")
        self.home = Path(home, "batches")

    def service(self, provider: str) -> Service:
        kind = self.registry.type_of(provider)
        api = interface(kind, provider)
        return Service(api, provider_module(kind), self.registry.direct(provider))

    def said(self, name: str) -> Any:
        """What the configuration says of an option of `fennec complete` that holds for batches too."""
        return self._config.commands.get("complete", {}).get(name)

    def guards(self, redact: str | None, audit: str | None, provider: str) -> Safeguards:
        """Filter and audit log, as `fennec complete` has them."""
        redact, audit = redact or self.said("redact"), audit or self.said("audit")
        guards = safeguards(self._config, redact=redact, audit_file=audit, say=self.notes.loud)
        return guards._replace(provider=provider)

    def money(self, max_cost: float | None, budget: str | None, provider: str) -> "Money | None":
        """The budgets that a batch must keep to; None for none."""
        max_cost = self.said("max_cost") if max_cost is None else max_cost
        budget = budget or self.said("budget")
        if max_cost is None and budget is None:
            return None
        from fennec_cli.completion.money import spending
        from fennec_cli.jobs.money import Money

        spent = spending(max_cost, budget, self._config, self.registry, self.notes, "the batch")
        return Money(spent, self.registry, provider)

    def submission(
        self, service: Service, guards: Safeguards = Safeguards(), money: "Money | None" = None
    ) -> Submission:
        try:
            key = installation_key("batch")
        except OSError as error:
            raise OutputError(f"cannot read the installation's key ({error.strerror})") from error
        reserve = money.reserve if money is not None else lambda _usd: []
        return Submission(service, self.jobs, self.home, key, self.notes.say, guards.record, reserve)

    def collection(self, job: Job) -> Collection:
        return Collection(self.service(job.provider), self.jobs, self.home)


def row_of(job: Job, states: list[PartState]) -> dict[str, Any]:
    """A job for programs."""
    remote = list(dict.fromkeys(state.remote for state in states if not state.ended))
    if any(state.step != "created" for state in states):
        state = "submitting"
    elif job.state != "open":
        state = job.state
    else:
        state = remote[0] if len(remote) == 1 else "in_progress" if remote else "ready"
    return {
        "v": 1,
        "id": job.id,
        "provider": job.provider,
        "model": job.model,
        "state": state,
        "ready": all(part.ended for part in states),
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


def _write(data: bytes) -> None:
    sink = DescriptorSink(1, closed=sys.stdout is None)
    sink.write(data)
    sink.commit()
