"""Answers to requests that mean the same: within one scope only, and never in the way."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fennec_cli.chunk import CompletionChunk
from fennec_cli.config import CacheConfig
from fennec_cli.dialects.base import HTTPCall
from fennec_cli.embeddings import Chunks, EndpointEmbedder, Stage
from fennec_cli.errors import NetworkError, ProtocolError
from fennec_cli.hashes import sha256
from fennec_cli.request import Attachment, CompletionRequest, Message, Tool
from fennec_cli.responses import ResponseCache
from fennec_cli.semantic import SimilarAnswers, comparable, index_of
from fennec_cli.stages.cache import Known
from tests.cases import read
from tests.test_responses import record


class Embedder:
    """Texts of the same words are close."""

    name = "toy"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, text: str, _deadline: float | None) -> Sequence[float]:
        self.asked.append(text)
        return [float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]


class Broken(Embedder):
    def embed(self, _text: str, _deadline: float | None) -> Sequence[float]:
        raise NetworkError("no such host")


def fingerprint(request: CompletionRequest, known: Known) -> str:
    return sha256(repr([known.model, request.messages, request.sampling]).encode()).hexdigest()


def known(request: CompletionRequest, model: str = "m") -> Known:
    made = Known("p", model, HTTPCall("POST", "http://p", {}, b"{}", "0" * 64))
    return made._replace(call=made.call._replace(fingerprint=fingerprint(request, made)))


def ask(text: str, **fields: object) -> CompletionRequest:
    return CompletionRequest.from_text(text, model="m", **fields)


@pytest.fixture
def responses(tmp_path: Path) -> Iterator[ResponseCache]:
    made = ResponseCache(CacheConfig(dir=str(tmp_path / "c")))
    yield made
    made.close()


def answers(responses: ResponseCache, embedder: Embedder | None, **options: object) -> SimilarAnswers:
    index = index_of(CacheConfig(), responses, lambda _text: None)
    return SimilarAnswers(responses, index, embedder, fingerprint, **options)  # type: ignore[arg-type]


def kept(similar: SimilarAnswers, responses: ResponseCache, request: CompletionRequest) -> None:
    responses.put(known(request).fingerprint, record("kept"), {})
    similar.remember(request, known(request))


def test_the_same_text_but_for_case_needs_no_vector(responses: ResponseCache) -> None:
    embedder = Embedder()
    kept(answers(responses, embedder), responses, ask("What is DNS?"))
    found = answers(responses, None).find(ask("what is dns"), known(ask("what is dns")))
    assert found is None  # another embedder is another scope
    embedder.asked.clear()
    found = answers(responses, embedder).find(ask("what is dns"), known(ask("what is dns")))
    assert found is not None
    assert (found.similarity, embedder.asked) == (1.0, [])


def test_a_near_text_is_answered_unless_a_guard_objects(responses: ResponseCache) -> None:
    similar = answers(responses, Embedder())
    kept(similar, responses, ask("What is the boiling point of water at 2 km?"))
    for text, answered in (
        ("What is the boiling point of the water at 2 km?", True),
        ("What is the boiling point of water at 3 km?", False),
        ("What is the point of boiling water at 2 km?", False),
    ):
        found = similar.find(ask(text), known(ask(text)))
        assert (found is not None) is answered, text
        assert found is None or 0.97 <= found.similarity < 1.0


def test_the_threshold_can_be_raised(responses: ResponseCache) -> None:
    similar = answers(responses, Embedder(), threshold=0.99999)
    kept(similar, responses, ask("What is the boiling point of water?"))
    assert similar.find(ask("What is boiling point of water?"), known(ask("What is boiling point of water?"))) is None


@pytest.mark.parametrize("other", [{"system": "be brief"}, {"system": "be kind"}])
def test_everything_else_must_be_the_same(responses: ResponseCache, other: dict[str, str]) -> None:
    similar = answers(responses, Embedder())
    kept(similar, responses, ask("What is DNS?", system="be brief"))
    request = ask("what is dns?", **other)
    assert (similar.find(request, known(request)) is not None) is (other["system"] == "be brief")
    assert similar.find(request, known(request, "other-model")) is None


def test_an_answer_that_was_dropped_is_not_found(responses: ResponseCache) -> None:
    similar = answers(responses, Embedder())
    kept(similar, responses, ask("What is DNS?"))
    responses.drop([known(ask("What is DNS?")).fingerprint])
    assert similar.find(ask("what is dns?"), known(ask("what is dns?"))) is None


def test_a_model_that_cannot_be_asked_costs_no_answer(responses: ResponseCache) -> None:
    said: list[str] = []
    similar = answers(responses, Embedder())
    kept(similar, responses, ask("What is the DNS?"))
    broken = answers(responses, Broken(), say=said.append)
    assert broken.find(ask("What is DNS"), known(ask("What is DNS"))) is None
    assert len(said) == 1


@pytest.mark.parametrize(
    "request_",
    [
        ask("x" * 513),
        ask("hi", tools=(Tool("look"),)),
        ask("hi", schema={}),
        ask("hi", attachments=(Attachment("image/png", "a", b"x"),)),
        CompletionRequest((Message("user", "a"), Message("assistant", "b"), Message("user", "c")), "m"),
        CompletionRequest((Message("assistant", "b"),), "m"),
    ],
)
def test_what_is_never_compared(request_: CompletionRequest) -> None:
    assert comparable(request_) is None


def test_a_provider_s_embeddings_are_read() -> None:
    sent: list[HTTPCall] = []

    def openai(call: HTTPCall, deadline: float | None) -> bytes:
        assert deadline == 7.0
        sent.append(call)
        return b'{"data":[{"index":0,"embedding":[0.5,1]}]}'

    assert EndpointEmbedder("openai", "openai", "http://h/v1/", "e", openai).embed("x", 7.0) == [0.5, 1.0]
    assert (sent[0].url, sent[0].body) == ("http://h/v1/embeddings", b'{"model":"e","input":"x"}')
    ollama = EndpointEmbedder("o", "ollama", "http://h", "e", lambda _call, _deadline: b'{"embeddings":[[1,2]]}')
    assert ollama.embed("x", None) == [1.0, 2.0]
    odd_usage = b'{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":-1}}'
    for answer in (b"no", b"{}", b"[]", b'{"data":[]}', b'{"data":[{"embedding":["x"]}]}', odd_usage):
        with pytest.raises(ProtocolError):
            EndpointEmbedder("openai", "openai", "http://h", "e", lambda *_, answer=answer: answer).embed("x", None)


@pytest.mark.parametrize("number", ["65505", "-1e300", '"nan"', '"inf"', '"1e999"'])
def test_a_number_that_cannot_be_kept_is_no_embedding(number: str) -> None:
    answer = b'{"data":[{"embedding":[0.5,%s]}]}' % number.encode()
    with pytest.raises(ProtocolError):
        EndpointEmbedder("openai", "openai", "http://h", "e", lambda *_: answer).embed("x", None)


def test_a_model_whose_vectors_got_longer_costs_no_answer(responses: ResponseCache) -> None:
    kept(answers(responses, Embedder()), responses, ask("What is the DNS?"))

    class Longer(Embedder):
        def embed(self, text: str, deadline: float | None) -> Sequence[float]:
            return [*super().embed(text, deadline), 1.0]

    assert answers(responses, Longer()).find(ask("What is DNS"), known(ask("What is DNS"))) is None


@pytest.mark.parametrize(
    ("kind", "name", "tokens", "cost"),
    [
        ("openai", "openai-embeddings", 12, 3.0),
        ("openrouter", "openrouter-embeddings", 6, 1.2e-07),  # it says so itself
        ("ollama", "ollama-embed", 8, 2.0),
    ],
)
def test_the_tokens_of_a_recorded_embedding_are_counted(kind: str, name: str, tokens: int, cost: float) -> None:
    seen: list[CompletionChunk] = []

    def watched(inner: Stage) -> Stage:
        def stage(request: CompletionRequest) -> Chunks:
            for chunk in inner(request):
                seen.append(chunk)
                yield chunk

        return stage

    embedder = EndpointEmbedder(
        kind,
        kind,
        "http://h",
        "e",
        lambda *_: read(f"{name}.json"),
        admitted=watched,
        cost=lambda usage: usage.input_tokens / 4,
    )
    assert len(embedder.embed("x", None)) > 2
    usage, metadata = seen[-1].usage, seen[-1].metadata
    assert usage is not None
    assert metadata is not None
    assert (usage.input_tokens, usage.output_tokens, metadata.cost_usd) == (tokens, 0, cost)
