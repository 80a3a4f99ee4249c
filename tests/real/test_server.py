"""`fennec complete` against a real llama.cpp server over HTTP: in both of OpenAI's dialects and in Anthropic's.

In Messages the server differs from Anthropic in what no test here can ask of it: it calls tools also under the choice
`none`, says `end_turn` where a stop text ended the answer, and passes over `output_config`, so that a schema is checked
but does not steer.
"""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

import fennec_cli
from tests.e2e.events import Event, read_answer, read_events, text_of
from tests.e2e.runner import CANARY, Fennec, Result, finished
from tests.llama_server import LlamaServer
from tests.tiny_gguf import ANSWER, ARGUMENT, LINE

MODEL = ("-m", "openai/scripted")
APIS = {"chat": "openai", "responses": "openai", "messages": "claude"}
ENDLESS = "go on for ever"
ARGUMENTS = f'{{"city":"{ARGUMENT}"}}'
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"name": "get_weather", "description": "Weather of a place.", "parameters": SCHEMA}]

Ask = Callable[..., Result]


@pytest.fixture
def fennec(fennec: Fennec, server: LlamaServer) -> Fennec:
    fennec.base_url = server.url
    fennec.env["FENNEC_CLAUDE_API_KEY"] = CANARY
    (fennec.home / "tools.json").write_bytes(orjson.dumps(TOOLS))
    (fennec.home / "schema.json").write_bytes(orjson.dumps(SCHEMA))
    configure(fennec, server.url)
    return fennec


def configure(fennec: Fennec, url: str) -> None:
    """Let each dialect's configuration name the server at `url`."""
    claude = f'[provider.claude]\ntype = "anthropic"\nbase_url = "{url}"\n'
    for api, provider in APIS.items():
        text = claude if provider == "claude" else f'[provider.openai]\napi = "{api}"\nbase_url = "{url}"\n'
        (fennec.home / f"{api}.toml").write_text(text)


def arguments(api: str) -> tuple[str, ...]:
    return ("complete", "-m", f"{APIS[api]}/scripted", "-c", f"{api}.toml")


@pytest.fixture(params=APIS)
def ask(fennec: Fennec, request: pytest.FixtureRequest) -> Ask:
    """Run `fennec complete` in one dialect, by default with a prompt on standard input."""

    def run(*more: str, stdin: str | None = "hi", **options: Any) -> Result:
        return fennec(*arguments(request.param), *more, stdin=stdin, **options)

    return run


