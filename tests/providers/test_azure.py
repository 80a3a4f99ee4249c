"""Azure OpenAI against its recorded answers, and the complete outgoing request of both API generations."""

from typing import Any

import orjson
import pytest

from fennec_cli.dialects import chat
from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import (
    Blocked,
    ConfigError,
    ContentFiltered,
    InputError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from fennec_cli.providers import azure
from fennec_cli.request import Attachment, CompletionRequest, Sampling, Tool
from tests.cases import EXPECTED, ErrorCase, check_answer, decode, error_cases, folded, read, streams
from tests.providers.cuts import check_every_cut

ROOT = "https://res.openai.azure.com"
V1 = Endpoint("azure", ROOT)
DATED = Endpoint("azure", ROOT, extra={"api_version": "2024-10-21"})
HEADERS = {"content-type": "application/json", "accept": "text/event-stream"}
RESPONSES_URL = f"{ROOT}/openai/v1/responses"
CHAT_URL = f"{ROOT}/openai/v1/chat/completions"
DATED_URL = f"{ROOT}/openai/deployments/luna/chat/completions?api-version=2024-10-21"
STREAMS = streams("azure")
FUNCTION = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
WEATHER = Tool("get_weather", parameters=FUNCTION["parameters"])  # type: ignore[arg-type]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
FORMAT = {"name": "answer", "schema": SCHEMA, "strict": True}
IMAGE = Attachment("image/png", "a.png", b"\x89PNG")
IMAGE_URL = "data:image/png;base64,iVBORw=="


def sent(endpoint: Endpoint, **fields: Any) -> tuple[str, dict[str, Any]]:
    """Address and body for `Hi`, without what every request has."""
    call = azure.build_request(CompletionRequest.from_text("Hi", model="luna", **fields), endpoint)
    assert (call.method, call.headers) == ("POST", HEADERS)
    body = orjson.loads(call.body)
    assert (body.pop("model"), body.pop("stream")) == ("luna", True)
    if "input" in body:
        assert body.pop("store") is False
        if body["input"] == [{"role": "user", "content": "Hi"}]:
            del body["input"]
    else:
        assert body.pop("stream_options") == {"include_usage": True}
        if body["messages"] == [{"role": "user", "content": "Hi"}]:
            del body["messages"]
    return call.url, body


@pytest.mark.parametrize("endpoint", [V1, DATED], ids=["v1", "dated"])
def test_a_name_that_is_not_utf_8_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(InputError):
        azure.build_request(CompletionRequest.from_text("Hi", model="\udcff"), endpoint)


def test_complete_request_for_plain_text_on_v1() -> None:
    call = azure.build_request(CompletionRequest.from_text("Hi", model="luna"), V1)
    assert (call.method, call.url, call.headers) == ("POST", RESPONSES_URL, HEADERS)
    assert orjson.loads(call.body) == {
        "model": "luna",
        "input": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "store": False,
    }


def test_complete_request_for_plain_text_on_a_dated_api() -> None:
    call = azure.build_request(CompletionRequest.from_text("Hi", model="luna"), DATED)
    assert (call.method, call.url, call.headers) == ("POST", DATED_URL, HEADERS)
    assert orjson.loads(call.body) == {
        "model": "luna",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


CASES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        "system",
        {"system": "Be brief."},
        {"instructions": "Be brief."},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]},
    ),
    (
        "image",
        {"attachments": (IMAGE,)},
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
    (
        "tools",
        {"tools": (WEATHER,), "tool_choice": "get_weather"},
        {"tools": [{"type": "function", **FUNCTION}], "tool_choice": {"type": "function", "name": "get_weather"}},
        {
            "tools": [{"type": "function", "function": FUNCTION}],
            "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        },
    ),
    (
        "schema",
        {"schema": SCHEMA},
        {"text": {"format": {"type": "json_schema", **FORMAT}}},
        {"response_format": {"type": "json_schema", "json_schema": FORMAT}},
    ),
    (
        "reasoning",
        {"sampling": Sampling(reasoning_effort="low"), "reasoning": True},
        {"reasoning": {"effort": "low", "summary": "auto"}},
        {"reasoning_effort": "low"},
    ),
    (
        "limit",
        {"sampling": Sampling(temperature=0.0, top_p=0.5, max_tokens=9)},
        {"temperature": 0.0, "top_p": 0.5, "max_output_tokens": 9},
        {"temperature": 0.0, "top_p": 0.5, "max_completion_tokens": 9},
    ),
]


@pytest.mark.parametrize(("fields", "v1", "dated"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_complete_request_of_both_generations(fields: dict[str, Any], v1: Any, dated: Any) -> None:
    assert sent(V1, **fields) == (RESPONSES_URL, v1)
    assert sent(DATED, **fields) == (DATED_URL, dated)


@pytest.mark.parametrize(
    ("sampling", "body"),
    [(Sampling(seed=7), {"seed": 7}), (Sampling(stop=("END",)), {"stop": ["END"]})],
)
def test_seed_and_stop_go_by_chat_on_both_generations(sampling: Sampling, body: dict[str, Any]) -> None:
    assert sent(V1, sampling=sampling) == (CHAT_URL, body)
    assert sent(DATED, sampling=sampling) == (DATED_URL, body)


def test_complete_request_with_the_privacy_opt_out() -> None:
    """Responses says so; Chat Completions stores nothing unless it is told to."""
    assert sent(V1, private=True) == (RESPONSES_URL, {})  # `sent` takes the `store: false` of every request out
    assert sent(DATED, private=True) == (DATED_URL, {})
    assert azure.keeps_private(CompletionRequest.from_text("Hi", model="luna", private=True), DATED)


@pytest.mark.parametrize("options", [{}, {"store": True}])
def test_no_option_undoes_the_privacy_opt_out(options: dict[str, Any]) -> None:
    private = CompletionRequest.from_text("Hi", model="luna", options=options, private=True)
    for endpoint in (V1, DATED):
        assert orjson.loads(azure.build_request(private, endpoint).body).get("store", False) is False
    with pytest.raises(Blocked, match="background"):
        azure.build_request(private._replace(resume=True), V1)
    call = azure.build_request(CompletionRequest.from_text("Hi", model="luna", options={"store": True}), V1)
    assert orjson.loads(call.body)["store"] is True


def test_api_forces_a_dialect() -> None:
    assert sent(V1._replace(api="chat"))[0] == CHAT_URL
    assert sent(DATED._replace(api="responses"))[0] == f"{ROOT}/openai/responses?api-version=2024-10-21"


def test_the_deployment_stands_for_the_model() -> None:
    extra = {"deployments": {"gpt-6-luna": "my luna/1"}}
    request = CompletionRequest.from_text("Hi", model="gpt-6-luna")
    assert orjson.loads(azure.build_request(request, V1._replace(extra=extra)).body)["model"] == "my luna/1"
    dated = DATED._replace(extra={**DATED.extra, **extra})
    assert "/deployments/my%20luna%2F1/chat/" in azure.build_request(request, dated).url


def test_versions_before_usage_in_streams_are_not_asked_for_it() -> None:
    old = V1._replace(extra={"api_version": "2023-05-15"})
    body = orjson.loads(azure.build_request(CompletionRequest.from_text("Hi", model="luna"), old).body)
    assert "stream_options" not in body


def test_version_and_deployment_change_the_fingerprint() -> None:
    request = CompletionRequest.from_text("Hi", model="luna")
    other = V1._replace(extra={"api_version": "2025-04-01-preview"})
    moved = V1._replace(extra={"deployments": {"luna": "other"}})
    assert len({azure.build_request(request, endpoint).fingerprint for endpoint in (V1, DATED, other, moved)}) == 4


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (f"{ROOT}/", RESPONSES_URL),
        (f"{ROOT}/openai", RESPONSES_URL),
        (f"{ROOT}/openai/v1/", RESPONSES_URL),
        (f"{ROOT}/openai/deployments/d/chat/completions", RESPONSES_URL),
        ("https://res.services.ai.azure.com", "https://res.services.ai.azure.com/openai/v1/responses"),
        ("https://res.openai.azure.us", "https://res.openai.azure.us/openai/v1/responses"),
        ("https://openai.example/openai/v1", "https://openai.example/openai/v1/responses"),
        ("https://openai.example", "https://openai.example/openai/v1/responses"),
        ("https://gateway.example/team/v1", "https://gateway.example/team/v1/responses"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/openai/v1/responses"),
    ],
)
def test_addresses_as_people_copy_them(address: str, url: str) -> None:
    call = azure.build_request(CompletionRequest.from_text("Hi", model="luna"), Endpoint("azure", address))
    assert call.url == url


def test_an_address_that_names_v1_is_spoken_to_in_v1() -> None:
    endpoint = Endpoint("azure", f"{ROOT}/openai/v1", extra={"api_version": "2024-10-21"})
    assert sent(endpoint)[0] == RESPONSES_URL
    assert sent(V1._replace(extra={"api_version": "v1"}))[0] == RESPONSES_URL


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        ({"endpoint": "https://e.example", "resource": "r"}, "https://e.example"),
        ({"resource": "r"}, "https://r.openai.azure.com"),
        ({"regions": ({"name": "swedencentral", "endpoint": "https://se.example"},)}, "https://se.example"),
        ({}, "https://env.example"),
    ],
)
def test_the_configured_address_goes_before_the_environment(extra: dict[str, Any], url: str) -> None:
    assert azure.base_url(extra, {"AZURE_OPENAI_ENDPOINT": "https://env.example"}) == url


