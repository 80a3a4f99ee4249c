"""Write man/ and completions/ from the commands: `python -m scripts.make_docs`, or `make docs`."""

import sys
from pathlib import Path

from fennec_cli.cli import cli
from scripts.docs import bash, fish, zsh
from scripts.docs.commands import command_page, program_page
from scripts.docs.config import config_page
from scripts.docs.events import events_page
from scripts.docs.page import MissingText
from scripts.docs.tree import read_tree

ROOT = Path(__file__).parent.parent


def generated() -> dict[Path, str]:
    """Return what belongs into man/ and completions/. Raises `MissingText`."""
    tree = read_tree(cli)
    pages = {"fennec.1": program_page(tree), "fennec-config.5": config_page(tree), "fennec-events.7": events_page()}
    pages |= {"-".join(command.path) + ".1": command_page(command) for command in tree.commands}
    files = {ROOT / "man" / name: "\n".join(lines) + "\n" for name, lines in pages.items()}
    completions = {"fennec.bash": bash.script(tree), "_fennec": zsh.script(tree), "fennec.fish": fish.script(tree)}
    return files | {ROOT / "completions" / name: text for name, text in completions.items()}


def present() -> set[Path]:
    """Return the files that are there."""
    return {path for folder in ("man", "completions") for path in (ROOT / folder).glob("*")}


def main() -> int:
    try:
        files = generated()
    except MissingText as error:
        print(f"make docs: {error}", file=sys.stderr)
        return 1
    for path in present() - files.keys():
        path.unlink()
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
