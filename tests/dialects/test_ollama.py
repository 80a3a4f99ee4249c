"""Ollama's dialect against the recorded streams, errors and outgoing bodies."""

from typing import Any

import orjson
import pytest

from fennec_cli.dialects import ollama
from fennec_cli.dialects.ollama_errors import decode_error
from fennec_cli.errors import (
    ConfigError,
    ContextLengthError,
    ModelUnavailable,
    NetworkError,
    ProtocolError,
    ProviderError,
    RequestError,
    ServerError,
)
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling, Tool, ToolCall
from fennec_cli.wire import Event
from tests.cases import EXPECTED, ErrorCase, check_answer, decode, error_cases, folded, read, streams
from tests.providers.cuts import check_every_cut, received

STREAMS = streams("ollama-chat")
WHOLE = [name for name in STREAMS if "error" not in EXPECTED[name]]
PIXEL = Attachment("image/png", "a.png", b"\x89PNG")


@pytest.mark.parametrize("name", WHOLE)
def test_recorded_stream_gives_the_expected_answer(name: str) -> None:
    check_answer(name, folded(decode(ollama, read(name))))


@pytest.mark.parametrize("name", STREAMS)
def test_every_single_cut_is_an_error_or_the_whole_answer(name: str) -> None:
    check_every_cut(ollama, read(name))


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in WHOLE])
def test_a_stream_that_fails_gives_what_came_and_an_error(name: str) -> None:
    response, error = received(ollama, iter([read(name)]))
    assert response.content == EXPECTED[name]["text"]
    assert error is not None
    assert error.error_class == "unavailable"


def test_the_answer_names_the_model_that_wrote_it() -> None:
    assert folded(decode(ollama, read("ollama-chat.ndjson"))).metadata.model == "qwen3:8b"


def test_an_answer_that_was_not_streamed() -> None:
    response = folded(ollama.decode_body(read("ollama-chat.json")))
    assert (response.content, response.finish_reason) == ("Hello! How are you today?", "stop")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (26, 41)


def test_tool_calls_without_ids_are_told_apart_though_the_server_numbers_all_0() -> None:
    call = '{"function":{"index":0,"name":"f","arguments":{"n":%d}}}'
    line = '{"created_at":"%s","message":{"content":"","tool_calls":[%s]},"done":false}\n'
    end = '{"done":true,"done_reason":"stop"}\n'
    body = line % ("1", f"{call % 1},{call % 2}") + line % ("2", call % 3) + end
    response = folded(decode(ollama, body.encode()))
    assert [call.arguments for call in response.tool_calls] == ['{"n":1}', '{"n":2}', '{"n":3}']
    assert response.finish_reason == "tool_calls"


@pytest.mark.parametrize("reason", ["", '"done_reason":"",'])
def test_an_end_without_a_reason_is_an_error(reason: str) -> None:
    with pytest.raises(NetworkError):
        ollama.decode(Event(f'{{"message":{{"content":""}},{reason}"done":true}}'.encode()))