def test_no_address_at_all_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="no endpoint") as caught:
        azure.base_url({}, {})
    assert "AZURE_OPENAI_ENDPOINT" in (caught.value.hint or "")


def test_settings_are_completed_from_environment_and_model() -> None:
    environ = {"OPENAI_API_VERSION": "2024-10-21"}
    assert azure.settled({"deployment": "d"}, environ, "gpt-6-luna") == {
        "deployment": "d",
        "api_version": "2024-10-21",
        "deployments": {"gpt-6-luna": "d"},
    }
    assert azure.settled({"api_version": "v1"}, environ, None) == {"api_version": "v1"}


def test_the_default_model_is_a_configured_deployment_only() -> None:
    assert azure.DEFAULT_MODEL is None
    assert azure.default_model({}) is None
    assert azure.default_model({"deployment": "d", "regions": ({"deployment": "r"},)}) == "d"
    assert azure.default_model({"regions": ({"name": "se", "endpoint": "https://x", "deployment": "r"},)}) == "r"


def test_keys_and_tokens_have_different_headers() -> None:
    assert azure.authorization("k") == {"api-key": "k"}
    assert azure.authorization("Bearer t") == {"authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("address", "authority", "suffix"),
    [
        (ROOT, "login.microsoftonline.com", "azure.com/.default"),
        ("https://r.openai.azure.us/openai/v1", "login.microsoftonline.us", "azure.us/.default"),
        ("https://r.openai.azure.cn", "login.chinacloudapi.cn", "azure.cn/.default"),
        ("https://azure.us.example", "login.microsoftonline.com", "azure.com/.default"),
    ],
)
def test_each_cloud_has_its_authority_and_two_scopes(address: str, authority: str, suffix: str) -> None:
    cloud = azure.cloud(address)
    assert cloud.authority == authority
    assert {scope.removesuffix(suffix) for scope in cloud.scopes} == {"https://ai.", "https://cognitiveservices."}


