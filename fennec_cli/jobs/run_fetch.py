"""`fennec batch fetch`: the answers of a batch through the stages of a live request, and out."""

import os
import time
from functools import partial

from fennec_cli.batch.tally import Tally
from fennec_cli.chunk import ChunkMetadata
from fennec_cli.config import Config
from fennec_cli.errors import FennecError, PartialBatch
from fennec_cli.jobs.desk import Desk
from fennec_cli.jobs.fetch import Answered, Collection, Counts, chunks_of, kept
from fennec_cli.jobs.records import Job
from fennec_cli.jobs.spool import is_counted, note_counted
from fennec_cli.output.events import EventWriter, ObjectWriter
from fennec_cli.output.sink import Sink, open_output
from fennec_cli.output.text import Answer, Writer
from fennec_cli.request import CompletionRequest
from fennec_cli.responses import ResponseCache
from fennec_cli.safeguards import Safeguards
from fennec_cli.spending import settle_taken
from fennec_cli.stages import Chunks
from fennec_cli.stages.judge import judge
from fennec_cli.tuples import NamedTuple


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


def run_fetch(options: FetchOptions, config: Config, job_id: str) -> int:
    """Write the answer to every row of a job whose batches have ended."""
    desk = Desk(config, options.verbose, quiet=options.quiet)
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
    sink = open_output(options.output)
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
    desk: Desk,
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


def _judged(options: FetchOptions, desk: Desk, job: Job, answered: Answered, way: _Way) -> Chunks:
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
    if options.output is None and os.isatty(1):  # what is shown on a terminal must not drive it
        from fennec_cli.stages.printable import printable

        stage = printable(stage)
    return stage(CompletionRequest(messages=(), model=entry.model))
