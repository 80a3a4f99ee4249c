"""Text to man(7) source. Plain ASCII comes out, in lines that `mandoc -T lint` finds short enough."""

import re
import textwrap

_WIDTH = 76
_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
# Set in bold without being asked: an option, and a page with its section.
_BOLD = re.compile(r"(?<![\w\-])(--?[A-Za-z0-9][\w-]*)|\b(fennec[a-z-]*)(?=\([1-8]\))")


def literal(text: str) -> str:
    """What is typed as it stands: no hyphen or quote becomes a nicer one."""
    return "".join(_SPECIAL.get(letter, letter if letter.isascii() else f"\\[u{ord(letter):04X}]") for letter in text)


def bold(text: str) -> str:
    return rf"\fB{literal(text)}\fR"


def inline(text: str) -> str:
    """One line of prose, in which `backquotes`, options and pages(1) are bold."""
    parts = text.split("`")
    return "".join(bold(part) if odd % 2 else _plain(part) for odd, part in enumerate(parts))


def paragraphs(*texts: str) -> list[str]:
    """Paragraphs of prose, each after the first with its `.PP`."""
    lines: list[str] = []
    for text in texts:
        if lines:
            lines.append(".PP")
        lines += filled(inline(text))
    return lines


def section(title: str, body: list[str]) -> list[str]:
    return [f".SH {title}", *body[body[0] == ".PP" :]] if body else []


def subsection(title: str, body: list[str]) -> list[str]:
    return [f'.SS "{literal(title)}"', *body] if body else []


def item(tag: str, *parts: str) -> list[str]:
    """A row of a list, each part of its text on a line of its own; `tag` is roff already."""
    lines = [".TP", _guarded(tag)]
    for number, part in enumerate(parts):
        lines += [".br"] if number else []
        lines += filled(inline(part))
    return lines


def example(*texts: str) -> list[str]:
    """Lines shown as they are; a long one is continued in the source, not on the page."""
    lines: list[str] = []
    for text in texts:
        for line in text.splitlines():
            pieces = _wrapped(literal(line), keep_spaces=True)
            lines += [_guarded(piece) for piece in pieces] or [r"\&"]
    return [".PP", ".RS 4", ".nf", *lines, ".fi", ".RE"]


def filled(text: str) -> list[str]:
    """Break a paragraph of roff into lines of the source."""
    return [_guarded(line) for line in _wrapped(text)]


def _plain(text: str) -> str:
    safe = "".join(_SPECIAL[letter] if letter in "\\^~`" else letter for letter in text)
    safe = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in safe)
    return _BOLD.sub(lambda match: bold(match[0]), safe)


def _wrapped(text: str, *, keep_spaces: bool = False) -> list[str]:
    if not keep_spaces:
        return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    lines, rest = [], text
    while len(rest) > _WIDTH and " " in rest[1:_WIDTH]:
        cut = rest.rindex(" ", 1, _WIDTH) + 1
        lines.append(rest[:cut] + "\\")  # roff joins such a line with the next
        rest = rest[cut:]
    return [*lines, rest] if rest else lines


def _guarded(line: str) -> str:
    """A line that begins like a request is text all the same."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
