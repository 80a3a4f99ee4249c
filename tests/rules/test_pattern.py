"""Bounded expressions and their open forms."""

import random
import re

import pytest

from fennec_cli.rules.pattern import (
    FLAGS,
    LONGEST,
    MOST_WAYS,
    BadPattern,
    count_ways,
    open_form,
    parse,
    read,
    width,
)
from fennec_cli.rules.table import PERSONAL, SECRETS, Rule


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a+", "without an end"),
        ("x[a-z]*", "without an end"),
        ("(?:ab){2,}", "without an end"),
        ("^a", "not supported"),
        ("a$", "not supported"),
        (r"(a)\1", "not supported"),
        ("(?P<name>a)", "not supported"),
        ("(?i)a", "not supported"),
        ("(a)(b)", "more than one group"),
        ("a{2}?", "not supported"),
        ("(?!ab)c", "more than one character"),
        ("[a", "cannot be read"),
        (f"a{{{'4' * 50}}}", "cannot be read"),
        ("(?:" * 3000 + "a" + ")" * 3000, "cannot be read"),
        ("(?:" * 300 + "a" + ")" * 300, "groups in each other"),
        ("a{0,3}", "nothing at all"),
        ("[a-z]{1,5000}", f"more than {LONGEST}"),
        ("(?:a{1,9}){1,40}b", "too many ways"),
    ],
)
def test_an_expression_without_bounds_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(BadPattern, match=reason):
        parse(pattern)


@pytest.mark.parametrize(
    ("pattern", "low", "high"),
    [
        ("abc", 3, 3),
        (r"EMP-[0-9]{6}", 10, 10),
        (r"a(?:b|cd){0,2}\.", 2, 6),
        (r"[]\]^-]{2,3}\x41\u00e9", 4, 5),
        (r"(?<![a-z])x?y\b", 1, 2),
    ],
)
def test_lengths_are_known(pattern: str, low: int, high: int) -> None:
    assert width(parse(pattern)) == (low, high)


@pytest.mark.parametrize("rule", SECRETS + PERSONAL, ids=lambda rule: f"{rule.name}:{rule.pattern[:16]}")
def test_every_rule_is_bounded(rule: Rule) -> None:
    assert 0 < width(read(rule.pattern))[0] <= width(read(rule.pattern))[1] <= LONGEST


CASES = [
    "ab?c",
    "a{2,4}b",
    "(?:ab|a){1,3}c",
    "[ab]{0,2}c(?!b)",
    r"(?<!c)a(?:b{2}|c)?",
    "a(?:b|bc)(?:c|d)",
    r"ab\b",
    "ab{0,2}+c",
]


@pytest.mark.parametrize("pattern", CASES)
def test_the_open_form_is_exact(pattern: str) -> None:
    """Where it does not match up to the end, no further text changes what the expression matches; else some does."""
    rng = random.Random(pattern)
    full, opened = re.compile(pattern, FLAGS), re.compile(open_form(read(pattern)), FLAGS)
    for _ in range(1500):
        text = "".join(rng.choices("abcd ", k=rng.randint(1, 6)))
        for place in range(len(text)):
            now = full.match(text, place)
            changed = False
            for more in ("a", "b", "c", "d", " ", "bc", "cc", "bb", "ab", "aab", "aac", "abc"):
                later = full.match(text + more, place)
                changed |= (now and now.span()) != (later and later.span())
            if changed:
                assert opened.match(text, place), (pattern, text, place)


@pytest.mark.parametrize(
    ("pattern", "ways"),
    [
        ("abc", 1),
        ("a{2}", 1),
        ("a?b", 2),
        ("a{1,9}b{0,4}", 45),
        ("a|b|cd", 3),
        ("(?:a|b)c", 2),
        ("(?:a|b){3}", 8),
        ("(?:a{0,2}){0,2}", 27),
        (r"(?<!x)a{1,3}\b", 3),
    ],
)
def test_the_ways_to_match_are_counted(pattern: str, ways: int) -> None:
    assert count_ways(read(pattern)) == ways


def test_the_limits_themselves_are_allowed() -> None:
    longest = f"a{{1,{LONGEST}}}"
    assert width(parse(longest)) == (1, LONGEST)
    with pytest.raises(BadPattern):
        parse(f"{longest}b")
    most = "a{1,10}" * 7  # 10 million
    assert count_ways(parse(most)) == MOST_WAYS
    with pytest.raises(BadPattern):
        parse(f"{most}b?")
    assert width(parse("a{0,1}b")) == (1, 2)
