"""Every recorded OpenAI answer through the real command, with the result that its table says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tests.e2e.events import Event, read_answer, read_events, text_of
from tests.e2e.peer import Peer, head, send
from tests.e2e.runner import Fennec

Serve = Callable[..., Peer]
TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"
EXPECTED: dict[str, dict[str, Any]] = json.loads((TRANSCRIPTS / "expected.json").read_text())["transcripts"]
STREAMS = sorted(name for name in EXPECTED if name.startswith("openai-chat-") and name.endswith(".sse"))
ERRORS = sorted(name for name in EXPECTED if name.startswith("openai-error-"))

FINISH = {"Stop": "stop", "Length": "length", "ContentFilter": "content_filter", "ToolCalls": "tool_calls"}
EXIT = {"stop": 0, "tool_calls": 0, "length": 10, "content_filter": 11}
CLASSES = {  # category of the transcripts -> class and exit status
    "Authentication": ("auth", 4),
    "InvalidRequest": ("request", 5),
    "ContextLength": ("request", 5),
    "ModelUnavailable": ("request", 5),
    "RateLimit": ("rate_limit", 6),
    "QuotaExhausted": ("rate_limit", 6),
    "Server": ("unavailable", 7),
    "Overloaded": ("unavailable", 7),
    "Streaming": ("stream_broken", 9),
    "ContentFilter": ("filtered", 11),
}


def recorded(name: str) -> bytes:
    return (TRANSCRIPTS / name).read_bytes()


def run(fennec: Fennec, serve: Serve, name: str) -> tuple[list[Event], int]:
    serve([send(head(), recorded(name))])
    result = fennec.complete("--ndjson", "--retries", "0")
    events = read_events(result.stdout)
    assert events[-1]["exit"] == result.status
    assert result.stderr.count("\n") == (0 if result.status == 0 else 1)
    return events, result.status


@pytest.mark.parametrize("name", [name for name in STREAMS if "finish" in EXPECTED[name]])
def test_a_recorded_stream_ends_as_its_table_says(fennec: Fennec, serve: Serve, name: str) -> None:
    expected = EXPECTED[name]
    events, status = run(fennec, serve, name)
    for index, text in expected.get("texts", {"0": expected.get("text")}).items():
        assert text_of(events, int(index)) == text
    reasons = expected["finish"].values() if isinstance(expected["finish"], dict) else [expected["finish"]]
    end = events[-1]
    assert end["type"] == "end"
    assert end["finish_reason"] in {FINISH[reason] for reason in reasons}
    assert status == EXIT[end["finish_reason"]]
    assert end["ok"] is (status == 0)
    if expected.get("usage"):
        usage = expected["usage"]
        assert end["usage"] == {
            "input_tokens": usage["input"],
            "output_tokens": usage["output"],
            "cached_tokens": usage["cached_input"],
            "reasoning_tokens": usage["reasoning"],
            "total_tokens": usage["input"] + usage["output"],
            "estimated": False,
        }
    else:
        assert end["usage"]["estimated"] is True


@pytest.mark.parametrize("name", [name for name in STREAMS if "error" in EXPECTED[name]])
def test_a_recorded_failure_keeps_what_came(fennec: Fennec, serve: Serve, name: str) -> None:
    events, status = run(fennec, serve, name)
    error_class, exit_status = CLASSES[EXPECTED[name]["error"]]
    assert text_of(events) == EXPECTED[name]["text"]
    assert (events[-1]["type"], events[-1]["class"], status) == ("error", error_class, exit_status)
    assert events[-1]["partial"] is True
    assert events[-1]["retryable"] is True


def test_tool_calls_are_one_object_a_line_in_text(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), recorded("openai-chat-tool-calls.sse"))])
    lines = fennec.complete().stdout.splitlines()
    expected = EXPECTED["openai-chat-tool-calls.sse"]["tool_calls"]
    assert [orjson.loads(line) for line in lines] == [
        {"id": call["id"], "name": call["name"], "arguments": call["arguments"]} for call in expected
    ]


def test_several_choices_come_one_by_one_in_json(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), recorded("openai-chat-stream-n2.sse"))])
    document = read_answer(fennec.complete("--json", "-O", "n=2").stdout)
    assert [choice["content"] for choice in document["choices"]] == ["Red!", "Blue"]


def test_an_answer_in_one_piece(fennec: Fennec, httpserver: HTTPServer) -> None:
    document = orjson.loads(recorded("openai-chat.json"))
    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_json(document)
    fennec.base_url = httpserver.url_for("/v1")
    fennec.complete("--no-stream").succeeded(document["choices"][0]["message"]["content"])


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_error_has_its_class(fennec: Fennec, httpserver: HTTPServer, name: str) -> None:
    expected = EXPECTED[name]
    recorded_head = json.loads((TRANSCRIPTS / f"{name}.headers.json").read_text())
    response = Response(recorded(name), recorded_head["status"], recorded_head["headers"])
    httpserver.expect_request("/v1/chat/completions").respond_with_response(response)
    fennec.base_url = httpserver.url_for("/v1")
    result = fennec.complete("--ndjson", "--retries", "0")
    error_class, exit_status = CLASSES[expected["error"]]
    result.failed(error_class, exit_status, stdout=result.stdout)
    (error,) = read_events(result.stdout)
    assert (error["type"], error["class"], error["exit"]) == ("error", error_class, exit_status)
    assert error["status"] == expected["status"]
    assert error["retry_after_s"] == expected.get("retry_after")
    # Waiting longer than we would ourselves is still worth it for who can (contract: rate_limit, "try again: yes").
    too_long_for_us = expected.get("retry_after", 0) > 120
    assert error["retryable"] is (expected["retryable"] or too_long_for_us)
    assert (error["partial"], error["attempts"]) == (False, 1)
    assert len(httpserver.log) == 1


CUTS = [
    (name, cut)
    for name in ("openai-chat-stream.sse", "openai-chat-tool-calls.sse")
    for cut in range(0, len(recorded(name)), len(recorded(name)) // 20)
]


@pytest.mark.parametrize(("name", "cut"), CUTS)
def test_a_cut_stream_is_never_a_false_success(fennec: Fennec, serve: Serve, name: str, cut: int) -> None:
    serve([send(head(), recorded(name)[:cut])])
    whole = EXPECTED[name]["text"].encode()
    result = fennec.complete("--retries", "0")
    finished = b'"finish_reason":"' in recorded(name)[:cut].rpartition(b"\n\n")[0]
    if finished:
        assert (result.status, result.stderr) == (0, "")
        assert result.stdout == whole or name == "openai-chat-tool-calls.sse"
    elif result.stdout:
        assert whole.startswith(result.stdout)
        result.failed("stream_broken", 9, stdout=result.stdout)
    else:
        shown = b'"arguments"' in recorded(name)[:cut].rpartition(b"\n\n")[0]
        result.failed("stream_broken" if shown else "unavailable", 9 if shown else 7)
