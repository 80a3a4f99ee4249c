"""The complete outgoing request of the Anthropic provider, its errors and its list of models."""

from typing import Any

import orjson
import pytest

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import (
    AuthenticationError,
    ConfigError,
    ContextLengthError,
    FennecError,
    ModelUnavailable,
    NetworkError,
    Overloaded,
    ProtocolError,
    QuotaExhausted,
    RateLimitError,
    RequestError,
    ServerError,
)
from fennec_cli.providers import anthropic
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling, Tool
from tests.cases import EXPECTED, ErrorCase, error_cases, read

ANTHROPIC = Endpoint("anthropic", "https://api.anthropic.com/v1")
URL = "https://api.anthropic.com/v1/messages"
HEADERS = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "anthropic-version": "2026-10-21",
}
MODEL = "claude-haiku-5-5"
PLAIN = {
    "model": MODEL,
    "max_tokens": 21_333,
    "messages": [{"role": "user", "content": "Hi"}],
    "stream": True,
}
WEATHER = Tool("get_weather", None, {"type": "object"})


def sent(
    endpoint: Endpoint = ANTHROPIC, model: str = MODEL, **fields: Any
) -> tuple[str, dict[str, str], dict[str, Any]]:
    call = anthropic.build_request(CompletionRequest.from_text("Hi", model=model, **fields), endpoint)
    assert call.method == "POST"
    return call.url, dict(call.headers), orjson.loads(call.body)


def test_complete_request_of_a_plain_prompt() -> None:
    """Nothing is sent about the use of the data, for there is no such setting."""
    assert sent() == (URL, HEADERS, PLAIN)


def test_complete_request_with_the_privacy_opt_out() -> None:
    """There is none: whoever asks is told so."""
    assert sent(private=True) == (URL, HEADERS, PLAIN)
    private = CompletionRequest.from_text("Hi", model=MODEL, private=True)
    assert not anthropic.keeps_private(private, ANTHROPIC)
    assert anthropic.keeps_private(private, ANTHROPIC._replace(base_url="http://127.0.0.1:8080"))


def test_complete_request_with_a_system_prompt() -> None:
    assert sent(system="Be brief.") == (URL, HEADERS, {**PLAIN, "system": "Be brief."})


def test_complete_request_with_an_image() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}
    turn = {"role": "user", "content": [image, {"type": "text", "text": "Hi"}]}
    attachments = (Attachment("image/png", "a.png", b"\x89PNG"),)
    assert sent(attachments=attachments) == (URL, HEADERS, {**PLAIN, "messages": [turn]})


def test_complete_request_with_a_forced_tool() -> None:
    tools = [{"name": "get_weather", "input_schema": {"type": "object"}}]
    assert sent(tools=(WEATHER,), tool_choice="get_weather") == (
        URL,
        HEADERS,
        {**PLAIN, "tools": tools, "tool_choice": {"type": "tool", "name": "get_weather"}},
    )


def test_complete_request_with_a_schema() -> None:
    form = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    assert sent(schema={"type": "object"}) == (URL, HEADERS, {**PLAIN, "output_config": form})


def test_complete_request_with_reasoning() -> None:
    assert sent(reasoning=True, sampling=Sampling(reasoning_effort="high")) == (
        URL,
        HEADERS,
        {
            **PLAIN,
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": "high"},
        },
    )


def test_complete_request_with_stop_texts_and_an_output_limit() -> None:
    assert sent(sampling=Sampling(stop=("END",), max_tokens=9)) == (
        URL,
        HEADERS,
        {**PLAIN, "max_tokens": 9, "stop_sequences": ["END"]},
    )


