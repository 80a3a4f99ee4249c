"""The complete outgoing request of the OpenAI provider."""

import orjson
import pytest

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import ProtocolError
from fennec_cli.providers import openai
from fennec_cli.request import CompletionRequest, Sampling
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
