"""The complete outgoing request to the embedded engine: Chat Completions in llama.cpp's words."""

from typing import Any

import orjson
import pytest

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import RequestError
from fennec_cli.providers import local
from fennec_cli.request import Attachment, CompletionRequest, Sampling, Tool

ENGINE = Endpoint("local", local.DEFAULT_BASE_URL)
HEADERS = {"content-type": "application/json", "accept": "text/event-stream", "connection": "close"}
FUNCTION = {"name": "get_weather", "parameters": {"type": "object"}}
WEATHER = Tool("get_weather", parameters={"type": "object"})
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
HI = [{"role": "user", "content": "Hi"}]
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "system": ({"system": "Be brief."}, {"messages": [{"role": "system", "content": "Be brief."}, *HI]}),
    "forced tool": (
        {"tools": (WEATHER,), "tool_choice": "get_weather"},
        {
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        },
    ),
    "schema": ({"schema": SCHEMA}, {"response_format": FORMAT}),
    "reasoning": (
        {"reasoning": True, "sampling": Sampling(reasoning_effort="low")},
        {"reasoning_effort": "low"},
    ),
    "stop, seed, limit": (
        {"sampling": Sampling(stop=("END",), seed=7, max_tokens=9)},
        {"stop": ["END"], "seed": 7, "max_tokens": 9},
    ),
    "privacy opt-out": ({"private": True}, {}),
}


@pytest.mark.parametrize(("asked", "sent"), CASES.values(), ids=CASES)
def test_complete_request(asked: Any, sent: Any) -> None:
    """Nobody needs to be opted out of: a private request is the same one."""
    request = CompletionRequest.from_text("Hi", model="m", **asked)
    call = local.build_request(request, ENGINE)
    assert (call.method, call.url, call.headers) == ("POST", "http://localhost/v1/chat/completions", HEADERS)
    always = {"model": "m", "messages": HI, "stream": True, "stream_options": {"include_usage": True}}
    assert orjson.loads(call.body) == {**always, **sent}
    assert local.keeps_private(request, ENGINE)


def test_an_image_is_refused_before_anything_is_sent() -> None:
    image = Attachment("image/png", "a.png", b"\x89PNG")
    with pytest.raises(RequestError, match="text only"):
        local.build_request(CompletionRequest.from_text("Hi", model="m", attachments=(image,)), ENGINE)
