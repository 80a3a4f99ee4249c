"""Ollama: the complete outgoing request, addresses, and what is read of its models."""

from typing import Any

import orjson
import pytest

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import ModelUnavailable, ProtocolError, RequestError
from fennec_cli.providers import ollama
from fennec_cli.request import Attachment, CompletionRequest, Sampling, Tool
from fennec_cli.wire import Event
from tests.cases import read

URL = "http://127.0.0.1:11434"
PLAIN = Endpoint("ollama", URL)
HEADERS = {"content-type": "application/json", "accept": "application/x-ndjson"}
WEATHER = Tool("get_weather", "Weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
ALWAYS = {"model": "qwen3:8b", "stream": True, "truncate": False}
HI = {"messages": [{"role": "user", "content": "Hi"}]}


def extra(**settings: Any) -> Endpoint:
    return PLAIN._replace(extra=settings)


def sent(endpoint: Endpoint = PLAIN, **fields: Any) -> dict[str, Any]:
    """The body for `Hi`, after checking the rest of the request."""
    call = ollama.build_request(CompletionRequest.from_text("Hi", model="qwen3:8b", **fields), endpoint)
    assert (call.method, call.url, call.headers) == ("POST", f"{URL}/api/chat", HEADERS)
    body: dict[str, Any] = orjson.loads(call.body)
    return body


def test_complete_request_for_plain_text() -> None:
    assert sent() == {**ALWAYS, **HI}


def test_complete_request_with_a_system_prompt() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert sent(system="Be brief.") == {**ALWAYS, "messages": messages}


def test_complete_request_with_an_image() -> None:
    messages = [{"role": "user", "content": "Hi", "images": ["iVBORw=="]}]
    image = Attachment("image/png", "a.png", b"\x89PNG")
    assert sent(attachments=(image,)) == {**ALWAYS, "messages": messages}


def test_complete_request_with_tools() -> None:
    function = {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER.parameters}
    assert sent(tools=(WEATHER,)) == {**ALWAYS, **HI, "tools": [{"type": "function", "function": function}]}


@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_a_forced_tool_is_refused_before_anything_is_sent(choice: str) -> None:
    with pytest.raises(RequestError, match=choice):
        sent(tools=(WEATHER,), tool_choice=choice)


def test_complete_request_with_a_schema() -> None:
    assert sent(schema=SCHEMA) == {**ALWAYS, **HI, "format": SCHEMA}


def test_complete_request_with_reasoning() -> None:
    assert sent(reasoning=True) == {**ALWAYS, **HI}
    assert sent(reasoning=True, sampling=Sampling(reasoning_effort="high")) == {**ALWAYS, **HI, "think": "high"}


def test_complete_request_with_stop_and_seed() -> None:
    sampling = Sampling(stop=("END",), seed=7)
    assert sent(sampling=sampling) == {**ALWAYS, **HI, "options": {"stop": ["END"], "seed": 7}}


def test_complete_request_with_its_own_settings() -> None:
    endpoint = extra(gpu_layers=35, num_ctx=8192, keep_alive="10m")._replace(defaults=Sampling(max_tokens=5))
    options = {"num_gpu": 35, "num_ctx": 8192, "num_predict": 5}
    assert sent(endpoint) == {**ALWAYS, **HI, "options": options, "keep_alive": "10m"}


def test_settings_of_other_providers_are_not_sent() -> None:
    assert sent(extra(routing={"sort": "price"})) == {**ALWAYS, **HI}


def test_a_private_request_is_the_same_and_stays_here_unless_the_model_is_in_the_cloud() -> None:
    assert sent(private=True) == {**ALWAYS, **HI}
    private = CompletionRequest.from_text("Hi", model="qwen3:8b", private=True)
    assert ollama.keeps_private(private, PLAIN)
    for model in ("gpt-oss:120b-cloud", "kimi:cloud"):
        assert not ollama.keeps_private(private._replace(model=model), PLAIN)
    for address in ("https://ollama.com", "https://eu.ollama.com/v1"):
        assert not ollama.keeps_private(private, PLAIN._replace(base_url=address))


def test_model_options_are_known_by_their_bare_names() -> None:
    body = sent(extra(num_ctx=10), options={"top_k": 5, "num_ctx": 20, "options.mirostat": 1, "keep_alive": -1})
    assert body == {**ALWAYS, **HI, "options": {"num_ctx": 20, "top_k": 5, "mirostat": 1}, "keep_alive": -1}


def test_truncation_can_be_asked_for() -> None:
    assert sent(options={"truncate": True})["truncate"] is True


def test_an_answer_in_one_piece_is_another_form_of_the_same_request() -> None:
    whole = ollama.build_request(CompletionRequest.from_text("Hi", model="m", stream=False), PLAIN)
    streamed = ollama.build_request(CompletionRequest.from_text("Hi", model="m"), PLAIN)
    assert whole.headers["accept"] == "application/json"
    assert orjson.loads(whole.body)["stream"] is False
    assert whole.fingerprint == streamed.fingerprint


def test_configured_headers_are_sent() -> None:
    endpoint = PLAIN._replace(headers={"x-team": "a"})
    for call in (
        ollama.build_request(CompletionRequest.from_text("Hi", model="m"), endpoint),
        ollama.build_models_request(endpoint),
        ollama.build_pull_request(endpoint, "m"),
        ollama.build_delete_request(endpoint, "m"),
    ):
        assert call.headers["x-team"] == "a"


def test_a_key_for_ollama_com_travels_as_a_bearer_token() -> None:
    assert ollama.authorization("k") == {"authorization": "Bearer k"}
    assert ollama.authorization("Bearer k") == {"authorization": "Bearer k"}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", URL),
        ("box", "http://box:11434"),
        ("box:8080", "http://box:8080"),
        (":8080", "http://127.0.0.1:8080"),
        (":nonsense", URL),
        ("box:99999", "http://box:11434"),
        ("box:0", "http://box:11434"),
        ("http://box", "http://box"),
        ("http://box:80", "http://box"),
        ("http://box:11434/", "http://box:11434"),
        ("https://box", "https://box"),
        ("https://box:8443/ollama/", "https://box:8443/ollama"),
        ("box/ollama", "http://box:11434/ollama"),
        ("http://", "http://127.0.0.1"),
        ("ollama.com", "https://ollama.com"),
        ("https://ollama.com:443", "https://ollama.com"),
        ("0.0.0.0", URL),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("192.0.2.1", "http://192.0.2.1:11434"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("::", "http://[::1]:11434"),
        ("[::]:8080", "http://[::1]:8080"),
        ("2001:DB8::1", "http://[2001:db8::1]:11434"),
        (' "box:8080" ', "http://box:8080"),
    ],
)
def test_every_form_of_ollama_host_is_a_base_url(host: str, url: str) -> None:
    assert ollama.base_url_from_host(host) == url


