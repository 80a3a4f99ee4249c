"""Bounded expressions: a part of Python's syntax whose matches have a longest length, and their open forms.

Literals, escapes, classes, `.`, groups `(...)` and `(?:...)`, alternatives, and the repeats `?`, `{n}`, `{m,n}`; `\\b`,
and looking at one character with `(?<!x)`, `(?<=x)`, `(?!x)`, `(?=x)`. `*`, `+` and `{n,}` have no longest match.

The open form of an expression matches from a position to the end of the text exactly if more text could still decide
what the expression matches there. It is why a stream can be let go at once up to a known place, and no further.
"""

import re

from fennec_cli.tuples import NamedTuple

LONGEST = 4096  # characters of one match
MOST_WAYS = 10_000_000  # in which one place can be tried: backtracking has a bound, too
DEEPEST = 50  # groups in groups
FLAGS = re.ASCII
_NEVER = "(?!)"


class BadPattern(ValueError):
    """An expression that is not bounded, or no expression at all; the message continues "the pattern"."""


class One(NamedTuple):
    """A single character, repeated."""

    source: str
    low: int = 1
    high: int = 1


class Group(NamedTuple):
    """Alternatives, repeated. `opening` is `(` for a group whose text counts, else `(?:`."""

    ways: "tuple[Sequence, ...]"
    opening: str = "(?:"
    low: int = 1
    high: int = 1


class Look(NamedTuple):
    """A condition on the character before or behind a position; only `ahead` needs the next one."""

    source: str
    ahead: bool


Part = One | Group | Look
Sequence = tuple[Part, ...]


def parse(pattern: str) -> Sequence:
    """Read an expression that somebody wrote into a configuration. Raises `BadPattern` for one that has no bounds."""
    parts = read(pattern)
    low, high = width(parts)
    if high > LONGEST:
        raise BadPattern(f"can match more than {LONGEST} characters")
    if low == 0:
        raise BadPattern("can match nothing at all")
    if count_ways(parts) > MOST_WAYS:
        raise BadPattern("has too many ways to match: use fewer or shorter repeats")
    return parts


def read(pattern: str) -> Sequence:
    """Read an expression. Raises `BadPattern` for syntax that is not supported."""
    try:
        compiled = re.compile(pattern, FLAGS)
    except (re.error, OverflowError, RecursionError) as error:  # of a number of repeats, or of groups in groups
        raise BadPattern(f"cannot be read ({getattr(error, 'msg', error)})") from None
    if compiled.groups > 1:
        raise BadPattern("has more than one group that counts: write (?:...) for the others")
    reader = _Reader(pattern)
    ways = reader.ways()
    if reader.place < len(pattern):
        raise BadPattern(f"has something at character {reader.place} that is not supported")
    return ways[0] if len(ways) == 1 else (Group(ways),)


def width(parts: Sequence) -> tuple[int, int]:
    """Return the lengths of the shortest and of the longest match."""
    low = high = 0
    for part in parts:
        if isinstance(part, One):
            low, high = low + part.low, high + part.high
        elif isinstance(part, Group):
            widths = [width(way) for way in part.ways]
            low += part.low * min(each[0] for each in widths)
            high += part.high * max(each[1] for each in widths)
    return low, high


def count_ways(parts: Sequence) -> int:
    """Return an upper bound of how often backtracking can come through the end of `parts`."""
    ways = 1
    for part in parts:
        if isinstance(part, One):
            ways *= part.high - part.low + 1
        elif isinstance(part, Group):
            each = sum(count_ways(way) for way in part.ways)
            ways *= each**part.high * (part.high - part.low + 1)
    return ways


def open_form(parts: Sequence) -> str:
    """Return the expression that matches up to the end of the text where `parts` is not decided yet."""
    return _open(parts) or _NEVER


def _open(parts: Sequence) -> str:
    """As `open_form`, or nothing where `parts` needs no more text."""
    if not parts:
        return ""
    head, rest = parts[0], _open(parts[1:])
    if isinstance(head, Look):
        ways = [r"\Z"] if head.ahead else []
        return _either([*ways, *([head.source + rest] if rest else [])])
    if isinstance(head, One):
        ways = [rf"{_times(head.source, 0, head.high - 1)}+\Z" if head.high > 1 else r"\Z"]
        return _either([*ways, *([_times(head.source, head.low, head.high) + rest] if rest else [])])
    body = _bare_group(head)
    opens = _either([_open(way) for way in head.ways if _open(way)])
    ways = [_times(body, 0, head.high - 1) + opens] if head.high > 1 else [opens]
    return _either([*ways, *([_times(body, head.low, head.high) + rest] if rest else [])])


