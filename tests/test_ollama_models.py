"""Models of an Ollama server: fetched, shown, removed; from the functions, and through the command."""

import json
import os
import pty
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import ContextLengthError, ModelUnavailable, NetworkError, ProtocolError
from fennec_cli.ollama_models import pull, remove, running, show
from fennec_cli.providers import provider_module
from fennec_cli.request import CompletionRequest
from fennec_cli.transport import HTTPProvider
from fennec_cli.transport.client import HTTPClient
from fennec_cli.transport.patience import Limits
from tests.e2e.runner import Fennec, Result, finished
from tests.fake_ollama import FakeOllama

TINY = 2_500_300  # bytes of tiny:latest


@pytest.fixture
def server() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture
def provider(server: FakeOllama) -> Iterator[HTTPProvider]:
    made = HTTPProvider(provider_module("ollama"), Endpoint("box", server.url), lambda: HTTPClient())
    yield made
    made.close()


def test_a_pull_tells_its_bytes_over_all_layers(server: FakeOllama, provider: HTTPProvider) -> None:
    seen: list[tuple[str, int, int]] = []
    size = pull(provider, "tiny", lambda phase, done, total: seen.append((phase, done, total)))
    assert size == TINY
    assert "tiny:latest" in server.installed
    assert seen[0] == ("download", 0, 2_500_000)
    assert seen[-1] == ("check", 0, 0)
    done = [now for phase, now, _ in seen if phase == "download"]
    assert done == sorted(done)
    assert done[-1] == TINY


def test_an_interrupted_pull_is_unavailable_and_the_next_one_goes_on(
    server: FakeOllama, provider: HTTPProvider
) -> None:
    server.cut_pull_after = 4
    with pytest.raises(NetworkError) as caught:
        pull(provider, "tiny")
    assert (caught.value.error_class, caught.value.retryable, caught.value.provider) == ("unavailable", True, "box")
    assert "goes on where it stopped" in (caught.value.hint or "")
    assert 0 < server.fetched < TINY
    assert "tiny:latest" not in server.installed
    server.cut_pull_after = None
    assert pull(provider, "tiny") == TINY
    assert server.fetched == TINY  # nothing twice


@pytest.mark.parametrize("lines", range(9))
def test_no_cut_makes_a_pull_look_whole(server: FakeOllama, provider: HTTPProvider, lines: int) -> None:
    server.cut_pull_after = lines
    with pytest.raises(NetworkError):
        pull(provider, "tiny")


def test_an_error_under_status_200_is_the_error_that_it_says(provider: HTTPProvider) -> None:
    with pytest.raises(ModelUnavailable, match="file does not exist") as caught:
        pull(provider, "nope")
    assert caught.value.provider == "box"
    assert not caught.value.retryable


def test_the_limit_of_an_attempt_does_not_end_a_pull(server: FakeOllama) -> None:
    limits = Limits(attempt=0.000001, first_event=0.000001, idle=0.000001, content=0.000001)
    hasty = HTTPProvider(provider_module("ollama"), Endpoint("box", server.url), lambda: HTTPClient(), limits=limits)
    assert pull(hasty, "tiny") == TINY
    hasty.close()


def test_show_reads_one_model(server: FakeOllama, provider: HTTPProvider) -> None:
    server.install("thinker")
    facts = show(provider, "thinker")
    assert facts.model.capabilities == ("reasoning", "schema", "tools")
    assert facts.details["license"] == "Apache License"


def test_show_of_a_missing_model_offers_the_pull(provider: HTTPProvider) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        show(provider, "tiny")
    assert "fennec models pull ollama/tiny" in (caught.value.hint or "")


def test_remove_deletes_the_model(server: FakeOllama, provider: HTTPProvider) -> None:
    server.install("tiny", "thinker")
    remove(provider, "tiny")
    assert list(server.installed) == ["thinker:latest"]


def test_remove_of_a_missing_model_does_not_offer_to_fetch_it(provider: HTTPProvider) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        remove(provider, "tiny")
    assert "pull" not in (caught.value.hint or "")


