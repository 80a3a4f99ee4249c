"""Coverage-guided fuzzing (atheris): python -m tests.fuzz [--corpus DIR] [--scale X] [TARGET ...]

Each target runs in a process of its own, one for each core at a time, as often or as long as it says. Inputs that
reached new code are kept in the corpus directory; one that breaks a promise is written to a file and named.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

KEPT = Path(__file__).with_name("corpus")
LONGEST = 4096  # bytes of an input
MOST_MIB = 1024  # of memory
SLOWEST_S = 10  # for one input
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_SEEN = re.compile(r"cov: (\d+) ft: (\d+)")


def main() -> int:
    if sys.argv[1:2] == ["--one"]:
        return fuzz(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", help="all of them, if none is named")
    parser.add_argument("--corpus", type=Path, help="where inputs that reach new code are kept; else they are not")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the full number of runs and seconds")
    options = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        print(f"fuzz: NOT run: atheris is not installed for Python {sys.version_info[0]}.{sys.version_info[1]}")
        return 0
    from tests.fuzz.targets import TARGETS

    names = sorted(options.targets or TARGETS, key=lambda name: -TARGETS[name].runs)  # what takes longest first
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return max(pool.map(lambda name: guided(name, options.corpus, options.scale), names))


def guided(name: str, corpus: Path | None, scale: float) -> int:
    """Fuzz one target; print what was done."""
    from tests.fuzz.targets import TARGETS

    target, begin = TARGETS[name], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fennec-fuzz-") as scratch:
        seeds = Path(scratch, "seeds")
        seeds.mkdir()
        found = corpus / name if corpus else Path(scratch, "corpus")
        found.mkdir(parents=True, exist_ok=True)
        much = (
            f"-runs={int(target.runs * scale)}"
            if target.runs
            else f"-max_total_time={max(1, int(target.seconds * scale))}"
        )
        limits = [f"-max_len={LONGEST}", f"-rss_limit_mb={MOST_MIB}", f"-timeout={SLOWEST_S}", "-print_final_stats=1"]
        kept = [str(KEPT / name)] if (KEPT / name).is_dir() else []
        command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(seeds), much, *limits, str(found), *kept]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    ran, seen = _DONE.search(done.stderr), _SEEN.findall(done.stderr)
    if done.returncode or ran is None:
        print(f"fuzz {name}: FAILED\n{done.stderr[-6000:]}")
        return 1
    coverage = f"{seen[-1][0]} branches" if seen else "no coverage"
    print(f"fuzz {name}: {int(ran[1]):,} runs in {time.monotonic() - begin:.0f} s, {coverage}, 0 broken", flush=True)
    return 0


def fuzz(name: str, folder: Path, arguments: list[str]) -> int:
    """Write the target's seeds into `folder`, and fuzz it with them and libFuzzer's `arguments`."""
    import atheris

    with atheris.instrument_imports(include=["fennec_cli"]):
        from tests.fuzz.targets import TARGETS

        target = TARGETS[name]
        for number, data in enumerate(target.seeds()):  # what is imported on first use is to be watched, too
            target.call(data)
            Path(folder, str(number)).write_bytes(data)
    atheris.Setup([sys.argv[0], *arguments, str(folder)], target.call)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
