"""From batches at the provider to answers: one for every row of the input, whatever became of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import reduce
from pathlib import Path

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, TokenUsage
from fennec_cli.errors import FennecError, NetworkError, ProviderError, RequestError, ServerError
from fennec_cli.jobs.records import Job, Jobs, PartState
from fennec_cli.jobs.service import TRIES, Service
from fennec_cli.jobs.spool import Entry, entries, prefix
from fennec_cli.metrics import Attempt, fetched, name_of
from fennec_cli.provider_batches import PRICE_FACTOR, Remote, Result, dialect_of
from fennec_cli.recording import is_keepable, recorded
from fennec_cli.responses import ResponseCache
from fennec_cli.stages import Chunks
from fennec_cli.store import SharedState
from fennec_cli.transport.answer import read_whole
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Record

POLL_S = 60.0  # Azure asks for no less
Price = Callable[[str, str, TokenUsage], float | None]


class Answered(NamedTuple):
    """A row and its result; `path` is that of the dialect of the result."""

    entry: Entry
    result: Result
    path: str


class Collection:
    """Follows a job's batches, and brings their results home."""

    def __init__(
        self, service: Service, jobs: Jobs, home: Path, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._service, self._jobs, self._home, self._monotonic = service, jobs, home, monotonic

    def refreshed(self, job: Job) -> list[PartState]:
        """Ask for the state of every batch that had not ended when it was last asked for."""
        return [self._refreshed(job, number, state)[0] for number, state in self._jobs.parts(job)]

    def wait(self, job: Job, wait_s: float) -> None:
        """Return when all batches have ended. Raises `NetworkError` when they have not after `wait_s` seconds."""
        end = self._monotonic() + wait_s
        while True:
            states = self.refreshed(job)
            if job.state == "open" and any(state.step != "created" for state in states):
                raise NetworkError(
                    f"the submission of {job.id} was stopped",
                    hint=f"submit the same rows again, or `fennec batch cancel {job.id}` and fetch what is answered",
                )
            if all(state.is_over(job) for state in states):
                return
            left = end - self._monotonic()
            if left <= 0:
                done = sum(state.done + state.failed for state in states)
                names = ", ".join(dict.fromkeys(state.remote for state in states if not state.is_over(job)))
                raise NetworkError(
                    f"{job.id} is not ready ({names}): {done} of {job.rows} rows are done",
                    hint="try again later, or --wait for it",
                    provider=job.provider,
                )
            self._service.sleep(min(POLL_S, left))

    def answers(self, job: Job) -> Iterator[Answered]:
        """Yield every row once, in the order in which the results come."""
        pending: dict[str, Entry] = {}
        for entry in entries(self._home, job.id):
            if entry.custom_id is None:
                yield Answered(entry, Result("", error=entry.fault), "")
            else:
                pending[entry.custom_id] = entry
        for number, state in self._jobs.parts(job):
            state, remote = self._refreshed(job, number, state, anew=True)
            if remote is not None:
                for result in self._results(job, number, state, remote):
                    entry_of = pending.pop(result.custom_id, None)
                    if entry_of is not None:
                        yield Answered(entry_of, result, state.path)
            begin = prefix(job.nonce, number)
            for custom_id in [each for each in pending if each.startswith(begin)]:
                yield Answered(pending.pop(custom_id), Result(custom_id, error=_no_result(remote)), state.path)

    def _results(self, job: Job, number: int, state: PartState, remote: Remote) -> Iterator[Result]:
        """The results of a part; after a broken connection from the beginning."""
        seen = 0
        for attempt in range(1, TRIES + 1):
            try:
                for result in self._service.results(state.part(), remote):
                    if state.guessed and not result.custom_id.startswith(prefix(job.nonce, number)):
                        self._wrong_guess(job, number, state)
                    seen += 1
                    yield result
                break
            except ProviderError as error:
                if not error.retryable or attempt == TRIES or not state.step == "created":
                    raise
                self._service.sleep(0.5 * 2**attempt)
        if state.guessed and not seen:
            self._wrong_guess(job, number, state)

    def _wrong_guess(self, job: Job, number: int, state: PartState) -> None:
        self._jobs.write_part(job, number, state._replace(step="creating", batch_id=None, guessed=False, ended=False))
        raise NetworkError(
            f"{state.batch_id} was somebody else's batch", hint="submit the same rows again", retryable=False
        )

    def _refreshed(
        self, job: Job, number: int, state: PartState, *, anew: bool = False
    ) -> tuple[PartState, Remote | None]:
        if state.batch_id is None or (state.ended and not anew):
            return state, None
        remote = self._service.status(state.part(), state.batch_id)
        return noted(self._jobs, job, number, state, remote), remote


def noted(jobs: Jobs, job: Job, number: int, state: PartState, remote: Remote) -> PartState:
    """Write down what the provider says of a part."""
    new = state._replace(remote=remote.state, ended=remote.ended, done=remote.done, failed=remote.failed)
    return new if new == state else jobs.write_part(job, number, new)


def _no_result(remote: Remote | None) -> FennecError:
    if remote is None:
        return ServerError("the row was not answered: its batch was never made")
    if remote.problem is not None:
        return RequestError(f"the batch was refused: {remote.problem}")
    return ServerError(f"the row was not answered: the batch is {remote.state}")


def chunks_of(job: Job, answered: Answered, price: Price) -> Chunks:
    """The answer to a row as a live one would come; a batch costs half."""
    entry, result, path = answered
    yield CompletionChunk(
        metadata=ChunkMetadata(
            provider=job.provider, model=entry.model, fingerprint=entry.fingerprint, request_id=result.request_id
        )
    )
    if result.error is not None:
        raise result.error
    usage = TokenUsage(estimated=True)
    for chunk in read_whole(result.body, dialect_of(path), Patience(Limits())):
        usage = chunk.usage or usage
        yield chunk
    cost = None if usage.estimated else price(job.provider, entry.model, usage)
    if cost is not None:
        yield CompletionChunk(metadata=ChunkMetadata(cost_usd=cost * PRICE_FACTOR))


def kept(chunks: Chunks, entry: Entry, responses: ResponseCache, *, allow_truncated: bool) -> Chunks:
    """Hand on the chunks of an answer, and with the last one what puts it into the response cache."""
    fold = ResponseAggregator()
    with closing(chunks):
        for chunk in chunks:
            if chunk is not PAUSE:
                fold.add_chunk(chunk)
            yield chunk
    response, name = fold.finalize(), entry.fingerprint
    reasons: set[str | None] = {choice.finish_reason for choice in response.choices}
    if name is None or not reasons or not is_keepable(reasons, allow_truncated=allow_truncated):
        return

    def settle(good: bool) -> None:
        if good:
            responses.put(name, recorded(response), {})

    yield CompletionChunk(metadata=ChunkMetadata(settle=settle))


class Counts:
    """What the answers of a job add to the counters of all processes."""

    def __init__(self) -> None:
        self._attempts: dict[str, list[Attempt]] = {}
        self.cost_usd = 0.0

    def counted(self, chunks: Chunks, model: str) -> Chunks:
        """Hand on an answer once all of it was read: what it cost counts, whatever is done with it."""
        read: list[CompletionChunk] = []
        fault: FennecError | None = None
        usage: TokenUsage | None = None
        cost: float | None = None
        try:
            for chunk in chunks:
                read.append(chunk)
                usage = chunk.usage or usage
                if chunk.metadata is not None and chunk.metadata.cost_usd is not None:
                    cost = chunk.metadata.cost_usd
        except FennecError as error:
            fault = error
        attempt = Attempt(fault.error_class if fault else None, 0.0, usage=usage, cost_usd=cost)
        self._attempts.setdefault(model, []).append(attempt)
        self.cost_usd += cost or 0.0
        yield from read
        if fault is not None:
            raise fault

    def write(self, state: SharedState, provider: str) -> None:
        """Add them, in one transaction a model."""
        for model, attempts in self._attempts.items():

            def change(
                records: list[Record | None], attempts: list[Attempt] = attempts
            ) -> tuple[list[Record | None], None]:
                return [reduce(fetched, attempts, records[0])], None

            state.update([name_of(provider, model)], change)
