import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fennec_cli import engine as engine_module
from fennec_cli.engine import Engine, runtime_directory, start_engine, sweep
from fennec_cli.errors import ConfigError
from tests.tiny_gguf import ANSWER, SCRIPT, write_header_only, write_scripted_model

DEAD = 2**22 + 1  # above the largest process number that Linux gives


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


# -- the directory of sockets; needs no engine


def test_sockets_live_in_a_private_directory(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = runtime_directory(environ)
    assert folder == tmp_path / "fennec"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("runtime", ["", "relative", "/nonexistent/runtime", "/tmp/" + "x" * 90])
def test_an_unusable_runtime_directory_is_replaced(
    tmp_path: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert runtime_directory({"XDG_RUNTIME_DIR": runtime}) == tmp_path / f"fennec-{os.geteuid()}"


def test_a_directory_that_others_can_enter_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "fennec").mkdir()
    (tmp_path / "fennec").chmod(0o755)
    with pytest.raises(ConfigError, match="not a directory of yours alone"):
        runtime_directory(environ)


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "fennec").symlink_to("elsewhere")
    with pytest.raises(ConfigError):
        runtime_directory(environ)


def test_a_file_in_place_of_the_directory_is_said(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "fennec").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        runtime_directory(environ)


def test_a_path_that_is_too_long_for_a_socket_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(ConfigError, match="too long for the path of a socket"):
        runtime_directory({})


def bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_sweep_removes_sockets_of_ended_processes_only(tmp_path: Path) -> None:
    stale, mine, other = tmp_path / f"{DEAD}-00.sock", tmp_path / f"{os.getpid()}-00.sock", tmp_path / f"{DEAD}-01.sock"
    bound(stale).close()
    bound(mine).close()
    with bound(other):  # of a process that another container numbers
        sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, other])


def test_without_the_extra_the_command_that_installs_it_is_named(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(ConfigError) as caught:
        start_engine(tmp_path / "tiny.gguf", model_id="tiny", environ=environ)
    assert caught.value.line() == (
        "config: the embedded engine is not installed; run `pip install 'fennec-cli[local]'`"
    )


# -- the engine itself


def needs_engine() -> None:
    for package in ("xllamacpp", "gguf", "numpy"):
        pytest.importorskip(package, reason=f"NOT TESTED: the embedded engine; {package} is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_engine()
    return write_scripted_model(tmp_path_factory.mktemp("model") / "scripted.gguf")


@pytest.fixture
def engine(model: Path, environ: dict[str, str]) -> Iterator[Engine]:
    with start_engine(model, model_id="tiny", environ=environ) as running:
        yield running


def client(engine: Engine, token: str | None = None) -> httpx.Client:
    headers = {"authorization": f"Bearer {token or engine.token}", "connection": "close"}
    transport = httpx.HTTPTransport(uds=str(engine.socket_path))
    return httpx.Client(transport=transport, base_url=engine.base_url, headers=headers)


def body(**fields: object) -> dict[str, object]:
    return {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], **fields}


def streamed_texts(engine: Engine) -> list[str]:
    with client(engine) as http, http.stream("POST", "/chat/completions", json=body(stream=True)) as answer:
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    return [delta["content"] for delta in deltas if delta.get("content")]


def test_an_answer_is_streamed_token_by_token(engine: Engine) -> None:
    assert streamed_texts(engine) == list(SCRIPT)


def test_many_answers_after_each_other(engine: Engine) -> None:
    assert {"".join(streamed_texts(engine)) for _ in range(10)} == {ANSWER}


def test_the_model_goes_by_its_name_and_not_by_its_path(engine: Engine, model: Path) -> None:
    with client(engine) as http:
        listed = http.get("/models")
    assert listed.json()["data"][0]["id"] == "tiny"
    assert str(model.parent) not in listed.text


def test_without_the_token_there_is_no_answer(engine: Engine) -> None:
    with client(engine, token="wrong") as http:
        assert http.post("/chat/completions", json=body()).status_code == 401


def test_the_context_is_what_was_asked_for(model: Path, environ: dict[str, str]) -> None:
    with start_engine(model, model_id="tiny", context=512, environ=environ) as running, client(running) as http:
        assert http.get("/models").json()["data"][0]["meta"]["n_ctx"] == 512
        long = http.post("/chat/completions", json=body(messages=[{"role": "user", "content": "hi " * 600}]))
    assert (long.status_code, long.json()["error"]["type"]) == (400, "exceed_context_size_error")


def test_the_socket_is_for_its_owner_only(engine: Engine) -> None:
    assert engine.socket_path.stat().st_mode & 0o777 == 0o600
    assert len(os.fsencode(engine.socket_path)) < 108


def test_no_tcp_port_is_opened(model: Path, environ: dict[str, str]) -> None:
    before = _tcp_sockets()  # a test server of this process may be listening already
    with start_engine(model, model_id="tiny", environ=environ) as engine:
        assert engine.socket_path.exists()
        assert _tcp_sockets() <= before


def _tcp_sockets() -> set[str]:
    """The TCP sockets of this process."""
    own = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)}
    tables = [Path(f"/proc/self/net/{table}") for table in ("tcp", "tcp6")]
    rows = [row.split() for table in tables if table.exists() for row in table.read_text().splitlines()[1:]]
    return own & {f"socket:[{row[9]}]" for row in rows}


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def test_close_removes_the_socket_and_may_be_repeated(model: Path, environ: dict[str, str]) -> None:
    running = start_engine(model, model_id="tiny", environ=environ)
    running.close()
    running.close()
    assert not running.socket_path.exists()


