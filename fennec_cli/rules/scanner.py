"""Rules over a text that comes in pieces.

What counts as found does not depend on how a text is cut. A stream holds back from the first place where more text
could still decide something (`pattern.open_form`), and lets go of everything before it.
"""

import re
from collections.abc import Mapping

from fennec_cli.rules.engine import NOWHERE, Match, RuleSet, continuation, finds
from fennec_cli.rules.table import Rule
from fennec_cli.tuples import NamedTuple

_KNOWN = Rule("known", "secrets", "")


class Piece(NamedTuple):
    """Text of a stream that is decided: as it came, or what `rule` found (None for a known text: `known`)."""

    text: str
    rule: Rule | None = None
    known: bool = False


class Scanner:
    """Rules over a text that comes in pieces. `known` texts, all beginning with `[`, are looked for too."""

    def __init__(self, rules: RuleSet, known: Mapping[str, object] = {}) -> None:
        self._rules = rules
        self._known = known
        self._text = ""  # one character that is out already, as context, and what is undecided
        self._place = 0  # of the first undecided character
        self._on: re.Pattern[str] | None = None  # what goes on behind the last match belongs to it

    @property
    def held(self) -> int:
        """Number of characters that are held back."""
        return len(self._text) - self._place

    def feed(self, text: str) -> list[Piece]:
        """Take more text and return what is decided now."""
        self._text += text
        return self._decided(final=False)

    def close(self) -> list[Piece]:
        """Return the rest: nothing more will come."""
        return self._decided(final=True)

    def _decided(self, *, final: bool) -> list[Piece]:
        text, pieces = self._text, []
        self._skip_on(text)
        waiting: Match | None = None
        still_open = NOWHERE if final else self._first_open(text)
        for match in self._candidates(text):
            if match.begin < self._place:
                continue
            if still_open <= match.start:
                waiting = match if waiting is None or match.begin < waiting.begin else waiting
                continue
            pieces += self._as_it_came(text, match.start)
            pieces.append(Piece(text[match.start : match.end], match.rule, known=match.order < 0))
            self._place = match.end
            if match.order >= 0 and match.rule.on:
                self._on = continuation(match.rule)
                self._skip_on(text)
            still_open = NOWHERE if final else self._first_open(text)
        limit = min(len(text), still_open, waiting.begin if waiting else NOWHERE)
        pieces += self._as_it_came(text, max(limit, self._place))
        keep = max(0, self._place - 1)
        self._text, self._place = text[keep:], self._place - keep
        return pieces

    def _as_it_came(self, text: str, end: int) -> list[Piece]:
        start, self._place = self._place, end
        return [Piece(text[start:end])] if end > start else []

    def _skip_on(self, text: str) -> None:
        if self._on is not None:
            found = self._on.match(text, self._place)
            self._place = found.end() if found else self._place
            if self._place < len(text):
                self._on = None

    def _candidates(self, text: str) -> list[Match]:
        found = self._rules.candidates(text, self._place)
        if self._known and "[" in text:
            for begin in finds(text, "[", self._place):
                end = text.find("]", begin) + 1
                if end and text[begin:end] in self._known:
                    found.append(Match(begin, -1, begin, end, _KNOWN))
            found.sort(key=lambda match: match[:2])
        return found

    def _first_open(self, text: str) -> int:
        first = self._rules.first_open(text, self._place)
        if self._known and "[" in text:
            for begin in finds(text, "[", self._place):
                tail = text[begin : begin + 80]
                if "]" not in tail and any(each.startswith(tail) for each in self._known):
                    return min(first, begin)
        return first
