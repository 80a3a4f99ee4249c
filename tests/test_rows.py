"""NDJSON rows: what they may say, and what is said about those that cannot be used."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson
import pytest

from fennec_cli.batch.course import letter
from fennec_cli.errors import FennecError, InputError
from fennec_cli.request import Message, ToolCall
from fennec_cli.rows import RowFields, members, read_row, read_rows

PNG = "data:image/png;base64,iVBORw0KGgo="


def given(row: dict[str, object]) -> RowFields:
    read = read_row(orjson.dumps(row), 1)
    assert read.fault is None, read.fault
    assert read.given is not None
    return read.given


def fault(record: bytes, number: int = 1) -> str:
    read = read_row(record, number)
    assert isinstance(read.fault, InputError)
    return read.fault.line()


def test_a_row_without_an_id_has_the_number_of_its_line() -> None:
    records = [b'{"prompt":"a"}', b"", b'{"id":"x","prompt":"b"}', b'{"id":null,"prompt":"c"}']
    assert [(row.id, row.prompt) for row in read_rows(records)] == [("1", "a"), ("x", "b"), ("4", "c")]


def test_a_byte_order_mark_stands_before_the_first_row_only() -> None:
    first, second = read_rows([b'\xef\xbb\xbf{"prompt":"a"}', b'\xef\xbb\xbf{"prompt":"a"}'])
    assert first.fault is None
    assert second.fault is not None


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"nonsense", "line 1 is not JSON"),
        (b"[1]", "line 1 is not a JSON object"),
        (b'{"id":"a"}', "it needs either prompt or messages"),
        (b'{"prompt":"a","messages":[]}', "it needs either prompt or messages"),
        (b'{"prompt":"  "}', "its prompt is empty"),
        (b'{"prompt":"a\\u0000b"}', "its prompt has a NUL at byte 1"),
        (b'{"prompt":3}', "its prompt must be a text"),
        (b'{"id":7,"prompt":"a"}', "its id must be a text"),
        (b'{"id":"","prompt":"a"}', "its id must be a text"),
        (b'{"prompt":"a","base_url":"http://evil"}', "'base_url' is no key of a row"),
        (b'{"prompt":"a","headers":{}}', "'headers' is no key of a row"),
        (b'{"prompt":"a","options":[]}', "its options must be an object"),
        (b'{"prompt":"a","options":{"messages":[]}}', "options.messages is not a row's to say"),
        (b'{"prompt":"a","options":{"provider":{"data_collection":"allow"}}}', "options.provider is not a row's"),
        (b'{"prompt":"a","options":{"max_tokens":"9"}}', "options.max_tokens has the wrong type"),
        (b'{"prompt":"a","options":{"max_tokens":0}}', "options.max_tokens must be at least 1"),
        (b'{"body":{"input":"a","max_output_tokens":-1}}', "body.max_output_tokens must be at least 1"),
        (b'{"prompt":"a","attachments":"x.png"}', "its attachments must be a list"),
        (b'{"messages":[]}', "its messages must be a list, not empty"),
        (b'{"messages":[{"role":"king","content":"a"}]}', "message 1 has no role"),
        (b'{"messages":[{"role":"user","content":[{"type":"audio"}]}]}', "message 1 has a part that is neither"),
        (b'{"messages":[{"role":"user","content":""}]}', "its messages are empty"),
        (b'{"messages":[{"role":"user","content":"a","tool_calls":5}]}', "the tool calls of message 1 must"),
        (b'{"messages":[{"role":"user","content":"a","tool_calls":true}]}', "the tool calls of message 1 must"),
        (b'{"messages":[{"role":"tool","content":"a","tool_call_id":{}}]}', "message 1 has a field that must"),
        (b'{"body":{"input":"a","tool_choice":{"function":"f"}}}', "its tool_choice must be a word"),
        (b'{"body":{"input":"a","tool_choice":{"name":7}}}', "its tool_choice must be a word"),
        (b'{"custom_id":"a","url":"/v1/embeddings","body":{}}', "only POST to /v1/chat/completions"),
        (b'{"custom_id":"a","body":{"model":"m"}}', "its body needs either messages or input"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(record: bytes, said: str) -> None:
    assert said in fault(record)


def test_a_meta_that_is_nested_deeply_comes_back_or_is_refused() -> None:
    """Python before 3.13 reads 1,000 levels, later ones as many as orjson, which refuses more than 1,024 itself."""
    for depth in (900, 1020, 2000):
        row = read_row(b'{"prompt":"a","meta":' + b"[" * depth + b"]" * depth + b"}", 1)
        if row.fault is None:
            assert row.meta == b"[" * depth + b"]" * depth
        else:
            assert depth > 900
            assert "nested too deeply" in row.fault.message or depth == 2000


def test_a_row_that_is_not_utf8_keeps_its_id() -> None:
    row = read_row(b'{"id":"x","prompt":"a\xff"}', 3)
    assert row.id == "x"
    assert row.fault is not None
    assert "line 3 is not UTF-8 at byte 21" in row.fault.line()
    assert read_row(b"\xff", 3).id == "3"
    assert read_row(b'{"id":"x","prompt":"a\xff"}', 3, replace=True).prompt == "a\ufffd"


def test_sampling_has_one_name_for_all_providers_and_the_rest_is_sent_as_it_is() -> None:
    options = {"max_completion_tokens": 9, "temperature": 1, "stop": "x", "top_k": 40, "seed": None}
    row = given({"prompt": "a", "options": options})
    assert row.sampling == {"max_tokens": 9, "temperature": 1.0, "stop": ("x",)}
    assert row.options == {"top_k": 40}


@pytest.mark.parametrize(
    "name",
    [
        *("provider.data_collection", "provider.only", "models", "fallbacks", "route", "preset", "inference_geo"),
        *("plugins", "mcp_servers", "data_sources", "data_sources.endpoint", "web_search_options", "tools.servers"),
        *("conversation.id", "previous_response_id", "container", "container.id"),
    ],
)
def test_a_row_does_not_choose_who_else_gets_to_see_it(name: str) -> None:
    assert f"options.{name} is not a row's to say" in fault(orjson.dumps({"prompt": "a", "options": {name: ["x"]}}))


@pytest.mark.parametrize("tool", [{"type": "mcp", "server_url": "https://evil.example"}, {"type": "web_search"}, 7])
def test_the_tools_of_a_row_are_functions(tool: object) -> None:
    function = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    for row in ({"prompt": "a", "options": {"tools": [function]}}, {"body": {"input": "a", "tools": [function]}}):
        assert [(each.name, each.parameters) for each in given(row).tools] == [("f", {"type": "object"})]
    assert "a definition without a name" in fault(orjson.dumps({"prompt": "a", "options": {"tools": [function, tool]}}))


@pytest.mark.parametrize("name", ["store", "background", "stream", "stream_options", "stream_options.x", "store.x"])
def test_privacy_and_transport_are_the_commands(name: str) -> None:
    assert given({"prompt": "a", "options": {name: True}}).options == {}


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"type": "function", "function": {"name": "f", "description": "d", "strict": True, "parameters": {}}}
MESSAGES = [
    {"role": "system", "content": "s"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": PNG}},
            {"type": "file", "file": {"file_data": PNG}},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
    {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "x"},
]
OPTIONS = {"temperature": 1, "max_tokens": 5, "stop": ["a"], "reasoning": {"effort": "low"}, "tools": [FUNCTION]}
FULL: list[Any] = [
    {
        "id": "a",
        "messages": MESSAGES,
        "system": "s",
        "model": "m",
        "options": OPTIONS,
        "attachments": ["a.png"],
        "meta": 1,
    },
    {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/responses",
        "body": {"input": MESSAGES, "instructions": "x", **OPTIONS},
    },
    {"custom_id": "a", "body": {"messages": MESSAGES, "tool_choice": {"type": "function", "function": {"name": "f"}}}},
]
ANYTHING: list[Any] = [
    None,
    True,
    0,
    1.5,
    "",
    "x",
    "a\0b",
    [],
    [None],
    ["x"],
    [[]],
    {},
    {"a": 1},
    [{}],
    {"function": "x"},
]


def changed(document: Any, values: list[Any]) -> Iterator[Any]:
    """Copies of a document, each with another value in one place."""
    places = (
        list(document) if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    )
    for place in places:
        inner = document[place]
        for value in [*values, *changed(inner, values)]:
            copy = deepcopy(document)
            copy[place] = value
            yield copy


@pytest.mark.parametrize("document", FULL)
def test_any_field_may_be_anything(document: Any) -> None:
    assert read_row(orjson.dumps(document), 1).fault is None
    for each in changed(document, ANYTHING):
        row = read_row(orjson.dumps(each), 1)
        assert orjson.loads(orjson.dumps(letter(row, FennecError("no"))))["error"]


def test_messages_may_have_images_calls_and_results() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PNG}}]
    row = given(
        {
            "messages": [
                {"role": "user", "content": parts},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ]
        }
    )
    first, second, third = row.messages
    assert (first.content, first.attachments[0].media_type) == ("see", "image/png")
    assert second.tool_calls == (ToolCall("c1", "f", "{}"),)
    assert third == Message("tool", "42", tool_call_id="c1")


def test_the_rows_of_openais_batch_files_are_taken() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    body = {
        "model": "gpt-x",
        "messages": [{"role": "user", "content": "a"}],
        "max_tokens": 5,
        "logprobs": True,
        "tools": [tool],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }
    row = read_row(orjson.dumps({"custom_id": "q", "method": "POST", "url": "/v1/chat/completions", "body": body}), 1)
    assert row.id == "q"
    assert row.given is not None
    assert (row.given.model, row.given.sampling, row.given.options) == ("gpt-x", {"max_tokens": 5}, {"logprobs": True})
    assert ([each.name for each in row.given.tools], row.given.tool_choice) == (["f"], "f")


def test_rows_of_the_responses_interface_are_taken_too() -> None:
    body = {"input": "a", "instructions": "be brief", "max_output_tokens": 5, "reasoning": {"effort": "low"}}
    row = given({"custom_id": "q", "url": "/v1/responses", "body": body})
    assert row.messages == (Message("user", "a"),)
    assert (row.system, row.sampling) == ("be brief", {"max_tokens": 5, "reasoning_effort": "low"})


def test_meta_is_the_text_that_came() -> None:
    record = '{"meta": {"n":123456789012345678901234567890, "x" : 1.10} ,"prompt":"a","meta":[1.0,\t2e400]}'
    assert members(record) == {"meta": b"[1.0,\t2e400]", "prompt": b'"a"'}
    assert read_row(b'{"prompt":"a","meta":{"n":18446744073709551616}}', 1).meta == b'{"n":18446744073709551616}'


def test_what_a_dead_letter_says_beside_its_row_is_passed_over() -> None:
    assert read_row(b'{"id":"x","prompt":"a","error":{"class":"timeout"}}', 1).fault is None
