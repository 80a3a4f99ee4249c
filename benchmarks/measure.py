"""Run one command and say what it cost: wall time, CPU time, peak memory."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 600  # no command that is measured takes half as long


class RunFailed(Exception):
    """A command did not do what it is measured for."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, and how to know from its output that it did its work.

    `figure` reads the seconds out of it, where the command measures something itself.
    """

    argv: tuple[str, ...]
    stdin: Path
    environ: Mapping[str, str]
    check: Callable[[bytes], bool]
    figure: Callable[[bytes], float] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """The cost of one run. Children that the command waited for are in it."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: Command, scratch: Path) -> Sample:
    """Run `command` with its output in files under `scratch`. Raises `RunFailed`.

    The peak is at least that of this process, because the child starts as its copy: keep this process small.
    """
    out, err = scratch / "stdout", scratch / "stderr"
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, str(command.stdin), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(out), writing, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, str(err), writing, 0o600),
    ]
    begin = time.perf_counter()
    pid = os.posix_spawn(command.argv[0], command.argv, command.environ, file_actions=files)
    with _killed_after(LIMIT_S, pid):
        _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - begin
    if os.waitstatus_to_exitcode(status) != 0:
        raise RunFailed(_last_line(err) or f"status {os.waitstatus_to_exitcode(status)}")
    if not command.check(out.read_bytes()):
        raise RunFailed("its output is not the answer that was sent")
    if command.figure is not None:
        wall_s = command.figure(out.read_bytes())
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextmanager
def _killed_after(seconds: int, pid: int) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: os.kill(pid, signal.SIGKILL))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
