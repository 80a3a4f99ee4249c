"""The manual says what the code does: all of it, and nothing else."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from fennec_cli.cli import cli
from fennec_cli.config import load_config
from fennec_cli.config.schema import ROOT, Key, Table
from fennec_cli.errors import EXIT_STATUS
from scripts import make_docs
from scripts.docs import prose
from scripts.docs.commands import runs
from scripts.docs.tree import Command, Option, read_tree

MAN = make_docs.ROOT / "man"
TREE = read_tree(cli)
COMMANDS = {command.name: command for command in TREE.walk()}
PAGES = sorted(MAN.glob("*.[1-8]"))
MOST_DAILY = 15


def page(name: str) -> str:
    """A page as plain text: roff's escapes and fonts taken away."""
    text = re.sub(r"\\f[BIR]|\\&|\\\n", "", (MAN / name).read_text())
    for escape, letter in ((r"\-", "-"), (r"\(aq", "'"), (r"\(ti", "~"), (r"\(dq", '"'), (r"\e", "\\")):
        text = text.replace(escape, letter)
    return text


def tags(text: str) -> list[str]:
    """What stands before the texts of lists: options, keys, statuses."""
    return re.findall(r"^\.TP\n(.*)", text, re.MULTILINE)


def page_of(command: Command) -> str:
    return page("-".join(command.path[:2]) + ".1")


@pytest.mark.parametrize("path", make_docs.generated(), ids=lambda path: path.name)
def test_the_file_is_what_the_generator_gives_now(path: Path) -> None:
    assert path.exists(), "run make docs"
    assert path.read_text() == make_docs.generated()[path], "run make docs"


def test_no_file_is_left_of_what_is_gone() -> None:
    assert make_docs.present() == make_docs.generated().keys(), "run make docs"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_command_and_option_is_in_its_page(command: Command) -> None:
    text = page_of(command)
    assert command.name in text
    spelled = {name for tag in tags(text) for name in re.findall(r"(?<!\S)--?[\w-]+", tag)}
    assert {name for option in command.options for name in option.names} <= spelled


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_environment_twin_is_in_its_page(command: Command) -> None:
    twins = {option.variable for option in command.options if option.variable}
    assert twins <= set(re.findall(r"FENNEC_\w+", page_of(command)))


def test_the_table_of_exit_statuses_is_the_code_s() -> None:
    rows = [tag.split() for tag in tags(page("fennec.1")) if re.fullmatch(r"\d+ [a-z_]+", tag)]
    assert {name: int(status) for status, name in rows} == EXIT_STATUS


def test_the_readme_has_every_exit_status_once_and_in_order() -> None:
    rows = re.findall(r"^\| (\d+) \| ([a-z_]+) \|", (make_docs.ROOT / "README.md").read_text(), re.MULTILINE)
    assert [(name, int(status)) for status, name in rows] == list(EXIT_STATUS.items())


def test_exit_meanings_are_for_classes_that_exist() -> None:
    assert prose.EXIT_MEANING.keys() == EXIT_STATUS.keys()


def keys_of(table: Table) -> set[str]:
    """Every key of the table and of what is below it, as it is called in a file."""
    entries = [*table.keys.items(), *([("NAME", table.each)] if table.each else [])]
    found = {name for name, entry in entries if isinstance(entry, Key) or entry.plain}
    return found.union(*(keys_of(entry) for _, entry in entries if isinstance(entry, Table))) - {"NAME"}


def test_every_key_of_the_configuration_is_in_the_manual() -> None:
    assert keys_of(ROOT) <= {tag.split(" ")[0] for tag in tags(page("fennec-config.5"))}


