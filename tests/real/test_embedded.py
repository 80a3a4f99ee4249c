"""`fennec complete` with the embedded engine: the same answers, quiet, without a TCP port, and nothing left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from tests.e2e.events import read_answer, read_events, text_of
from tests.e2e.runner import Fennec, finished
from tests.real.test_server import ENDLESS, is_endless
from tests.tiny_gguf import ANSWER, LINE, write_header_only

LISTENING = "0A"  # a state in /proc/net/tcp
LONG = "[provider.local]\nnum_ctx = 32768\n"  # tokens: seconds of an endless answer


@pytest.fixture
def sockets(fennec: Fennec) -> Path:
    """The directory of the engines' sockets; an empty runtime directory so far."""
    runtime = fennec.home / "run"
    runtime.mkdir(mode=0o700)
    fennec.env["XDG_RUNTIME_DIR"] = str(runtime)
    return runtime / "fennec"


@pytest.fixture
def fennec(fennec: Fennec, model: Path) -> Fennec:
    """No key, no address: whatever answers is the engine with the scripted model."""
    fennec.env |= {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None, "FENNEC_MODEL": f"local/{model}"}
    (fennec.home / "long.toml").write_text(LONG)
    return fennec


@pytest.fixture(autouse=True)
def leaves_no_socket(sockets: Path) -> Iterator[None]:
    yield
    assert not sockets.exists() or list(sockets.iterdir()) == []


def test_the_answer_as_text(fennec: Fennec) -> None:
    fennec.complete().succeeded(ANSWER)


def test_a_path_may_be_named_on_the_command_line(fennec: Fennec, model: Path) -> None:
    fennec.complete("-m", f"local/{model}", env={"FENNEC_MODEL": None}).succeeded(ANSWER)
    (fennec.home / "here.gguf").symlink_to(model)
    fennec.complete("-m", "local/here.gguf", env={"FENNEC_MODEL": None}).succeeded(ANSWER)
    fennec.complete("-m", "local/~/here.gguf", env={"FENNEC_MODEL": None}).succeeded(ANSWER)


def test_the_answer_as_events(fennec: Fennec) -> None:
    result = fennec.complete("--ndjson")
    events = read_events(result.stdout)
    assert (result.status, result.stderr, text_of(events)) == (0, "", ANSWER)
    assert {"é", "日", "🦊"} <= {event.get("content") for event in events}
    assert (events[0]["provider"], events[-1]["finish_reason"]) == ("local", "stop")


def test_the_answer_as_one_object(fennec: Fennec, model: Path) -> None:
    result = fennec.complete("--json")
    document = read_answer(result.stdout)
    assert (result.status, result.stderr, document["content"]) == (0, "", ANSWER)
    assert (document["usage"]["output_tokens"], document["usage"]["estimated"]) == (21, False)
    assert document["metadata"]["model"] == str(model)


def test_an_output_file_holds_the_answer(fennec: Fennec) -> None:
    fennec.complete("-o", "answer").succeeded("")
    assert (fennec.home / "answer").read_text() == ANSWER


def test_tools_and_schemas_work_as_over_http(fennec: Fennec) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    (fennec.home / "schema.json").write_bytes(orjson.dumps(schema))
    (fennec.home / "tools.json").write_bytes(orjson.dumps([{"name": "get_weather", "parameters": schema}]))
    fennec.complete("--schema", "schema.json").succeeded('{"city":"Paris"}')
    call = orjson.loads(fennec.complete("--tools", "tools.json").stdout)
    assert (call["name"], call["arguments"]) == ("get_weather", '{"city":"Paris"}')


