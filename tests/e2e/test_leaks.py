"""A thousand calls in one process leave nothing behind: no descriptor, no file, no memory, no key."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.conftest import soak
from tests.e2e.peer import Peer, answer, failure, head, send
from tests.e2e.runner import CANARY, ROOT, Fennec

# Good answers, refused ones, and streams that break or are left: each way out has to tidy up.
PROGRAM = """
import json, os, sys
import fennec_cli

def once(number):
    for model in ("good", "refused", f"cut-{number}"):  # a circuit is a model's
        try:
            fennec_cli.complete("Hi", model=f"openai/{model}")
        except fennec_cli.FennecError as error:
            assert model != "good", error
    chunks = fennec_cli.stream_completion(fennec_cli.CompletionRequest.from_text("Hi", model="openai/left"))
    next(chunks)
    chunks.close()

def held():
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE") / 2**20

for number in range(int(sys.argv[1])):
    once(number)
    if number == int(sys.argv[1]) // 5:
        before = held()
print(json.dumps([before, held()]))
"""
CONFIG = """
[provider.openai.retry]
max_attempts = 1
"""


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_leak_sweep(fennec: Fennec, serve: Callable[..., Peer], tmp_path: Path) -> None:
    scripts = [answer("Hello."), failure(400), [send(head(), b'data: {"id":"c"}\n\n')], answer(*["word "] * 50)]
    times = soak(25, 250)
    serve(*scripts * times)
    config = fennec.home / ".config" / "fennec" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(CONFIG)
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    environ = {**fennec.environment({}), "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", PROGRAM, str(times)]
    done = subprocess.run(run, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr
    (files, mib), (files_after, mib_after) = orjson.loads(done.stdout)
    assert files_after == files
    assert mib_after <= mib * 1.05
    assert os.listdir(scratch) == []
    for path in fennec.home.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