def _either(ways: list[str]) -> str:
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})" if ways else ""


def _source(parts: Sequence) -> str:
    return "".join(
        part.source
        if isinstance(part, Look)
        else _times(part.source if isinstance(part, One) else _bare_group(part), part.low, part.high)
        for part in parts
    )


def _bare_group(group: Group) -> str:
    return f"(?:{'|'.join(_source(way) for way in group.ways)})"


def _times(source: str, low: int, high: int) -> str:
    return source if low == high == 1 else f"{source}{{{low},{high}}}"


class _Reader:
    """Reads what `re` has accepted already."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.place = 0
        self._depth = 0

    def ways(self) -> tuple[Sequence, ...]:
        found = [self._sequence()]
        while self._next("|"):
            found.append(self._sequence())
        return tuple(found)

    def _sequence(self) -> Sequence:
        parts: list[Part] = []
        while self.place < len(self._pattern) and self._pattern[self.place] not in "|)":
            parts.append(self._repeated(self._atom()))
        return tuple(parts)

    def _atom(self) -> Part:
        start = self.place
        for opening in ("(?:", "(?<!", "(?<=", "(?!", "(?="):
            if self._next(opening):
                return self._group(opening, start)
        if self._pattern.startswith("(?", start):
            raise BadPattern(f"has a group at character {start} that is not supported")
        if self._next("("):
            return self._group("(", start)
        if self._pattern[start] == "[":
            self._skip_class()
        elif self._pattern[start] == "\\":
            self._skip_escape()
            if self._pattern[start : self.place] == r"\b":
                return Look(r"\b", ahead=True)
        elif self._pattern[start] in "^$*+?":
            raise BadPattern(f"has {self._pattern[start]} at character {start}, which is not supported")
        else:
            self.place += 1
        return One(self._pattern[start : self.place])

    def _group(self, opening: str, start: int) -> Part:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadPattern(f"has more than {DEEPEST} groups in each other")
        ways = self.ways()
        self._depth -= 1
        self._next(")")
        if opening in ("(", "(?:"):
            return Group(ways, opening)
        if any(width(way) != (1, 1) for way in ways):
            raise BadPattern(f"looks at more than one character at character {start}")
        return Look(self._pattern[start : self.place], ahead="<" not in opening)

    def _repeated(self, part: Part) -> Part:
        start = self.place
        if self._next("?"):
            low, high = 0, 1
        elif self._next("{"):
            end = self._pattern.index("}", start)
            first, comma, last = self._pattern[start + 1 : end].partition(",")
            if not first.isdigit() or (comma and not last.isdigit()):
                raise BadPattern(f"has a repeat without an end at character {start}")
            low, high = int(first), int(last or first)
            self.place = end + 1
        elif self._pattern[start : start + 1] in ("*", "+"):
            raise BadPattern(f"has a repeat without an end at character {start}: write {{0,40}}, for example")
        else:
            return part
        self._next("+")  # possessive: its open form is that of the plain repeat, and at worst too careful
        if isinstance(part, Look) or self._pattern[self.place : self.place + 1] in ("?", "+", "*", "{"):
            raise BadPattern(f"has a repeat at character {start} that is not supported")
        return part._replace(low=low, high=high)

    def _skip_class(self) -> None:
        self.place += 1
        self._next("^")
        self._next("]")
        while not self._next("]"):
            if self._pattern[self.place] == "\\":
                self._skip_escape()
            else:
                self.place += 1

    def _skip_escape(self) -> None:
        letter = self._pattern[self.place + 1]
        if letter in "ABZ" or letter.isdigit():
            raise BadPattern(f"has \\{letter} at character {self.place}, which is not supported")
        self.place += {"x": 4, "u": 6, "U": 10}.get(letter, 2)

    def _next(self, text: str) -> bool:
        if self._pattern.startswith(text, self.place):
            self.place += len(text)
            return True
        return False