def test_running_models_are_those_that_answered(server: FakeOllama, provider: HTTPProvider) -> None:
    server.install("tiny")
    assert running(provider) == []
    list(provider.stream_completion(CompletionRequest.from_text("Hi", model="tiny")))
    assert [model.id for model in running(provider)] == ["tiny:latest"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_completion_over_http(server: FakeOllama, provider: HTTPProvider, stream: bool) -> None:
    server.install("thinker")
    fold = ResponseAggregator()
    for chunk in provider.stream_completion(CompletionRequest.from_text("Hi", model="thinker", stream=stream)):
        fold.add_chunk(chunk)
    response = fold.finalize()
    assert (response.content, response.reasoning, response.finish_reason) == ("Hello wörld!", "Hmm.", "stop")
    assert response.metadata.model == "thinker:latest"


def test_a_prompt_that_is_too_long_is_an_error_and_never_cut(server: FakeOllama, provider: HTTPProvider) -> None:
    server.install("tiny")
    with pytest.raises(ContextLengthError):
        list(provider.stream_completion(CompletionRequest.from_text("long " * 5000, model="tiny")))


def test_a_page_of_something_else_is_a_protocol_error(server: FakeOllama, provider: HTTPProvider) -> None:
    server.pull = lambda _body: iter([["not", "progress"]])  # type: ignore[method-assign, assignment, list-item]
    with pytest.raises(ProtocolError):
        pull(provider, "tiny")


# Through the command.


@pytest.fixture
def run(server: FakeOllama, clean_home: Path) -> Callable[..., Result]:
    """Run fennec with this server as the provider `ollama`."""
    config = clean_home / "c.toml"
    table = f'[provider.ollama]\nbase_url = "{server.url}"\nnum_ctx = 2048\ngpu_layers = 3\nkeep_alive = "1m"\n'
    config.write_text(table + "[provider.ollama.retry]\nmax_attempts = 1\n")
    fennec = Fennec(clean_home, env={"OPENAI_BASE_URL": None, "OPENAI_API_KEY": None})

    def start(command: str, *arguments: str, **more: object) -> Result:
        words = command.split()
        return fennec(*words, "-c", str(config), *arguments, **more)  # type: ignore[arg-type]

    return start


def test_command_complete(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.install("tiny")
    run("complete", "-m", "ollama/tiny", stdin="Hi").succeeded("Hello wörld!")
    call = server.calls[-1]
    assert call.path == "/api/chat"
    assert call.body == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "truncate": False,
        "options": {"num_ctx": 2048, "num_gpu": 3},
        "keep_alive": "1m",
    }
    assert "authorization" not in call.headers


def test_command_complete_shows_reasoning_and_usage_as_events(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.install("thinker")
    result = run("complete", "-m", "ollama/thinker", "--ndjson", "--reasoning", stdin="Hi")
    events = [json.loads(line) for line in result.text.splitlines()]
    assert [event["reasoning"] for event in events if "reasoning" in event] == ["Hmm."]
    assert (events[-1]["type"], events[-1]["finish_reason"], events[-1]["ok"]) == ("end", "stop", True)
    assert (events[-1]["usage"]["input_tokens"], events[-1]["usage"]["output_tokens"]) == (7, 3)


def test_command_complete_with_a_missing_model_names_the_pull_command(run: Callable[..., Result]) -> None:
    line = run("complete", "-m", "ollama/tiny", stdin="Hi").failed("request", 5)
    assert line.endswith("run `fennec models pull ollama/tiny`")


def test_command_complete_with_a_prompt_too_long(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.install("tiny")
    assert "num_ctx" in run("complete", "-m", "ollama/tiny", stdin="long " * 3000).failed("request", 5)


def test_command_complete_refuses_a_forced_tool_before_anything_is_sent(
    server: FakeOllama, run: Callable[..., Result], tmp_path: Path
) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text('[{"name": "f"}]')
    arguments = ("-m", "ollama/tiny", "--tools", str(tools), "--tool-choice", "required")
    run("complete", *arguments, stdin="Hi").failed("request", 5)
    assert server.calls == []


def test_command_pull_says_one_line_without_a_terminal(server: FakeOllama, run: Callable[..., Result]) -> None:
    result = run("models pull", "ollama/tiny")
    assert (result.status, result.text) == (0, "")
    assert result.stderr == "fennec: ollama/tiny is installed at ollama, 2.5 MB\n"
    assert "tiny:latest" in server.installed


def test_command_pull_is_quiet_when_asked(run: Callable[..., Result]) -> None:
    run("models pull", "-q", "ollama/tiny").succeeded("")


def test_command_pull_shows_bytes_on_a_terminal(run: Callable[..., Result]) -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb", buffering=0) as screen:
        result = run("models pull", "ollama/tiny", stderr=follower, env={"TERM": "xterm"})
        os.close(follower)
        shown = screen.read(65536).decode()
    assert result.status == 0
    assert "downloading 1 MB of 2.5 MB" in shown
    assert "100%" in shown
    assert "checking" in shown
    assert shown.rstrip().endswith("fennec: ollama/tiny is installed at ollama, 2.5 MB")


def test_command_pull_that_is_cut_can_be_repeated(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.cut_pull_after = 4
    assert "goes on where it stopped" in run("models pull", "ollama/tiny").failed("unavailable", 7)
    server.cut_pull_after = None
    assert run("models pull", "ollama/tiny").status == 0
    assert server.fetched == TINY


def test_command_pull_of_an_unknown_model(run: Callable[..., Result]) -> None:
    run("models pull", "ollama/nope").failed("request", 5)


@pytest.mark.parametrize("name", ["openai/gpt-6", "tiny", "ollama/"])
@pytest.mark.parametrize("command", ["pull", "rm"])
def test_command_manages_only_models_that_run_here(run: Callable[..., Result], command: str, name: str) -> None:
    run(f"models {command}", name).failed("usage", 2)


def test_command_pull_takes_no_source_for_a_server(run: Callable[..., Result]) -> None:
    run("models pull", "ollama/tiny", "--from", "x.gguf").failed("usage", 2)


def test_command_pull_that_is_interrupted_ends_by_the_signal(server: FakeOllama, clean_home: Path) -> None:
    gate, started = threading.Event(), threading.Event()

    def slow(_body: object) -> Iterator[dict[str, object]]:
        yield {"status": "pulling manifest"}
        started.set()
        gate.wait(20)

    server.pull = slow  # type: ignore[method-assign, assignment]
    config = clean_home / "c.toml"
    config.write_text(f'[provider.ollama]\nbase_url = "{server.url}"\n')
    fennec = Fennec(clean_home)
    with fennec.start("models", "pull", "-c", str(config), "ollama/tiny") as process:
        assert started.wait(20)
        process.send_signal(signal.SIGINT)
        assert finished(process).status == -signal.SIGINT
    gate.set()


def test_command_list_shows_installed_models(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.install("tiny", "thinker")
    rows = [json.loads(line) for line in run("models list", "--provider", "ollama", "--ndjson").text.splitlines()]
    assert [(row["id"], row["context_window"], row["source"]) for row in rows] == [
        ("ollama/thinker:latest", 4096, "installed"),
        ("ollama/tiny:latest", 4096, "installed"),
    ]


def test_command_rm(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.install("tiny")
    run("models rm", "ollama/tiny").succeeded("")
    assert server.installed == {}
    run("models rm", "ollama/tiny").failed("request", 5)


def test_command_show(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.install("thinker")
    lines = run("models show", "ollama/thinker").text.splitlines()
    assert [line.split()[0] for line in lines][:5] == ["FIELD", "id", "provider", "model", "context_window"]
    assert "capabilities    reasoning schema tools" in lines
    shown = json.loads(run("models show", "ollama/thinker", "--json").text)
    assert (shown["id"], shown["model"], shown["details"]["family"]) == ("ollama/thinker", "thinker", "llama")
    assert json.loads(run("models show", "ollama/thinker", "--ndjson").text) == shown


def test_command_show_of_a_missing_model(run: Callable[..., Result]) -> None:
    run("models show", "ollama/tiny").failed("request", 5)


def test_command_show_falls_back_to_the_catalogue_and_says_how_old_it_is(run: Callable[..., Result]) -> None:
    result = run("models show", "openai/gpt-5.4-mini", "--json")
    shown = json.loads(result.text)
    assert result.status == 0
    assert shown["source"].startswith("catalogue 20")
    assert shown["context_window"] > 0
    assert "catalogue of 20" in result.stderr


def test_command_show_of_what_nobody_knows(run: Callable[..., Result]) -> None:
    run("models show", "openai/gpt-unheard-of").failed("auth", 4)


def test_command_ps(server: FakeOllama, run: Callable[..., Result]) -> None:
    server.install("tiny")
    assert run("models ps").text == "MODEL  SIZE  GPU  CONTEXT  UNTIL\n"
    server.loaded.add("tiny:latest")
    _header, row = run("models ps").text.splitlines()
    assert row.split() == ["ollama/tiny:latest", "4", "kB", "25%", "2048", "2026-11-22T10:15:24.100000Z"]
    shown = json.loads(run("models ps", "--ndjson").text)
    assert (shown["id"], shown["size"], shown["size_vram"]) == ("ollama/tiny:latest", 4000, 1000)


def test_command_ps_of_another_provider(run: Callable[..., Result]) -> None:
    run("models ps", "--provider", "openai").failed("usage", 2)


def test_command_ps_without_a_server(run: Callable[..., Result], server: FakeOllama) -> None:
    server.__exit__()
    result = run("models ps", "--json")
    assert (result.status, json.loads(result.text)) == (7, [])
    assert result.stderr.startswith("fennec: unavailable: ollama: cannot connect")


def test_command_refuses_an_ollama_in_regions(clean_home: Path) -> None:
    config = clean_home / "c.toml"
    region = '[[provider.box.regions]]\nname = "a"\nendpoint = "https://a.example"\ndeployment = "d"\n'
    config.write_text(f'[provider.box]\ntype = "ollama"\n{region}')
    Fennec(clean_home)("models", "rm", "-c", str(config), "box/tiny").failed("config", 3)