@pytest.mark.parametrize("name", STREAMS)
def test_recorded_stream_gives_the_expected_answer(name: str) -> None:
    response = folded(decode(chat, read(name)))
    check_answer(name, response)
    assert response.metadata.detail == EXPECTED[name].get("detail", {}).get("category")


@pytest.mark.parametrize("name", STREAMS)
def test_every_cut_of_a_stream_is_an_error_or_the_whole_answer(name: str) -> None:
    check_every_cut(chat, read(name))


def test_a_filter_that_strikes_after_the_end_counts() -> None:
    body = b"".join(
        b"data: " + data + b"\n\n"
        for data in (
            b'{"choices":[{"index":0,"delta":{"content":"Hey"}}]}',
            b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
            b'{"choices":[{"index":0,"finish_reason":"content_filter",'
            b'"content_filter_results":{"hate":{"filtered":true,"severity":"high"}}}]}',
            b"[DONE]",
        )
    )
    response = folded(decode(chat, body))
    assert (response.finish_reason, response.metadata.detail) == ("content_filter", "hate")


@pytest.mark.parametrize("case", error_cases("azure-error"), ids=lambda case: case.name)
def test_recorded_error_has_its_class(case: ErrorCase) -> None:
    error = azure.decode_error(case.status, case.headers, case.body)
    assert (error.error_class, error.status, error.retry_after) == (case.error_class, case.status, case.retry_after)
    too_long = (error.retry_after or 0) > 120  # the retry stage stops there
    assert (error.retryable and not too_long) == case.retryable
    assert error.request_id == case.headers["apim-request-id"]


