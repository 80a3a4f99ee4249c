"""Measure, interleaved, and print one table. A goal that is missed is said and is no failure: this is no timed test."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Container, Iterator
from contextlib import chdir, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import instructions
from benchmarks.measure import RunFailed, Sample, run
from benchmarks.table import TOOLS, render
from benchmarks.tools import (
    CACHED,
    CHUNKS,
    ROOT,
    ROWS,
    STATE,
    Bench,
    command,
    install_competitor,
    install_fennec,
    missing,
)

Run = tuple[str, str]  # tool, case
LIGHT = ("pass", "version", "help", "complete help", "live", "live tls", "live alone", "live messages")
CASES = tuple(dict.fromkeys((*LIGHT, *CACHED, *CHUNKS, *STATE, *ROWS)))

# How often each run is made: normally (about nine minutes on two cores) and with --quick (about twenty seconds).
TIMES: dict[Run, tuple[int, int]] = {
    **{("fennec", case): (21, 5) for case in LIGHT},
    **{("fennec", case): (21, 5) for case in CACHED},
    ("fennec", "store"): (5, 1),
    ("fennec", "20k"): (9, 2),
    ("fennec", "20k ndjson"): (9, 2),
    ("fennec", "20k messages"): (9, 2),
    ("fennec", "200k"): (5, 1),
    ("fennec", "transactions"): (5, 1),
    ("fennec", "updates"): (3, 1),
    ("fennec", "redis"): (5, 1),
    **{("fennec", case): (5, 0) for case in ("batch 16", "loop 16", "batch cached")},
    ("fennec", "batch 256"): (3, 0),
    ("fennec", "ledger"): (3, 0),
    ("fennec", "10k"): (1, 0),
    ("fennec", "100k"): (1, 0),
    ("llm", "help"): (9, 1),
    **{(tool, "live"): (9, 1) for tool in TOOLS[1:]},
    **{(tool, "20k"): (2, 1) for tool in TOOLS[1:]},
    **{(tool, "200k"): (1, 0) for tool in TOOLS[1:]},
}


def main() -> int:
    options = _options()
    notes: list[str] = []
    try:
        environments = _environments(options, notes)
        without = missing(environments["fennec"])
        notes += [f"{case}: not measured, {why}" for case, why in without.items()]
        with tempfile.TemporaryDirectory(prefix="fennec-bench-") as name, _server(Path(name)) as bench:
            bench.prepare()
            with chdir(name):  # away from any project's configuration
                samples = _measure(_plan(options, without), environments, bench, notes)
                counted = count_all(environments["fennec"], bench) if options.instructions else {}
    except RunFailed as error:
        print(f"benchmarks: fennec: {error}", file=sys.stderr)
        return 1
    print(render(samples))
    print("\n".join(("", *instructions.profile(counted), *notes)))
    print(machine())
    if options.json:
        options.json.write_text(_raw(samples, counted))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs, rough figures, about 20 seconds")
    parser.add_argument("--only", action="append", choices=CASES, help="only this case (repeatable)")
    parser.add_argument("--tools", default=",".join(TOOLS), help="which tools (default: %(default)s)")
    parser.add_argument("--fennec", type=Path, metavar="DIR", help="a virtual environment that has fennec already")
    parser.add_argument("--competitors", type=Path, metavar="DIR", help="where their environments are, or are made")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single measurement here")
    parser.add_argument("--instructions", action="store_true", help="count instructions too (needs valgrind)")
    return parser.parse_args()


def _environments(options: argparse.Namespace, notes: list[str]) -> dict[str, Path]:
    """Tool -> environment, of all tools that can be had; why one cannot goes to `notes`."""
    own = ROOT / ".venvs"
    environments = {"fennec": options.fennec.absolute() if options.fennec else install_fennec(own)}
    directory = options.competitors.absolute() if options.competitors else own
    for tool in TOOLS[1:]:
        if tool in options.tools.split(","):
            try:
                environments[tool] = install_competitor(tool, directory)
            except RunFailed as error:
                notes.append(f"{tool}: {error}")
    return environments


@contextmanager
def _server(scratch: Path) -> Iterator[Bench]:
    """Run the server as a process of its own; it ends with its standard input."""
    authority = scratch / "authority.pem"
    argv = [
        sys.executable,
        "-m",
        "benchmarks.server",
        str(authority),
        *map(str, sorted({*CHUNKS.values(), *CACHED.values()})),
    ]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        plain, secure = server.stdout.readline().split()
        yield Bench(scratch, f"http://127.0.0.1:{plain}/v1", f"https://127.0.0.1:{secure}/v1", authority)


def _plan(options: argparse.Namespace, without: Container[str]) -> list[Run]:
    """Every run in its order: round robin, the rarer ones spread evenly over the rounds."""
    wanted = {
        key: times[options.quick]
        for key, times in TIMES.items()
        if key[1] not in without
        and key[0] in options.tools.split(",")
        and (options.only is None or key[1] in options.only)
    }
    return interleaved(wanted)


def interleaved(times: dict[Run, int]) -> list[Run]:
    """Every run as often as `times` says, so that a slow minute of the machine falls on all of them alike."""
    moments = ((((turn + 0.5) / count), key) for key, count in times.items() for turn in range(count))
    return [key for _, key in sorted(moments, key=lambda pair: pair[0])]


def _measure(plan: list[Run], environments: dict[str, Path], bench: Bench, notes: list[str]) -> dict[Run, list[Sample]]:
    """Make the runs. A competitor that fails is left out from there on; fennec may not fail."""
    samples: dict[Run, list[Sample]] = defaultdict(list)
    for key in dict.fromkeys(key for key in plan if key[1] in (*LIGHT, *CACHED)):
        _try(key, environments, bench, notes)  # byte code, page cache, answers to keep: the first run does not count
    for key in plan:
        sample = _try(key, environments, bench, notes)
        if sample is not None:
            samples[key].append(sample)
    return samples


def _try(key: Run, environments: dict[str, Path], bench: Bench, notes: list[str]) -> Sample | None:
    tool, case = key
    if tool not in environments:
        return None
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{tool} {case}\r")
    try:
        return run(command(tool, environments[tool], case, bench), bench.scratch)
    except RunFailed as error:
        if tool == "fennec":
            raise
        notes.append(f"{tool}: {case}: {error}")
        del environments[tool]
        return None


def count_all(environment: Path, bench: Bench) -> dict[str, int]:
    """The instructions of each step of `instructions.STEPS`."""
    counted = {}
    for name, step in instructions.STEPS.items():
        if step.code is None:
            wanted = command("fennec", environment, step.case, bench)
        else:
            argv = (str(environment / "bin" / "python"), "-c", step.code)
            wanted = replace(command("fennec", environment, "pass", bench), argv=argv)
        run(wanted, bench.scratch)  # byte code, or an answer to keep
        counted[name] = instructions.count(wanted)
    return counted


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    day = time.strftime("%Y-%m-%d")
    return f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, {day}; medians over loopback"


def _raw(samples: dict[Run, list[Sample]], counted: dict[str, int]) -> str:
    runs = [
        {"tool": tool, "case": case, "samples": [asdict(sample) for sample in taken]}
        for (tool, case), taken in samples.items()
    ]
    return json.dumps({"machine": machine(), "runs": runs, "instructions": counted}, indent=2)


if __name__ == "__main__":
    sys.exit(main())
