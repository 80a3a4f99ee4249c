"""What changes when a person sits in front of it."""

import os
import pty
import subprocess
import termios
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.peer import ROLE, Peer, answer, delta, failure, finish, head, send, sleep
from tests.e2e.runner import Fennec

Serve = Callable[..., Peer]


def on_terminal(
    fennec: Fennec,
    *arguments: str,
    streams: str,
    command: str = "complete",
    env: dict[str, str | None] | None = None,
    stdin: Any = None,
    columns: int = 80,
) -> tuple[str, int]:
    """Run with these streams (of `stdin`, `stdout`, `stderr`) on a terminal; return what it showed and the status."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    options: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    options.update((name, theirs) for name in streams.split())
    if stdin is not None:
        options["stdin"] = stdin
    with fennec.start(command, *arguments, env={"TERM": "xterm", **(env or {})}, **options) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux says "input/output error" when the other end is closed
                break
            if not data:
                break
            shown += data
        process.wait(10)
    os.close(ours)
    return shown.decode().replace("\r\n", "\n"), process.returncode


def test_an_answer_on_a_terminal_ends_with_a_newline(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"), answer("Hello\n"), answer(""))
    assert on_terminal(fennec, "hi", streams="stdout") == ("Hello\n", 0)
    assert on_terminal(fennec, "hi", streams="stdout") == ("Hello\n", 0)
    assert on_terminal(fennec, "hi", streams="stdout") == ("", 0)


def test_no_prompt_on_a_terminal_is_a_short_help_and_a_usage_error(fennec: Fennec) -> None:
    shown, status = on_terminal(fennec, streams="stdin stderr")
    assert status == 2
    assert shown.startswith("Usage: fennec complete")
    assert shown.splitlines()[-1].endswith("pipe a text in")


def test_an_argument_on_a_terminal_does_not_wait_for_stdin(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    assert on_terminal(fennec, "hi", streams="stdin stdout") == ("Hello\n", 0)
    assert peer.requests[0].prompt == "hi"


def test_an_error_on_a_terminal_is_red(fennec: Fennec, serve: Serve) -> None:
    serve(failure(400, "bad"))
    shown, status = on_terminal(fennec, "hi", streams="stderr")
    assert (shown, status) == ("fennec: \x1b[31mrequest\x1b[0m: openai: bad (400)\n", 5)


@pytest.mark.parametrize(
    ("arguments", "env"),
    [([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"}), (["--no-color"], {}), ([], {"FENNEC_NO_COLOR": "1"})],
)
def test_colour_can_be_refused(fennec: Fennec, serve: Serve, arguments: list[str], env: dict[str, str | None]) -> None:
    serve(failure(400, "bad"))
    shown, _ = on_terminal(fennec, "hi", *arguments, streams="stderr", env=env)
    assert shown == "fennec: request: openai: bad (400)\n"


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_a_batch_shows_how_far_it_is(fennec: Fennec, serve: Serve, jobs: str) -> None:
    serve([send(head(), ROLE), sleep(0.12), send(delta("Hello"), finish())])
    rows = fennec.home / "rows"
    rows.write_text('{"prompt":"hi"}\n' * 24 if jobs == "4" else '{"prompt":"hi"}\n' * 6)
    arguments = ("--input", "ndjson", f"-j{jobs}")
    with rows.open() as stdin:
        shown, status = on_terminal(fennec, *arguments, streams="stderr", stdin=stdin)
    assert status == 0
    assert "rows/s" in shown
    assert " left" in shown
    assert shown.endswith("\r\x1b[K")
    with rows.open() as stdin:
        shown, _ = on_terminal(fennec, *arguments, streams="stderr", stdin=stdin, columns=20)
    assert max(len(line) for line in shown.split("\r\x1b[K")) == 19  # a longer one would go on in the next line
    quiet: list[dict[str, str | None]] = [{"TERM": "dumb"}, {"FENNEC_QUIET": "1"}]
    for env in quiet:
        with rows.open() as stdin:
            assert on_terminal(fennec, *arguments, streams="stderr", env=env, stdin=stdin) == ("", 0)
