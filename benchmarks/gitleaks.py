"""Read the examples in a checkout of gitleaks, and measure our rules with them. Nothing of it is part of ours.

Its rules stand in Go files with samples in variables `tps` (to be found) and `fps` (not to be). This reads so much of
Go as they use: strings, sums, `append`, `fmt.Sprintf`, functions that are one `return`, secrets made from an
expression. What it cannot read is counted and named.
"""

import base64
import hashlib
import random
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from fennec_cli.rules.pattern import BadPattern, Group, Look, Part, Sequence, read

RULES, UTILS = "cmd/generate/config/rules", "cmd/generate/config/utils"

SEEDS = range(5)

# Their rules for what is no secret, or none of those that we say we find; the README's recall leaves them out.
NOT_CLAIMED = {
    "asana-client-id": "an id, all digits",
    "discord-client-id": "an id, all digits",
    "messagebird-client-id": "an id",
    "sumologic-access-id": "an id",
    "gcp-service-account": "the mark of a file; the key in it is found",
    "pkcs12-file": "the name of a file",
    "kubernetes-secret-yaml": "base64 under names of any kind",
    "nuget-config-password": "passwords without a digit",
}

_TOKEN = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/)|(?P<raw>`[^`]*`)|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<name>[A-Za-z_]\w*(?:\.\w+)*)"""
    r"""|(?P<number>\d[\w.]*)|(?P<sign>\.\.\.|:=|.)""",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class Unreadable(Exception):
    """An expression with something in it that this does not know."""


class Examples(NamedTuple):
    """What gitleaks says of one of its rules."""

    rule: str
    found: list[str]
    ignored: list[str]
    unread: str = ""

    @property
    def held_out(self) -> bool:
        """Whether the rule is in the half that was not looked at before its figure was taken (2026-11-25)."""
        return bool(hashlib.sha256(self.rule.encode()).digest()[0] & 1)


Token = tuple[str, str]  # raw, text, name, number or sign; and as it stands there


class Function(NamedTuple):
    name: str
    parameters: list[str]
    body: list[Token]


def examples(checkout: Path, seed: int) -> Iterator[Examples]:
    """Yield the samples of every rule, secrets made with `seed`. Raises OSError without such files."""
    files = {path: _tokens(path.read_text()) for path in sorted((checkout / RULES).glob("*.go"))}
    functions = {each.name: each for tokens in files.values() for each in _functions(tokens)}
    for path in (checkout / UTILS).glob("*.go"):
        functions |= {f"utils.{each.name}": each for each in _functions(_tokens(path.read_text()))}
    for tokens in files.values():
        for function in _functions(tokens):
            names = [place for place, token in enumerate(function.body) if token == ("name", "RuleID")]
            if names:
                rule = function.body[names[0] + 2][1].strip('"')
                scope = _Scope(functions, random.Random(f"{seed} {rule}"), {})
                scope.run(tokens, package=True)
                scope.run(function.body)
                try:
                    yield Examples(rule, scope.texts("tps"), scope.texts("fps"))
                except Unreadable as error:
                    yield Examples(rule, [], [], str(error))


def measured(checkout: Path, finds: Callable[[str], object]) -> Iterator[tuple[str, str, str]]:
    """Yield figure, value and goal of what is found of the samples, and of what is missed by rule, no text of it."""
    all_of = [each for seed in SEEDS for each in examples(checkout, seed)]
    missed: Counter[str] = Counter()
    for name, half in (("all", (True, False)), ("held-out half", (True,)), ("other half", (False,))):
        claimed = [each for each in all_of if each.rule not in NOT_CLAIMED and each.held_out in half]
        wanted = sum(len(each.found) for each in claimed)
        missed = Counter({each.rule: 0 for each in claimed})
        for each in claimed:
            missed[each.rule] += sum(not finds(text) for text in each.found)
        rules = len(missed)
        value = f"{1 - missed.total() / max(1, wanted):.4f}"
        yield f"recall, {wanted} samples of {rules} rules of gitleaks ({name})", value, ">= 0.99"
        if name == "all":
            yield from ((f"  missed of {rule}", f"{count}", "") for rule, count in missed.items() if count)
    ignored = [text for each in all_of for text in each.ignored]
    yield f"found in {len(ignored)} counter-examples of gitleaks", f"{sum(bool(finds(text)) for text in ignored)}", ""
    unread = sorted({each.rule for each in all_of if each.unread or not each.found})
    yield f"rules of gitleaks without samples that can be read: {', '.join(unread)}", f"{len(unread)}", ""


def _functions(tokens: list[Token]) -> Iterator[Function]:
    for place, token in enumerate(tokens):
        if token == ("name", "func") and tokens[place + 1][0] == "name":
            end = tokens.index(("sign", ")"), place)
            names = [text for kind, text in tokens[place + 3 : end] if kind == "name"]
            start = tokens.index(("sign", "{"), end)
            yield Function(tokens[place + 1][1], names[::2], tokens[start : _closing(tokens, start)])


def _closing(tokens: list[Token], place: int) -> int:
    depth = 0
    for at in range(place, len(tokens)):
        depth += {("sign", "{"): 1, ("sign", "}"): -1}.get(tokens[at], 0)
        if not depth:
            return at
    return len(tokens)


class _Scope:
    """The variables of a function, and how its expressions are read."""

    def __init__(self, functions: Mapping[str, Function], rng: random.Random, variables: dict[str, Any]) -> None:
        self._functions, self._rng, self._variables = functions, rng, variables
        self._tokens: list[Token] = []
        self._place = 0

    def texts(self, name: str) -> list[str]:
        value = self._variables.get(name) or []
        if isinstance(value, Unreadable):
            raise value
        return list(value.values() if isinstance(value, dict) else value)

    def run(self, tokens: list[Token], *, package: bool = False) -> None:
        """Assign what the body of a function assigns, or only what `var` does in a package, in its order."""
        for place, (kind, name) in enumerate(tokens[:-1]):
            sign = tokens[place + 1][1]
            known = name in self._variables or tokens[place - 1] == ("name", "var")
            if kind == "name" and ((sign == ":=" and not package) or (sign == "=" and known)):
                self._tokens, self._place = tokens, place + 2
                try:
                    self._variables[name] = self._sum()
                except Unreadable as error:
                    self._variables[name] = error

    def result(self, body: list[Token]) -> Any:
        """Return what a function returns that is one expression."""
        self.run(body)
        returns = [place for place, token in enumerate(body) if token == ("name", "return")]
        if len(returns) != 1:
            raise Unreadable("a function with more than one return")
        self._tokens, self._place = body, returns[0] + 1
        return self._sum()

    def _sum(self) -> Any:
        value = self._value()
        while self._take("+"):
            value += self._value()
        return value

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "raw":
            return text[1:-1]
        if kind == "text":
            return re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|.)", _unescaped, text[1:-1])
        if kind == "number":
            return int(text)
        if text == "(":
            value = self._sum()
            self._expect(")")
            return value
        if text == "[" and self._take("]"):
            self._next()
            return self._call("bytes") if self._take("(") else self._items()
        if text == "map" and self._take("["):
            self._next(), self._expect("]"), self._next()
            return self._items()
        if kind != "name":
            raise Unreadable(text)
        if self._take("("):
            return self._call(text)
        value = self._variables.get(text, Unreadable(text))
        if isinstance(value, Unreadable):
            raise value
        return value

    def _items(self) -> Any:
        self._expect("{")
        values: list[Any] = []
        keys: list[Any] = []
        while not self._take("}"):
            values.append(self._sum())
            if self._take(":"):
                keys.append(values.pop())
                values.append(self._sum())
            self._take(",")
        return dict(zip(keys, values, strict=True)) if keys else values

    def _call(self, name: str) -> Any:
        given: list[Any] = []
        while not self._take(")"):
            value = self._sum()
            given += value if self._take("...") else [value]
            self._take(",")
        if name == "append":
            return [*given[0], *given[1:]]
        if name == "fmt.Sprintf":
            return re.sub("%[svd]", lambda _, rest=iter(given[1:]): str(next(rest)), given[0])
        if name == "strings.Repeat":
            return given[0] * given[1]
        if name == "strings.ToUpper":
            return given[0].upper()
        if name == "bytes":
            return given[0]
        if name in ("b64.StdEncoding.EncodeToString", "base64.StdEncoding.EncodeToString"):
            return base64.b64encode(given[0].encode()).decode()
        if name == "secrets.NewSecret":
            return self._secret(given[0])
        if name == "newPlausibleSecret":  # theirs tries until there is a digit
            return next(made for made in iter(lambda: self._secret(given[0]), None) if re.search("[1-9]", made))
        if name == "utils.GenerateSampleSecrets":
            return self._samples(*given)
        function = self._functions.get(name)
        if function is None:
            raise Unreadable(name)
        return self._inner(dict(zip(function.parameters, given, strict=True))).result(function.body)

    def _secret(self, expression: str) -> str:
        bounded = re.sub(r"\{(\d+),\}", lambda each: f"{{{each[1]},{int(each[1]) + 100}}}", expression)
        for sign, repeat in (("*", "{0,20}"), ("+", "{1,20}")):
            bounded = re.sub(rf"(?<=[\])])\{sign}", repeat, bounded)
        bounded = re.sub(r"(?<!\\)\((?!\?)", "(?:", bounded)
        try:
            return made(read(bounded), self._rng)
        except BadPattern as error:
            raise Unreadable(str(error)) from None

    def _samples(self, identifier: str, secret: str) -> list[str]:
        scope = self._inner({})
        scope.run(self._functions["utils.GenerateSampleSecrets"].body)
        names = {"{i}": identifier, "{I}": identifier.upper(), "{s}": secret}
        return [re.sub(r"\{[iIs]\}", lambda each: names[each[0]], form) for form in scope.texts("samples")]

    def _inner(self, variables: dict[str, Any]) -> "_Scope":
        return _Scope(self._functions, self._rng, variables)

    def _next(self) -> Token:
        if self._place >= len(self._tokens):
            raise Unreadable("the end")
        self._place += 1
        return self._tokens[self._place - 1]

    def _take(self, sign: str) -> bool:
        taken = self._place < len(self._tokens) and self._tokens[self._place] == ("sign", sign)
        self._place += taken
        return taken

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise Unreadable(f"no {sign}")


def made(parts: Sequence, rng: random.Random) -> str:
    """Return a text that matches an expression."""
    return "".join(_once(part, rng) for part in parts for _ in range(_times(part, rng)))


def _times(part: Part, rng: random.Random) -> int:
    return 0 if isinstance(part, Look) else rng.randint(part.low, part.high)


def _once(part: Part, rng: random.Random) -> str:
    return made(rng.choice(part.ways), rng) if isinstance(part, Group) else rng.choice(_letters(part.source))


@cache
def _letters(source: str) -> str:
    return "".join(letter for letter in string.printable if re.fullmatch(source, letter))


def _tokens(source: str) -> list[Token]:
    return [(str(each.lastgroup), each[0]) for each in _TOKEN.finditer(source) if each.lastgroup != "skip"]


def _unescaped(escape: re.Match[str]) -> str:
    letter = escape[1]
    return chr(int(letter[1:], 16)) if len(letter) > 1 else _ESCAPES.get(letter, letter)
