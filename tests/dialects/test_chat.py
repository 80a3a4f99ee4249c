"""Chat Completions against the recorded streams, errors and outgoing bodies."""

from typing import Any

import orjson
import pytest

from fennec_cli.aggregate import CallNumbers
from fennec_cli.chunk import ChunkMetadata, CompletionChunk
from fennec_cli.dialects import chat
from fennec_cli.dialects.openai_errors import decode_error
from fennec_cli.errors import ConfigError, FennecError, NetworkError, ProtocolError, ProviderError, RateLimitError
from fennec_cli.request import CompletionRequest, Message, Sampling, ToolCall
from fennec_cli.wire import Event
from tests.cases import ErrorCase, check_answer, decode, error_cases, folded, read, streams

WHOLE = [n for n in streams("openai-chat") if "error" not in n and "broken" not in n]


@pytest.mark.parametrize("name", WHOLE)
def test_recorded_stream_gives_the_expected_answer(name: str) -> None:
    check_answer(name, folded(decode(chat, read(name))))


def test_an_error_inside_the_stream_is_raised_with_its_class() -> None:
    with pytest.raises(NetworkError, match="had an error"):
        decode(chat, read("openai-chat-midstream-error.sse"))


def test_a_cut_stream_has_no_finish_reason() -> None:
    response = folded(decode(chat, read("openai-chat-truncated-broken.sse")))
    assert (response.content, response.finish_reason) == ("Half an ans", None)


def test_an_answer_that_was_not_streamed() -> None:
    response = folded(chat.decode_body(read("openai-chat.json")))
    assert (response.content, response.finish_reason) == ("Hello.", "stop")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.reasoning_tokens) == (24, 20)
    assert response.metadata.model == "gpt-6-luna-2026-09-22"


@pytest.mark.parametrize("case", error_cases("openai-error"), ids=lambda case: case.name)
def test_recorded_error_has_its_class(case: ErrorCase) -> None:
    error = decode_error(case.status, case.headers, case.body)
    assert error.error_class == case.error_class
    assert error.status == case.status
    if case.retry_after is not None:
        assert error.retry_after == pytest.approx(case.retry_after)
    too_long = (error.retry_after or 0) > 120  # the retry stage stops there
    assert (error.retryable and not too_long) == case.retryable


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices": 7}',
        b'{"choices": [7]}',
        b'{"choices": [{"delta": 7}]}',
        b'{"choices": [{"index": 0, "delta": {"content": ["a"]}}]}',
        b'{"choices": [{"index": "0", "delta": {"content": "a"}}]}',
        b'{"choices": [{"index": {"a": 1}, "delta": {"content": "a"}}]}',
        b'{"choices": [{"index": -1, "delta": {"content": "a"}}]}',
        b'{"choices": [{"index": true, "delta": {"content": "a"}}]}',
        b'{"choices": [{"delta": {"tool_calls": [7]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": "0"}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"index": [0]}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"id": 7}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"function": {"name": ["f"]}}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"function": {"arguments": ["Paris"]}}]}}]}',
        b'{"choices": [{"delta": {"tool_calls": [{"function": {"arguments": 7}}]}}]}',
        b'{"choices": [{"delta": {}, "finish_reason": ["stop"]}]}',
        b'{"usage": 7}',
        b'{"usage": {"prompt_tokens": "many"}}',
        b'{"usage": {"prompt_tokens": "nan"}}',
        b'{"usage": {"prompt_tokens": -1}}',
        b'{"usage": {"prompt_tokens": 123456789012345678901234}}',
        b"[]",
        b"7",
        b"{",
        b"null",
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
)
def test_an_event_of_the_wrong_shape_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        chat.decode(Event(data))


@pytest.mark.parametrize(
    ("cost", "usd"),
    [("0.5", 0.5), ('"0.5"', 0.5), ("0", 0.0), ("-5", None), ('"nan"', None), ('"inf"', None), ("1e300", None),
     ("null", None), ("[]", None), ('"free"', None)],
)  # fmt: skip
def test_a_cost_that_cannot_be_true_is_left_out(cost: str, usd: float | None) -> None:
    (chunk,) = chat.decode(Event(f'{{"usage":{{"prompt_tokens":7,"cost":{cost}}}}}'.encode()))
    assert (chunk.metadata.cost_usd if chunk.metadata else None) == usd


@pytest.mark.parametrize(
    "data", [b"", b'{"choices":[]}', b'{"choices":[{"index":0}]}', b'{"choices":null}', b'{"object":"unknown"}', b"{}"]
)
def test_events_with_nothing_for_us_are_passed_over(data: bytes) -> None:
    assert chat.decode(Event(data)) == []


