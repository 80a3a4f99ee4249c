"""Answer from the cache, and keep what was answered."""

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.chunk import PAUSE, CacheState, ChunkMetadata, CompletionChunk
from fennec_cli.dialects.base import HTTPCall
from fennec_cli.errors import CacheMiss
from fennec_cli.recording import finish_reasons, is_keepable, recorded, replayed
from fennec_cli.request import CompletionRequest
from fennec_cli.responses import CachedResponse, ResponseCache
from fennec_cli.stages import Chunks, Stage
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.flights import Flights


class Known(NamedTuple):
    """A request as one model would get it."""

    provider: str
    model: str
    call: HTTPCall

    @property
    def fingerprint(self) -> str:
        assert self.call.fingerprint is not None
        return self.call.fingerprint


class Similar(NamedTuple):
    """An answer to a request that means the same."""

    found: CachedResponse
    similarity: float


class Keeping(NamedTuple):
    """How a run uses the cache.

    `identify` says where a request would go, the first to be asked first. `reads` and `asks` are false where nothing is
    looked up (`refresh`) and where nobody may be asked (`only`). `ttl` in seconds, None for what entries say.
    """

    responses: ResponseCache
    identify: Callable[[CompletionRequest], Iterable[Known]]
    reads: bool = True
    asks: bool = True
    ttl: float | None = None
    allow_truncated: bool = False
    flights: "Callable[[], Flights] | None" = None
    similar: Callable[[CompletionRequest, Known], Similar | None] = lambda _request, _known: None
    remember: Callable[[CompletionRequest, Known], None] = lambda _request, _known: None  # that an answer was stored
    describe: Callable[[CompletionRequest, Known], dict[str, object]] = lambda _request, _known: {}
    counted: Callable[[str, str], None] = lambda _provider, _model: None  # told of each hit


def cache(inner: Stage, keeping: Keeping) -> Stage:
    """Give a stored answer instead of asking `inner`; store what it answers, once it is written.

    Whoever writes the answer calls `ChunkMetadata.settle` afterwards. Raises `CacheMiss` where nobody may be asked.
    """

    def stage(request: CompletionRequest) -> Chunks:
        if reason := never_kept(request):
            if not keeping.asks:
                raise CacheMiss(f"{reason} is never kept")
            with closing(inner(request)) as chunks:
                yield from chunks
            return
        candidates = keeping.identify(request)
        if not keeping.asks:
            yield from _replay(_first_kept(request, candidates, keeping), keeping)
            return
        known = next(iter(candidates))
        found, lease = _looked_up(request, known, keeping)
        if found is not None:
            yield from _replay(found, keeping)
            return
        yield from _kept(inner, request, known, lease, keeping)

    return stage


def never_kept(request: CompletionRequest) -> str | None:
    """What keeps a request out of the cache, in words: its answer is neither looked for nor stored."""
    if request.private:
        return "a private request"
    if any(part.url is not None for message in request.messages for part in message.attachments):
        return "an attachment by URL, which may lead to something else later,"
    return None


class _Found(NamedTuple):
    answer: CachedResponse
    known: Known
    state: CacheState = "hit"
    similarity: float | None = None


class _Lease(NamedTuple):
    """That we are the one who asks; whoever asks the same waits until it is given back."""

    flights: "Flights"
    fingerprint: str
    owner: str

    def free(self) -> None:
        self.flights.free(self.fingerprint, self.owner)


def _looked_up(request: CompletionRequest, known: Known, keeping: Keeping) -> tuple[_Found | None, _Lease | None]:
    """Return what is stored; or None and, where others might ask the same, the lease of who asks."""
    if not keeping.reads:
        return None, None
    found = _kept_for(request, known, keeping)
    if found is not None or keeping.flights is None:
        return found, None
    flights = keeping.flights()
    owner = flights.take(known.fingerprint)
    if owner is None:
        for _ in flights.pauses(request.deadline):
            found = _kept_for(request, known, keeping)
            if found is not None:
                return found, None
            owner = flights.take(known.fingerprint)
            if owner is not None:
                break
    if owner is None:
        return None, None
    lease = _Lease(flights, known.fingerprint, owner)
    found = _exactly(known, keeping)  # who had it before may just have stored the answer
    if found is not None:
        lease.free()
        return found, None
    return None, lease


