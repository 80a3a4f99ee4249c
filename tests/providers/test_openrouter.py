"""OpenRouter against its recorded answers, and the complete outgoing request."""

from typing import Any

import orjson
import pytest

from fennec_cli.dialects import chat
from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import Blocked, ModelUnavailable, ProtocolError, ProviderError, QuotaExhausted, RateLimitError
from fennec_cli.providers import openrouter
from fennec_cli.request import Attachment, CompletionRequest, Sampling, Tool
from tests.cases import EXPECTED, ErrorCase, check_answer, decode, error_cases, folded, read, streams
from tests.providers.cuts import check_every_cut

URL = "https://openrouter.ai/api/v1"
PLAIN = Endpoint("openrouter", URL)
HEADERS = {"content-type": "application/json", "accept": "text/event-stream", "x-openrouter-title": "fennec"}
STREAMS = streams("openrouter")
WHOLE = [name for name in STREAMS if "error" not in EXPECTED[name]]
WEATHER = Tool("get_weather", "Weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def extra(**settings: Any) -> Endpoint:
    return PLAIN._replace(extra=settings)


def body(endpoint: Endpoint = PLAIN, **fields: Any) -> dict[str, Any]:
    """What is sent for `Hi`, without what every request has."""
    request = CompletionRequest.from_text("Hi", model="anthropic/claude-sonnet-5.5", **fields)
    call = openrouter.build_request(request, endpoint)
    assert call.url == f"{URL}/chat/completions"
    assert call.headers == HEADERS
    sent: dict[str, Any] = orjson.loads(call.body)
    assert sent.pop("model") == "anthropic/claude-sonnet-5.5"
    assert sent.pop("stream") is True
    if sent["messages"] == [{"role": "user", "content": "Hi"}]:
        del sent["messages"]
    return sent


def test_complete_request_for_plain_text() -> None:
    call = openrouter.build_request(CompletionRequest.from_text("Hi", model="openrouter/auto"), PLAIN)
    assert (call.method, call.url, call.headers) == ("POST", f"{URL}/chat/completions", HEADERS)
    assert orjson.loads(call.body) == {
        "model": "openrouter/auto",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


def test_complete_request_with_a_system_prompt() -> None:
    assert body(system="Be brief.") == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    }


def test_complete_request_with_an_image() -> None:
    image = Attachment("image/png", "a.png", b"\x89PNG")
    parts = [
        {"type": "text", "text": "Hi"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
    ]
    assert body(attachments=(image,)) == {"messages": [{"role": "user", "content": parts}]}


def test_complete_request_with_a_forced_tool() -> None:
    function = {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER.parameters}
    assert body(tools=(WEATHER,), tool_choice="get_weather") == {
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    }


def test_complete_request_with_a_schema() -> None:
    schema = {"name": "answer", "schema": SCHEMA, "strict": True}
    assert body(schema=SCHEMA) == {"response_format": {"type": "json_schema", "json_schema": schema}}


def test_complete_request_with_stop_seed_and_an_output_limit() -> None:
    sampling = Sampling(temperature=0.0, top_p=0.5, max_tokens=50, seed=7, stop=("END",))
    assert body(sampling=sampling) == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_completion_tokens": 50,
        "seed": 7,
        "stop": ["END"],
    }


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning": True}, {"enabled": True}),
        ({"sampling": Sampling(reasoning_effort="low")}, {"effort": "low"}),
        ({"sampling": Sampling(reasoning_effort="low"), "reasoning": True}, {"effort": "low"}),
        ({"reasoning": True, "options": {"reasoning.max_tokens": 2000}}, {"enabled": True, "max_tokens": 2000}),
    ],
)
def test_complete_request_with_reasoning(fields: dict[str, Any], reasoning: dict[str, Any]) -> None:
    assert body(**fields) == {"reasoning": reasoning}


def test_the_short_form_of_reasoning_is_not_joined_by_the_long_one() -> None:
    assert body(reasoning=True, options={"reasoning_effort": "high"}) == {"reasoning_effort": "high"}


def test_complete_request_with_routing_and_fallback_models() -> None:
    endpoint = extra(routing={"sort": "price", "max_price": {"prompt": "1"}}, fallback_models=("a/b", "c/d"))
    assert body(endpoint, options={"provider.sort": "latency"}) == {
        "models": ["a/b", "c/d"],
        "provider": {"sort": "latency", "max_price": {"prompt": "1"}},
    }
    assert endpoint.extra["routing"] == {"sort": "price", "max_price": {"prompt": "1"}}