@pytest.mark.parametrize("example", [prose.CONFIG_EXAMPLE, prose.CONFIG_EXAMPLE_SERVER])
def test_an_example_of_the_configuration_is_accepted(example: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(example)
    load_config(environ={}, cwd=tmp_path, explicit=file, system_file=tmp_path / "none")
    assert example.strip() in re.sub(r"^\\&$", "", page("fennec-config.5"), flags=re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_use_what_exists(name: str) -> None:
    for text in COMMANDS[name].examples:
        assert runs(text, TREE), text


def blocks(path: Path) -> list[str]:
    """Every line of a code block that calls fennec."""
    code = "\n".join(re.findall(r"^```(?:sh|crontab|yaml|ini)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL))
    return [line.partition(" #")[0] for line in code.replace("\\\n", " ").splitlines() if "fennec" in line]


@pytest.mark.parametrize(
    "path", [make_docs.ROOT / "README.md", *sorted((make_docs.ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_a_command_in_the_documentation_exists(path: Path) -> None:
    for line in blocks(path):
        assert runs(line, TREE), line


@pytest.mark.parametrize("name", ["README.md", "docs/recipes.md", "docs/schedulers.md"])
def test_no_home_is_shown_where_not_every_shell_sees_one(name: str) -> None:
    assert not re.search(r"=~/", (make_docs.ROOT / name).read_text())


def test_a_pipeline_with_an_unknown_option_is_not_shown() -> None:
    assert runs("cat x | fennec complete -q --input lines", TREE)
    assert not runs("cat x | fennec complete --no-such-option", TREE)
    assert not runs("cat x | fennec complete --input no-such-choice", TREE)
    assert not runs("fennec no-such-command < x", TREE)


def test_notes_on_options_are_for_options_that_exist() -> None:
    for name, notes in prose.OPTION_NOTES.items():
        assert notes.keys() <= {option.long for option in COMMANDS[name].options}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_man_renders_the_page_without_warnings(path: Path) -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed: the page was NOT rendered")
    environment = {"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    run = subprocess.run(
        ["man", "--warnings", "-l", str(path)],
        capture_output=True, text=True, env=environment, timeout=60, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert "SEE ALSO" in run.stdout


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_mandoc_finds_nothing_wrong_with_the_page(path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed: the page was NOT checked")
    run = subprocess.run(["mandoc", "-T", "lint", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout + run.stderr == ""


def help_of(command: Command, option: str) -> str:
    return CliRunner().invoke(cli, [*command.path[1:], option], prog_name="fennec", catch_exceptions=False).output


def shown(text: str) -> set[str]:
    """The options that have a row of their own in a help text."""
    return {
        name for names in re.findall(r"^  (-[^\s,]+(?:, --\S+)*)", text, re.MULTILINE) for name in names.split(", ")
    }


def spelled(options: tuple[Option, ...] | list[Option]) -> set[str]:
    return {name for option in options for name in option.names}


LEAVES = {name: command for name, command in COMMANDS.items() if not command.commands}


@pytest.mark.parametrize("command", LEAVES.values(), ids=list(LEAVES))
def test_short_help_shows_the_daily_options_only(command: Command) -> None:
    daily = [option for option in command.options if option.daily]
    assert shown(help_of(command, "-h")) == spelled(daily)
    assert len(daily) <= MOST_DAILY


@pytest.mark.parametrize("command", LEAVES.values(), ids=list(LEAVES))
def test_long_help_shows_all_options_in_their_groups(command: Command) -> None:
    text = help_of(command, "--help")
    assert shown(text) == spelled(command.options)
    for title, options in command.groups().items():
        rows = text.split(f"\n{title}:\n")[1].split("\n\n")[0]
        assert shown(f"{rows}\n") == spelled(options)


def test_short_help_of_the_filter_is_the_shorter_one() -> None:
    complete = COMMANDS["fennec complete"]
    assert len(help_of(complete, "-h")) < len(help_of(complete, "--help")) / 2


def test_the_package_installs_every_page_and_completion() -> None:
    setup = ConfigParser()
    setup.read(make_docs.ROOT / "setup.cfg")
    patterns = [pattern for line in setup["options.data_files"].values() for pattern in line.split()]
    assert {path for pattern in patterns for path in make_docs.ROOT.glob(pattern)} == make_docs.present()
