"""Responses against the recorded streams and outgoing bodies, and against Chat Completions."""

from typing import Any

import pytest

from fennec_cli.dialects import chat, responses
from fennec_cli.errors import NetworkError, ProtocolError, ProviderError, RequestError
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling, Tool, ToolCall
from fennec_cli.wire import Event
from tests.cases import EXPECTED, check_answer, decode, folded, read, streams

WHOLE = [name for name in streams("openai-responses") if "error" not in EXPECTED[name]]


@pytest.mark.parametrize("name", WHOLE)
def test_recorded_stream_gives_the_expected_answer(name: str) -> None:
    check_answer(name, folded(decode(responses, read(name))))


@pytest.mark.parametrize("name", ["openai-responses-failed.sse", "openai-responses-error-event.sse"])
def test_a_failure_inside_the_stream_has_its_class(name: str) -> None:
    with pytest.raises(NetworkError) as caught:
        decode(responses, read(name))
    assert type(caught.value).__name__ == {"Server": "ServerError", "Overloaded": "Overloaded"}[EXPECTED[name]["error"]]
    assert caught.value.retryable


def test_both_dialects_give_the_same_chunks_for_the_same_answer() -> None:
    def essence(name: str, dialect: Any) -> list[Any]:
        return [(chunk.role, chunk.content, chunk.finish_reason, chunk.usage) for chunk in decode(dialect, read(name))]

    assert essence("openai-chat-stream.sse", chat) == essence("openai-responses-stream.sse", responses)


def test_an_answer_that_was_not_streamed() -> None:
    response = folded(responses.decode_body(read("openai-responses.json")))
    assert (response.content, response.finish_reason) == ("Hello.", "stop")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.reasoning_tokens) == (24, 20)


def event(text: str) -> Event:
    return Event(text.encode())


def test_a_refusal_is_a_filtered_answer_in_both_dialects() -> None:
    done = '{"type":"response.completed","response":{"status":"completed","output":[]}}'
    chunks = [
        *responses.decode(event('{"type":"response.refusal.delta","delta":"I cannot"}')),
        *responses.decode(event(done))[:-1],
    ]
    assert (folded(chunks).content, folded(chunks).finish_reason) == ("I cannot", "content_filter")
    chunks = [
        *chat.decode(event('{"choices":[{"index":0,"delta":{"refusal":"I cannot"}}]}')),
        *chat.decode(event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')),
    ]
    assert (folded(chunks).content, folded(chunks).finish_reason) == ("I cannot", "content_filter")


def test_reasoning_summaries_are_reasoning() -> None:
    chunks = [
        *responses.decode(event('{"type":"response.reasoning_summary_text.delta","delta":"First"}')),
        *responses.decode(event('{"type":"response.reasoning_summary_part.added","summary_index":1}')),
        *responses.decode(event('{"type":"response.reasoning_summary_text.delta","delta":"Second"}')),
    ]
    assert folded(chunks).reasoning == "First\n\nSecond"


@pytest.mark.parametrize(
    "data",
    [
        '{"type":"response.output_text.delta"}',
        '{"type":"response.output_text.delta","delta":7}',
        '{"type":"response.output_item.added","item":7}',
        '{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call"}}',
        '{"type":"response.output_item.added","item":{"type":"function_call","id":"i","call_id":7,"name":"f"}}',
        '{"type":"response.output_item.added","item":{"type":"function_call","id":"i","call_id":"c","name":["f"]}}',
        '{"type":"response.output_item.added","item":{"type":"function_call","id":"i","call_id":"c","name":"f",'
        '"arguments":["Paris"]}}',
        '{"type":"response.completed"}',
        '{"type":"response.completed","response":{"status":"odd"}}',
        '{"type":"response.completed","response":{"status":"completed","usage":{"output_tokens":-1}}}',
        '{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":1e23}}}',
        '{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"steered"}}}',
        "[]",
        "{",
    ],
)
def test_an_event_of_the_wrong_shape_is_a_protocol_error(data: str) -> None:
    with pytest.raises(ProtocolError):
        responses.decode(event(data))


@pytest.mark.parametrize("data", ["", "{}", '{"type":"response.queued"}', '{"type":"response.new_thing","delta":7}'])
def test_events_with_nothing_for_us_are_passed_over(data: str) -> None:
    assert responses.decode(event(data)) == []


def test_arguments_of_a_tool_call_may_be_an_object() -> None:
    (chunk,) = responses.decode(
        event(
            '{"type":"response.output_item.added","item":{"type":"function_call","id":"i","call_id":"c","name":"f",'
            '"arguments":{"city":"Paris"}}}'
        )
    )
    assert chunk.tool_call is not None
    assert chunk.tool_call.arguments == '{"city":"Paris"}'


def test_a_flat_error_event_is_raised() -> None:
    with pytest.raises(ProviderError, match="busy"):
        responses.decode(event('{"type":"error","code":"server_is_overloaded","message":"busy"}'))


WEATHER = Tool("get_weather", "Weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
ANSWER = {
    "title": "My answer",
    "type": "object",
    "properties": {"a": {"type": "integer"}},
    "required": ["a"],
    "additionalProperties": False,
}
IMAGE = Attachment("image/png", "a.png", b"\x89PNG")
PDF = Attachment("application/pdf", "a.pdf", b"%PDF")
HISTORY = (
    Message("user", "Weather?"),
    Message("assistant", "", tool_calls=(ToolCall("call_1", "get_weather", '{"city":"Paris"}'),)),
    Message("tool", "sunny", tool_call_id="call_1"),
)


def request(*messages: Message, **fields: Any) -> CompletionRequest:
    return CompletionRequest(messages or (Message("user", "Hi"),), "m", **fields)


def test_complete_body_of_responses() -> None:
    sent = responses.build_body(
        request(
            Message("system", "Be brief."),
            Message("user", "Look", (IMAGE, PDF)),
            tools=(WEATHER,),
            tool_choice="get_weather",
            schema=ANSWER,
            reasoning=True,
        ),
        Sampling(temperature=0.5, top_p=0.9, max_tokens=50, reasoning_effort="low"),
    )
    assert sent == {
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="},
                    {
                        "type": "input_file",
                        "filename": "a.pdf",
                        "file_data": "data:application/pdf;base64,JVBERg==",
                    },
                ],
            }
        ],
        "max_output_tokens": 50,
        "temperature": 0.5,
        "top_p": 0.9,
        "reasoning": {"effort": "low", "summary": "auto"},
        "tools": [
            {
                "type": "function",
                "name": "get_weather",
                "description": "Weather of a city",
                "parameters": WEATHER.parameters,
            }
        ],
        "tool_choice": {"type": "function", "name": "get_weather"},
        "text": {"format": {"type": "json_schema", "name": "My_answer", "schema": ANSWER, "strict": True}},
        "stream": True,
    }


