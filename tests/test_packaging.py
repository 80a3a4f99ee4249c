"""What is built has all that an installation needs, and the source distribution all that building and testing needs."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts import make_docs

ROOT = make_docs.ROOT
BUILD = """
import sys, setuptools.build_meta as backend
getattr(backend, "build_" + sys.argv[1])(sys.argv[2])
"""


def build(kind: str, source: Path, into: Path) -> Path:
    """Build `source` with the setuptools that is installed; returns the one new file."""
    into.mkdir()
    command = [sys.executable, "-c", BUILD, kind, str(into)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = into.iterdir()
    return file


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree that an unpacked source distribution is."""
    folder = tmp_path_factory.mktemp("packaging")
    ignored = shutil.ignore_patterns(".git", ".venv*", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, folder / "tree", ignore=ignored)
    with tarfile.open(build("sdist", folder / "tree", folder / "sdist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return unpacked


def test_the_source_distribution_has_what_its_tests_and_its_manual_are_made_from(source: Path) -> None:
    for folder in ("fennec_cli", "tests", "man", "completions", "docs", "scripts", "benchmarks"):
        wanted = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
        wanted = {path for path in wanted if "__pycache__" not in path.parts}
        assert wanted <= {path.relative_to(source) for path in source.rglob("*")}
    for file in (
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "LICENSE",
        "Makefile",
        "setup.cfg",
        "pyproject.toml",
        ".ci/run",
    ):
        assert (source / file).is_file(), file


def test_the_wheel_has_the_package_the_manual_and_the_completions(source: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(build("wheel", source, tmp_path / "wheel")) as wheel:
        names = wheel.namelist()
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "fennec_cli").rglob("*")
        if path.suffix in (".py", ".json", ".typed")
    }
    assert package <= set(names)
    installed = {name.rpartition("/")[2] for name in names if ".data/data/share/" in name}
    assert installed == {path.name for path in make_docs.present()}
    assert not {name.split("/")[0] for name in names} & {"tests", "scripts", "benchmarks"}
