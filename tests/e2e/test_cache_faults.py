"""A disk that fails under the cache: the answer comes all the same, and what is kept later is right."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fennec_cli.responses import PATIENT_S
from tests.conftest import soak
from tests.e2e.peer import Peer, answer
from tests.e2e.runner import Fennec, Result, finished

Serve = Callable[..., Peer]
USE = ("complete", "--no-stdin", "--cache", "use")


def responses(fennec: Fennec) -> Path:
    return fennec.home / ".cache" / "fennec" / "responses"


@contextmanager
def held(fennec: Fennec) -> Iterator[sqlite3.Connection]:
    """The cache is held by another process."""
    holder = sqlite3.connect(responses(fennec) / "cache.db", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield holder
    finally:
        holder.close()


def injected(fennec: Fennec, call: str, error: str, number: int, prompt: str) -> Result:
    """Run with the Nth such system call on the cache's files failing."""
    files = [str(responses(fennec) / name) for name in ("cache.db", "cache.db-wal", "cache.db-shm", "cache.db-journal")]
    paths = [part for path in files for part in ("-P", path)]
    inject = f"--inject={call}:error={error}:when={number}"
    prefix = ("strace", "-f", "-qq", "-o", "/dev/null", *paths, inject)
    with fennec.start(*USE, prompt, prefix=prefix) as process:
        return finished(process)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("pwrite64", "ENOSPC"),
        ("pwrite64", "EDQUOT"),
        ("pwrite64", "EIO"),
        ("fdatasync", "EIO"),
        ("ftruncate", "ENOSPC"),
        ("openat", "EACCES"),
        ("openat", "EMFILE"),
        ("pread64", "EIO"),
        ("fcntl", "EAGAIN"),  # at ENOLCK SQLite itself tries for ten seconds before it says so
    ],
)
def test_cache_enospc_nth_syscall(fennec: Fennec, serve: Serve, call: str, error: str) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: no system call failed")
    serve(answer("right"))
    for number in range(1, soak(3, 60)):
        if number % 2:
            shutil.rmtree(responses(fennec), ignore_errors=True)  # also while it is made
        injected(fennec, call, error, number, f"prompt {number}").succeeded("right")
        with fennec.start(*USE, f"prompt {number}") as process:
            finished(process).succeeded("right")
        with fennec.start("complete", "--no-stdin", "--offline", f"prompt {number}") as process:
            finished(process).succeeded("right")
        if error in ("ENOSPC", "EDQUOT"):
            assert not list(responses(fennec).glob("corrupt-*"))  # it is whole, and what it holds is kept


def in_namespace(fennec: Fennec, script: str, *arguments: str) -> Result:
    """Run the command where `script` has changed the mounts."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here: NOT tested")
    prefix = ("unshare", "-m", "sh", "-c", f'{script} && exec "$@"', "sh")
    with fennec.start(*arguments, prefix=prefix) as process:
        return finished(process)


def test_a_network_file_system_is_left_alone(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    """SQLite's log needs memory that machines cannot share. The kernel's table of mounts is replaced for the test."""
    peer = serve(answer("x"))
    responses(fennec).mkdir(parents=True)
    device = os.stat(responses(fennec)).st_dev
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 {os.major(device)}:{os.minor(device)} / / rw - nfs4 server:/home rw\n")
    script = f"mount --bind {table} /proc/$$/mountinfo"
    for _ in range(2):
        in_namespace(fennec, script, *USE, "hi").succeeded("x")
    assert len(peer.requests) == 2
    assert not (responses(fennec) / "cache.db").exists()
    assert "network file system" in in_namespace(fennec, script, *USE, "-v", "hi").stderr
    # A runtime directory is on this machine, whatever HOME is on: it takes the cache. Here both are on one device, so
    # that the cache is refused there too, and nothing breaks.
    fennec.env["XDG_RUNTIME_DIR"] = str(tmp_path)
    in_namespace(fennec, script, *USE, "hi").succeeded("x")


def test_a_runtime_directory_takes_the_cache_of_a_home_on_the_network(
    fennec: Fennec, serve: Serve, tmp_path: Path
) -> None:
    peer = serve(answer("x"))
    responses(fennec).mkdir(parents=True)
    device = os.stat(responses(fennec)).st_dev
    runtime = tmp_path / "run"
    runtime.mkdir()
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 {os.major(device)}:{os.minor(device)} / / rw - nfs4 server:/home rw\n")
    fennec.env["XDG_RUNTIME_DIR"] = str(runtime)
    script = (
        f"mount -t tmpfs none {runtime} && mkdir -m 700 {runtime}/fennec && mount --bind {table} /proc/$$/mountinfo"
    )
    twice = f'{script} && "$@" > /dev/null'
    in_namespace(fennec, twice, *USE, "hi").succeeded("x")  # the first run in the namespace asks, the second does not
    assert len(peer.requests) == 1


def test_a_cache_that_can_only_be_read_costs_no_answer(fennec: Fennec, serve: Serve) -> None:
    serve(answer("x"))
    with fennec.start(*USE, "hi") as process:
        finished(process).succeeded("x")
    script = f"mount --bind {fennec.home} {fennec.home} && mount -o remount,ro,bind {fennec.home}"
    in_namespace(fennec, script, *USE, "hi").succeeded("x")
    in_namespace(fennec, script, *USE, "new").succeeded("x")


def test_an_answer_that_is_here_or_nowhere_is_waited_for(fennec: Fennec, serve: Serve) -> None:
    serve(answer("right"))
    fennec(*USE, "a prompt").succeeded("right")
    with held(fennec) as holder, fennec.start("complete", "--no-stdin", "--offline", "a prompt") as process:
        time.sleep(1.5)
        holder.close()
        finished(process).succeeded("right")


def test_a_deadline_ends_that_wait(fennec: Fennec, serve: Serve) -> None:
    serve(answer("right"))
    fennec(*USE, "a prompt").succeeded("right")
    began = time.monotonic()
    with held(fennec):
        fennec("complete", "--no-stdin", "--offline", "--deadline", "300ms", "a prompt").failed("cache_miss", 13)
    assert time.monotonic() - began < PATIENT_S