def test_complete_request_with_the_privacy_opt_out() -> None:
    assert body(private=True) == {"provider": {"data_collection": "deny", "zdr": True}}


@pytest.mark.parametrize(
    "options",
    [
        {"provider.data_collection": "allow", "provider.zdr": False},
        {"provider": {"data_collection": "allow", "zdr": False}},
        {"provider": None},
    ],
)
def test_no_option_undoes_the_privacy_opt_out(options: dict[str, Any]) -> None:
    endpoint = extra(routing={"data_collection": "allow"})
    assert body(endpoint, private=True, options=options)["provider"] == {"data_collection": "deny", "zdr": True}


@pytest.mark.parametrize(
    "options",
    [
        {"plugins": [{"id": "web"}]},
        {"model": "openai/gpt-6-luna:online"},
        {"models": ["openai/gpt-6-luna:online"]},
        {"tools": [{"type": "openrouter:web_search"}]},
    ],
)
def test_what_the_privacy_settings_do_not_cover_is_blocked(options: dict[str, Any]) -> None:
    request = CompletionRequest.from_text("Hi", model="m", options=options)
    openrouter.build_request(request, PLAIN)
    with pytest.raises(Blocked):
        openrouter.build_request(request._replace(private=True), PLAIN)


def test_configured_attribution_wins() -> None:
    endpoint = PLAIN._replace(headers={"x-openrouter-title": "mine", "http-referer": "https://example.org"})
    call = openrouter.build_request(CompletionRequest.from_text("Hi", model="m"), endpoint)
    assert call.headers["x-openrouter-title"] == "mine"
    assert call.headers["http-referer"] == "https://example.org"


def test_routing_and_privacy_change_the_fingerprint() -> None:
    request = CompletionRequest.from_text("Hi", model="m")
    endpoints = (PLAIN, extra(routing={"sort": "price"}), extra(fallback_models=("n",)))
    calls = [openrouter.build_request(request, endpoint) for endpoint in endpoints]
    calls.append(openrouter.build_request(request._replace(private=True), PLAIN))
    assert len({call.fingerprint for call in calls}) == 4


def test_key_and_token_travel_as_bearer() -> None:
    assert openrouter.authorization("k") == openrouter.authorization("Bearer k") == {"authorization": "Bearer k"}


@pytest.mark.parametrize("name", WHOLE)
def test_recorded_stream_gives_the_expected_answer(name: str) -> None:
    response = folded(decode(chat, read(name)))
    expected = EXPECTED[name]
    if name == "openrouter-tool-calls.sse":  # its table leaves the usage out
        assert response.usage is not None
    check_answer(name, response)
    if "usage" in expected:
        assert response.metadata.cost_usd == expected["usage"]["cost_usd"]


@pytest.mark.parametrize("name", STREAMS)
def test_every_cut_of_a_stream_is_an_error_or_the_whole_answer(name: str) -> None:
    check_every_cut(chat, read(name))


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("openrouter-midstream-error.sse", "RateLimitError"),
        ("openrouter-midstream-error-string-code.sse", "ServerError"),
    ],
)
def test_an_error_inside_the_stream_is_raised_with_its_class(name: str, cause: str) -> None:
    with pytest.raises(ProviderError) as caught:
        decode(chat, read(name))
    assert type(caught.value).__name__ == cause
    assert caught.value.retryable


def test_an_error_under_status_200_is_an_error() -> None:
    with pytest.raises(ProviderError, match="Provider returned error") as caught:
        chat.decode_body(read("openrouter-200-with-error.json"))
    assert type(caught.value).__name__ == EXPECTED["openrouter-200-with-error.json"]["error"]
    assert (caught.value.status, caught.value.retryable) == (502, True)


def test_an_answer_that_was_not_streamed() -> None:
    response = folded(chat.decode_body(read("openrouter-chat.json")))
    assert (response.content, response.finish_reason, response.metadata.cost_usd) == ("Hello!", "stop", 0.000548)


@pytest.mark.parametrize("case", error_cases("openrouter-error"), ids=lambda case: case.name)
def test_recorded_error_has_its_class(case: ErrorCase) -> None:
    error = openrouter.decode_error(case.status, case.headers, case.body)
    assert (error.error_class, error.status) == (case.error_class, case.status)
    assert (error.retryable, error.retry_after) == (case.retryable, case.retry_after)
    assert error.request_id == case.headers.get("x-generation-id")


