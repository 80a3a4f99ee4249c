"""Answers are kept when they were written and good, and given again instead of asking."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, FinishReason, TokenUsage
from fennec_cli.config import CacheConfig
from fennec_cli.dialects.base import HTTPCall
from fennec_cli.errors import CacheMiss, FennecError, NetworkError, Truncated
from fennec_cli.flights import Flights
from fennec_cli.request import Attachment, CompletionRequest
from fennec_cli.responses import ResponseCache
from fennec_cli.stages import Chunks
from fennec_cli.stages.cache import Keeping, Known, cache
from fennec_cli.store import MemoryStore

PRINT, OTHER = "ab" * 32, "cd" * 32
REQUEST = CompletionRequest.from_text("Hi", model="m")


class Provider:
    """Answers, and knows how often."""

    def __init__(
        self, finish: FinishReason = "stop", fingerprint: str = PRINT, error: FennecError | None = None
    ) -> None:
        self.finish, self.fingerprint, self.error = finish, fingerprint, error
        self.asked = 0
        self.closed = 0

    def __call__(self, _request: CompletionRequest) -> Chunks:
        self.asked += 1
        try:
            yield CompletionChunk(metadata=ChunkMetadata(provider="p", model="m", fingerprint=self.fingerprint))
            yield CompletionChunk(content=f"answer {self.asked}")
            yield PAUSE
            if self.error is not None:
                raise self.error
            yield CompletionChunk(finish_reason=self.finish)
            yield CompletionChunk(usage=TokenUsage(3, 4))
        finally:
            self.closed += 1


def known(fingerprint: str = PRINT, model: str = "m") -> Known:
    return Known("p", model, HTTPCall("POST", "http://p", {}, b"{}", fingerprint))


@pytest.fixture
def responses(tmp_path: Path) -> Iterator[ResponseCache]:
    made = ResponseCache(CacheConfig(dir=str(tmp_path / "c")))
    yield made
    made.close()


def keeping(responses: ResponseCache, **fields: object) -> Keeping:
    return Keeping(responses, lambda _request: iter([known(), known(OTHER, "other")]))._replace(**fields)


def answered(chunks: Chunks, *, good: bool = True) -> tuple[str, ChunkMetadata]:
    """Do what a writer does: all chunks, then the settling."""
    text, merged = "", ChunkMetadata()
    for chunk in chunks:
        text += chunk.content or ""
        if chunk.metadata is not None:
            merged = merged._replace(**{k: v for k, v in chunk.metadata._asdict().items() if v is not None})
    if merged.settle is not None:
        merged.settle(good)
    return text, merged


def test_the_second_answer_is_the_first_one_again(responses: ResponseCache) -> None:
    provider, counted = Provider(), []
    stage = cache(provider, keeping(responses, counted=lambda *names: counted.append(names)))
    text, metadata = answered(stage(REQUEST))
    assert (text, metadata.cache, metadata.cached) == ("answer 1", "miss", None)
    text, metadata = answered(stage(REQUEST))
    assert (text, metadata.cache, metadata.cached, metadata.cost_usd) == ("answer 1", "hit", True, 0.0)
    assert (provider.asked, counted) == (1, [("p", "m")])


def test_nothing_is_stored_before_the_answer_was_written(responses: ResponseCache) -> None:
    provider = Provider()
    stage = cache(provider, keeping(responses))
    list(stage(REQUEST))
    assert responses.get(PRINT) is None
    answered(stage(REQUEST), good=False)
    assert responses.get(PRINT) is None


@pytest.mark.parametrize(
    ("finish", "allowed", "kept"),
    [("stop", False, True), ("tool_calls", False, True), ("length", False, False), ("length", True, True)]
    + [("content_filter", True, False)],
)
def test_only_good_endings_are_kept(responses: ResponseCache, finish: FinishReason, allowed: bool, kept: bool) -> None:
    answered(cache(Provider(finish), keeping(responses, allow_truncated=allowed))(REQUEST))
    assert (responses.get(PRINT) is not None) is kept


def test_a_truncated_answer_is_not_given_to_who_does_not_allow_it(responses: ResponseCache) -> None:
    answered(cache(Provider("length"), keeping(responses, allow_truncated=True))(REQUEST))
    provider = Provider()
    assert answered(cache(provider, keeping(responses))(REQUEST))[1].cache == "miss"
    assert provider.asked == 1


@pytest.mark.parametrize("error", [NetworkError("cut"), Truncated("no")])
def test_a_failure_is_not_kept_and_closes_what_was_open(responses: ResponseCache, error: FennecError) -> None:
    provider = Provider(error=error)
    with pytest.raises(type(error)):
        list(cache(provider, keeping(responses))(REQUEST))
    assert responses.get(PRINT) is None
    assert provider.closed == 1


def test_a_reader_that_leaves_closes_the_inner_stage(responses: ResponseCache) -> None:
    provider = Provider()
    chunks = cache(provider, keeping(responses))(REQUEST)
    next(chunks), next(chunks)
    chunks.close()
    assert provider.closed == 1


def test_an_answer_that_was_taken_up_again_is_not_kept(responses: ResponseCache) -> None:
    answered(cache(Provider(), keeping(responses))(REQUEST._replace(resume=True)))
    assert responses.get(PRINT) is None


def test_an_attachment_by_url_is_never_kept(responses: ResponseCache) -> None:
    request = CompletionRequest.from_text("Hi", model="m", attachments=(Attachment("image/png", "a", url="https://x"),))
    provider = Provider()
    _, metadata = answered(cache(provider, keeping(responses))(request))
    assert metadata.cache is None
    assert responses.get(PRINT) is None
    with pytest.raises(CacheMiss, match="by URL"):
        list(cache(provider, keeping(responses, asks=False))(request))


def test_a_private_request_leaves_no_trace(responses: ResponseCache) -> None:
    answered(cache(Provider(), keeping(responses))(REQUEST))
    provider = Provider()
    _, metadata = answered(cache(provider, keeping(responses))(REQUEST._replace(private=True)))
    assert (provider.asked, metadata.cache, metadata.settle) == (1, None, None)
    with pytest.raises(CacheMiss, match="private"):
        list(cache(provider, keeping(responses, asks=False))(REQUEST._replace(private=True)))


def test_refresh_asks_again_and_keeps_the_new_answer(responses: ResponseCache) -> None:
    provider = Provider()
    for _ in range(2):
        answered(cache(provider, keeping(responses, reads=False))(REQUEST))
    assert provider.asked == 2
    assert answered(cache(provider, keeping(responses))(REQUEST))[0] == "answer 2"


def test_offline_asks_nobody(responses: ResponseCache) -> None:
    provider = Provider()
    with pytest.raises(CacheMiss, match="no answer is kept"):
        list(cache(provider, keeping(responses, asks=False))(REQUEST))
    assert provider.asked == 0


def test_offline_takes_the_answer_of_any_model_that_might_be_asked(responses: ResponseCache) -> None:
    answered(cache(Provider(fingerprint=OTHER), keeping(responses))(REQUEST))
    assert answered(cache(Provider(), keeping(responses, asks=False))(REQUEST))[0] == "answer 1"


def test_the_answer_of_a_fallback_is_kept_as_its_own(responses: ResponseCache) -> None:
    provider = Provider(fingerprint=OTHER)
    stage = cache(provider, keeping(responses))
    answered(stage(REQUEST))
    assert responses.get(OTHER) is not None
    answered(stage(REQUEST))
    assert provider.asked == 2  # the named model comes first


def test_an_offline_run_says_why_the_cache_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("in the way")
    broken = ResponseCache(CacheConfig(dir=str(tmp_path / "c")))
    with pytest.raises(CacheMiss, match="cannot be used"):
        list(cache(Provider(), keeping(broken, asks=False))(REQUEST))
    assert answered(cache(Provider(), keeping(broken))(REQUEST))[0] == "answer 1"


class Waiting:
    """Sleeping lets the one who asks finish."""

    def __init__(self, then: object = None) -> None:
        self.slept = 0
        self.then = then

    def sleep(self, _seconds: float) -> None:
        self.slept += 1
        if callable(self.then):
            self.then()


def test_who_misses_the_same_waits_for_the_answer(responses: ResponseCache) -> None:
    store, provider = MemoryStore(), Provider()
    first = cache(provider, keeping(responses, flights=lambda: Flights(store)))(REQUEST)
    next(first)
    waiting = Waiting(lambda: answered(first))
    second = cache(provider, keeping(responses, flights=lambda: Flights(store, sleep=waiting.sleep)))
    assert answered(second(REQUEST))[1].cache == "hit"
    assert (provider.asked, waiting.slept) == (1, 1)


def test_when_the_one_who_asks_fails_the_next_one_asks(responses: ResponseCache) -> None:
    store, provider = MemoryStore(), Provider()
    first = cache(provider, keeping(responses, flights=lambda: Flights(store)))(REQUEST)
    next(first)
    next(first)
    waiting = Waiting(first.close)
    second = cache(provider, keeping(responses, flights=lambda: Flights(store, sleep=waiting.sleep)))
    assert answered(second(REQUEST))[1].cache == "miss"
    assert (provider.asked, waiting.slept) == (2, 1)


def test_a_lease_is_given_back_by_who_goes_before_anything_is_sent(responses: ResponseCache) -> None:
    store, provider = MemoryStore(), Provider()
    chunks = cache(provider, keeping(responses, flights=lambda: Flights(store)))(REQUEST)
    next(chunks)
    chunks.close()
    assert provider.asked == 0
    assert list(store.scan("flight|")) == []


def test_a_lease_is_given_back_however_it_ends(responses: ResponseCache) -> None:
    store = MemoryStore()
    answered(cache(Provider(), keeping(responses, flights=lambda: Flights(store)))(REQUEST))
    answered(cache(Provider("length"), keeping(responses, reads=True, flights=lambda: Flights(store)))(REQUEST))
    with pytest.raises(NetworkError):
        list(
            cache(Provider(error=NetworkError("x")), keeping(responses, ttl=0, flights=lambda: Flights(store)))(REQUEST)
        )
    assert list(store.scan("flight|")) == []
