"""The completions in the real shells. Each shell is asked what it would offer after a line that somebody typed."""

import os
import pty
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fennec_cli.cli import cli
from scripts.docs.tree import Command, read_tree

COMPLETIONS = Path(__file__).parent.parent / "completions"
TREE = read_tree(cli)
COMMANDS = {command.name: command for command in TREE.walk()}
CONFIG = """\
[provider.lab]
type = "openai"
[provider.lab.retry]
max_attempts = 2
[profile.ci.complete]
retries = 5
"""
# As `fennec models refresh` keeps it.
LISTS = {
    "lab": '{"form":1,"models":[{"id":"fox-1","provider":"lab"},{"id":"deep/owl-2","provider":"lab"}]}',
    "ollama": '{"form":1,"models":[{"id":"llama3:8b","provider":"ollama"},{"id":"llama3:70b","provider":"ollama"}]}',
}
TIMEOUT_S = 20.0

Offers = Callable[[str], set[str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with files, a configuration and a model; python and fennec leave a trace if they run."""
    files = {"config/fennec/config.toml": CONFIG, "data/fennec/models/tiny.gguf": "GGUF"}
    files |= {f"cache/fennec/models/{name}.json": text for name, text in LISTS.items()}
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.txt").touch()
    (work / "my notes.txt").touch()
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in ("python", "python3", "fennec"):
        (programs / program).write_text(f"#!/bin/sh\ntouch {shlex.quote(str(tmp_path / 'started'))}\n")
        (programs / program).chmod(0o755)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(work)
    return tmp_path


@pytest.fixture(params=["bash", "zsh", "fish"])
def offers(request: pytest.FixtureRequest, home: Path) -> Offers:
    """Return what a shell offers after a typed line."""
    shell: str = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its completion was NOT tried")
    asked = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    # What stands before a value in the same word (`--input=`) is a matter of the shell's own.
    return lambda typed: {offer.rpartition("=")[2] for offer in asked(typed, home)}


def _bash(typed: str, _home: Path) -> set[str]:
    words = re.findall(r"[=:]|[^\s=:]+", typed) + ([""] if typed.endswith(" ") else [])  # as bash does
    script = (
        f"source {shlex.quote(str(COMPLETIONS / 'fennec.bash'))}\n"
        f"COMP_LINE={shlex.quote(typed)} COMP_POINT={len(typed)}\n"
        f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}\n"
        "_fennec\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    return _lines(["bash", "--norc", "--noprofile", "-c", script])


def _fish(typed: str, _home: Path) -> set[str]:
    script = f"source {shlex.quote(str(COMPLETIONS / 'fennec.fish'))}; complete -C {shlex.quote(typed)}"
    return {line.split("\t")[0] for line in _lines(["fish", "--no-config", "-c", script])}


def _zsh(typed: str, home: Path) -> set[str]:
    """Let a zsh on a terminal complete the line; its own `compadd` tells us what it is given."""
    found, done = home / "found", home / "done"
    setup = home / "setup.zsh"
    setup.write_text(f"""
        fpath=({shlex.quote(str(COMPLETIONS))} $fpath)
        autoload -Uz compinit && compinit -u -D
        zstyle ':completion:*' insert-tab false
        compadd() {{
            if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
            local -a hits
            builtin compadd -O hits "$@"
            print -rl -- $IPREFIX$^hits >> {shlex.quote(str(found))}
            builtin compadd "$@"
        }}
        finished() {{ touch {shlex.quote(str(done))} }}
        comppostfuncs=(finished)
        touch {shlex.quote(str(home / "ready"))}
    """)
    with _Terminal(["zsh", "-f", "-i"]) as terminal:
        terminal.type(f" source {shlex.quote(str(setup))}\n")
        terminal.wait(lambda _seen: (home / "ready").exists())
        terminal.type(typed + "\t")
        seen = terminal.wait(lambda _seen: done.exists())
    assert "_fennec:" not in seen, f"zsh reports an error: {seen}"
    lines = set(found.read_text().split("\n")) if found.exists() else set()
    for file in (found, done, home / "ready"):
        file.unlink(missing_ok=True)
    return lines - {""}


def _lines(arguments: list[str]) -> set[str]:
    run = subprocess.run(arguments, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert run.stderr == ""
    return {line for line in run.stdout.splitlines() if line}


class _Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, arguments: list[str]) -> None:
        self._parent, child = pty.openpty()
        self._process = subprocess.Popen(
            arguments, stdin=child, stdout=child, stderr=child, start_new_session=True, close_fds=True
        )
        os.close(child)
        os.set_blocking(self._parent, False)
        self._seen = b""

    def __enter__(self) -> "_Terminal":
        return self

    def __exit__(self, *_details: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._parent)

    def type(self, text: str) -> None:
        os.write(self._parent, text.encode())

    def wait(self, enough: Callable[[str], bool]) -> str:
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            try:
                self._seen += os.read(self._parent, 65536)
            except (BlockingIOError, OSError):
                time.sleep(0.01)
            if enough(self._seen.decode(errors="replace")):
                return self._seen.decode(errors="replace")
        raise AssertionError(f"the shell did not get there: {self._seen!r}")


def test_a_command_is_completed(offers: Offers) -> None:
    assert offers("fennec com") == {"complete"}


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.commands])
def test_commands_below_a_command_are_offered(offers: Offers, name: str) -> None:
    assert offers(f"{name} ") >= {child.path[-1] for child in COMMANDS[name].commands}


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.commands])
def test_every_long_option_is_offered(offers: Offers, name: str) -> None:
    long = {option for each in COMMANDS[name].options for option in each.names if option.startswith("--")}
    assert {offer.rstrip("=") for offer in offers(f"{name} --")} == long


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.default])
def test_options_of_the_default_are_offered_without_its_name(offers: Offers, name: str) -> None:
    default = COMMANDS[f"{name} {COMMANDS[name].default}"]
    long = {option for each in default.options for option in each.names if option.startswith("--")}
    assert {offer.rstrip("=") for offer in offers(f"{name} --")} == long


def test_options_of_another_command_are_not_offered(offers: Offers) -> None:
    assert offers("fennec models rm local/tiny --tem") == set()


@pytest.mark.parametrize("typed", ["--encoding-errors ", "--encoding-errors="])
def test_choices_are_offered_as_the_next_word_and_behind_an_equals_sign(offers: Offers, typed: str) -> None:
    assert offers(f"fennec complete {typed}") == {"strict", "replace"}


def test_a_value_is_not_taken_for_a_command(offers: Offers) -> None:
    assert offers("fennec complete --model models --no-st") == {"--no-stdin", "--no-stream"}


def test_nothing_is_offered_for_a_prompt(offers: Offers) -> None:
    assert offers("fennec complete no") == set()


def test_providers_are_the_built_in_and_the_configured_ones(offers: Offers) -> None:
    assert offers("fennec complete --provider ") >= {"openai", "local", "lab"}


def test_profiles_come_from_the_configuration(offers: Offers) -> None:
    assert offers("fennec complete --profile ") == {"ci"}


def test_models_are_providers_up_to_the_slash_and_installed_ones(offers: Offers) -> None:
    assert {offer.rstrip("/") for offer in offers("fennec complete -m ")} >= {"openai", "lab", "local/tiny"}


@pytest.mark.parametrize("option", ["-m ", "--model="])
def test_behind_the_slash_the_models_of_the_kept_lists_are_offered(offers: Offers, option: str) -> None:
    assert offers(f"fennec complete {option}lab/") == {"lab/fox-1", "lab/deep/owl-2"}
    assert offers(f"fennec complete {option}lab/f") == {"lab/fox-1"}


def test_a_model_with_a_colon_in_its_name_is_offered(offers: Offers) -> None:
    # bash takes the colon for the end of a word: what it puts in is what comes behind
    assert {offer.rpartition(":")[2] for offer in offers("fennec complete -m ollama/llama3:7")} == {"70b"}


def test_installed_models_are_offered_for_removal(offers: Offers) -> None:
    assert "local/tiny" in offers("fennec models rm ")


def test_a_system_prompt_is_completed_as_a_file_behind_an_at_sign(offers: Offers) -> None:
    assert "notes.txt" in {offer.lstrip("@") for offer in offers("fennec complete -s @not")}


def test_completing_starts_neither_python_nor_fennec(offers: Offers, home: Path) -> None:
    for typed in ("fennec ", "fennec complete --", "fennec complete -m ", "fennec complete --profile "):
        assert offers(typed)
    assert not (home / "started").exists()


def test_files_are_completed_in_zsh(home: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed: its completion was NOT tried")
    assert "notes.txt" in _zsh("fennec complete -f not", home)


def test_files_are_completed_in_fish(home: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed: its completion was NOT tried")
    assert "notes.txt" in _fish("fennec complete -f not", home)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("typed", ["-f my", "--file=my"])
def test_files_are_completed_and_quoted_by_a_bash_on_a_terminal(typed: str) -> None:
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed: its completion was NOT tried")
    with _Terminal(["bash", "--norc", "--noprofile", "-i"]) as terminal:
        terminal.type(f"source {shlex.quote(str(COMPLETIONS / 'fennec.bash'))}\n")
        terminal.type("fennec() { printf '<%s>' \"$@\"; echo ready; }\nfennec x\n")
        terminal.wait(lambda seen: "<x>ready" in seen)
        terminal.type(f"fennec complete {typed}\t\n")
        terminal.wait(lambda seen: re.search(r"<complete><.*my notes\.txt>ready", seen) is not None)


@pytest.mark.parametrize("file", ["fennec.bash", "_fennec", "fennec.fish"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_command_and_option_stands_in_the_file(file: str, command: Command) -> None:
    text = (COMPLETIONS / file).read_text()
    words = set(re.findall(r"[\w-]+", text))
    spelled = {name for option in command.options for name in option.names}
    if file == "fennec.fish":  # `-l no-stdin` and `-s m` are --no-stdin and -m
        words |= {f"--{name}" for name in re.findall(r" -l (\S+)", text)}
        words |= {f"-{name}" for name in re.findall(r" -s (\S+)", text)}
    assert spelled | {command.path[-1]} <= words