def error(status: int, fault: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    return openrouter.decode_error(status, headers or {}, orjson.dumps({"error": fault}))


def test_moderation_says_why_but_never_repeats_the_prompt() -> None:
    flagged = openrouter.decode_error(403, {}, read("openrouter-error-403-moderation.json"))
    assert "violence" in flagged.line()
    assert "how do I" not in flagged.line()


def test_an_absent_model_names_the_ones_offered_instead() -> None:
    absent = openrouter.decode_error(400, {}, read("openrouter-error-400-model.json"))
    assert type(absent) is ModelUnavailable
    assert "anthropic/claude-sonnet-5.5" in absent.line()


@pytest.mark.parametrize(
    ("status", "fault", "error_class"),
    [
        (403, {"metadata": {"error_type": "permission_denied"}}, "auth"),
        (403, {"metadata": {"error_type": "permission_denied", "patterns": ["x"]}}, "filtered"),
        (403, {"metadata": {"reasons": ["violence"], "flagged_input": "how"}}, "filtered"),
        (403, {"metadata": {"error_type": "region_restricted", "reasons": ["sanctions"]}}, "auth"),
        (400, {"metadata": {"error_type": "content_policy_violation"}}, "filtered"),
        (400, {"error_type": "context_length_exceeded"}, "request"),
        (404, {"availability": {"code": "temporarily_unavailable"}}, "unavailable"),
        (502, {"metadata": {"error_type": "unheard_of"}}, "unavailable"),
        (400, {"metadata": 7, "availability": [1]}, "request"),
    ],
)
def test_typed_errors_go_before_the_status(status: int, fault: dict[str, Any], error_class: str) -> None:
    assert error(status, {"message": "m", **fault}).error_class == error_class


def test_the_credit_cap_of_a_key_is_a_quota() -> None:
    assert type(error(400, {"metadata": {"error_type": "token_limit_exceeded"}})) is QuotaExhausted


def test_retry_hints_come_from_the_body_where_the_headers_have_none() -> None:
    fault = {"error_type": "rate_limit_exceeded", "availability": {"retryable": True, "retry_after": 40}}
    assert error(429, fault).retry_after == 40
    assert error(429, fault, {"retry-after": "5"}).retry_after == 5


def test_the_service_decides_whether_trying_again_helps() -> None:
    assert error(404, {"availability": {"code": "no_endpoints", "retryable": True}}).retryable
    assert not error(503, {"availability": {"code": "temporarily_unavailable", "retryable": False}}).retryable


def test_an_exhausted_platform_limit_says_when_it_is_reset() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1000"}
    limited = error(429, {"message": "m"}, headers)
    assert type(limited) is RateLimitError
    assert limited.retry_after == 0.0
    assert error(429, {"message": "m"}, {**headers, "x-ratelimit-reset": "soon"}).retry_after is None
    assert error(429, {"message": "m"}, {**headers, "x-ratelimit-remaining": "3"}).retry_after is None


def test_models_have_prices_limits_and_abilities() -> None:
    models = openrouter.decode_models(read("openrouter-models.json"), PLAIN)
    assert [tuple(model)[:7] for model in models] == [
        (
            "anthropic/claude-sonnet-5.5",
            "openrouter",
            1_000_000,
            128_000,
            ("images", "reasoning", "schema", "tools"),
            2.0,
            10.0,
        ),
        ("qwen/qwen3.5-397b:free", "openrouter", 131_072, None, ("tools",), 0.0, 0.0),
    ]


def test_a_price_that_depends_is_no_price() -> None:
    row = {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "NaN"}}
    (model,) = openrouter.decode_models(orjson.dumps({"data": [row]}), PLAIN)
    assert (model.input_usd_per_mtok, model.output_usd_per_mtok) == (None, None)


def test_pages_of_the_list_go_by_offset_and_never_to_another_host() -> None:
    cursor = openrouter.models_cursor(read("openrouter-models.json"))
    assert cursor == "500"
    assert openrouter.build_models_request(PLAIN).url == f"{URL}/models"
    assert openrouter.build_models_request(PLAIN, cursor).url == f"{URL}/models?offset=500"
    elsewhere = b'{"data":[],"links":{"next":"https://example.net/models?offset=9&key=1"}}'
    assert openrouter.models_cursor(elsewhere) == "9"


@pytest.mark.parametrize("links", [None, {}, {"next": None}, {"next": ""}, {"next": "/models?offset=x"}])
def test_the_last_page_has_no_cursor(links: Any) -> None:
    assert openrouter.models_cursor(orjson.dumps({"data": [], "links": links})) is None


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"data":7}', b'{"data":[{}]}', b'{"data":[7]}'])
def test_what_is_not_a_list_of_models_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        openrouter.decode_models(data, PLAIN)
