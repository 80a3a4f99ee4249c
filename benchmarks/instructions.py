"""Instructions instead of seconds: a number that does not drift, to compare a change with (valgrind's callgrind).

`STEPS` take a short run apart: each holds all that the one it builds on does, and something more.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.measure import Command, RunFailed


class Step(NamedTuple):
    """A program, or a case of the benchmark where it is none; `on` is the step that it builds on."""

    on: str
    code: str | None = None
    case: str = ""


STEPS = {
    "python -c pass": Step("", "pass"),
    "typing, with re, enum and collections": Step("python -c pass", "import typing"),
    "click, with inspect, gettext, uuid and datetime": Step("typing, with re, enum and collections", "import click"),
    "orjson, with json and dataclasses": Step(
        "click, with inspect, gettext, uuid and datetime", "import click, orjson"
    ),
    "the options of complete": Step(
        "click, with inspect, gettext, uuid and datetime", "import fennec_cli.cli, fennec_cli.commands.complete"
    ),
    "fennec complete --help": Step("the options of complete", case="complete help"),
    "an answer from the cache": Step("the options of complete", case="cached"),
    "a live answer": Step("the options of complete", case="live"),
    "a live answer over TLS": Step("a live answer", case="live tls"),
}


def profile(counted: Mapping[str, int]) -> Iterator[str]:
    """Lines that say what each step costs in all, and more than the one it builds on."""
    if counted:
        yield f"{'million instructions':<50}{'in all':>8}{'more':>8}"
    for name, number in counted.items():
        more = number - counted.get(STEPS[name].on, 0)
        yield f"{name:<50}{number / 1e6:>8.1f}{more / 1e6:>8.1f}"


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
