"""Every recorded OpenAI stream, cut at every byte: an error or the whole answer, never a false success."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.backoff import RetryConfig
from fennec_cli.chunk import CompletionChunk
from fennec_cli.dialects.base import Endpoint, Headers, HTTPCall
from fennec_cli.errors import FennecError, NetworkError, StreamBroken
from fennec_cli.providers import openai
from fennec_cli.request import CompletionRequest
from fennec_cli.stages.retry import retry
from fennec_cli.transport import HTTPProvider
from fennec_cli.transport.client import Exchange
from fennec_cli.transport.patience import Patience

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"
EXPECTED: dict[str, dict[str, Any]] = json.loads((TRANSCRIPTS / "expected.json").read_text())["transcripts"]
STREAMS = sorted(
    name for name in EXPECTED if name.startswith(("openai-chat-", "openai-responses-")) and name.endswith(".sse")
)
FINISHES = {"Stop": "stop", "Length": "length", "ContentFilter": "content_filter", "ToolCalls": "tool_calls"}
REQUEST = CompletionRequest.from_text("hi", model="m")


class CutClient:
    """Answers every call with these bytes; then the connection ends, or breaks with `fault`."""

    def __init__(self, body: bytes, fault: FennecError | None = None) -> None:
        self._body = body
        self._fault = fault

    @contextmanager
    def exchange(self, _call: HTTPCall, _secret: Headers, _patience: Patience) -> Iterator[Exchange]:
        yield Exchange(200, {"content-type": "text/event-stream"}, self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        if self._body:
            yield self._body
        if self._fault is not None:
            raise self._fault

    def close(self) -> None:
        pass


def endpoint(name: str) -> Endpoint:
    return Endpoint("openai", "http://127.0.0.1/v1", api="responses" if "-responses-" in name else "chat")


def outcome(
    name: str, body: bytes, fault: FennecError | None = None
) -> tuple[list[CompletionChunk], FennecError | None]:
    """The chunks that reach the writer, and the error they end with."""
    provider = HTTPProvider(openai, endpoint(name), lambda: CutClient(body, fault))  # type: ignore[arg-type, return-value]
    shown: list[CompletionChunk] = []
    try:
        shown.extend(retry(provider.stream_completion, RetryConfig(max_attempts=1))(REQUEST))
    except FennecError as error:
        return shown, error
    return shown, None


def texts(chunks: list[CompletionChunk]) -> dict[int, str]:
    found: dict[int, str] = {}
    for chunk in chunks:
        if chunk.content:
            found[chunk.index] = found.get(chunk.index, "") + chunk.content
    return found


def whole_texts(name: str) -> dict[int, str]:
    expected = EXPECTED[name]
    by_index = expected.get("texts", {"0": expected.get("text", "")})
    return {int(index): text for index, text in by_index.items()}


def finishes(name: str) -> set[str]:
    finish = EXPECTED[name].get("finish", {})
    return {FINISHES[reason] for reason in (finish.values() if isinstance(finish, dict) else [finish])}


def check(name: str, body: bytes, fault: FennecError | None) -> bool:
    """Check one cut; return whether it was a success."""
    chunks, error = shown = outcome(name, body, fault)
    whole = whole_texts(name)
    for index, text in texts(chunks).items():
        assert whole[index].startswith(text), (name, len(body))
    visible = any(chunk.content or chunk.tool_call for chunk in chunks)
    if error is None:
        fold = ResponseAggregator()
        for chunk in chunks:
            fold.add_chunk(chunk)
        assert {choice.finish_reason for choice in fold.finalize().choices} == finishes(name), shown
        assert texts(chunks) == {index: text for index, text in whole.items() if text}, shown
    elif visible:
        assert isinstance(error, StreamBroken), (name, len(body), error)
        assert error.partial
    else:
        assert error.error_class == "unavailable", (name, len(body), error)
        assert not isinstance(error, StreamBroken)
    return error is None


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("fault", [None, NetworkError("cut")], ids=["tidy", "reset"])
def test_truncate_every_byte(name: str, fault: FennecError | None) -> None:
    body = (TRANSCRIPTS / name).read_bytes()
    successes = [cut for cut in range(len(body) + 1) if check(name, body[:cut], fault)]
    if "error" in EXPECTED[name]:
        assert successes == []
        return
    # Once the last finish reason is complete every longer cut is a success too, and nothing before it is.
    assert successes == list(range(successes[0], len(body) + 1))
    # In Responses the last event is the terminal one.
    last = body.rindex(b"event: " if "-responses-" in name else b'"finish_reason":"')
    assert last < successes[0] <= body.index(b"\n\n", last) + 2


@pytest.mark.parametrize("name", STREAMS)
def test_the_size_of_the_pieces_does_not_matter(name: str) -> None:
    body = (TRANSCRIPTS / name).read_bytes()
    reference = outcome(name, body)

    class Bytewise(CutClient):
        def _chunks(self) -> Iterator[bytes]:
            return (body[i : i + 1] for i in range(len(body)))

    provider = HTTPProvider(openai, endpoint(name), lambda: Bytewise(body))  # type: ignore[arg-type, return-value]
    shown: list[CompletionChunk] = []
    error = None
    try:
        shown.extend(provider.stream_completion(REQUEST))
    except FennecError as caught:
        error = caught
    assert texts(shown) == texts(reference[0])
    assert (error is None) == (reference[1] is None)
