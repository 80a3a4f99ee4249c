"""A text that a glance calls clean holds nothing that the rules for secrets find."""

import random

import pytest

from fennec_cli.filtering import FilterPolicy, Modes
from fennec_cli.rules.engine import RuleSet
from fennec_cli.rules.glance import LONGEST, MARKS, clean
from fennec_cli.rules.table import SECRETS, Rule
from tests.conftest import soak
from tests.rules import samples


def test_the_marks_are_those_of_the_table() -> None:
    marks = {text.lower().encode() for rule in SECRETS for text in (*rule.words, *rule.stems, rule.inside) if text}
    assert set(MARKS) == marks
    assert all(rule.starts or rule.words or rule.stems or rule.inside for rule in SECRETS)


def test_no_secret_passes_for_a_clean_text() -> None:
    rng = random.Random(10)
    for forms in samples.FORMATS.values():
        for form in forms:
            assert not clean(f"\u4e2d {samples.filled(form, rng)} \u00e9"), form


@pytest.mark.soak
def test_what_is_clean_at_a_glance_is_clean() -> None:
    rng, rules, seen = random.Random(11), RuleSet(SECRETS), 0
    for _ in range(soak(2000, 100_000)):
        text = samples.mixture(rng, rng.randint(1, 4), samples.PERSONAL)
        if clean(text):
            seen += 1
            assert rules.matches(text) == [], text
    assert seen > 200


def test_a_glance_is_enough_for_plain_words_only() -> None:
    assert clean("What is the capital of France? In one word, please; 12 letters at most.")
    assert not clean("say " * LONGEST)


def test_personal_data_and_rules_of_ones_own_are_always_looked_for() -> None:
    mine = Rule("employee", "secrets", "EMP-[0-9]{6}")
    text = "jane@example.org has EMP-123456"
    assert [match.rule.name for match in FilterPolicy(Modes("warn", "warn")).found(text)] == ["email"]
    assert [match.rule.name for match in FilterPolicy(Modes("warn"), own=[mine]).found(text)] == ["employee"]
