"""Messages against the recorded streams, every cut of them, and outgoing bodies."""

from typing import Any

import orjson
import pytest

from fennec_cli.chunk import TERMINATOR, CompletionChunk, TokenUsage
from fennec_cli.dialects import messages
from fennec_cli.errors import Overloaded, ProtocolError, ProviderError, RequestError, ServerError
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling, Tool, ToolCall
from fennec_cli.wire import Event
from fennec_cli.wire.sse import SSEDecoder
from tests.cases import EXPECTED, check_answer, decode, folded, read, streams
from tests.providers.cuts import check_every_cut

STREAMS = streams("anthropic-messages")
WHOLE = [name for name in STREAMS if "error" not in EXPECTED[name]]


def event(text: str) -> Event:
    return Event(text.encode())


def ending(**delta: object) -> list[CompletionChunk]:
    return messages.decode(Event(orjson.dumps({"type": "message_delta", "delta": delta})))


@pytest.mark.parametrize("name", WHOLE)
def test_recorded_stream_gives_the_expected_answer(name: str) -> None:
    check_answer(name, folded(decode(messages, read(name))))


def test_an_error_inside_the_stream_has_its_class() -> None:
    with pytest.raises(Overloaded) as caught:
        decode(messages, read("anthropic-messages-overloaded.sse"))
    assert caught.value.retryable
    assert caught.value.request_id == "req_011CV1hYb9Rk3mVt7pQ2xZsB"


@pytest.mark.parametrize("name", STREAMS)
def test_no_cut_stream_counts_as_finished(name: str) -> None:
    """A prefix without the whole event that carries the stop reason has no finish; one with it has the whole answer."""
    body = read(name)
    mark = body.find(b'"delta":{"stop_reason":')
    finished_at = body.index(b"\n\n", mark) + 2 if mark >= 0 else len(body) + 1
    whole = folded(decode(messages, body)) if mark >= 0 else None
    for cut in range(len(body)):
        chunks: list[CompletionChunk] = []
        decoder = SSEDecoder()
        try:
            for part in [*decoder.feed(body[:cut]), *decoder.close()]:
                chunks += messages.decode(part)
        except ProviderError:
            assert whole is None
            continue
        ended = TERMINATOR in chunks
        response = folded([chunk for chunk in chunks if chunk is not TERMINATOR])
        if cut < finished_at:
            assert response.finish_reason is None
            assert not ended
        else:
            assert whole is not None
            assert (response.content, response.finish_reason) == (whole.content, whole.finish_reason)
            assert (response.reasoning, response.usage) == (whole.reasoning, whole.usage)


@pytest.mark.parametrize("name", STREAMS)
def test_every_cut_of_a_stream_is_an_error_or_the_whole_answer(name: str) -> None:
    check_every_cut(messages, read(name))


def test_the_answer_says_its_model_and_id_first() -> None:
    first = decode(messages, read("anthropic-messages-text.sse"))[0]
    assert first.role == "assistant"
    assert first.metadata is not None
    assert (first.metadata.model, first.metadata.response_id) == ("claude-sonnet-5-5", "msg_01XAbCdEfGhIjKlMnOpQrSt")


def test_the_usage_at_the_start_is_an_estimate_until_the_end_says_more() -> None:
    start = (
        b'data: {"type":"message_start","message":{"id":"m","model":"c",'
        b'"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'
    )
    end = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}\n\n'
    assert folded(decode(messages, start)).usage == TokenUsage(input_tokens=10, estimated=True)
    assert folded(decode(messages, start + end)).usage == TokenUsage(input_tokens=10, output_tokens=4)


def test_a_refusal_says_why() -> None:
    response = folded(decode(messages, read("anthropic-messages-refusal.sse")))
    assert response.finish_reason == "content_filter"
    assert response.metadata.detail == ("refusal: cyber: This request was declined because it could enable cyber harm.")


def test_a_refusal_before_any_output_bills_no_output() -> None:
    response = folded(decode(messages, read("anthropic-messages-refusal.sse")))
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (20, 0)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
    ],
)
def test_every_stop_reason_has_its_finish(reason: str, finish: str) -> None:
    (chunk,) = ending(stop_reason=reason)
    assert chunk.finish_reason == finish


def test_a_stop_reason_that_nobody_knows_is_no_success() -> None:
    with pytest.raises(ProtocolError, match="on_strike"):
        ending(stop_reason="on_strike")


def test_a_message_delta_without_a_stop_reason_does_not_end_the_answer() -> None:
    assert ending() == []
    assert ending(stop_reason=None) == []


