"""`fennec batch`: options to jobs, and what is written of them."""

import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from fennec_cli import signals
from fennec_cli.batch.intake import taken_in
from fennec_cli.batch.tally import Tally
from fennec_cli.chunk import ChunkMetadata, TokenUsage
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.requests import Requests
from fennec_cli.completion.row_models import RowModels
from fennec_cli.config import Config, server_url
from fennec_cli.errors import Blocked, FennecError, OutputError, PartialBatch
from fennec_cli.jobs.fetch import Answered, Collection, chunks_of, kept, noted
from fennec_cli.jobs.records import Job, Jobs, PartState
from fennec_cli.jobs.service import Service
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
from fennec_cli.stages import Chunks
from fennec_cli.stages.judge import judge
from fennec_cli.store import shared_state

_CHANGING = {"mask", "block"}
HEADER = ("ID", "PROVIDER", "MODEL", "STATE", "ROWS", "DONE", "FAILED", "CREATED")


class SubmitOptions(NamedTuple):
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    option: tuple[str, ...] = ()
    attach_root: str | None = None
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
    quiet: bool = False
    verbose: int = 0


def run_submit(options: SubmitOptions, config: Config) -> int:
    """Submit the rows on standard input, and write the job's id."""
    desk = _Desk(config, options.verbose, quiet=options.quiet)
    target = desk.registry.choose(options.model or config.model, options.provider)
    _refuse_what_is_guarded(config, desk.registry, target.provider)
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
    submission = desk.submission(service)
    job = submission.submit(_prepared(requests, service), target.provider, target.model)
    desk.notes.say(1, f"{job.rows} rows in {job.parts} batches at {target.provider}")
    _write(f"{job.id}\n".encode())
    return 0


def _refuse_what_is_guarded(config: Config, registry: ProviderRegistry, provider: str) -> None:
    """Raise `Blocked` where a guard of the live path is asked for: rows of a batch pass none of them."""
    said, environ = config.commands.get("complete", {}), os.environ
    reason = None
    if (
        environ.get("FENNEC_PRIVATE", "0") not in ("", "0")
        or said.get("private")
        or registry.requires_private(provider)
    ):
        reason = "a provider keeps the rows and answers of a batch, and private requests are asked for"
    elif {environ.get("FENNEC_REDACT") or said.get("redact"), *config.filter.modes("request").values()} & _CHANGING:
        reason = "rows of a batch are not filtered, and [filter] or --redact asks for it"
    elif config.audit.required:
        reason = "batches are not in the audit log, and audit.required is set"
    if reason is not None:
        raise Blocked(reason, hint="use `fennec complete --input ndjson`")


def _prepared(requests: Requests, service: Service) -> Iterator[Prepared]:
    """Every row of standard input as the request that `fennec complete` would send, or as what is wrong with it."""
    for row in taken_in(requests.rows(), named=True):
        if row.fault is not None:
            yield Prepared(row.id, row.meta, "", row.fault)
            continue
        try:
            request = requests.build(row)
            call = service.module.build_request(request, service.endpoint)
        except FennecError as error:
            yield Prepared(row.id, row.meta, "", error)
        else:
            yield Prepared(row.id, row.meta, request.model, call)


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
    job = desk.jobs.close_job(job, "cancelled")
    _write(rendered([row_of(job, [state for _, state in desk.jobs.parts(job)])], output_format))
    return 0


def run_fetch(options: FetchOptions, config: Config, job_id: str) -> int:
    """Write the answer to every row of a job whose batches have ended."""
    desk = _Desk(config, options.verbose, quiet=options.quiet)
    job = desk.jobs.get(job_id)
    collection = desk.collection(job)
    collection.wait(job, options.wait)
    mode = options.cache or config.cache.mode
    responses = ResponseCache(config.cache, say=partial(desk.notes.say, 1)) if mode != "off" else None
    sink = open_output(options.output) if options.output else DescriptorSink(1, closed=sys.stdout is None)
    try:
        error = _deliver(options, desk, job, collection, sink, responses)
    finally:
        sink.discard()
        if responses is not None:
            responses.close()
    if job.state == "open":
        desk.jobs.close_job(job, "fetched")
    if isinstance(error, PartialBatch):
        desk.notes.error(error)
    return error.exit_status if error else 0


def _deliver(
    options: FetchOptions,
    desk: "_Desk",
    job: Job,
    collection: Collection,
    sink: Sink,
    responses: ResponseCache | None,
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
            answer = writer.answer(entry.id, _judged(options, desk, job, answered, responses), entry.meta)
            if answer.metadata.settle is not None:
                answer.metadata.settle(answer.error is None)
        if answer.error is not None:
            desk.notes.error(answer.error, f"row {entry.id}: ")
        tally.add(answer)
    writer.summary(tally.fields(time.monotonic() - begin))
    sink.commit()
    return tally.verdict()


def _judged(
    options: FetchOptions, desk: "_Desk", job: Job, answered: Answered, responses: ResponseCache | None
) -> Chunks:
    def answer(_request: CompletionRequest) -> Chunks:
        chunks = chunks_of(job, answered, desk.price)
        if responses is None:
            return chunks
        return kept(chunks, answered.entry, responses, allow_truncated=options.allow_truncated)

    stage = judge(answer, allow_truncated=options.allow_truncated, allow_filtered=options.allow_filtered)
    return stage(CompletionRequest(messages=(), model=answered.entry.model))


class _Desk:
    """What every one of the commands needs, made once."""

    def __init__(self, config: Config, verbosity: int = 0, *, quiet: bool = False) -> None:
        signals.install()
        self.notes = Notes(verbosity=verbosity, quiet=quiet, log_file=config.log.file, color=wants_color(os.environ))
        state = shared_state(os.environ, partial(self.notes.say, 1), server_url(config.cache.backend, os.environ))
        self.registry = ProviderRegistry(config, say=self.notes.say, state=state)
        self.jobs = Jobs(state)
        home = home_of("state")
        if home is None:
            raise OutputError("there is no place for the rows of a batch: HOME is not set")
        self.home: Path = home / "batches"

    def service(self, provider: str) -> Service:
        kind = self.registry.type_of(provider)
        api = interface(kind, provider)
        return Service(api, provider_module(kind), self.registry.direct(provider))

    def submission(self, service: Service) -> Submission:
        try:
            key = installation_key("batch")
        except OSError as error:
            raise OutputError(f"cannot read the installation's key ({error.strerror})") from error
        return Submission(service, self.jobs, self.home, key, self.notes.say)

    def collection(self, job: Job) -> Collection:
        return Collection(self.service(job.provider), self.jobs, self.home)

    def price(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        price = self.registry.price(provider, model)
        return price.cost_usd(usage) if price else None


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
