"""The complete outgoing request of the OpenAI provider."""

from typing import Any

import orjson
import pytest

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import Blocked, ProtocolError
from fennec_cli.providers import openai
from fennec_cli.request import Attachment, CompletionRequest, Sampling, Tool
from tests.cases import read

COMPATIBLE = Endpoint("openai", "http://127.0.0.1:8080/v1/")


def test_compatible_servers_get_the_old_name_of_the_output_limit() -> None:
    request = CompletionRequest.from_text("hi", model="m", sampling=Sampling(max_tokens=5))
    call = openai.build_request(request, COMPATIBLE)
    assert call.url == "http://127.0.0.1:8080/v1/chat/completions"
    assert orjson.loads(call.body)["max_tokens"] == 5
    assert "store" not in orjson.loads(call.body)


def test_options_are_sent_as_they_are_and_win() -> None:
    request = CompletionRequest.from_text(
        "hi", model="m", sampling=Sampling(temperature=1.0), options={"temperature": 0, "provider.sort": "price"}
    )
    body = orjson.loads(openai.build_request(request, COMPATIBLE).body)
    assert body["temperature"] == 0
    assert body["provider"] == {"sort": "price"}


def test_the_request_wins_over_the_configuration() -> None:
    endpoint = Endpoint("openai", "http://127.0.0.1/v1", defaults=Sampling(temperature=0.7, top_p=0.9, stop=("a",)))
    request = CompletionRequest.from_text("hi", model="m", sampling=Sampling(temperature=0.0))
    body = orjson.loads(openai.build_request(request, endpoint).body)
    assert (body["temperature"], body["top_p"], body["stop"]) == (0.0, 0.9, ["a"])


def test_configured_headers_are_sent_and_change_the_fingerprint() -> None:
    request = CompletionRequest.from_text("hi", model="m")
    plain = openai.build_request(request, COMPATIBLE)
    other = openai.build_request(request, Endpoint("openai", COMPATIBLE.base_url, headers={"openai-project": "p"}))
    assert other.headers["openai-project"] == "p"
    assert other.fingerprint != plain.fingerprint


def test_the_key_travels_as_a_bearer_token() -> None:
    assert openai.authorization("k") == {"authorization": "Bearer k"}


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://api.openai.com:443/v1", True),
        ("https://api.openai.com.example.net/v1", False),
        ("https://notapi.openai.com/v1", False),
        ("http://127.0.0.1:8080/v1", False),
    ],
)
def test_own_hosts_are_told_from_compatible_ones(url: str, own: bool) -> None:
    assert openai.is_openai_host(url) is own


def test_list_of_models_names_the_day_of_shutdown() -> None:
    rows = openai.decode_models(read("openai-models.json"), COMPATIBLE)
    assert [(row.id, row.deprecated) for row in rows if row.deprecated] == [("gpt-5-mini", "2026-12-11")]


def test_list_of_models_of_a_compatible_server() -> None:
    rows = openai.decode_models(read("ollama-v1-models.json"), COMPATIBLE)
    assert [(row.id, row.deprecated) for row in rows] == [("qwen3:8b", None)]


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"data":7}', b'{"data":[{}]}', b'{"data":[7]}'])
def test_what_is_not_a_list_of_models_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        openai.decode_models(body, COMPATIBLE)


OPENAI = Endpoint("openai", "https://api.openai.com/v1")
CHAT = Endpoint("openai", "https://api.openai.com/v1", api="chat")
HEADERS = {"content-type": "application/json", "accept": "text/event-stream"}


def sent(endpoint: Endpoint, **fields: object) -> tuple[str, dict[str, str], dict[str, object]]:
    request = CompletionRequest.from_text("Hi", model="gpt-6-luna", system="Be brief.", **fields)  # type: ignore[arg-type]
    call = openai.build_request(request, endpoint)
    return call.url, dict(call.headers), orjson.loads(call.body)


def test_complete_request_to_openai_goes_to_responses_and_is_not_stored() -> None:
    assert sent(OPENAI) == (
        "https://api.openai.com/v1/responses",
        HEADERS,
        {
            "model": "gpt-6-luna",
            "instructions": "Be brief.",
            "input": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "store": False,
            "stream_options": {"include_obfuscation": False},
        },
    )


def test_complete_request_to_openai_by_chat() -> None:
    assert sent(CHAT, sampling=Sampling(max_tokens=9)) == (
        "https://api.openai.com/v1/chat/completions",
        HEADERS,
        {
            "model": "gpt-6-luna",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            "max_completion_tokens": 9,
            "stream": True,
            "store": False,
            "stream_options": {"include_usage": True, "include_obfuscation": False},
        },
    )


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "responses"),
        ({"sampling": Sampling(temperature=0.5)}, "responses"),
        ({"sampling": Sampling(seed=1)}, "chat/completions"),
        ({"sampling": Sampling(stop=("END",))}, "chat/completions"),
        ({"options": {"n": 2}}, "chat/completions"),
        ({"options": {"verbosity": "low"}}, "chat/completions"),
        ({"options": {"service_tier": "flex"}}, "responses"),
    ],
)
def test_an_option_that_needs_chat_chooses_it(fields: dict[str, object], path: str) -> None:
    assert sent(OPENAI, **fields)[0] == f"https://api.openai.com/v1/{path}"