def test_input_counts_what_the_cache_was_given_and_gave() -> None:
    chunks = messages.decode(
        event(
            '{"type":"message_delta","delta":{},"usage":{"input_tokens":1,"cache_creation_input_tokens":20,'
            '"cache_read_input_tokens":300,"output_tokens":4,"output_tokens_details":{"thinking_tokens":3}}}'
        )
    )
    usage = chunks[0].usage
    assert usage is not None
    assert (usage.input_tokens, usage.cached_tokens) == (321, 300)
    assert (usage.output_tokens, usage.reasoning_tokens) == (4, 3)


def test_parallel_tool_calls_are_told_apart_by_their_blocks() -> None:
    parts = (
        '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}',
        '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}',
        '{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"b","name":"g"}}',
        '{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\\"x\\":1}"}}',
    )
    body = "".join(f"data: {part}\n\n" for part in parts).encode()
    calls = folded(decode(messages, body)).tool_calls
    assert calls == (ToolCall("a", "f", "{}"), ToolCall("b", "g", '{"x":1}'))


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{}",
        '{"type": "ping"}',
        '{"type":"content_block_stop","index":0}',
        '{"type":"future_event","delta":7}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"future_delta","value":1}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"future_block"}}',
    ],
)
def test_events_with_nothing_for_us_are_passed_over(data: str) -> None:
    assert messages.decode(event(data)) == []


@pytest.mark.parametrize(
    "data",
    [
        '{"type":"message_start"}',
        '{"type":"message_delta"}',
        '{"type":"message_start","message":{"usage":{"input_tokens":-1}}}',
        '{"type":"message_delta","delta":7}',
        '{"type":"message_delta","delta":{},"usage":{"output_tokens":1e23}}',
        '{"type":"content_block_start","index":0}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":7,"name":"f"}}',
        '{"type":"content_block_delta","index":0}',
        '{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{}"}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta"}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}',
        "[]",
        "{",
    ],
)
def test_an_event_of_the_wrong_shape_is_a_protocol_error(data: str) -> None:
    with pytest.raises(ProtocolError):
        messages.decode(event(data))


@pytest.mark.parametrize(
    "data",
    [
        '{"type":"error","error":{"type":"api_error","message":"broke"}}',
        '{"error":{"code":500,"message":"broke","type":"server_error"}}',
    ],
)
def test_an_error_event_is_raised_with_or_without_its_type(data: str) -> None:
    with pytest.raises(ServerError, match="broke"):
        messages.decode(event(data))


def test_an_answer_that_was_not_streamed() -> None:
    response = folded(messages.decode_body(read("anthropic-messages.json")))
    assert (response.content, response.finish_reason) == ("Hello!", "stop")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (25, 6)


def test_thinking_and_tool_calls_of_an_answer_that_was_not_streamed() -> None:
    content = [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "text", "text": "Sure."},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    body = orjson.dumps({"type": "message", "content": content, "stop_reason": "tool_use"})
    chunks = messages.decode_body(body)
    assert [chunk.reasoning for chunk in chunks if chunk.reasoning] == ["Hm."]
    calls = [chunk.tool_call for chunk in chunks if chunk.tool_call]
    assert [(call.id, call.name, call.arguments) for call in calls] == [("a", "f", '{"x":1}'), ("b", "g", "{}")]
    assert chunks[-1].finish_reason == "tool_calls"


def test_an_error_in_the_place_of_an_answer_is_raised() -> None:
    with pytest.raises(Overloaded):
        messages.decode_body(read("anthropic-error-529.json"))


@pytest.mark.parametrize("body", [b"{}", b"[]", b"{", b'{"content":7}', b'{"content":[7]}'])
def test_what_is_no_answer_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        messages.decode_body(body)


WEATHER = Tool("get_weather", "Weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
IMAGE = Attachment("image/png", "a.png", b"\x89PNG")
PDF = Attachment("application/pdf", "a.pdf", b"%PDF")


def sent(*turns: Message, sampling: Sampling = Sampling(), **fields: Any) -> dict[str, Any]:
    request = CompletionRequest(turns or (Message("user", "Hi"),), "m", **fields)
    return messages.build_body(request, sampling)


def test_complete_body_of_a_plain_prompt() -> None:
    assert sent() == {
        "model": "m",
        "max_tokens": messages.DEFAULT_MAX_TOKENS,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


def test_complete_body_with_everything() -> None:
    body = sent(
        Message("system", "Be brief."),
        Message("user", "Look", (IMAGE, PDF)),
        tools=(WEATHER,),
        tool_choice="auto",
        schema=SCHEMA,
        reasoning=True,
        sampling=Sampling(temperature=0.5, top_p=0.9, max_tokens=50, stop=("END",), reasoning_effort="low"),
    )
    assert body == {
        "model": "m",
        "max_tokens": 50,
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                    },
                    {"type": "text", "text": "Look"},
                ],
            }
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        "tools": [
            {"name": "get_weather", "description": "Weather of a city", "input_schema": WEATHER.parameters},
        ],
        "tool_choice": {"type": "auto"},
        "stream": True,
    }