@pytest.mark.parametrize(
    "data",
    [
        b'{"message": 7}',
        b'{"message": {"content": ["a"]}}',
        b'{"message": {"thinking": 7}}',
        b'{"message": {"tool_calls": [7]}}',
        b'{"message": {"tool_calls": [{"id": "a"}]}}',
        b'{"message": {"tool_calls": [{"id": {"a": 1}, "function": {"name": "f"}}]}}',
        b'{"message": {"tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}}',
        b'{"done": true, "done_reason": ["stop"]}',
        b'{"done": true, "done_reason": "on_strike"}',
        b'{"done": true, "done_reason": "stop", "eval_count": "many"}',
        b'{"done": true, "done_reason": "stop", "eval_count": -1}',
        b'{"done": true, "done_reason": "stop", "prompt_eval_count": 123456789012345678901234}',
        b"[]",
        b"7",
        b"{",
        b"<html>",
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
)
def test_a_line_of_the_wrong_shape_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        ollama.decode(Event(data))


@pytest.mark.parametrize("data", [b"{}", b'{"message":null,"done":false}', b'{"status":"loading","done":false}'])
def test_lines_with_nothing_for_us_are_passed_over(data: bytes) -> None:
    assert ollama.decode(Event(data)) == []


@pytest.mark.parametrize("fault", ['"text"', '""', "null", "7", '{"message":"m"}'])
def test_an_error_line_of_any_shape_is_an_error(fault: str) -> None:
    with pytest.raises(ProviderError):
        ollama.decode(Event(f'{{"error":{fault}}}'.encode()))


def test_a_prompt_that_is_too_long_is_told_also_inside_a_stream() -> None:
    with pytest.raises(ContextLengthError):
        ollama.decode(Event(b'{"error":"the input length exceeds the context length"}'))


@pytest.mark.parametrize("case", [*error_cases("ollama-error"), *error_cases("ollama-v1")], ids=lambda case: case.name)
def test_recorded_error_has_its_class(case: ErrorCase) -> None:
    error = decode_error(case.status, case.headers, case.body)
    assert (error.error_class, error.status, error.retryable) == (case.error_class, case.status, case.retryable)
    assert error.retry_after == case.retry_after


def test_a_missing_model_offers_the_pull_command() -> None:
    error = decode_error(404, {}, read("ollama-error-404.json"))
    assert isinstance(error, ModelUnavailable)
    assert error.hint == "run `fennec models pull ollama/nope:latest`"


def test_the_hint_never_repeats_a_name_that_a_shell_would_read() -> None:
    error = decode_error(404, {}, b'{"error":"model \'$(id)\' not found"}')
    assert "$" not in (error.hint or "")


def test_a_wrong_path_is_not_a_missing_model() -> None:
    error = decode_error(404, {"content-type": "text/plain"}, b"404 page not found")
    assert type(error) is RequestError
    assert "base_url" in (error.hint or "")


@pytest.mark.parametrize(
    ("text", "retryable"),
    [
        ("llama runner process has terminated: signal: killed", True),
        ("cudaMalloc failed: out of memory", False),
        ("unable to load model: /blobs/sha256-1", False),
    ],
)
def test_a_500_is_tried_again_unless_no_repetition_can_help(text: str, retryable: bool) -> None:
    error = decode_error(500, {}, orjson.dumps({"error": text}))
    assert isinstance(error, ServerError)
    assert error.retryable is retryable


def test_a_busy_server_is_tried_again_whatever_it_says() -> None:
    assert decode_error(503, {}, b'{"error":"loading model"}').retryable


def test_a_redirect_is_a_matter_of_configuration() -> None:
    assert isinstance(decode_error(301, {"location": "https://o.example/"}, b""), ConfigError)


def body(sampling: Sampling = Sampling(), **fields: Any) -> dict[str, Any]:
    """The body for `Hi`, without what every one has."""
    messages = fields.pop("messages", (Message("user", "Hi"),))
    sent = ollama.build_body(CompletionRequest(messages, "m", **fields), sampling)
    assert sent.pop("model") == "m"
    assert sent.pop("truncate") is False
    if messages == (Message("user", "Hi"),):
        assert sent.pop("messages") == [{"role": "user", "content": "Hi"}]
    return sent


@pytest.mark.parametrize("stream", [True, False])
def test_streaming_is_always_said_because_the_server_streams_by_default(stream: bool) -> None:
    assert body(stream=stream) == {"stream": stream}


def test_sampling_is_sent_as_model_options() -> None:
    assert body(Sampling(0.0, 0.5, 10, 0, ("END",)))["options"] == {
        "temperature": 0.0,
        "top_p": 0.5,
        "num_predict": 10,
        "seed": 0,
        "stop": ["END"],
    }


@pytest.mark.parametrize(("effort", "think"), [("none", False), ("low", "low"), ("high", "high"), ("max", "max")])
def test_reasoning_effort_is_thinking(effort: str, think: bool | str) -> None:
    assert body(Sampling(reasoning_effort=effort))["think"] == think


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(RequestError, match="minimal"):
        body(Sampling(reasoning_effort="minimal"))


def test_to_show_reasoning_asks_for_nothing_that_a_model_could_refuse() -> None:
    assert "think" not in body(reasoning=True)


def test_a_schema_is_the_format() -> None:
    assert body(schema={"type": "object"})["format"] == {"type": "object"}


def test_images_are_bare_base64() -> None:
    sent = body(messages=(Message("user", "What?", (PIXEL,)),))
    assert sent["messages"] == [{"role": "user", "content": "What?", "images": ["iVBORw=="]}]


@pytest.mark.parametrize(
    "attachment",
    [
        Attachment("application/pdf", "a.pdf", b"%PDF-"),
        Attachment("application/pdf", "a.pdf", url="https://x.example/a.pdf"),
        Attachment("image/png", "a.png", url="https://x.example/a.png"),
    ],
)
def test_documents_and_addresses_are_refused(attachment: Attachment) -> None:
    with pytest.raises(RequestError, match="Ollama takes images"):
        body(messages=(Message("user", "What?", (attachment,)),))


TOOL = Tool("f", "does f", {"type": "object", "properties": {}})


@pytest.mark.parametrize("choice", [None, "auto"])
def test_tools_are_offered(choice: str | None) -> None:
    function = {"name": "f", "description": "does f", "parameters": TOOL.parameters}
    assert body(tools=(TOOL,), tool_choice=choice)["tools"] == [{"type": "function", "function": function}]


def test_tool_choice_none_offers_no_tools() -> None:
    assert "tools" not in body(tools=(TOOL,), tool_choice="none")


@pytest.mark.parametrize("choice", ["required", "f"])
def test_a_forced_tool_choice_is_refused(choice: str) -> None:
    with pytest.raises(RequestError, match=choice):
        body(tools=(TOOL,), tool_choice=choice)


def test_a_conversation_with_tools_names_the_function_of_a_result() -> None:
    messages = (
        Message("developer", "Be brief."),
        Message("assistant", "", tool_calls=(ToolCall("c1", "f", '{"a": 1}'),)),
        Message("tool", "42", tool_call_id="c1"),
    )
    assert body(messages=messages)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}],
        },
        {"role": "tool", "content": "42", "tool_call_id": "c1", "tool_name": "f"},
    ]


def test_earlier_arguments_that_are_no_object_are_refused() -> None:
    messages = (Message("assistant", "", tool_calls=(ToolCall("c1", "f", "[1"),)),)
    with pytest.raises(RequestError, match="arguments"):
        body(messages=messages)