def test_complete_request_for_an_answer_in_one_piece() -> None:
    body = {key: value for key, value in PLAIN.items() if key != "stream"}
    assert sent(stream=False) == (URL, {**HEADERS, "accept": "application/json"}, body)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sampling": Sampling(seed=1)}, "--seed"),
        ({"options": {"n": 2}}, "one answer"),
        ({"tools": (WEATHER,), "tool_choice": "required", "reasoning": True}, "do not think"),
    ],
)
def test_what_anthropic_cannot_do_is_said_before_anything_is_sent(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        sent(**fields)


@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-1"])
@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_models_that_cannot_be_made_to_call_a_tool(model: str, choice: str) -> None:
    with pytest.raises(RequestError, match=f"{model} cannot be made"):
        sent(model=model, tools=(WEATHER,), tool_choice=choice)
    assert sent(model=model, tools=(WEATHER,), tool_choice="auto")[2]["tool_choice"] == {"type": "auto"}


def test_raw_options_are_sent_though_the_rules_know_better() -> None:
    options = {"tool_choice": {"type": "any"}, "top_k": 5}
    body = sent(model="claude-opus-5-5", tools=(WEATHER,), options=options)[2]
    assert body["tool_choice"] == {"type": "any"}
    assert body["top_k"] == 5


def continued(model: str) -> list[dict[str, str]]:
    turns = (Message("user", "Count."), Message("assistant", "1, 2,"))
    messages: list[dict[str, str]] = orjson.loads(
        anthropic.build_request(CompletionRequest(turns, model), ANTHROPIC).body
    )["messages"]
    return messages


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "claude-opus-5", "claude-haiku-5-5", "claude-fable-5"])
def test_models_that_do_not_continue_an_answer(model: str) -> None:
    with pytest.raises(RequestError, match=f"{model} does not continue"):
        continued(model)


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-new-9", "scripted"])
def test_models_that_may_continue_an_answer(model: str) -> None:
    assert continued(model)[-1] == {"role": "assistant", "content": "1, 2,"}


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-haiku-5-5", {"type": "disabled"}),
        ("claude-opus-4-8", {"type": "disabled"}),
        ("claude-sonnet-5-5", {"type": "between_tools"}),
        ("claude-haiku-4-5", {"type": "disabled"}),
    ],
)
def test_thinking_is_switched_off_as_the_model_knows_it(model: str, thinking: dict[str, str]) -> None:
    body = sent(model=model, sampling=Sampling(reasoning_effort="none"))[2]
    assert body["thinking"] == thinking
    assert "output_config" not in body


@pytest.mark.parametrize("model", ["claude-fable-5", "claude-mythos-5-1", "claude-opus-5-5"])
def test_models_that_always_think_cannot_be_told_not_to(model: str) -> None:
    with pytest.raises(RequestError, match=f"{model} always thinks"):
        sent(model=model, sampling=Sampling(reasoning_effort="none"))


@pytest.mark.parametrize(
    ("effort", "max_tokens", "budget"),
    [
        (None, 10_000, 5000),
        ("low", 10_000, 2000),
        ("high", 10_000, 8000),
        ("max", 10_000, 9000),
        ("low", 1025, 1024),
    ],
)
def test_older_models_think_with_a_budget_instead_of_an_effort(
    effort: str | None, max_tokens: int, budget: int
) -> None:
    sampling = Sampling(max_tokens=max_tokens, reasoning_effort=effort)
    body = sent(model="claude-haiku-4-5-20251001", reasoning=True, sampling=sampling)[2]
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget, "display": "summarized"}
    assert "output_config" not in body


def test_a_schema_stays_where_the_effort_becomes_a_budget() -> None:
    body = sent(model="claude-opus-4-5", schema={"type": "object"}, sampling=Sampling(reasoning_effort="low"))[2]
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}


def test_a_budget_needs_room() -> None:
    with pytest.raises(RequestError, match="more than 1024"):
        sent(model="claude-haiku-4-5", reasoning=True, sampling=Sampling(max_tokens=1024))


def version(endpoint: Endpoint = ANTHROPIC, **fields: Any) -> str:
    return sent(endpoint, **fields)[1]["anthropic-version"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "2026-10-21"),
        ({"sampling": Sampling(temperature=0.0)}, "2023-06-01"),
        ({"sampling": Sampling(top_p=0.9)}, "2023-06-01"),
        ({"options": {"top_k": 5}}, "2023-06-01"),
        ({"options": {"service_tier": "auto"}}, "2026-10-21"),
    ],
)
def test_sampling_options_choose_the_version_that_has_them(fields: dict[str, Any], expected: str) -> None:
    assert version(**fields) == expected


