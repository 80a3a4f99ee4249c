"""What a run imports: start-up time is mostly imports, so that each list is pinned."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.e2e.peer import Peer, answer
from tests.e2e.runner import ROOT, Fennec

Serve = Callable[..., Peer]

# httpx parses unusual addresses only, h11 unusual answers only.
NEVER = {
    "asyncio",
    "cryptography",
    "diskcache",
    "h11",
    "httpcore",
    "httpx",
    "importlib.metadata",
    "jsonschema",
    "keyring",
    "numpy",
    "pydantic",
    "redis",
    "sqlite3",
    "subprocess",
    "tenacity",
    "xllamacpp",
}
LISTING = """
import sys
from fennec_cli.cli import run
status = run(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""


def modules(fennec: Fennec, *arguments: str) -> set[str]:
    """Names of all modules that a run has imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *arguments],
        env={**fennec.environment({}), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        cwd=fennec.home,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--help",), ("complete", "--help"), ("complete", "-h")])
def test_help_imports_no_network_and_no_pipeline(fennec: Fennec, arguments: tuple[str, ...]) -> None:
    network = {"httpx", "httpcore", "ssl", "http.client", "email"}
    unwanted = NEVER | network | {"rich", "pygments", "fennec_cli.pipeline", "fennec_cli.transport"}
    assert modules(fennec, *arguments) & unwanted == set()


def test_help_of_the_group_imports_no_command(fennec: Fennec) -> None:
    assert modules(fennec, "--help") & {"orjson", "tomllib", "fennec_cli.commands.complete"} == set()


def test_a_live_answer_imports_nothing_that_it_does_not_need(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"), answer("Hello"))
    fennec.complete()  # the first run makes the database, with diskcache
    state = {"sqlite3"}  # circuit, limits and counters that all processes share
    plain = {
        "ssl",
        "pathlib",
        "urllib.parse",
        "ipaddress",
        "random",
        "encodings.idna",
        "fennec_cli.rules.engine",
        "fennec_cli.rules.table",
    }  # http, a plain address, no text that may hold a secret
    assert modules(fennec, "complete", "hi") & ((NEVER - state) | plain) == set()


def test_an_answer_from_the_cache_imports_neither_network_nor_keyring(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec.complete("--cache", "use")
    network = {"httpx", "httpcore", "ssl", "socket", "http.client", "email", "hashlib", "urllib.parse", "pathlib"}
    ours = {
        f"fennec_cli.{name}" for name in ("transport", "admission", "stages.retry", "flights", "digest", "encryption")
    }
    unwanted = (NEVER - {"sqlite3"}) | network | ours
    for arguments in (("--cache", "use"), ("--offline",), ("--offline", "--json"), ("--offline", "--ndjson")):
        assert modules(fennec, "complete", *arguments, "hi") & unwanted == set()


def test_a_dry_run_opens_no_network_library(fennec: Fennec) -> None:
    assert modules(fennec, "complete", "-n", "hi") & {"httpx", "httpcore", "ssl"} == set()


def test_the_version_needs_no_parser(fennec: Fennec) -> None:
    with fennec.start("--version", env={"PYTHONPROFILEIMPORTTIME": "1"}) as process:
        _, err = process.communicate(timeout=10)
    imported = {line.rpartition("|")[2].strip() for line in err.decode().splitlines()}
    assert imported & {"click", "tomllib", "orjson", "fennec_cli.cli"} == set()
