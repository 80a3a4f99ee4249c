"""Whether the holder of a lease is dead: known of processes on this machine, and only of those."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fennec_cli.holders import holder, is_dead

HERE = holder()
PROGRAM = "import time; from fennec_cli.holders import holder; print(holder(), flush=True); time.sleep(60)"

pytestmark = pytest.mark.skipif(HERE.count("-") != 3, reason="NOT TESTED: this machine has no /proc")


@pytest.fixture
def other() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def named(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def changed(name: str, position: int, value: str) -> str:
    parts = name.split("-")
    parts[position] = value
    return "-".join(parts)


def test_each_name_is_another_one_and_short() -> None:
    assert holder() != HERE
    assert len(HERE) < 60


def test_this_process_and_one_that_runs_are_alive(other: "subprocess.Popen[str]") -> None:
    assert not is_dead(HERE)
    assert not is_dead(named(other))


def test_one_that_was_killed_is_dead_also_before_anybody_has_waited_for_it(other: "subprocess.Popen[str]") -> None:
    name = named(other)
    other.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead(name)
    other.wait()
    assert is_dead(name)


def test_a_later_process_with_the_same_number_is_another_one() -> None:
    assert is_dead(changed(HERE, 2, "1"))


def test_nothing_is_known_of_other_machines() -> None:
    elsewhere = changed(changed(HERE, 3, "0" * 12), 2, "1")
    for pid in ("1", f"{os.getpid():x}", "7fffffff"):
        assert not is_dead(changed(elsewhere, 1, pid))


def test_one_that_is_there_but_not_ours_to_signal_is_alive() -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: it takes root to become somebody else")
    name, pid = holder(), os.fork()
    if pid == 0:
        os.setuid(65534)
        os._exit(is_dead(name))
    assert os.waitpid(pid, 0)[1] == 0


def test_names_of_other_kinds_are_not_known_to_be_dead() -> None:
    for name in ("", "a", "a" * 32, "a-b", "a-b-c", f"{HERE}-x", changed(HERE, 1, "z"), changed(HERE, 1, "")):
        assert not is_dead(name), name