def test_list_of_models_says_what_each_can_do() -> None:
    rows = ollama.decode_models(read("ollama-tags.json"), PLAIN)
    assert [(row.id, row.context_window, row.capabilities, row.source) for row in rows] == [
        ("qwen3:8b", 40960, ("reasoning", "schema", "tools"), "installed"),
        ("embeddinggemma:latest", 2048, ("embedding",), "installed"),
        ("gpt-oss:120b-cloud", None, ("reasoning", "tools"), "provider"),
    ]


def test_a_server_without_models_has_an_empty_list() -> None:
    assert ollama.decode_models(b'{"models":null}', PLAIN) == []
    assert ollama.decode_models(b'{"models":[]}', PLAIN) == []


NOT_A_LIST = [b"", b"{}", b"[]", b"<html>", b'{"models":7}', b'{"models":[{}]}', b'{"models":[7]}']


@pytest.mark.parametrize("body", NOT_A_LIST)
def test_what_is_not_a_list_of_models_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        ollama.decode_models(body, PLAIN)
    with pytest.raises(ProtocolError):
        ollama.decode_running(body, PLAIN)


def test_the_newest_installed_model_is_one_that_completes_and_is_here() -> None:
    assert ollama.newest(read("ollama-tags.json")) == "qwen3:8b"


