"""What every page has."""

from pathlib import Path

import fennec_cli
from scripts.docs import prose
from scripts.docs.roff import filled, inline, literal, paragraphs, section
from scripts.docs.tree import Command

PACKAGE = Path(fennec_cli.__file__).parent
Lines = list[str]


class MissingText(Exception):
    """Something exists that the manual has no words for."""


def see_also(page: str, tree: Command | None = None) -> Lines:
    """Name the other pages; `page` is this one, with its section."""
    pages = ["-".join(command.path) + "(1)" for command in tree.commands] if tree else ["fennec(1)"]
    pages += ["fennec-config(5)", "fennec-events(7)"]
    return paragraphs(", ".join(name for name in pages if name != page))


def head(name: str, number: int, summary: str) -> Lines:
    version = f"fennec {fennec_cli.__version__}"
    one_line = summary.split(". ")[0].rstrip(".")
    if one_line[1:2].islower():
        one_line = one_line[0].lower() + one_line[1:]
    return [
        '.\\" Made by `make docs`; the words are in scripts/docs and in the options themselves.',
        f'.TH "{literal(name.upper())}" "{number}" "{prose.DATE}" "{version}" "fennec manual"',
        ".nh",  # a broken name cannot be searched for or copied
        ".ad l",
        *section("NAME", filled(rf"{literal(name)} \- {inline(one_line)}")),
    ]