def test_a_filtered_prompt_names_the_category() -> None:
    name = "azure-error-400-content-filter.json"
    error = azure.decode_error(400, {}, read(name))
    assert type(error) is ContentFiltered
    assert str(error).startswith(EXPECTED[name]["detail"]["category"])


def error(status: int, **fault: Any) -> Any:
    return azure.decode_error(status, {}, orjson.dumps({"error": fault}))


def test_the_wait_is_read_from_the_message_where_the_headers_have_none() -> None:
    limited = azure.decode_error(429, {}, read("azure-error-429-quota-day.json"))
    assert type(limited) is RateLimitError
    assert limited.retry_after == 86400
    assert error(429, code="429", message="Slow down.").retry_after is None


def test_a_failed_part_of_azure_may_be_tried_again() -> None:
    failed = error(424, code="424", message="timeout")
    assert type(failed) is ServerError
    assert failed.retryable


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("azure-error-404-deployment.json", 404, "deployment"),
        ("azure-error-404-resource.json", 404, "api_version"),
        ("azure-error-401-role.json", 401, "Cognitive Services OpenAI User"),
    ],
)
def test_hints_say_what_to_do_on_azure(name: str, status: int, words: str) -> None:
    assert words in (azure.decode_error(status, {}, read(name)).hint or "")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b'{"statusCode":401,"message":"no"}', b"\xff"])
def test_bodies_of_any_shape_are_classified(body: bytes) -> None:
    assert azure.decode_error(401, {}, body).error_class == "auth"


def test_the_list_has_deployments_first_and_says_what_could_be_deployed() -> None:
    regions = ({"name": "swedencentral", "endpoint": ROOT, "deployment": "luna-se"},)
    endpoint = V1._replace(extra={"deployment": "luna", "deployments": {"gpt-6-luna": "luna"}, "regions": regions})
    models = azure.decode_models(read("azure-models-v1.json"), endpoint)
    assert [(model.id, model.source, model.deprecated) for model in models] == [
        ("luna", "deployment", None),
        ("luna-se", "deployment", None),
        ("gpt-6-luna-2026-09-22", "available to deploy", "2027-09-22"),
        ("text-embedding-3-small", "available to deploy", "2027-09-01"),
    ]
    assert azure.models_cursor(b"{}") is None


def test_the_list_is_asked_for_in_each_generations_place() -> None:
    assert azure.build_models_request(V1).url == f"{ROOT}/openai/v1/models"
    assert azure.build_models_request(DATED).url == f"{ROOT}/openai/models?api-version=2024-10-21"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b'{"data":7}',
        b'{"data":[{}]}',
        b'{"data":[7]}',
        b'{"data":[{"id":"m","deprecation":7}]}',
        b'{"data":[{"id":"m","deprecation":{"inference":1e300}}]}',
    ],
)
def test_what_is_not_a_list_of_models_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        azure.decode_models(data, V1)
