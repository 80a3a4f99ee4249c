"""The order of the stages, seen from what comes out."""

from fennec_cli.admission import Gate
from fennec_cli.backoff import RetryConfig
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, TokenUsage
from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import InvalidOutput, NetworkError, Truncated
from fennec_cli.pipeline import PipelineSettings, attempts, request_pipeline
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage
from fennec_cli.store import MemoryStore

REQUEST = CompletionRequest.from_text("Hi", model="m")
NO_WAIT = RetryConfig(initial_delay=0.0, jitter="none")


class Provider:
    """Fails once after some text, then answers with `text`."""

    provider_name = "fake"
    supports_streaming = True

    def __init__(self, text: str, *, failures: int = 0, finish: str = "stop") -> None:
        self.text, self.failures, self.finish = text, failures, finish
        self.opened = 0

    def stream_completion(self, _request: CompletionRequest) -> Chunks:
        self.opened += 1
        yield CompletionChunk(metadata=ChunkMetadata(provider="fake", model="m"))
        for character in self.text:
            if self.opened <= self.failures:
                raise NetworkError("cut")
            yield CompletionChunk(content=character)
            yield PAUSE
        yield CompletionChunk(finish_reason=self.finish)  # type: ignore[arg-type]
        yield CompletionChunk(usage=TokenUsage(3, 4))

    def get_models(self) -> list[ModelInfo]:
        return []


def pipeline(provider: Provider, **settings: bool) -> Stage:
    given = PipelineSettings(retry=NO_WAIT, **settings)
    gate = Gate(MemoryStore(), "fake", "http://fake", "m")
    return request_pipeline(attempts(provider, gate, given), given, lambda _provider, _model, _usage: 0.5)


def run(provider: Provider, **settings: bool) -> list[CompletionChunk]:
    return list(pipeline(provider, **settings)(REQUEST))


def test_building_a_pipeline_opens_nothing() -> None:
    provider = Provider("a")
    pipeline(provider)
    assert provider.opened == 0


def test_text_comes_piece_by_piece_and_the_figures_last() -> None:
    chunks = run(Provider("ab"))
    assert [chunk.content for chunk in chunks if chunk.content] == ["a", "b"]
    assert chunks[-1].metadata is not None
    assert chunks[-1].metadata.cost_usd == 0.5


def test_retry_lies_inside_the_verdict() -> None:
    chunks = run(Provider("ab", failures=2, finish="length"))
    assert [chunk.retry.attempt for chunk in chunks if chunk.retry] == [1, 2]
    assert [type(chunk.fault) for chunk in chunks if chunk.fault] == [Truncated]


def test_an_atomic_answer_has_no_pauses() -> None:
    assert PAUSE not in run(Provider("ab"), atomic=True)


def test_a_truncated_answer_without_a_block_is_truncated_first_of_all() -> None:
    faults = [chunk.fault for chunk in run(Provider("ab", finish="length"), atomic=True, extract=True) if chunk.fault]
    assert [type(fault) for fault in faults] == [InvalidOutput, Truncated]  # the last one counts
