"""`make mutants`: change the pure core line by line, and see that the tests notice (mutmut; `[tool.mutmut]` says what).

Prints the changes that nobody noticed and fails when they are more than a few: some change nothing that can be seen.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.make_docs import ROOT

LEAST = 0.85  # of the mutants are killed
COPIED = ("fennec_cli", "tests", "pyproject.toml", "setup.cfg", "LICENSE", "README.md")


def main() -> int:
    mutmut = Path(sys.executable).with_name("mutmut")
    with tempfile.TemporaryDirectory(prefix="fennec-mutants-") as name:
        tree = Path(name)
        for each in COPIED:
            source = ROOT / each
            (shutil.copytree if source.is_dir() else shutil.copy)(source, tree / each)
        subprocess.run([mutmut, "run"], cwd=tree, stdout=subprocess.DEVNULL, check=False)
        subprocess.run([mutmut, "results"], cwd=tree, check=True)
        subprocess.run([mutmut, "export-cicd-stats"], cwd=tree, stdout=subprocess.DEVNULL, check=True)
        stats = json.loads((tree / "mutants" / "mutmut-cicd-stats.json").read_text())
    noticed = stats["killed"] + stats["timeout"]
    rate = noticed / stats["total"]
    print(f"{noticed} of {stats['total']} mutants killed: {rate:.1%} (at least {LEAST:.0%})")
    return rate < LEAST


if __name__ == "__main__":
    sys.exit(main())