def test_arguments_of_a_tool_call_may_be_an_object() -> None:
    """Some compatible servers send them so, and `null` for the number of the call."""
    data = (
        b'{"choices":[{"index":0,"delta":{"tool_calls":['
        b'{"index":null,"id":"a","function":{"name":"f","arguments":{"city":"Paris"}}},'
        b'{"index":1,"id":"b","function":{"name":"g","arguments":{}}}]}}]}'
    )
    calls = folded(chat.decode(Event(data))).tool_calls
    assert calls == (ToolCall("a", "f", '{"city":"Paris"}'), ToolCall("b", "g", "{}"))


def test_calls_without_a_number_begin_with_their_ids() -> None:
    pieces = [("a", '{"x"'), (None, ":1}"), ("b", '{"y"'), (None, ":2}")]
    numbers, chunks = CallNumbers(), list[CompletionChunk]()
    for name, text in pieces:
        call = {"id": name, "function": {"name": name, "arguments": text}}
        chunks += chat.decode(Event(orjson.dumps({"choices": [{"delta": {"tool_calls": [call]}}]})))
    calls = folded([numbers.numbered(chunk) for chunk in chunks]).tool_calls
    assert calls == (ToolCall("a", "a", '{"x":1}'), ToolCall("b", "b", '{"y":2}'))


def test_a_model_and_an_id_that_are_no_text_are_left_out() -> None:
    data = b'{"id":7,"model":{"name":"m"},"choices":[{"index":0,"delta":{"role":"assistant"}}]}'
    (opening,) = chat.decode(Event(data))
    assert opening.metadata == ChunkMetadata()


def finishing(reason: str) -> list[CompletionChunk]:
    return chat.decode(Event(f'{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}'.encode()))


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("STOP", "stop"), ("eos_token", "stop"), ("length", "length"), ("MAX_TOKENS", "length"),
     ("content_filter", "content_filter"), ("sensitive", "content_filter"), ("tool_calls", "tool_calls"),
     ("function_call", "tool_calls")],
)  # fmt: skip
def test_every_finish_reason_has_its_finish(reason: str, finish: str) -> None:
    (chunk,) = finishing(reason)
    assert chunk.finish_reason == finish


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource", "on_strike"])
def test_a_finish_reason_that_nobody_knows_is_no_success(reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        finishing(reason)


def test_an_empty_finish_reason_does_not_end_the_answer() -> None:
    assert finishing("") == []


@pytest.mark.parametrize("fault", ['"just text"', '{"message":"m"}', '{"code":500}', '{"code":"429","type":7}', "[1]"])
def test_an_error_object_of_any_shape_is_an_error(fault: str) -> None:
    with pytest.raises(ProviderError):
        chat.decode(Event(f'{{"error":{fault}}}'.encode()))


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308])
def test_a_redirect_is_a_matter_of_configuration(status: int) -> None:
    error = decode_error(status, {"location": "https://other.example/v1"}, b"")
    assert isinstance(error, ConfigError)
    assert "https://other.example/v1" in str(error)


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "request"), (404, "request"), (405, "request"), (409, "unavailable"), (413, "request"), (418, "request")]
    + [(500, "unavailable"), (504, "unavailable"), (529, "unavailable"), (599, "unavailable"), (407, "auth")],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b"{}", b"\xff\xfe", b'{"error":null}'])
def test_the_status_decides_where_the_body_says_nothing(status: int, name: str, body: bytes) -> None:
    assert decode_error(status, {}, body).error_class == name


def test_retry_should_retry_header() -> None:
    quota = b'{"error":{"code":"insufficient_quota","message":"m"}}'
    assert decode_error(400, {"x-should-retry": "true"}, b"").retryable
    assert not decode_error(503, {"x-should-retry": "false"}, b"").retryable
    assert not decode_error(429, {"x-should-retry": "true"}, quota).retryable


def test_402_with_a_hint_is_a_rate_limit() -> None:
    error = decode_error(402, {"retry-after": "3"}, b"")
    assert type(error) is RateLimitError
    assert error.retryable


def test_a_long_message_is_cut_and_stays_one_line() -> None:
    error = decode_error(400, {}, b'{"error":{"message":"' + b"a\\nb " * 500 + b'"}}')
    assert isinstance(error, FennecError)
    assert len(error.line()) < 400
    assert "\n" not in error.line()


def body(sampling: Sampling = Sampling(), **fields: Any) -> dict[str, Any]:
    messages = (Message("system", "Be brief."), Message("user", "Hi"))
    return chat.build_body(CompletionRequest(messages, "gpt-x", **fields), sampling)


def test_body_of_a_plain_request() -> None:
    assert body() == {
        "model": "gpt-x",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_body_without_streaming() -> None:
    assert "stream" not in body(stream=False)
    assert "stream_options" not in body(stream=False)


def test_body_carries_every_sampling_option() -> None:
    sampling = Sampling(0.0, 0.5, 10, 0, ("END", "."), "low")
    sent = body(sampling)
    assert {key: sent[key] for key in ("temperature", "top_p", "max_tokens", "seed", "stop", "reasoning_effort")} == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 10,
        "seed": 0,
        "stop": ["END", "."],
        "reasoning_effort": "low",
    }
