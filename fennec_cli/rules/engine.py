"""Rules over a text: the match that begins first wins, then the rule that comes first; the search goes on behind it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from heapq import heappop, heappush
from operator import itemgetter

from fennec_cli.rules.checks import harmless
from fennec_cli.rules.glance import RUN
from fennec_cli.rules.table import Rule
from fennec_cli.tuples import NamedTuple

FLAGS = re.ASCII
BEFORE_RUN = 24  # characters from such a key's begin to its run
_RUN = b"a" * RUN
_SMALL, _OTHER = frozenset(b"abcdefghijklmnopqrstuvwxyz-_+/"), frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
# a: in a run; A: in a run too, and nearly every key has one; a blank: anything else
_KINDS = bytes(ord("a" if each in _SMALL else "A" if each in _OTHER else " ") for each in range(256))
_NUMBER = r"[0-9][0-9 ()./-]{5,}"
NOWHERE = 2**62  # behind every text
_DIGITS = b"0123456789"
_Begin = tuple[int, int, "re.Match[str] | None"]  # where, order of the rule, its match if that is known
_place = itemgetter(0)


class Match(NamedTuple):
    """What a rule found: `start` to `end` is what is to be masked, `begin` where its expression begins."""

    start: int
    order: int
    begin: int
    end: int
    rule: Rule


class RuleSet:
    """Rules that are searched for together. Expressions are made when they are first needed."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._starts: dict[bytes, list[int]] = {}
        self._words: dict[bytes, list[int]] = {}
        self._stems: dict[bytes, list[int]] = {}
        self._searched: list[int] = []
        self._full: list[re.Pattern[str] | None] = [None] * len(self.rules)
        self._asked: tuple[str, int] | None = None
        self._ranges: list[tuple[int, int]] = []
        for order, rule in enumerate(self.rules):
            for literals, table in (
                (rule.starts, self._starts),
                (rule.words, self._words),
                (rule.stems, self._stems),
            ):
                for literal in literals:
                    table.setdefault(literal.encode(), []).append(order)
            if not (rule.starts or rule.words or rule.stems):
                self._searched.append(order)
        self._numeric = any(rule.digits for rule in self.rules)

    def matches(self, text: str) -> list[Match]:
        """Return what is found in a whole text, in order, nothing twice."""
        found: list[Match] = []
        waiting: list[Match] = []  # a heap: what begins later may come before them only if it begins at their start
        place = 0

        def take(match: Match) -> int:
            if match.begin < place:
                return place
            on = continuation(match.rule).match(text, match.end) if match.rule.on else None
            found.append(match._replace(end=on.end()) if on else match)
            return found[-1].end

        for begin, order, known in self._all_begins(text, 0):
            while waiting and waiting[0].start < begin:
                place = take(heappop(waiting))
            if begin >= place and (match := self._match(order, text, begin, known)) is not None:
                heappush(waiting, match)
        while waiting:
            place = take(heappop(waiting))
        return found

    def candidates(self, text: str, place: int) -> list[Match]:
        """Return every match that begins at `place` or behind it, overlapping ones too, in their order."""
        begins = self._all_begins(text, place)
        found = [self._match(order, text, begin, known) for begin, order, known in begins]
        return sorted(match for match in found if match is not None)

    def _all_begins(self, text: str, place: int) -> list[_Begin]:
        """Return where which rules may match, in order, with the match of the expression where it is known already."""
        data = text.encode("latin-1", "replace")  # one byte a character
        begins: list[_Begin] = []
        digits = len(data) - len(data.translate(None, _DIGITS)) if self._numeric else 0
        for order in self._searched:
            rule = self.rules[order]
            if rule.digits <= digits and rule.inside.encode() in data:
                begins += ((begin, order, None) for begin in self._begins(order, text, place))
        for order, places in self._anchors(data, place):
            match = self._expression(order).match
            begins += ((begin, order, found) for begin in places if (found := match(text, begin)))
        begins.sort(key=_place)
        return begins

    def first_open(self, text: str, place: int) -> int:
        """Return the first position from `place` on where more text could decide something, or `NOWHERE`."""
        first = NOWHERE
        for opening, by_letter in self._openings:
            for each in opening.finditer(text, place):
                if any(self._open(order).match(text, each.start()) for order in by_letter[text[each.start()]]):
                    first = min(first, each.start())
                    break
        for order in self._searched:
            undecided = self._open(order).search(text, place)
            if undecided and undecided.start() < len(text):
                first = min(first, undecided.start())
        return first

    def _anchors(self, data: bytes, place: int) -> Iterator[tuple[int, list[int]]]:
        """Yield rules, and where a literal stands that begins their matches."""
        for word, orders in self._words.items():
            if (first := data.find(word, place)) >= 0:
                found = finds(data, word, first)
                yield from ((order, found) for order in orders)
        if self._stems:
            lower = data.lower()
            for stem, orders in self._stems.items():
                if (first := lower.find(stem, place)) >= 0:
                    found = finds(lower, stem, first)
                    yield from ((order, found) for order in orders)
        if self._starts:
            yield from self._keys(data, place)

    def _keys(self, data: bytes, place: int) -> Iterator[tuple[int, list[int]]]:
        """Look for `starts` where there are runs only: these pieces are laid together and searched at once."""
        kinds = data.translate(_KINDS)
        runs = kinds.replace(b"A", b"a")
        pieces, places, size = [], [], [0]
        start = runs.find(_RUN, place)
        while start >= 0:
            end = runs.find(b" ", start + RUN)
            end = len(runs) if end < 0 else end
            if kinds.find(b"A", start, end) >= 0:
                low = max(place, start - BEFORE_RUN)
                pieces.append(data[low:end])
                places.append(low)
                size.append(size[-1] + end - low + 1)
            start = runs.find(_RUN, end)
        if not pieces:
            return
        together = b"\n".join(pieces)
        for literal, orders in self._starts.items():
            if literal in together:
                piece, begins = 0, []
                for at in finds(together, literal, 0):
                    while size[piece + 1] <= at:
                        piece += 1
                    begins.append(at + places[piece] - size[piece])
                yield from ((order, begins) for order in orders)

    def _begins(self, order: int, text: str, place: int) -> Iterator[int]:
        """Yield where a rule without such a literal may begin."""
        rule = self.rules[order]
        if rule.lead:
            shortest, longest = _width(rule.lead)
            seen = 0  # begins that an earlier mark had before it are not looked for again
            for mark in _made(rule.near or re.escape(rule.inside)).finditer(text, place):
                at = mark.start()
                yield from _starts(_made(rule.lead), text, max(place, at - longest, seen), at + 1)
                seen = at + 2 - shortest
        elif rule.numeric:
            for low, high in self._numbers(text, place):
                yield from _starts(_made(rule.pattern), text, low, high)
        else:
            yield from _starts(_body(rule.pattern), text, place, len(text))

    def _numbers(self, text: str, place: int) -> list[tuple[int, int]]:
        """Return the ranges around numbers; the rules that ask do so one after the other for the same text."""
        if self._asked != (text, place):
            numbers = [each.span() for each in _made(_NUMBER).finditer(text, place)]
            self._asked = text, place
            self._ranges = [(max(place, low - 8), min(high + 32, len(text))) for low, high in numbers]
        return self._ranges

    def _match(self, order: int, text: str, begin: int, known: re.Match[str] | None) -> Match | None:
        found = known or self._expression(order).match(text, begin)
        if found is None:
            return None
        rule = self.rules[order]
        start, end = found.span(found.re.groups)
        if rule.named and harmless(text[begin:start]):
            return None
        if rule.check is not None:
            good = rule.check(text[start:end])
            if not good:
                return None
            end = start + good
        return Match(start, order, begin, end, rule)

    def _expression(self, order: int) -> re.Pattern[str]:
        expression = self._full[order]
        if expression is None:
            expression = self._full[order] = _compiled(self.rules[order])
        return expression

    def _open(self, order: int) -> re.Pattern[str]:
        return _opened(self.rules[order])

    @cached_property
    def _openings(self) -> list[tuple[re.Pattern[str], dict[str, list[int]]]]:
        """Expressions for where a literal begins, be it cut by the end, and the rules by the letter there."""
        found = []
        sensitive = {literal.decode(): orders for literal, orders in {**self._starts, **self._words}.items()}
        if sensitive:
            found.append((re.compile(f"(?={_tree(sorted(sensitive))})"), _by_letter(sensitive)))
        stems = {literal.decode(): orders for literal, orders in self._stems.items()}
        if stems:
            either = {**_by_letter(stems), **{k.upper(): v for k, v in _by_letter(stems).items()}}
            found.append((re.compile(f"(?={_tree(sorted(stems))})", re.ASCII | re.IGNORECASE), either))
        return found


