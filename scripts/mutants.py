"""`make mutants`: change the pure core line by line, and see that the tests notice (mutmut; `[tool.mutmut]` says what).

Prints the changes that nobody noticed, and how many were by module; fails when more than a few were not: some change
nothing that can be seen.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from scripts.make_docs import ROOT

LEAST = 0.85  # of the mutants are noticed, over all
LEAST_OF_GROUP = 0.75  # and of a module or package
COPIED = ("fennec_cli", "tests", "pyproject.toml", "setup.cfg", "LICENSE", "README.md")
SURVIVED, NO_TEST = 0, 33  # mutmut's own numbers; any other is a mutant that was noticed
Counts = Counter[str]


def main() -> int:
    mutmut = Path(sys.executable).with_name("mutmut")
    with tempfile.TemporaryDirectory(prefix="fennec-mutants-") as name:
        tree = Path(name)
        for each in COPIED:
            source = ROOT / each
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / each)
        run = subprocess.run(
            [mutmut, "run"], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        total, noticed = counted(tree / "mutants")
        if not noticed:
            print(run.stdout[-6000:])
            return 1
        subprocess.run([mutmut, "results"], cwd=tree, check=True)
    low = []
    for group, count in sorted(total.items()):
        print(f"{group:20} {shown(noticed[group], count)}")
        if noticed[group] < LEAST_OF_GROUP * count:
            low.append(group)
    rate = noticed.total() / total.total()
    print(f"{'all':20} {shown(noticed.total(), total.total())} (at least {LEAST:.0%}, of each {LEAST_OF_GROUP:.0%})")
    return 1 if low or rate < LEAST else 0


def counted(mutants: Path) -> tuple[Counts, Counts]:
    """How many mutants there were, and how many were noticed, by the module or package that they change."""
    total, noticed = Counts(), Counts()
    for path in mutants.rglob("*.meta"):
        place = path.relative_to(mutants / "fennec_cli")
        group = place.parts[0].removesuffix(".py.meta")
        codes = json.loads(path.read_text())["exit_code_by_key"].values()
        total[group] += len(codes)
        noticed[group] += sum(code not in (None, SURVIVED, NO_TEST) for code in codes)
    return +total, noticed


def shown(noticed: int, total: int) -> str:
    return f"{noticed:5,} of {total:5,} mutants noticed, {noticed / total:.1%}"


if __name__ == "__main__":
    sys.exit(main())