def test_the_newest_is_found_across_time_zones() -> None:
    rows = [
        {"name": "older", "modified_at": "2026-10-01T09:00:00+02:00"},
        {"name": "newer", "modified_at": "2026-10-01T08:00:00.123456789Z"},
        {"name": "undated"},
        {"name": "embedder", "modified_at": "2026-12-01T00:00:00Z", "capabilities": ["embedding"]},
        {"name": "cloud", "modified_at": "2026-12-01T00:00:00Z", "remote_host": "https://ollama.com:443"},
    ]
    assert ollama.newest(orjson.dumps({"models": rows})) == "newer"


def test_nothing_installed_has_no_newest() -> None:
    assert ollama.newest(b'{"models":[]}') is None


@pytest.mark.parametrize("body", NOT_A_LIST)
def test_the_newest_of_what_is_no_list_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        ollama.newest(body)


def test_show_says_limits_abilities_and_details() -> None:
    facts = ollama.decode_show(read("ollama-show.json"), "qwen3:8b", PLAIN)
    assert (facts.model.id, facts.model.context_window) == ("qwen3:8b", 40960)
    assert facts.model.capabilities == ("reasoning", "schema", "tools")
    assert facts.details == {
        "family": "qwen3",
        "parameter_size": "8.2B",
        "quantization": "Q4_K_M",
        "parameters": "temperature 0.6; top_k 20",
        "license": "Apache License 2.0",
        "modified_at": "2026-10-01T08:06:48Z",
    }


@pytest.mark.parametrize("body", [b"", b"[]", b'{"details":7}', b'{"model_info":[1]}', b'{"parameters":7}'])
def test_what_does_not_describe_a_model_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        ollama.decode_show(body, "m", PLAIN)


def test_running_models_say_what_is_on_the_gpu() -> None:
    (row,) = ollama.decode_running(read("ollama-ps.json"), PLAIN)
    assert (row.id, row.size, row.size_vram, row.context_window) == ("qwen3:8b", 6591830464, 6591830464, 4096)


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (ollama.build_models_request(PLAIN), "GET", "/api/tags", None),
        (ollama.build_running_request(PLAIN), "GET", "/api/ps", None),
        (ollama.build_show_request(PLAIN, "m"), "POST", "/api/show", {"model": "m"}),
        (ollama.build_delete_request(PLAIN, "m"), "DELETE", "/api/delete", {"model": "m"}),
        (ollama.build_pull_request(PLAIN, "m"), "POST", "/api/pull", {"model": "m", "stream": True}),
    ],
)
def test_calls_that_manage_models(call: Any, method: str, path: str, body: Any) -> None:
    assert (call.method, call.url) == (method, URL + path)
    assert (orjson.loads(call.body) if call.body else None) == body


def test_recorded_pull_counts_the_bytes_of_each_layer() -> None:
    steps = [ollama.decode_pull(Event(line)) for line in read("ollama-pull.ndjson").splitlines()]
    assert sum({step.digest: step.total for step in steps}.values()) == 4661211678
    assert steps[-1].status == "success"


def test_recorded_pull_error_is_a_missing_model() -> None:
    line = read("ollama-pull-error.ndjson").splitlines()[-1]
    with pytest.raises(ModelUnavailable, match="file does not exist"):
        ollama.decode_pull(Event(line))


@pytest.mark.parametrize("line", [b"7", b"{", b'{"total":"many"}', b'{"completed":[1]}'])
def test_a_line_that_is_no_progress_is_a_protocol_error(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        ollama.decode_pull(Event(line))