def test_attachments_may_be_urls() -> None:
    image = Attachment("image/*", "a", url="https://example.org/a")
    document = Attachment("application/pdf", "a.pdf", url="https://example.org/a.pdf")
    assert not messages.FETCHED
    assert sent(Message("user", "", (image, document)))["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
    ]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("get_weather", {"type": "tool", "name": "get_weather"}),
    ],
)
def test_tool_choices_have_types(choice: str, written: dict[str, str]) -> None:
    assert sent(tools=(WEATHER,), tool_choice=choice)["tool_choice"] == written


def test_a_tool_without_parameters_gets_an_empty_schema() -> None:
    assert sent(tools=(Tool("now", strict=True),))["tools"] == [
        {"name": "now", "input_schema": {"type": "object", "properties": {}}, "strict": True}
    ]


def test_tool_calls_and_their_results_go_back_as_blocks() -> None:
    calls = (ToolCall("a", "get_weather", '{"city":"Paris"}'), ToolCall("b", "now", ""))
    body = sent(
        Message("user", "Weather?"),
        Message("assistant", "Let me see.", tool_calls=calls),
        Message("tool", "sunny", tool_call_id="a"),
        Message("tool", "noon", tool_call_id="b"),
        Message("user", "And then?"),
    )
    assert body["messages"] == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "a", "name": "get_weather", "input": {"city": "Paris"}},
                {"type": "tool_use", "id": "b", "name": "now", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "sunny"},
                {"type": "tool_result", "tool_use_id": "b", "content": "noon"},
            ],
        },
        {"role": "user", "content": "And then?"},
    ]


def test_results_of_different_rounds_stay_apart() -> None:
    def round_of(call_id: str) -> tuple[Message, Message]:
        call = Message("assistant", "", tool_calls=(ToolCall(call_id, "now", "{}"),))
        return call, Message("tool", "noon", tool_call_id=call_id)

    roles = [turn["role"] for turn in sent(Message("user", "Hi"), *round_of("a"), *round_of("b"))["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


def test_all_instructions_become_the_system_prompt() -> None:
    body = sent(Message("system", "One."), Message("developer", "Two."), Message("user", "Hi"))
    assert body["system"] == "One.\n\nTwo."
    assert body["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("effort", "reasoning", "fields"),
    [
        (None, False, {}),
        (None, True, {"thinking": {"type": "adaptive", "display": "summarized"}}),
        ("high", False, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ("none", False, {"thinking": {"type": "disabled"}}),
        ("none", True, {"thinking": {"type": "disabled"}}),
    ],
)
def test_effort_and_visible_reasoning(effort: str | None, reasoning: bool, fields: dict[str, object]) -> None:
    body = sent(reasoning=reasoning, sampling=Sampling(reasoning_effort=effort))
    assert {key: body[key] for key in ("thinking", "output_config") if key in body} == fields


def test_an_effort_asks_for_no_thinking_beside_a_forced_tool() -> None:
    body = sent(tools=(WEATHER,), tool_choice="required", sampling=Sampling(reasoning_effort="low"))
    assert "thinking" not in body
    assert body["output_config"] == {"effort": "low"}


@pytest.mark.parametrize("sampling", [Sampling(seed=0), Sampling(reasoning_effort="minimal")])
def test_what_messages_cannot_do_is_said_before_anything_is_sent(sampling: Sampling) -> None:
    with pytest.raises(RequestError, match="Messages API has no"):
        sent(sampling=sampling)


@pytest.mark.parametrize("arguments", ["{", "[]", "7"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(RequestError, match="now"):
        sent(Message("assistant", "", tool_calls=(ToolCall("a", "now", arguments),)))


def test_an_attachment_in_an_assistants_turn_is_refused() -> None:
    with pytest.raises(RequestError, match="assistant"):
        sent(Message("assistant", "", (PDF,)))