def _first_kept(request: CompletionRequest, candidates: Iterable[Known], keeping: Keeping) -> _Found:
    fingerprints = []
    for known in candidates:
        found = _kept_for(request, known, keeping)
        if found is not None:
            return found
        fingerprints.append(known.fingerprint)
    if keeping.responses.failure is not None:
        raise CacheMiss(f"the response cache cannot be used ({keeping.responses.failure})")
    raise CacheMiss(
        f"no answer is kept for this request ({fingerprints[0]:.16}…)"
        if fingerprints
        else "nobody could be asked this",
        hint="`fennec cache explain` says in what it differs; without --offline it would be sent",
    )


def _kept_for(request: CompletionRequest, known: Known, keeping: Keeping) -> _Found | None:
    found = _exactly(known, keeping)
    if found is not None:
        return found
    near = keeping.similar(request, known)
    if near is None or not _is_wanted(near.found, keeping):
        return None
    return _Found(near.found, known, "semantic", near.similarity)


def _exactly(known: Known, keeping: Keeping) -> _Found | None:
    found = keeping.responses.get(known.fingerprint, ttl=keeping.ttl)
    return _Found(found, known) if found is not None and _is_wanted(found, keeping) else None


def _is_wanted(found: CachedResponse, keeping: Keeping) -> bool:
    return is_keepable(finish_reasons(found.response), allow_truncated=keeping.allow_truncated)


def _replay(found: _Found, keeping: Keeping) -> Chunks:
    answer, known = found.answer, found.known

    def settle(_good: bool) -> None:
        keeping.responses.touch(answer.fingerprint)
        keeping.counted(known.provider, known.model)

    opening = ChunkMetadata(
        fingerprint=known.fingerprint,
        cached=True,
        cache=found.state,
        similarity=found.similarity,
        cost_usd=0.0,
        settle=settle,
    )
    yield from replayed(answer.response, opening)


def _kept(inner: Stage, request: CompletionRequest, known: Known, lease: _Lease | None, keeping: Keeping) -> Chunks:
    """Hand on the chunks of `inner`, and with the last one what stores them."""

    def free() -> None:
        if lease is not None:
            lease.free()

    fold = ResponseAggregator()
    try:
        yield CompletionChunk(metadata=ChunkMetadata(cache="miss"))
        with closing(inner(request)) as chunks:
            for chunk in chunks:
                if chunk is not PAUSE:
                    fold.add_chunk(chunk)
                yield chunk
        response = fold.finalize()
        reasons: set[str | None] = {choice.finish_reason for choice in response.choices}
        if request.resume or not reasons or not is_keepable(reasons, allow_truncated=keeping.allow_truncated):
            free()
            return
        answered = _answered(request, known, fold.metadata.fingerprint, keeping)
    except BaseException:
        free()
        raise

    def settle(good: bool) -> None:
        try:
            if good and answered is not None:
                keeping.responses.put(
                    answered.fingerprint,
                    recorded(response),
                    keeping.describe(request, answered),
                    ttl=keeping.ttl,
                    missed=keeping.reads,
                )
                keeping.remember(request, answered)
        finally:
            free()

    yield CompletionChunk(metadata=ChunkMetadata(settle=settle))


def _answered(request: CompletionRequest, first: Known, fingerprint: str | None, keeping: Keeping) -> Known | None:
    """Who answered: the first one that was to be asked, or another, when that one failed."""
    if fingerprint == first.fingerprint:
        return first
    return next((known for known in keeping.identify(request) if known.fingerprint == fingerprint), None)
