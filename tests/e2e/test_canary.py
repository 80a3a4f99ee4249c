"""A key with a text of its own goes through every command and every failure, and is seen by its provider alone."""

import base64
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from fennec_cli.cli import cli
from scripts.docs.tree import Command, read_tree
from tests.conftest import soak
from tests.e2e.peer import Peer, Script, answer, delta, failure, head, reset, send, sleep, stall, whole
from tests.e2e.runner import Fennec, Result, command, finished

Serve = Callable[..., Peer]
KEY = "sk-qzvcanary/17+0123456789abcdef"
PASSPHRASE = "qzvphrase correct horse"
SPELLINGS = [
    text.encode()
    for secret in (KEY, PASSPHRASE)
    for text in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()[:-4])
]
ECHO = f"you sent {KEY}, that is {quote(KEY, safe='')} or {base64.b64encode(KEY.encode()).decode()}"
FAILURES: dict[str, Script] = {
    **{str(status): failure(status, ECHO) for status in (400, 401, 403, 404, 407, 409, 413, 422, 429, 500, 503, 529)},
    "quota": failure(429, ECHO, code="insufficient_quota"),
    "content filter": failure(400, ECHO, code="content_filter"),
    "context": failure(400, ECHO, code="context_length_exceeded"),
    "redirect": whole(302, ECHO.encode(), None, f"location: https://x.test/{quote(KEY, safe='')}"),
    "no json": whole(200, ECHO.encode(), "text/plain"),
    "bad json": whole(200, ECHO.encode()),
    "bad event": [send(head(), b"data: " + ECHO.encode() + b"\n\n")],
    "error event": [send(head(), b'data: {"error": {"message": "' + ECHO.encode() + b'"}}\n\n')],
    "cut": [send(head(), delta("Hel")), reset()],
    "cut before": [send(head()), reset()],
    "length": answer("Hel", reason="length"),
    "filtered": answer("Hel", reason="content_filter"),
    "late": [sleep(1.5)],
    "good": answer("Hello"),
}


@pytest.fixture(autouse=True)
def canary(fennec: Fennec) -> None:
    fennec.env["OPENAI_API_KEY"] = KEY


def leaks(*texts: bytes | str) -> list[bytes]:
    data = [text.encode() if isinstance(text, str) else text for text in texts]
    return [spelt for spelt in SPELLINGS if any(spelt in each for each in data)]


def clean(result: Result) -> Result:
    assert leaks(result.stdout, result.stderr) == [], result
    return result


def files_of(home: Path, *known: str) -> Iterator[Path]:
    for path in home.rglob("*"):
        if path.is_file() and path.name not in known:
            yield path


@pytest.mark.soak
@pytest.mark.parametrize("name", FAILURES)
def test_canary_everywhere(fennec: Fennec, serve: Serve, name: str) -> None:
    """Every failure, with the HTTP exchange and a log, in all formats in turn."""
    serve(FAILURES[name])
    limits = ["--retries", "0", "--first-token-timeout", "300ms", "--log-file", "log", "--metrics-file", "m.prom"]
    forms = ["text", "json", "ndjson"]
    for form in forms[list(FAILURES).index(name) % 3 :][: soak(1, 3)]:
        clean(fennec.complete("-vvv", "--format", form, *limits))
    for path in files_of(fennec.home):
        assert leaks(path.read_bytes()) == [], path


def leaves(tree: Command) -> Iterator[Command]:
    return (each for each in tree.walk() if not each.commands)


LEAVES = {each.name: each for each in leaves(read_tree(cli))}
ARGUMENTS: dict[str, tuple[str, ...]] = {"fennec bench": ("-N", "1", "--duration", "1s")}


@pytest.mark.parametrize("name", LEAVES)
def test_canary_in_every_command(fennec: Fennec, serve: Serve, name: str) -> None:
    """With arguments that may make no sense: whatever a command says then, it does not say the key."""
    serve(failure(401, ECHO))
    words = LEAVES[name].path[1:]
    more = ARGUMENTS.get(name, ())
    arguments = ["openai"] * sum(argument.required for argument in LEAVES[name].arguments)
    environ: dict[str, str | None] = {"FENNEC_TIMEOUT": "2s", "FENNEC_RETRIES": "0"}
    stdin = KEY if name in ("fennec keys set", "fennec keys rotate") else ""
    clean(fennec(*words, *arguments, *more, stdin=stdin, env=environ))
    for path in files_of(fennec.home):
        assert leaks(path.read_bytes()) == [], path


