"""What is found does not depend on how it is looked for."""

import random

import pytest

from fennec_cli.rules import redact
from fennec_cli.rules.engine import Match, RuleSet, continuation
from fennec_cli.rules.table import PERSONAL, SECRETS, Rule
from tests.conftest import soak
from tests.rules import samples

ALL = RuleSet(SECRETS + PERSONAL)


def slow_matches(text: str, rules: tuple[Rule, ...]) -> list[tuple[int, int, str]]:
    """The judge: every rule at every place, no literals, no ranges."""
    import re

    found = []
    for order, rule in enumerate(rules):
        compiled = re.compile(rule.pattern, re.ASCII | (re.IGNORECASE if rule.stems else 0))
        for begin in range(len(text)):
            match = compiled.match(text, begin)
            if match:
                start, end = match.span(compiled.groups)
                good = rule.check(text[start:end]) if rule.check else end - start
                if good:
                    found.append((start, order, begin, start + good, rule))
    place, kept = 0, []
    for start, _order, begin, end, rule in sorted(found, key=lambda each: each[:2]):
        if begin >= place:
            on = continuation(rule).match(text, end) if rule.on else None
            place = on.end() if on else end
            kept.append((start, place, rule.name))
    return kept


def spans(found: list[Match]) -> list[tuple[int, int, str]]:
    return [(match.start, match.end, match.rule.name) for match in found]


def names(text: str) -> list[str]:
    return [match.rule.name for match in ALL.matches(text)]


@pytest.mark.soak
def test_ranges_and_literals_leave_nothing_out() -> None:
    rng = random.Random(1)
    for _ in range(soak(25, 1500)):
        text = samples.mixture(rng, 12, samples.PERSONAL)
        assert spans(ALL.matches(text)) == slow_matches(text, ALL.rules), text


def test_of_two_rules_at_one_value_the_special_one_counts() -> None:
    rng = random.Random(7)
    text = f"OPENAI_API_KEY={samples.filled('sk-proj-{URL:74}T3BlbkFJ{URL:74}', rng)}"
    assert names(text) == ["openai-key"]


def test_redact_names_what_it_takes_out() -> None:
    rng = random.Random(8)
    key = samples.filled("ghp_{ALNUM:36}", rng)
    assert redact(f"failed with {key} today") == "failed with [GITHUB_TOKEN] today"
    assert redact("nothing to hide") == "nothing to hide"


@pytest.mark.parametrize("text", ["Say hello, in one word: 12 or so", "https", "what is a basis?", "pas de clef"])
def test_no_expression_is_made_for_a_text_without_a_beginning_of_something(text: str) -> None:
    rules = RuleSet(SECRETS)
    assert rules.matches(text) == []
    assert not any(rules._full)


@pytest.mark.parametrize("name", ["credentialsId", "key_length", "secret-name", "token_url", "KeyFile"])
def test_a_name_of_something_harmless_hides_nothing(name: str) -> None:
    value = samples.filled("{ALNUM:32}", random.Random(9))
    assert names(f"{name} = '{value}'") == []
    assert names(f"{name}_secret = '{value}'") == ["password"]