def test_other_hosts_get_chat_unless_told_otherwise() -> None:
    assert sent(COMPATIBLE)[0].endswith("/chat/completions")
    told = Endpoint("openai", "http://127.0.0.1:8080/v1", api="responses")
    assert sent(told)[0].endswith("/responses")
    assert "store" not in sent(told)[2]


def test_an_answer_in_one_piece_is_asked_for_without_streaming_fields() -> None:
    for endpoint in (OPENAI, CHAT):
        _, headers, body = sent(endpoint, stream=False)
        assert headers["accept"] == "application/json"
        assert "stream" not in body
        assert "stream_options" not in body


FUNCTION = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
WEATHER = Tool("get_weather", parameters=FUNCTION["parameters"])  # type: ignore[arg-type]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
IMAGE_URL = "data:image/png;base64,iVBORw=="
HI = [{"role": "user", "content": "Hi"}]
# What was asked; what is sent by Responses (None: goes by Chat Completions) and by Chat Completions, beside the usual.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any]]] = {
    "plain": ({}, {"input": HI}, {"messages": HI}),
    "system": (
        {"system": "Be brief."},
        {"input": HI, "instructions": "Be brief."},
        {"messages": [{"role": "system", "content": "Be brief."}, *HI]},
    ),
    "image": (
        {"attachments": (Attachment("image/png", "a.png", b"\x89PNG"),)},
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Hi"},
                        {"type": "input_image", "image_url": IMAGE_URL},
                    ],
                }
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Hi"},
                        {"type": "image_url", "image_url": {"url": IMAGE_URL}},
                    ],
                }
            ]
        },
    ),
    "forced tool": (
        {"tools": (WEATHER,), "tool_choice": "get_weather"},
        {
            "input": HI,
            "tools": [{"type": "function", **FUNCTION}],
            "tool_choice": {"type": "function", "name": "get_weather"},
        },
        {
            "messages": HI,
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        },
    ),
    "schema": (
        {"schema": SCHEMA},
        {"input": HI, "text": {"format": {"type": "json_schema", **FORMAT["json_schema"]}}},  # type: ignore[dict-item]
        {"messages": HI, "response_format": FORMAT},
    ),
    "reasoning": (
        {"reasoning": True, "sampling": Sampling(reasoning_effort="low")},
        {"input": HI, "reasoning": {"effort": "low", "summary": "auto"}},
        {"messages": HI, "reasoning_effort": "low"},
    ),
    "stop": ({"sampling": Sampling(stop=("END",))}, None, {"messages": HI, "stop": ["END"]}),
    "seed": ({"sampling": Sampling(seed=7)}, None, {"messages": HI, "seed": 7}),
    "privacy opt-out": ({"private": True}, {"input": HI}, {"messages": HI}),
}


@pytest.mark.parametrize(("asked", "by_responses", "by_chat"), CASES.values(), ids=CASES)
def test_complete_request_of_both_dialects(asked: Any, by_responses: Any, by_chat: Any) -> None:
    """`store` is false in every request to OpenAI: that is its privacy opt-out, and none is needed for it."""
    always = {"model": "m", "stream": True, "store": False}
    no_padding = {"include_obfuscation": False}
    call = openai.build_request(CompletionRequest.from_text("Hi", model="m", **asked), CHAT)
    assert (call.method, call.url, call.headers) == ("POST", "https://api.openai.com/v1/chat/completions", HEADERS)
    usage = {"stream_options": {"include_usage": True, **no_padding}}
    assert orjson.loads(call.body) == {**always, **usage, **by_chat}
    call = openai.build_request(CompletionRequest.from_text("Hi", model="m", **asked), OPENAI)
    if by_responses is None:
        assert orjson.loads(call.body) == {**always, **usage, **by_chat}
    else:
        assert (call.method, call.url, call.headers) == ("POST", "https://api.openai.com/v1/responses", HEADERS)
        assert orjson.loads(call.body) == {**always, "stream_options": no_padding, **by_responses}


@pytest.mark.parametrize("endpoint", [OPENAI, CHAT, Endpoint("x", "https://llm.example/v1", api="responses")])
def test_no_option_undoes_the_privacy_opt_out(endpoint: Endpoint) -> None:
    private = CompletionRequest.from_text("Hi", model="m", options={"store": True}, private=True)
    assert orjson.loads(openai.build_request(private, endpoint).body)["store"] is False
    assert openai.keeps_private(private, endpoint)
    asked = private._replace(private=False)
    assert orjson.loads(openai.build_request(asked, endpoint).body)["store"] is True


@pytest.mark.parametrize("options", [{"background": True}, {"conversation": "conv_1"}])
def test_what_is_there_to_be_kept_is_blocked_in_a_private_request(options: dict[str, Any]) -> None:
    private = CompletionRequest.from_text("Hi", model="m", options=options, private=True)
    with pytest.raises(Blocked, match=next(iter(options))):
        openai.build_request(private, OPENAI)
    openai.build_request(private._replace(private=False), OPENAI)


def test_a_private_request_to_a_compatible_server_adds_no_field_that_it_may_not_know() -> None:
    private = CompletionRequest.from_text("Hi", model="m", private=True)
    assert "store" not in orjson.loads(openai.build_request(private, COMPATIBLE).body)
    assert openai.keeps_private(private, COMPATIBLE)  # it is this machine
    assert not openai.keeps_private(private, Endpoint("groq", "https://llm.example/v1"))