def test_canary_of_a_stored_key_and_its_passphrase(fennec: Fennec, serve: Serve) -> None:
    fennec.env["OPENAI_API_KEY"] = None
    (fennec.home / "phrase").write_text(PASSPHRASE)
    fennec.env["FENNEC_PASSPHRASE_FILE"] = "phrase"
    peer = serve(failure(401, f"{ECHO} {PASSPHRASE}"), answer("Hello"))
    clean(fennec("keys", "set", "openai", "--lock", "passphrase", stdin=KEY))
    clean(fennec.complete("-vvv", "--json", "--log-file", "log"))
    clean(fennec.complete("-vvv", "--log-file", "log"))
    for words in (("list",), ("list", "--json"), ("test",), ("rotate", "openai", "--no-stdin"), ("rm", "openai")):
        clean(fennec("keys", *words))
    clean(fennec("config", "show"))
    for path in files_of(fennec.home, "phrase"):
        assert leaks(path.read_bytes()) == [], path
    assert peer.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_canary_in_no_argument_and_in_no_childs_environment(fennec: Fennec, serve: Serve) -> None:
    """What key_command and token_command see, and what `ps` shows of us meanwhile."""
    serve([send(head(), delta("Hel")), stall()])
    spy = fennec.home / "spy.sh"
    spy.write_text("#!/bin/sh\nenv > seen.env\ntr '\\0' '\\n' < /proc/$PPID/cmdline > seen.argv\necho k-0123456789\n")
    spy.chmod(0o700)
    (fennec.home / "c.toml").write_text('[provider.mine]\ntype = "openai"\nkey_command = ["./spy.sh"]\n')
    with open(fennec.home / "c.toml", "a") as config:
        config.write(f'base_url = "{fennec.base_url}"\n')
    others: dict[str, str | None] = {"ANTHROPIC_API_KEY": KEY, "FENNEC_MINE_API_KEY": None, "OPENROUTER_KEY": KEY}
    with fennec.start("complete", "-c", "c.toml", "-m", "mine/m", "--no-stdin", "hi", env=others) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"H"
        assert leaks(Path(f"/proc/{process.pid}/cmdline").read_bytes()) == []
        process.send_signal(signal.SIGTERM)
        clean(finished(process))
    assert "PATH=" in (fennec.home / "seen.env").read_text()
    for name in ("seen.env", "seen.argv"):
        assert leaks((fennec.home / name).read_bytes()) == []


def test_canary_is_not_in_the_environment_of_what_fetches_a_model(fennec: Fennec) -> None:
    spy = fennec.home / "spy"
    spy.mkdir()
    (spy / "pip.py").write_text(f"import os\nopen({str(spy / 'env')!r}, 'w').write(str(os.environ))\n")
    clean(fennec("models", "pull", "local/smollm2-135m", env={"PYTHONPATH": str(spy), "OPENROUTER_KEY": KEY}))
    seen = (spy / "env").read_text()
    assert "PATH" in seen
    assert leaks(seen) == []


def dumps(fennec: Fennec, *words: str) -> tuple[bool, bool]:
    """Whether a process that is aborted leaves a core file, and whether others of its user may look into it."""
    limit = ["prlimit", "--core=unlimited:unlimited"]
    with subprocess.Popen(
        [*limit, *words], cwd=fennec.home, env=fennec.environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        time.sleep(0.05)
        owner = os.stat(f"/proc/{process.pid}/mem").st_uid
        process.send_signal(signal.SIGABRT)
        process.communicate(timeout=20)
    cores = list(fennec.home.glob("core*"))
    for core in cores:
        core.unlink()
    return bool(cores), owner == os.geteuid() != 0


def test_canary_is_in_no_core(fennec: Fennec, serve: Serve) -> None:
    if shutil.which("prlimit") is None:
        pytest.skip("prlimit is not installed: core dumps were NOT tested")
    control = (sys.executable, "-c", "import sys, time; sys.stdout.write('x'); sys.stdout.flush(); time.sleep(20)")
    if not dumps(fennec, *control)[0]:
        pytest.skip("this machine writes no core files here: NOT tested")
    serve([send(head(), delta("Hel")), stall()])
    assert dumps(fennec, *command(), "complete", "--no-stdin", "hi") == (False, False)


def test_a_secret_of_the_prompt_that_the_provider_repeats_is_not_said(fennec: Fennec, serve: Serve) -> None:
    """It is none of our keys: the rules of the filter know what it looks like."""
    token = "glpat-" + "x9Kq3Lm7Zt2Vb8Nc4Rw1"
    serve(failure(400, f"cannot read {token} here"))
    line = fennec.complete("--log-file", "log").failed("request", 5)
    assert "cannot read" in line
    assert token not in line + (fennec.home / "log").read_text()
