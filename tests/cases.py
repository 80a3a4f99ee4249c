"""Recorded streams and errors with the results that they must give."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from fennec_cli.aggregate import CallNumbers, CompletionResponse, ResponseAggregator
from fennec_cli.chunk import TERMINATOR, CompletionChunk
from fennec_cli.dialects.base import Dialect
from fennec_cli.wire.ndjson import NDJSONDecoder
from fennec_cli.wire.sse import SSEDecoder

FOLDER = Path(__file__).parent / "transcripts"
EXPECTED: dict[str, dict[str, Any]] = orjson.loads((FOLDER / "expected.json").read_bytes())["transcripts"]
FINISH = {"Stop": "stop", "Length": "length", "ContentFilter": "content_filter", "ToolCalls": "tool_calls"}

# The categories of expected.json and our classes.
CLASS = {
    "Server": "unavailable",
    "Overloaded": "unavailable",
    "Network": "unavailable",
    "InvalidRequest": "request",
    "ContextLength": "request",
    "ModelUnavailable": "request",
    "Authentication": "auth",
    "RateLimit": "rate_limit",
    "QuotaExhausted": "rate_limit",
    "ContentFilter": "filtered",
}


@dataclass(frozen=True)
class ErrorCase:
    """A failed answer: what the server sent and what it must become."""

    name: str
    status: int
    headers: dict[str, str]
    body: bytes
    error_class: str
    retryable: bool
    retry_after: float | None


def streams(prefix: str) -> list[str]:
    """Names of the recorded streams that begin with `prefix`, the ones that cannot be parsed left out."""
    return [name for name in sorted(EXPECTED) if name.startswith(prefix) and name.endswith((".sse", ".ndjson"))]


def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def error_cases(prefix: str) -> list[ErrorCase]:
    cases = []
    for name, expected in sorted(EXPECTED.items()):
        if not name.startswith(prefix) or "status" not in expected or "error" not in expected:
            continue
        sent = orjson.loads(read(f"{name}.headers.json"))
        cases.append(
            ErrorCase(
                name=name,
                status=sent["status"],
                headers={key.lower(): value for key, value in sent["headers"].items()},
                body=read(name),
                error_class=CLASS[expected["error"]],
                retryable=expected["retryable"],
                retry_after=expected.get("retry_after"),
            )
        )
    return cases


def decode(dialect: Dialect, body: bytes) -> list[CompletionChunk]:
    """All chunks of a recorded stream, up to its end marker."""
    decoder = SSEDecoder() if dialect.FRAMING == "sse" else NDJSONDecoder()
    numbers = CallNumbers()
    chunks: list[CompletionChunk] = []
    for event in [*decoder.feed(body), *decoder.close()]:
        for chunk in dialect.decode(event):
            if chunk is TERMINATOR:
                return chunks
            chunks.append(numbers.numbered(chunk))
    return chunks


def folded(chunks: list[CompletionChunk]) -> CompletionResponse:
    fold = ResponseAggregator()
    for chunk in chunks:
        fold.add_chunk(chunk)
    return fold.finalize()


def check_answer(name: str, response: CompletionResponse) -> None:
    """Compare an answer with what expected.json says of the transcript `name`."""
    expected = EXPECTED[name]
    if "texts" in expected:
        assert {str(index): choice.content for index, choice in enumerate(response.choices)} == expected["texts"]
        assert {str(i): c.finish_reason for i, c in enumerate(response.choices)} == {
            index: FINISH[reason] for index, reason in expected["finish"].items()
        }
    else:
        assert response.content == expected["text"]
        assert response.finish_reason == FINISH[expected["finish"]]
    if "reasoning" in expected:
        assert response.reasoning == expected["reasoning"]
    calls = [(call.id, call.name, call.arguments) for call in response.tool_calls]
    assert calls == [(call["id"], call["name"], call["arguments"]) for call in expected.get("tool_calls", [])]
    if expected.get("usage"):
        usage, counts = response.usage, expected["usage"]
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens) == (counts["input"], counts["output"])
        assert usage.reasoning_tokens == counts.get("reasoning", 0)
        assert usage.cached_tokens == counts.get("cached_input", 0)
    elif "usage" in expected:
        assert response.usage is None
