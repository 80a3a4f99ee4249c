"""One prompt file with tools, a schema, an image and visible reasoning: only `-m` differs between the providers."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from tests.e2e.events import read_events
from tests.e2e.peer import DONE, Peer, Script, answer, head, send
from tests.e2e.peer import event as data_event
from tests.e2e.runner import Fennec
from tests.e2e.test_providers import NDJSON, at
from tests.tiny_gguf import ANSWER, write_scripted_model

Serve = Callable[..., Peer]
Body = Mapping[str, Any]

PROMPT = "Where is this?\n"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA}
FITTING = '{"city":"Paris"}'  # the answer's text and the call's arguments
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
BASE64 = b64encode(PNG).decode()
IMAGE_URL = f"data:image/png;base64,{BASE64}"

OPTIONS = {
    "tools": ("--tools", "tools.json"),
    "schema": ("--schema", "schema.json"),
    "image": ("-a", "image.png"),
    "reasoning": ("--reasoning",),
}
COMBINATIONS = [
    *((name,) for name in OPTIONS),
    ("tools", "image", "reasoning"),
    ("schema", "image", "reasoning"),
    tuple(OPTIONS),
]

# What each option adds to the body, in the words of each wire format.
TEXT = {"type": "text", "text": PROMPT}
FUNCTION = {"type": "function", "function": TOOL}
CHAT: dict[str, Body] = {
    "tools": {"tools": [FUNCTION]},
    "schema": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
    },
    "image": {
        "messages": [{"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {"url": IMAGE_URL}}]}]
    },
    "reasoning": {},  # there is no field: what the server sends is shown
}
OPENROUTER = {**CHAT, "reasoning": {"reasoning": {"enabled": True}}}
RESPONSES: dict[str, Body] = {
    "tools": {"tools": [{"type": "function", **TOOL}]},
    "schema": {"text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}}},
    "image": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": PROMPT},
                    {"type": "input_image", "image_url": IMAGE_URL},
                ],
            }
        ]
    },
    "reasoning": {"reasoning": {"summary": "auto"}},
}
MESSAGES: dict[str, Body] = {
    "tools": {"tools": [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": SCHEMA}]},
    "schema": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "image": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
                    TEXT,
                ],
            }
        ]
    },
    "reasoning": {"thinking": {"type": "adaptive", "display": "summarized"}},
}
OLLAMA: dict[str, Body] = {
    "tools": {"tools": [FUNCTION]},
    "schema": {"format": SCHEMA},
    "image": {"messages": [{"role": "user", "content": PROMPT, "images": [BASE64]}]},
    "reasoning": {},  # a model that can think does
}


def chat_answer(*, calls: bool) -> Script:
    function = {"name": TOOL["name"], "arguments": FITTING}
    call = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
    deltas = [{"role": "assistant"}, {"reasoning_content": "hmm"}, call if calls else {"content": FITTING}]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"})
    return [send(head(200), *(data_event({"id": "1", "choices": [each]}) for each in choices), DONE)]


def messages_answer(*, calls: bool) -> Script:
    block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": FITTING}
    if calls:
        block = {"type": "tool_use", "id": "call_1", "name": "get_weather"}
        delta = {"type": "input_json_delta", "partial_json": FITTING}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "1", "model": "m", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hmm"}},
        {"type": "content_block_start", "index": 1, "content_block": block},
        {"type": "content_block_delta", "index": 1, "delta": delta},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use" if calls else "end_turn"}},
        {"type": "message_stop"},
    ]
    return [send(head(200), *map(data_event, events))]


def responses_answer(*, calls: bool) -> Script:
    item = {"type": "function_call", "id": "i", "call_id": "call_1", "name": TOOL["name"], "arguments": ""}
    call = [
        {"type": "response.output_item.added", "item": item},
        {"type": "response.function_call_arguments.delta", "item_id": "i", "delta": FITTING},
    ]
    response = {"id": "1", "model": "m", "status": "completed", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**response, "status": "in_progress"}},
        {"type": "response.reasoning_summary_text.delta", "delta": "hmm"},
        *(call if calls else [{"type": "response.output_text.delta", "delta": FITTING}]),
        {"type": "response.completed", "response": response},
    ]
    return [send(head(200), *map(data_event, events))]


def ollama_answer(*, calls: bool) -> Script:
    call = {"id": "call_1", "function": {"name": TOOL["name"], "arguments": orjson.loads(FITTING)}}
    messages: list[dict[str, Any]] = [{"thinking": "hmm"}, {"tool_calls": [call]} if calls else {"content": FITTING}]
    lines: list[dict[str, Any]] = [{"message": message, "done": False} for message in messages]
    lines.append({"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 3})
    return [send(head(200, NDJSON), *(orjson.dumps(line) + b"\n" for line in lines))]


class Case(NamedTuple):
    """A provider and what it speaks. `settings` stand in its table."""

    provider: str
    model: str
    form: Mapping[str, Body]
    script: Callable[..., Script]
    settings: str = ""


CASES = {
    "openai": Case("openai", "gpt-6-luna", RESPONSES, responses_answer, 'api = "responses"'),
    "openai-compatible": Case("openai", "llama", CHAT, chat_answer),
    "anthropic": Case("anthropic", "claude-haiku-5-5", MESSAGES, messages_answer),
    "openrouter": Case("openrouter", "x/y", OPENROUTER, chat_answer),
    "azure": Case("azure", "chat", RESPONSES, responses_answer),
    "azure-dated": Case("azure", "chat", CHAT, chat_answer, 'api_version = "2024-10-21"'),
    "ollama": Case("ollama", "llama3.2", OLLAMA, ollama_answer),
}


@pytest.fixture
def fennec(fennec: Fennec) -> Fennec:
    """The command where the files of the prompt are."""
    write_files(fennec.home)
    return fennec


def write_files(folder: Path) -> None:
    (folder / "tools.json").write_bytes(orjson.dumps([TOOL]))
    (folder / "schema.json").write_bytes(orjson.dumps(SCHEMA))
    (folder / "image.png").write_bytes(PNG)
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7\n")


def options(names: tuple[str, ...]) -> list[str]:
    return [word for name in names for word in OPTIONS[name]]


@pytest.mark.parametrize("names", COMBINATIONS, ids="+".join)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_each_option_is_sent_in_the_provider_s_own_form(
    fennec: Fennec, serve: Serve, case: Case, names: tuple[str, ...]
) -> None:
    peer = serve(case.script(calls=False))
    at(fennec, peer, case.provider, case.settings)
    model = f"{case.provider}/{case.model}"
    assert fennec.complete("-m", model, stdin=PROMPT).text == FITTING
    assert fennec.complete("-m", model, *options(names), stdin=PROMPT).text == FITTING
    plain, sent = (request.json for request in peer.requests)
    assert plain.keys() <= sent.keys()
    added = {key: value for key, value in sent.items() if key not in plain or plain[key] != value}
    assert added == {key: value for name in names for key, value in case.form[name].items()}


@pytest.mark.parametrize("names", [("reasoning",), ("tools", "reasoning")], ids="+".join)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_each_provider_answers_with_the_same_chunks(
    fennec: Fennec, serve: Serve, case: Case, names: tuple[str, ...]
) -> None:
    calls = "tools" in names
    at(fennec, serve(case.script(calls=calls)), case.provider, case.settings)
    result = fennec.complete("-m", f"{case.provider}/{case.model}", "--ndjson", *options(names), stdin=PROMPT)
    events = read_events(result.stdout)
    assert (result.status, result.stderr) == (0, "")
    assert "".join(event.get("reasoning", "") for event in events) == "hmm"
    assert "".join(event.get("content", "") for event in events) == ("" if calls else FITTING)
    pieces = [event["tool_call"] for event in events if "tool_call" in event]
    assert "".join(piece["arguments"] for piece in pieces) == (FITTING if calls else "")
    assert [(piece["id"], piece["name"]) for piece in pieces[:1]] == ([("call_1", "get_weather")] if calls else [])
    assert events[-1]["finish_reason"] == ("tool_calls" if calls else "stop")


CANNOT = [
    ("anthropic", "claude-haiku-5-5", ("--seed", "1")),
    ("anthropic", "claude-haiku-5-5", ("--reasoning-effort", "minimal")),
    ("anthropic", "claude-haiku-5-5", ("--reasoning", "--tools", "tools.json", "--tool-choice", "get_weather")),
    ("anthropic", "claude-opus-5-5", ("--tools", "tools.json", "--tool-choice", "required")),
    ("ollama", "llama3.2", ("--tools", "tools.json", "--tool-choice", "required")),
    ("ollama", "llama3.2", ("--reasoning-effort", "minimal")),
    ("ollama", "llama3.2", ("-a", "paper.pdf")),
    ("ollama", "llama3.2", ("-a", "https://example.org/paper.pdf")),
]


@pytest.mark.parametrize(("provider", "model", "arguments"), CANNOT)
def test_what_a_provider_cannot_do_is_one_line_and_nothing_is_sent(
    fennec: Fennec, serve: Serve, provider: str, model: str, arguments: tuple[str, ...]
) -> None:
    peer = serve(answer("no"))
    at(fennec, peer, provider)
    line = fennec.complete("-m", f"{provider}/{model}", *arguments, stdin=PROMPT).failed("request", 5)
    assert "; " in line, "it says what to do"
    assert peer.connections == 0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("xllamacpp", "gguf", "numpy"):
        pytest.importorskip(package, reason=f"NOT TESTED: the embedded engine; {package} is not installed")
    return write_scripted_model(tmp_path_factory.mktemp("model") / "scripted.gguf")


@pytest.fixture
def local(fennec: Fennec, model: Path) -> Fennec:
    """The command with the embedded engine and its scripted model."""
    runtime = fennec.home / "run"
    runtime.mkdir(mode=0o700)
    fennec.env |= {"XDG_RUNTIME_DIR": str(runtime), "FENNEC_MODEL": f"local/{model}"}
    return fennec


def test_the_embedded_engine_calls_the_tool(local: Fennec) -> None:
    call = orjson.loads(local.complete(*options(("tools", "reasoning")), stdin=PROMPT).stdout)
    assert (call["name"], call["arguments"]) == ("get_weather", FITTING)


def test_the_embedded_engine_fits_the_schema(local: Fennec) -> None:
    local.complete(*options(("schema", "reasoning")), stdin=PROMPT).succeeded(FITTING)


def test_the_embedded_engine_has_no_reasoning_to_show(local: Fennec) -> None:
    local.complete("--reasoning", stdin=PROMPT).succeeded(ANSWER)


def test_a_schema_wins_over_tools_in_the_embedded_engine(local: Fennec) -> None:
    local.complete(*options(("tools", "schema", "reasoning")), stdin=PROMPT).succeeded(FITTING)


@pytest.mark.parametrize("names", [names for names in COMBINATIONS if "image" in names], ids="+".join)
def test_the_embedded_engine_takes_no_image_and_is_not_even_loaded(fennec: Fennec, names: tuple[str, ...]) -> None:
    (fennec.home / "broken.gguf").write_bytes(b"GGUF")
    line = fennec.complete("-m", "local/broken.gguf", *options(names), stdin=PROMPT).failed("request", 5)
    assert line == (
        "fennec: request: local: the embedded engine runs models for text only; "
        "leave the attachment out, or name another provider"
    )