def test_sampling_from_the_configuration_chooses_the_version_too() -> None:
    endpoint = Endpoint("anthropic", ANTHROPIC.base_url, defaults=Sampling(temperature=0.7))
    _, headers, body = sent(endpoint)
    assert (headers["anthropic-version"], body["temperature"]) == ("2023-06-01", 0.7)


@pytest.mark.parametrize(
    "configured", [{"extra": {"api_version": "2023-06-01"}}, {"headers": {"anthropic-version": "2023-06-01"}}]
)
def test_a_configured_version_is_sent(configured: dict[str, Any]) -> None:
    endpoint = Endpoint("anthropic", ANTHROPIC.base_url, **configured)
    assert version(endpoint) == "2023-06-01"
    assert version(endpoint, sampling=Sampling(temperature=1.0)) == "2023-06-01"
    assert anthropic.build_models_request(endpoint).headers["anthropic-version"] == "2023-06-01"


def test_sampling_options_under_a_configured_version_without_them_are_refused() -> None:
    endpoint = Endpoint("anthropic", ANTHROPIC.base_url, extra={"api_version": "2026-10-21"})
    with pytest.raises(RequestError, match="no temperature and no top_p"):
        sent(endpoint, sampling=Sampling(temperature=0.0, top_p=0.5))


def test_the_version_changes_the_fingerprint() -> None:
    old = Endpoint("anthropic", ANTHROPIC.base_url, extra={"api_version": "2023-06-01"})
    request = CompletionRequest.from_text("Hi", model=MODEL)
    assert anthropic.build_request(request, old).fingerprint != anthropic.build_request(request, ANTHROPIC).fingerprint


def test_configured_beta_headers_are_sent() -> None:
    endpoint = Endpoint("anthropic", ANTHROPIC.base_url, headers={"anthropic-beta": "a,b"})
    assert sent(endpoint)[1] == {**HEADERS, "anthropic-beta": "a,b"}


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:8901", "http://127.0.0.1:8901/", "http://127.0.0.1:8901/v1", "http://127.0.0.1:8901/v1/"]
)
def test_base_urls_with_and_without_the_version_mean_the_same(base: str) -> None:
    assert sent(Endpoint("anthropic", base))[0] == "http://127.0.0.1:8901/v1/messages"


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        ("sk-ant-api03-k", {"x-api-key": "sk-ant-api03-k"}),
        ("k", {"x-api-key": "k"}),
        ("Bearer t", {"authorization": "Bearer t"}),
        ("sk-ant-oat01-t", {"authorization": "Bearer sk-ant-oat01-t"}),
    ],
)
def test_keys_and_tokens_travel_in_their_own_headers(key: str, headers: dict[str, str]) -> None:
    assert anthropic.authorization(key) == headers


ERROR_TYPES: dict[str, type[FennecError]] = {
    "InvalidRequest": RequestError,
    "ContextLength": ContextLengthError,
    "ModelUnavailable": ModelUnavailable,
    "Authentication": AuthenticationError,
    "RateLimit": RateLimitError,
    "QuotaExhausted": QuotaExhausted,
    "Server": ServerError,
    "Overloaded": Overloaded,
}


@pytest.mark.parametrize("case", error_cases("anthropic"), ids=lambda case: case.name)
def test_recorded_error_has_its_class(case: ErrorCase) -> None:
    error = anthropic.decode_error(case.status, case.headers, case.body)
    assert type(error) is ERROR_TYPES[EXPECTED[case.name]["error"]]
    assert (error.error_class, error.retryable, error.retry_after) == (
        case.error_class,
        case.retryable,
        case.retry_after,
    )
    assert error.status == case.status
    assert error.request_id == "req_011CSHoEeqs5C35K2UUqR7Fy"


def decoded(status: int, fault: dict[str, Any], **headers: str) -> FennecError:
    return anthropic.decode_error(status, headers, orjson.dumps({"type": "error", "error": fault, "request_id": "r"}))