def test_three_rows_on_one_loaded_engine(fennec: Fennec, sockets: Path) -> None:
    seen: set[str] = set()
    with fennec.start("complete", "--input", "lines", stdin=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for prompt in (b"one\n", b"two\n", b"three\n"):
            process.stdin.write(prompt)
            assert process.stdout.readline().decode() == f"{ANSWER}\n"
            seen.update(path.name for path in sockets.iterdir())
        finished(process).succeeded("")
    assert len(seen) == 1


def test_a_token_limit_is_a_truncated_answer(fennec: Fennec) -> None:
    fennec.complete("--max-tokens", "3").failed("truncated", 10, stdout=b"Hello from")


def test_a_prompt_longer_than_the_context_is_refused(fennec: Fennec) -> None:
    assert "context" in fennec.complete(stdin="x" * 5000).failed("request", 5)


def test_a_reader_that_has_enough_ends_a_long_answer_quietly(fennec: Fennec) -> None:
    result = fennec.shell(f"""(fennec complete '{ENDLESS}') | head -1; echo "status ${{PIPESTATUS[0]}}" >&2""")
    assert (result.text, result.stderr) == (LINE, "status 141\n")


# -- models by name


def test_a_model_is_installed_used_listed_and_removed(fennec: Fennec, model: Path) -> None:
    result = fennec("models", "pull", "local/tiny", "--from", str(model))
    assert (result.status, result.text) == (0, "")
    assert result.stderr.startswith("fennec: local/tiny is installed in ")
    fennec.complete("-m", "local/tiny").succeeded(ANSWER)
    listed = fennec("models", "list", "--provider", "local", "--ndjson")
    assert (listed.status, listed.stderr) == (0, "")
    assert [orjson.loads(line)["id"] for line in listed.stdout.splitlines()] == ["local/tiny"]
    fennec("models", "rm", "local/tiny").succeeded("")
    assert fennec("models", "list", "--provider", "local", "--ndjson").stdout == b""
    assert "models pull local/tiny" in fennec.complete("-m", "local/tiny").failed("config", 3)


def test_the_small_model_that_is_not_there_is_named(fennec: Fennec) -> None:
    """Without key and configuration the engine is the default; it never downloads anything unasked."""
    line = fennec.complete(env={"FENNEC_MODEL": None}).failed("config", 3)
    assert "fennec models pull local/smollm2-135m" in line


def test_a_file_that_is_not_there(fennec: Fennec) -> None:
    assert "No such file" in fennec.complete("-m", "local/none.gguf").failed("config", 3)


def test_a_file_that_is_not_a_model(fennec: Fennec) -> None:
    (fennec.home / "text.gguf").write_text("Once upon a time " * 100)
    assert "not a GGUF model" in fennec.complete("-m", "local/text.gguf").failed("config", 3)


def test_a_file_that_the_engine_refuses(fennec: Fennec) -> None:
    write_header_only(fennec.home / "broken.gguf")
    assert "cannot load broken.gguf" in fennec.complete("-m", "local/broken.gguf").failed("config", 3)


def test_a_cut_model_is_refused(fennec: Fennec, model: Path) -> None:
    (fennec.home / "cut.gguf").write_bytes(model.read_bytes()[:100_000])
    assert "cannot load cut.gguf" in fennec.complete("-m", "local/cut.gguf").failed("config", 3)


def test_without_a_home_a_path_works_and_a_name_says_what_to_do(fennec: Fennec) -> None:
    fennec.complete(env={"HOME": None}).succeeded(ANSWER)
    line = fennec.complete("-m", "local/tiny", env={"HOME": None}).failed("config", 3)
    assert "set XDG_DATA_HOME" in line


# -- signals


@contextmanager
def answering(fennec: Fennec) -> Iterator[tuple["subprocess.Popen[bytes]", bytes]]:
    """A command in the middle of an endless answer, and the first line of it."""
    with fennec.start("complete", "-c", "long.toml", ENDLESS, bufsize=0) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_ends_a_long_answer_quietly_and_at_once(fennec: Fennec, number: signal.Signals) -> None:
    with answering(fennec) as (process, start):
        assert start == LINE.encode()
        process.send_signal(number)
        begin = time.monotonic()
        result = finished(process)
    assert time.monotonic() - begin < 2
    assert (result.status, result.stderr) == (-number, "")
    assert is_endless(start + result.stdout)


def opens(process: "subprocess.Popen[bytes]", path: Path) -> None:
    """Wait until `process` has mapped the file `path`."""
    maps = Path(f"/proc/{process.pid}/maps")
    end = time.monotonic() + 20
    while str(path) not in maps.read_text():
        assert process.poll() is None
        assert time.monotonic() < end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_ends_a_loading_engine_quietly(
    fennec: Fennec, model: Path, sockets: Path, number: signal.Signals
) -> None:
    with fennec.start("complete", ENDLESS) as process:
        opens(process, model)
        process.send_signal(number)
        result = finished(process)
    assert (result.status, result.stderr) == (-number, "")
    fennec.complete().succeeded(ANSWER)  # and sweeps what the loading engine left
    assert list(sockets.iterdir()) == []


@pytest.mark.parametrize("delay_s", [0.05, 0.15, 0.25, 0.35])
def test_a_signal_at_any_moment_ends_it_quietly(fennec: Fennec, delay_s: float) -> None:
    with fennec.start("complete", "-c", "long.toml", ENDLESS) as process:
        time.sleep(delay_s)
        process.send_signal(signal.SIGTERM)
        result = finished(process)
    assert (result.status, result.stderr) == (-signal.SIGTERM, "")
    assert is_endless(result.stdout)
    fennec.complete().succeeded(ANSWER)


def test_the_socket_of_a_killed_run_goes_with_the_next_one(fennec: Fennec, sockets: Path) -> None:
    with answering(fennec) as (process, _start):
        process.kill()
        finished(process)
    assert len(list(sockets.iterdir())) == 1
    fennec.complete().succeeded(ANSWER)
    assert list(sockets.iterdir()) == []


# -- what the machine sees


def listening(pid: int) -> list[str]:
    """Local addresses of the TCP sockets on which the process `pid` listens."""
    files = Path(f"/proc/{pid}/fd")
    own = {os.readlink(file) for file in files.iterdir()}
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables if table.exists() for row in table.read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in own]


def test_no_tcp_port_is_opened_and_the_socket_is_for_its_owner(fennec: Fennec, sockets: Path) -> None:
    with answering(fennec) as (process, _start):
        ports = listening(process.pid)
        modes = [path.stat().st_mode & 0o777 for path in sockets.iterdir()]
        process.terminate()
        finished(process)
    assert (ports, modes) == ([], [0o600])


def test_two_processes_at_once(fennec: Fennec) -> None:
    with fennec.start("complete", "hi") as one, fennec.start("complete", "hi") as other:
        finished(one).succeeded(ANSWER)
        finished(other).succeeded(ANSWER)