@cache
def continuation(rule: Rule) -> re.Pattern[str]:
    """The expression of what belongs to a match however long it is."""
    return re.compile(f"(?:{rule.on})*+", FLAGS)


@cache
def _compiled(rule: Rule) -> re.Pattern[str]:
    return re.compile(rule.pattern, _flags(rule))


@cache
def _opened(rule: Rule) -> re.Pattern[str]:
    from fennec_cli.rules.pattern import open_form, read  # of use for streams only

    return re.compile(open_form(read(rule.pattern)), _flags(rule))


@cache
def _made(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, FLAGS)


@cache
def _body(pattern: str) -> re.Pattern[str]:
    """The expression without its look at the character before: `re` finds the begin of such a one faster."""
    return _made(pattern[pattern.index("])") + 2 :] if pattern.startswith("(?<![") else pattern)


@cache
def _width(pattern: str) -> tuple[int, int]:
    from fennec_cli.rules.pattern import read, width

    return width(read(pattern))


def _starts(expression: re.Pattern[str], text: str, low: int, high: int) -> Iterator[int]:
    """Yield where an expression matches between two places, overlapping ones too."""
    each = expression.search(text, low, high)
    while each is not None:
        yield each.start()
        each = expression.search(text, each.start() + 1, high)


def _flags(rule: Rule) -> int:
    return FLAGS | re.IGNORECASE if rule.stems else FLAGS


def finds(text: "str | bytes", part: "str | bytes", low: int) -> list[int]:
    """Return where `part` stands in `text` from `low` on, overlapping ones too."""
    found = []
    at = text.find(part, low)  # type: ignore[arg-type] # both are of one type
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)  # type: ignore[arg-type]
    return found


def _tree(words: list[str]) -> str:
    """Return the expression of sorted `words` and, at the end of a text, of their beginnings."""
    ways = []
    letters = sorted({word[0] for word in words if word})
    for letter in letters:
        rests = [word[1:] for word in words if word[:1] == letter]
        ways.append(re.escape(letter) + ("" if "" in rests else rf"(?:\Z|{_tree(rests)})"))
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"


def _by_letter(literals: Mapping[str, list[int]]) -> dict[str, list[int]]:
    table: dict[str, list[int]] = {}
    for literal, orders in literals.items():
        known = table.setdefault(literal[0], [])
        known += [order for order in orders if order not in known]
    return table