@pytest.mark.parametrize(
    ("status", "fault", "expected"),
    [
        (429, {"type": "rate_limit_error", "details": {"error_code": "contract_spend_limit_reached"}}, QuotaExhausted),
        (429, {"type": "rate_limit_error", "details": {"error_code": "ramp_limit_exceeded"}}, RateLimitError),
        (
            400,
            {"type": "invalid_request_error", "message": "input length and `max_tokens` exceed context limit: 9 > 8"},
            ContextLengthError,
        ),
        (404, {"type": "not_found_error", "message": "Not found"}, RequestError),
        (409, {"type": "conflict_error"}, ServerError),
        (529, {"type": "overloaded_error", "details": {"error_code": "compaction_unavailable"}}, Overloaded),
        (503, {"type": "new_error", "details": {"error_code": "cmek_unavailable"}}, Overloaded),
        (401, {"type": "new_error"}, AuthenticationError),
        (418, {"type": "new_error"}, RequestError),
        (599, {"type": 7, "message": None, "details": 7}, ServerError),
    ],
)
def test_codes_come_before_types_and_types_before_the_status(
    status: int, fault: dict[str, Any], expected: type[FennecError]
) -> None:
    assert type(decoded(status, fault)) is expected


def test_the_servers_word_on_retrying_decides_but_not_on_spend_limits() -> None:
    assert not decoded(500, {"type": "api_error"}, **{"x-should-retry": "false"}).retryable
    assert decoded(413, {"type": "request_too_large"}, **{"x-should-retry": "true"}).retryable
    assert not decoded(402, {"type": "billing_error"}, **{"x-should-retry": "true"}).retryable


def test_402_with_a_hint_is_a_rate_limit() -> None:
    error = decoded(402, {"type": "billing_error"}, **{"retry-after": "3"})
    assert (type(error), error.retryable, error.retry_after) == (RateLimitError, True, 3.0)


def test_the_request_id_of_the_body_stands_in_for_a_missing_header() -> None:
    assert decoded(500, {"type": "api_error"}).request_id == "r"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (502, b"<html><title>502 Bad Gateway</title></html>", NetworkError),
        (401, b"", AuthenticationError),
        (400, b'{"error":{"code":400,"message":"too long","type":"exceed_context_size_error"}}', ContextLengthError),
        (500, b'{"type":"error","error":"text"}', ServerError),
        (500, b"[" * 5000, ServerError),
        (301, read("anthropic-error-500.json"), ConfigError),
    ],
)
def test_answers_in_other_forms_are_classified_too(status: int, body: bytes, expected: type[FennecError]) -> None:
    assert isinstance(anthropic.decode_error(status, {}, body), expected)


def test_list_of_models_says_limits_and_abilities() -> None:
    rows = anthropic.decode_models(read("anthropic-models.json"), ANTHROPIC)
    assert [(row.id, row.provider, row.context_window, row.max_output) for row in rows] == [
        ("claude-opus-5-5", "anthropic", 1_000_000, 128_000),
        ("claude-haiku-4-5-20251001", "anthropic", 200_000, 64_000),
    ]
    assert set(rows[0].capabilities) == {"images", "reasoning", "schema", "tools"}
    assert rows[0].deprecated is None


def test_list_of_models_names_the_day_of_shutdown() -> None:
    body = orjson.dumps({"data": [{"id": "m", "retires_at": "2026-11-30T00:00:00Z"}]})
    (row,) = anthropic.decode_models(body, ANTHROPIC)
    assert (row.deprecated, row.capabilities) == ("2026-11-30", ())


def test_list_of_models_is_read_page_by_page() -> None:
    first = anthropic.build_models_request(ANTHROPIC)
    assert (first.method, first.url) == ("GET", "https://api.anthropic.com/v1/models?limit=1000")
    assert first.headers == {"accept": "application/json", "anthropic-version": "2026-10-21"}
    cursor = anthropic.models_cursor(read("anthropic-models.json"))
    assert cursor == "claude-haiku-4-5-20251001"
    assert anthropic.build_models_request(ANTHROPIC, "a b&c").url.endswith("/models?limit=1000&after_id=a%20b%26c")


@pytest.mark.parametrize("body", [b'{"data":[],"has_more":false,"last_id":"a"}', b'{"data":[]}'])
def test_the_last_page_has_no_cursor(body: bytes) -> None:
    assert anthropic.models_cursor(body) is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"data":7}', b'{"data":[{}]}', b'{"data":[7]}'])
def test_what_is_not_a_list_of_models_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        anthropic.decode_models(body, ANTHROPIC)