def test_complete_body_of_chat() -> None:
    sent = chat.build_body(
        request(
            Message("system", "Be brief."),
            Message("user", "Look", (IMAGE, PDF)),
            tools=(WEATHER,),
            tool_choice="get_weather",
            schema=ANSWER,
        ),
        Sampling(max_tokens=50, seed=1, stop=("END",), reasoning_effort="low"),
    )
    assert sent == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                    {
                        "type": "file",
                        "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
                    },
                ],
            },
        ],
        "max_tokens": 50,
        "seed": 1,
        "stop": ["END"],
        "reasoning_effort": "low",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "description": "Weather of a city",
                    "parameters": WEATHER.parameters,
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "My_answer", "schema": ANSWER, "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_tool_results_go_back_in_each_dialects_form() -> None:
    assert responses.build_body(request(*HISTORY), Sampling())["input"] == [
        {"role": "user", "content": "Weather?"},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Paris"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    ]
    assert chat.build_body(request(*HISTORY), Sampling())["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                }
            ],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "call_1"},
    ]


def test_a_tool_result_keeps_its_image() -> None:
    shot = Message("tool", "see", (IMAGE,), tool_call_id="call_1")
    (item,) = responses.build_body(request(shot), Sampling())["input"]
    assert item["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="},
    ]


def test_a_turn_of_the_model_says_its_kind() -> None:
    """OpenAI can do without; llama.cpp's server cannot determine "type of 'item'"."""
    turns = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye"))
    assert responses.build_body(request(*turns), Sampling())["input"] == [
        {"role": "user", "content": "Hi"},
        {"type": "message", "role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_plain_tool_choices_are_sent_as_words(choice: str) -> None:
    asked = request(tools=(WEATHER,), tool_choice=choice)
    assert responses.build_body(asked, Sampling())["tool_choice"] == choice
    assert chat.build_body(asked, Sampling())["tool_choice"] == choice


@pytest.mark.parametrize("sampling", [Sampling(seed=0), Sampling(stop=("END",))])
def test_what_responses_cannot_do_is_said_before_anything_is_sent(sampling: Sampling) -> None:
    with pytest.raises(RequestError, match="Responses API has no"):
        responses.build_body(request(), sampling)


def test_a_loose_schema_is_not_sent_as_strict() -> None:
    for schema in ({"type": "object"}, {**ANSWER, "required": []}, {"anyOf": [{"type": "object"}]}):
        sent = chat.build_body(request(schema=schema), Sampling())
        assert sent["response_format"]["json_schema"]["strict"] is False


def test_calls_are_numbered_by_first_appearance() -> None:
    """Reasoning and messages stand between calls on the wire; llama.cpp's server sends no index at all."""
    body = b"".join(
        b"event: x\ndata: " + data + b"\n\n"
        for data in (
            b'{"type":"response.output_item.added","output_index":3,"item":{"type":"function_call","id":"fc_a","call_id":"a","name":"f"}}',
            b'{"type":"response.output_item.added","item":{"type":"function_call","id":"fc_b","call_id":"b","name":"g"}}',
            b'{"type":"response.function_call_arguments.delta","item_id":"fc_a","delta":"{}"}',
            b'{"type":"response.function_call_arguments.delta","item_id":"fc_b","delta":"[]"}',
        )
    )
    calls = [chunk.tool_call for chunk in decode(responses, body) if chunk.tool_call]
    assert [(call.index, call.id, call.arguments) for call in calls] == [
        (0, "a", ""),
        (1, "b", ""),
        (0, None, "{}"),
        (1, None, "[]"),
    ]
