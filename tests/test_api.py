"""The library, against a server with known answers."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

import fennec_cli
from fennec_cli.config import CacheConfig, Config, ProviderConfig
from fennec_cli.config.settings import AuditConfig
from fennec_cli.errors import AuthenticationError, InvalidOutput, ProviderTimeout, StreamBroken, Truncated
from tests.cases import read


@pytest.fixture
def serve(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Answer every completion with these bytes."""
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    monkeypatch.chdir(tmp_path)

    def answer(body: bytes, status: int = 200, content_type: str = "text/event-stream") -> None:
        httpserver.expect_request("/v1/chat/completions").respond_with_data(
            body, status=status, content_type=content_type
        )

    return answer


def test_importing_the_package_costs_nothing() -> None:
    code = "import sys, fennec_cli; print(sorted(m for m in sys.modules if m.startswith('fennec_cli')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['fennec_cli']\n"


def test_every_name_that_is_offered_exists() -> None:
    for name in fennec_cli._HOMES:
        assert getattr(fennec_cli, name) is not None
        assert name in dir(fennec_cli)
    with pytest.raises(AttributeError):
        fennec_cli.no_such_name  # noqa: B018


def test_complete_returns_the_whole_answer(serve) -> None:  # type: ignore[no-untyped-def]
    serve(read("openai-chat-stream.sse"))
    answer = fennec_cli.complete("Hi", model="openai/gpt-6-luna", system="Be brief.")
    assert answer.content == "Hello wörld 🌍"
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 55
    assert answer.metadata.cost_usd == pytest.approx((24 * 0.1 + 31 * 0.5) / 1e6)


def test_stream_completion_yields_the_pieces(serve) -> None:  # type: ignore[no-untyped-def]
    serve(read("openai-chat-stream.sse"))
    request = fennec_cli.CompletionRequest.from_text("Hi", model="openai/gpt-6-luna")
    pieces = [chunk.content for chunk in fennec_cli.stream_completion(request) if chunk.content]
    assert pieces == ["Hello", " wörld", " 🌍"]


def test_an_answer_not_to_rely_on_is_an_exception_unless_it_is_allowed(serve) -> None:  # type: ignore[no-untyped-def]
    serve(read("openai-chat-stream-no-usage.sse"))
    with pytest.raises(Truncated):
        fennec_cli.complete("Hi", model="openai/m")
    assert fennec_cli.complete("Hi", model="openai/m", allow_truncated=True).content == "ok"


def test_a_schema_is_checked(serve) -> None:  # type: ignore[no-untyped-def]
    serve(read("openai-chat-stream.sse"))
    with pytest.raises(InvalidOutput, match="not JSON"):
        fennec_cli.complete("Hi", model="openai/m", schema={"type": "object"})


def test_errors_are_those_of_the_command(serve) -> None:  # type: ignore[no-untyped-def]
    serve(read("openai-error-401.json"), 401, "application/json")
    with pytest.raises(AuthenticationError) as caught:
        fennec_cli.complete("Hi", model="openai/m")
    assert caught.value.exit_status == 4


def test_a_cut_stream_is_never_an_answer(serve) -> None:  # type: ignore[no-untyped-def]
    serve(read("openai-chat-truncated-broken.sse"))
    with pytest.raises(StreamBroken):
        fennec_cli.complete("Hi", model="openai/m")


def test_the_example_of_the_readme_runs(serve, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    serve(read("openai-chat-stream.sse"))
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    example = readme.split("```python\n", 1)[1].split("```", 1)[0]
    exec(compile(example, "README.md", "exec"), {})
    assert "Hello wörld 🌍" in capsys.readouterr().out


def test_what_has_to_stay_private_is_kept_nowhere(  # type: ignore[no-untyped-def]
    serve, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(read("openai-chat-stream.sse"))
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    config = Config(
        providers={"openai": ProviderConfig(name="openai", type="openai", api="chat", private="required")},
        cache=CacheConfig(mode="use"),
        audit=AuditConfig(content="full"),
    )
    for _ in range(2):
        fennec_cli.complete("the canary", model="openai/m", config=config)
    assert len(httpserver.log) == 2
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"the canary" in path.read_bytes()]


def test_the_configured_deadline_holds(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", httpserver.url_for("/v1"))
    released = threading.Event()

    def late(_request: Request) -> Response:
        released.wait(5.0)
        return Response()

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(late)
    begin = time.monotonic()
    with pytest.raises(ProviderTimeout):
        fennec_cli.complete("Hi", model="openai/m", config=Config(deadline=0.3))
    assert time.monotonic() - begin < 3.0
    released.set()