def is_endless(data: bytes) -> bool:
    """Whether `data` is a first part of the answer that does not end."""
    return (LINE * (len(data) // len(LINE) + 1)).startswith(data.decode())


def calls(events: list[Event]) -> list[tuple[str, str]]:
    """Name and joined arguments of each tool call in a stream of events."""
    names: dict[int, str] = {}
    texts: dict[int, str] = {}
    for call in (event["tool_call"] for event in events if "tool_call" in event):
        names[call["index"]] = names.get(call["index"]) or call["name"]
        texts[call["index"]] = texts.get(call["index"], "") + call["arguments"]
    return [(names[index], texts[index]) for index in texts]


# -- text, in every dialect


def test_the_answer_as_text(ask: Ask) -> None:
    ask().succeeded(ANSWER)


def test_the_answer_in_one_piece(ask: Ask) -> None:
    ask("--no-stream").succeeded(ANSWER)


def test_the_answer_held_until_it_is_complete(ask: Ask) -> None:
    ask("--atomic").succeeded(ANSWER)


def test_events_carry_whole_characters_and_together_the_text(ask: Ask) -> None:
    result = ask("--ndjson")
    events = read_events(result.stdout)
    assert (result.status, result.stderr, text_of(events)) == (0, "", ANSWER)
    assert [event["type"] for event in (events[0], events[1], events[-1])] == ["start", "chunk", "end"]
    assert {"é", "日", "🦊"} <= {event.get("content") for event in events}
    assert events[0]["provider"] in APIS.values()
    assert (events[-1]["finish_reason"], events[-1]["ok"], events[-1]["exit"]) == ("stop", True, 0)


@pytest.mark.parametrize("stream", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_the_answer_as_one_object(ask: Ask, stream: list[str]) -> None:
    result = ask("--json", *stream)
    document = read_answer(result.stdout)
    assert (result.status, result.stderr) == (0, "")
    assert (document["content"], document["finish_reason"], document["tool_calls"]) == (ANSWER, "stop", [])
    assert document["metadata"]["model"] == "scripted"
    assert document["metadata"]["response_id"]


def test_the_server_counts_the_tokens(ask: Ask) -> None:
    usage = read_answer(ask("--json").stdout)["usage"]
    assert usage["estimated"] is False
    assert (usage["input_tokens"], usage["output_tokens"]) == (21, 21)
    assert usage["total_tokens"] == 42


@pytest.mark.parametrize("stream", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_a_token_limit_is_a_truncated_answer(ask: Ask, stream: list[str]) -> None:
    """Also in Responses, where llama.cpp ends every answer with `response.completed`, cut or not."""
    line = ask("--max-tokens", "3", *stream).failed("truncated", 10, stdout=b"Hello from")
    assert "--allow-truncated" in line
    ask("--max-tokens", "3", "--allow-truncated", *stream).succeeded("Hello from")


def test_a_full_context_is_a_truncated_answer(fennec: Fennec, model: Path) -> None:
    with LlamaServer(model, context=256) as small:
        configure(fennec, small.url)
        for api in ("chat", "messages"):
            result = fennec(*arguments(api), ENDLESS)
            result.failed("truncated", 10, stdout=result.stdout)
            assert is_endless(result.stdout)


def test_the_system_prompt_reaches_the_model(ask: Ask) -> None:
    plain, longer = (read_answer(ask("--json", *more).stdout) for more in ((), ("-s", "Be brief.")))
    # ten tokens for the markers, the role and the newlines around the text
    assert longer["usage"]["input_tokens"] > plain["usage"]["input_tokens"] + len("Be brief.")


# -- tools and schemas, in every dialect


CHOICES = [["--tool-choice", "auto"], ["--tool-choice", "get_weather"]]
choices = pytest.mark.parametrize("choice", CHOICES, ids=["auto", "named"])


@choices
def test_a_tool_call_as_text_is_an_object_a_line(ask: Ask, choice: list[str]) -> None:
    result = ask("--tools", "tools.json", *choice)
    assert (result.status, result.stderr, result.stdout.count(b"\n")) == (0, "", 1)
    call = orjson.loads(result.stdout)
    assert (call["name"], call["arguments"]) == ("get_weather", ARGUMENTS)
    assert call["id"]


@choices
def test_a_tool_call_as_events(ask: Ask, choice: list[str]) -> None:
    result = ask("--ndjson", "--tools", "tools.json", *choice)
    events = read_events(result.stdout)
    assert (result.status, result.stderr) == (0, "")
    assert calls(events) == [("get_weather", ARGUMENTS)]
    assert len([event for event in events if "tool_call" in event]) > 5, "the arguments come in fragments"
    assert (events[-1]["finish_reason"], events[-1]["ok"]) == ("tool_calls", True)


@pytest.mark.parametrize("stream", [[], ["--no-stream"]], ids=["streamed", "whole"])
@choices
def test_a_tool_call_as_one_object(ask: Ask, choice: list[str], stream: list[str]) -> None:
    result = ask("--json", "--tools", "tools.json", *choice, *stream)
    document = read_answer(result.stdout)
    assert (result.status, result.stderr) == (0, "")
    assert (document["content"], document["finish_reason"]) == ("", "tool_calls")
    assert [(call["name"], call["arguments"]) for call in document["tool_calls"]] == [("get_weather", ARGUMENTS)]


@pytest.mark.parametrize("choice", [[], ["--tool-choice", "required"]], ids=["default", "required"])
def test_a_tool_is_called_however_that_is_asked_for(ask: Ask, choice: list[str]) -> None:
    events = read_events(ask("--ndjson", "--tools", "tools.json", *choice).stdout)
    assert calls(events) == [("get_weather", ARGUMENTS)]


def test_a_schema_makes_the_engine_write_what_fits(fennec: Fennec) -> None:
    fennec(*arguments("chat"), "--schema", "schema.json", stdin="hi").succeeded(ARGUMENTS)


@pytest.mark.parametrize("api", ["responses", "messages"])
def test_an_answer_of_an_engine_that_ignores_the_schema_is_refused(fennec: Fennec, api: str) -> None:
    result = fennec(*arguments(api), "--schema", "schema.json", stdin="hi")
    assert "does not fit the schema" in result.failed("invalid_output", 15, stdout=ANSWER.encode())


def comparable(document: Event) -> Event:
    """What must not depend on the dialect. A prompt that was seen before costs fewer tokens to read."""
    tool_calls = [(call["name"], call["arguments"]) for call in document["tool_calls"]]
    usage = {key: value for key, value in document["usage"].items() if key != "cached_tokens"}
    return {"content": document["content"], "finish": document["finish_reason"], "calls": tool_calls, "usage": usage}


@pytest.mark.parametrize("more", [[], ["-s", "Be brief."], ["--tools", "tools.json"]], ids=["text", "system", "tools"])
def test_all_dialects_give_the_same_answer(fennec: Fennec, more: list[str]) -> None:
    chat, responses, messages = (
        comparable(read_answer(fennec(*arguments(api), "--json", *more, stdin="hi").stdout)) for api in APIS
    )
    assert chat == responses == messages


def test_a_conversation_with_a_tool_s_result_reaches_the_model(fennec: Fennec) -> None:
    """The result ends the offer of the tool: the model answers in words, and has read all that was said before."""
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ARGUMENTS}}
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How is the weather in Paris?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain, and more rain."},
    ]
    row = orjson.dumps({"messages": turns})
    more = ("--tools", "tools.json", "--input", "ndjson", "--json")
    documents = [orjson.loads(fennec(*arguments(api), *more, stdin=row).stdout.splitlines()[0]) for api in APIS]
    chat, responses, messages = map(comparable, documents)
    assert chat["content"] == ANSWER
    said = "".join(str(turn["content"]) for turn in turns) + ARGUMENTS
    assert chat["usage"]["input_tokens"] > len(said)
    assert chat == responses == messages


# -- options of the filter


def test_the_contract_s_pipeline_through_jq(fennec: Fennec) -> None:
    if shutil.which("jq") is None:
        pytest.skip("NOT TESTED: the pipeline through jq; jq is not installed")
    (fennec.home / "p.txt").write_text("hi\n")
    script = (
        f"""fennec complete {" ".join(MODEL)} --ndjson < p.txt | jq -rj 'select(.type=="chunk").content // empty'"""
    )
    fennec.shell(f"set -o pipefail; ({script})").succeeded(ANSWER)


def test_an_output_file_holds_the_answer(fennec: Fennec) -> None:
    fennec.complete(*MODEL, "-o", "answer").succeeded("")
    assert (fennec.home / "answer").read_text() == ANSWER


def test_an_answer_without_a_block_to_extract_is_refused(fennec: Fennec) -> None:
    fennec.complete(*MODEL, "-x").failed("invalid_output", 15)


@pytest.mark.parametrize(
    ("more", "separator", "end"), [(["--input", "lines"], "\n", "\n"), (["-0"], "\0", "\0")], ids=["lines", "nul"]
)
def test_three_prompts_get_three_answers(fennec: Fennec, more: list[str], separator: str, end: str) -> None:
    prompts = separator.join(["one", "two", "three"])
    fennec.complete(*MODEL, *more, stdin=prompts).succeeded(f"{ANSWER}{end}" * 3)


def test_many_prompts_at_once_get_an_answer_each(ask: Ask) -> None:
    result = ask("--input", "lines", "-j", "6", "--ndjson", stdin="".join(f"prompt {number}\n" for number in range(24)))
    events = read_events(result.stdout)
    assert (result.status, result.stderr) == (0, "")
    for number in range(1, 25):
        assert text_of([event for event in events if event["id"] == str(number)]) == ANSWER
    assert (events[-1]["rows"], events[-1]["ok"]) == (24, 24)
    assert events[-1]["usage"]["output_tokens"] == 24 * 21


def test_three_prompts_as_events(fennec: Fennec) -> None:
    result = fennec.complete(*MODEL, "--input", "lines", "--ndjson", stdin="one\ntwo\nthree\n")
    events = read_events(result.stdout)
    assert (result.status, result.stderr) == (0, "")
    assert [event["id"] for event in events if event["type"] == "end"] == ["1", "2", "3"]
    assert (events[-1]["rows"], events[-1]["ok"]) == (3, 3)


@pytest.mark.parametrize("api", ["chat", "messages"])
@pytest.mark.parametrize("stream", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_a_stop_text_ends_the_answer(fennec: Fennec, api: str, stream: list[str]) -> None:
    fennec(*arguments(api), "--stop", " tiny", *stream, stdin="hi").succeeded("Hello from a")


@pytest.mark.parametrize(("api", "seed"), [("chat", ("--seed", "7")), ("messages", ("-O", "seed=7"))])
def test_sampling_options_are_accepted(fennec: Fennec, api: str, seed: tuple[str, str]) -> None:
    options = (*seed, "--temperature", "0", "--top-p", "0.5", "-O", "top_k=1")
    fennec(*arguments(api), *options, stdin="hi").succeeded(ANSWER)


def test_an_effort_and_visible_reasoning_are_accepted(fennec: Fennec) -> None:
    fennec(*arguments("messages"), "--reasoning", "--reasoning-effort", "low", stdin="hi").succeeded(ANSWER)


def test_usage_is_said_in_one_line(fennec: Fennec) -> None:
    result = fennec.complete(*MODEL, "-u")
    assert (result.status, result.text) == (0, ANSWER)
    assert result.stderr.startswith("fennec: usage: 21 tokens in, 21 tokens out, unknown cost, TTFT ")
    assert result.stderr.count("\n") == 1


# -- long answers that end early


@pytest.mark.parametrize(("reader", "shown"), [("head -1", LINE), ("head -c 5", LINE[:5])])
def test_a_reader_that_has_enough_ends_a_long_answer_quietly(fennec: Fennec, reader: str, shown: str) -> None:
    command = f"fennec complete {' '.join(MODEL)} '{ENDLESS}'"
    result = fennec.shell(f'({command}) | {reader}; echo "status ${{PIPESTATUS[0]}}" >&2')
    assert (result.text, result.stderr) == (shown, "status 141\n")


@contextmanager
def answering(fennec: Fennec, *arguments: str, **options: Any) -> Iterator[tuple["subprocess.Popen[bytes]", bytes]]:
    """A command in the middle of an endless answer, and the first line of it."""
    with fennec.start(*arguments, ENDLESS, bufsize=0, **options) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
@pytest.mark.parametrize("api", ["chat", "messages"])
def test_a_signal_ends_a_long_answer_quietly(fennec: Fennec, api: str, number: signal.Signals) -> None:
    with answering(fennec, *arguments(api)) as (process, start):
        process.send_signal(number)
        result = finished(process)
    assert (result.status, result.stderr) == (-number, "")
    assert is_endless(start + result.stdout)


def test_a_signal_closes_the_events(fennec: Fennec) -> None:
    with answering(fennec, "complete", *MODEL, "--ndjson") as (process, start):
        process.send_signal(signal.SIGINT)
        result = finished(process)
    events = read_events(start + result.stdout)
    assert (result.status, result.stderr) == (-signal.SIGINT, "")
    assert (events[-1]["type"], events[-1]["exit"], events[-1]["partial"]) == ("error", 130, True)


def test_the_server_answers_others_after_an_interrupted_answer(fennec: Fennec) -> None:
    for _ in range(3):  # more than it has slots
        with answering(fennec, "complete", *MODEL) as (process, _start):
            process.send_signal(signal.SIGINT)
            finished(process)
    fennec.complete(*MODEL, "--timeout", "2").succeeded(ANSWER)


def test_two_processes_at_once(fennec: Fennec) -> None:
    with ExitStack() as stack:
        processes = [stack.enter_context(fennec.start("complete", *MODEL, "hi")) for _ in range(2)]
        for process in processes:
            finished(process).succeeded(ANSWER)


# -- what goes wrong


@pytest.mark.parametrize("api", APIS)
def test_a_server_that_dies_breaks_the_answer_and_what_came_is_kept(fennec: Fennec, model: Path, api: str) -> None:
    with LlamaServer(model) as mortal:
        configure(fennec, mortal.url)
        with answering(fennec, *arguments(api)) as (process, start):
            mortal.kill()
            result = finished(process)
    result.failed("stream_broken", 9, stdout=result.stdout)
    assert is_endless(start + result.stdout)


def test_a_server_that_dies_leaves_no_output_file(fennec: Fennec, model: Path) -> None:
    with LlamaServer(model) as mortal:
        command = ("complete", *MODEL, "-o", "answer", "-vvv", ENDLESS, "--retries", "0")
        with fennec.start(*command, env={"OPENAI_BASE_URL": mortal.url}) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if b"< 200" in line:
                    break
            mortal.kill()
            result = finished(process)
    assert result.status in (7, 9)
    assert [path.name for path in fennec.home.iterdir() if "answer" in path.name] == []


def test_a_server_that_is_not_there_is_unavailable(fennec: Fennec, model: Path) -> None:
    with LlamaServer(model) as gone:
        pass
    fennec.complete(*MODEL, "--retries", "0", env={"OPENAI_BASE_URL": gone.url}).failed("unavailable", 7)


def test_a_wrong_key_is_refused(fennec: Fennec, model: Path) -> None:
    with LlamaServer(model, key="sk-another") as guarded:
        configure(fennec, guarded.url)
        for api, provider in APIS.items():
            assert "401" in fennec(*arguments(api), stdin="hi").failed("auth", 4)
            key = {f"FENNEC_{provider.upper()}_API_KEY": "sk-another"}
            fennec(*arguments(api), stdin="hi", env=key).succeeded(ANSWER)


@pytest.mark.parametrize("api", APIS)
def test_an_unknown_path_is_a_request_that_cannot_work(fennec: Fennec, server: LlamaServer, api: str) -> None:
    configure(fennec, f"{server.url}/nothing")
    assert "404" in fennec(*arguments(api), stdin="hi").failed("request", 5)


@pytest.mark.parametrize("stream", [[], ["--no-stream"]], ids=["streamed", "whole"])
def test_a_prompt_longer_than_the_context_is_refused(ask: Ask, stream: list[str]) -> None:
    line = ask(*stream, stdin="x" * 20_000).failed("request", 5)
    assert "context" in line
    assert "shorten the prompt" in line


# -- the library


def test_the_library_gives_the_same_answer(server: LlamaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    response = fennec_cli.complete("hi", model="openai/scripted")
    assert (response.content, response.finish_reason) == (ANSWER, "stop")
    assert response.usage is not None
    assert response.usage.output_tokens == 21