def test_an_engine_can_be_closed_at_once(model: Path, environ: dict[str, str]) -> None:
    """Torn down before its listener ran, the engine hung in about every third try."""
    for _ in range(20):
        start_engine(model, model_id="tiny", environ=environ).close()


def test_two_engines_side_by_side(engine: Engine, model: Path, environ: dict[str, str]) -> None:
    with start_engine(model, model_id="other", environ=environ) as second:
        assert second.socket_path != engine.socket_path
        assert "".join(streamed_texts(engine)) == "".join(streamed_texts(second)) == ANSWER


def test_a_file_that_the_engine_refuses_is_named(tmp_path: Path, environ: dict[str, str]) -> None:
    needs_engine()
    path = write_header_only(tmp_path / "broken.gguf")
    with pytest.raises(ConfigError, match=f"cannot load {re.escape(str(path))}"):
        start_engine(path, model_id="broken", environ=environ)
    assert list(runtime_directory(environ).iterdir()) == []


def test_a_start_sweeps_stale_sockets(model: Path, environ: dict[str, str]) -> None:
    stale = runtime_directory(environ) / f"{DEAD}-00.sock"
    bound(stale).close()
    with start_engine(model, model_id="tiny", environ=environ):
        assert not stale.exists()


def test_signal_handlers_are_restored_and_ignored_ones_stay(model: Path, environ: dict[str, str]) -> None:
    previous = signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.getsignal(signal.SIGINT)
    try:
        with start_engine(model, model_id="tiny", environ=environ):
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGINT) is previous[1]
    finally:
        signal.signal(signal.SIGTERM, previous[0])


@pytest.mark.parametrize(
    ("before", "during"), [(signal.SIG_IGN, signal.SIG_IGN), (signal.default_int_handler, signal.SIG_DFL)]
)
def test_a_signal_ends_the_process_while_loading_unless_it_was_ignored(before: object, during: object) -> None:
    previous = signal.signal(signal.SIGINT, before)  # type: ignore[arg-type]
    try:
        with engine_module._default_signals():
            assert signal.getsignal(signal.SIGINT) is during
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, previous)


def test_an_engine_can_be_started_in_another_thread(model: Path, environ: dict[str, str]) -> None:
    started: list[Engine] = []
    thread = threading.Thread(target=lambda: started.append(start_engine(model, model_id="tiny", environ=environ)))
    thread.start()
    thread.join()
    assert "".join(streamed_texts(started[0])) == ANSWER
    started[0].close()


SILENT = """
import sys
from pathlib import Path
from fennec_cli.engine import start_engine
engine = start_engine(Path(sys.argv[1]), model_id="tiny")
if sys.argv[2] == "wait":
    print(engine.socket_path, flush=True)
    sys.stdin.read()
engine.close()
"""


def started(model: Path, environ: dict[str, str], mode: str) -> "subprocess.Popen[str]":
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", SILENT, str(model), mode]
    return subprocess.Popen(command, **pipes, env={**os.environ, **environ}, text=True)  # type: ignore[call-overload, no-any-return]


def test_starting_and_stopping_is_silent(model: Path, environ: dict[str, str]) -> None:
    process = started(model, environ, "stop")
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_the_socket_of_a_killed_process_is_swept_by_the_next_start(model: Path, environ: dict[str, str]) -> None:
    process = started(model, environ, "wait")
    left = Path(process.stdout.readline().strip())  # type: ignore[union-attr]
    process.kill()
    process.communicate(timeout=60)
    assert left.exists()
    with start_engine(model, model_id="tiny", environ=environ):
        assert not left.exists()


def test_ctrl_c_reaches_a_running_engine_at_once(model: Path, environ: dict[str, str]) -> None:
    process = started(model, environ, "wait")
    process.stdout.readline()  # type: ignore[union-attr]
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert time.monotonic() - begin < 5
