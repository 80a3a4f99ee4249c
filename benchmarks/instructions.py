"""Instructions instead of seconds: a number that does not drift, to compare a change with (valgrind's callgrind)."""

import re
import shutil
import subprocess

from benchmarks.measure import Command, RunFailed


def count(command: Command) -> int:
    """Count the user-space instructions of one run of a Python program. Raises `RunFailed`."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise RunFailed("valgrind is not installed")
    with command.stdin.open("rb") as stdin:
        done = subprocess.run(
            [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *command.argv],
            stdin=stdin,
            capture_output=True,
            env={**command.environ, "PYTHONHASHSEED": "0"},
            check=False,
        )
    collected = re.search(rb"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        raise RunFailed(f"valgrind failed with status {done.returncode}")
    return int(collected[1])
