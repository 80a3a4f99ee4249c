"""How much the rules find, how much they find that is nothing, and how long they take at worst."""

import random
import re
import time
from collections import Counter

import pytest

from fennec_cli.rules.engine import RuleSet
from fennec_cli.rules.table import PERSONAL, SECRETS, Rule
from tests.conftest import soak
from tests.rules import corpus

MIB = 1024 * 1024
FILLERS = ("", "a", "A1", "aB3-", "1 ", "1.", " ", "a@", "x.y@", "aB3." * 8, "A" * 40, "1234-" * 4, ": ", "/", "\\n")
SECRET_RULES, PERSONAL_RULES = RuleSet(SECRETS), RuleSet(PERSONAL)


@pytest.mark.soak
def test_filter_recall_secrets_099() -> None:
    cases = corpus.secrets(soak(8, 400), random.Random(31))
    missed = Counter(name for name, text in cases if not SECRET_RULES.matches(text))
    assert 1 - missed.total() / len(cases) >= 0.99, missed
    named = sum(name in {match.rule.name for match in SECRET_RULES.matches(text)} for name, text in cases)
    assert named / len(cases) >= 0.95


@pytest.mark.soak
def test_filter_recall_pii_095() -> None:
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    missed: dict[str, list[str]] = {}
    for text, values in corpus.personal(soak(60, 3000), 32):
        spans = {(match.rule.name, text[match.start : match.end]) for match in PERSONAL_RULES.matches(text)}
        for kind, value in values:
            wanted[kind] += 1
            found[kind] += (kind, value) in spans
            if (kind, value) not in spans:
                missed.setdefault(kind, []).append(value)
    for kind in corpus.CLAIMED:
        assert found[kind] / wanted[kind] >= 0.95, (kind, missed[kind][:10])


@pytest.mark.soak
def test_filter_false_alarms_100kB() -> None:
    for name, text in corpus.clean(soak(1_000_000, 8_000_000)).items():
        alarms = [text[match.begin : match.end] for match in SECRET_RULES.matches(text)]
        # Names and addresses of authors are in the library, and are what they are taken for.
        alarms += [
            text[match.start : match.end] for match in PERSONAL_RULES.matches(text) if match.rule.name != "email"
        ]
        assert len(alarms) / (len(text) / 100_000) <= 1, (name, alarms[:20])


def hostile(rule: Rule) -> list[str]:
    """Texts that make a rule try as much as possible: its beginnings, and what nearly matches, again and again."""
    heads = [*rule.starts, *rule.words, *rule.stems, rule.inside or "1"]
    texts = []
    for head in heads[:2]:
        for filler in FILLERS:
            unit = head + filler
            texts.append((unit * (MIB // len(unit) + 1))[:MIB])
            texts.append(head + (filler or "a") * (MIB // max(1, len(filler))))
    return texts


@pytest.mark.soak
@pytest.mark.parametrize("rule", SECRETS + PERSONAL, ids=lambda rule: f"{rule.name}:{re.escape(rule.pattern[:12])}")
def test_filter_no_redos(rule: Rule) -> None:
    """CPU time of the slowest text; in CI half a second for an eighth of it, where more than linear would need many."""
    size, limit = soak(MIB // 8, MIB), 0.5 if soak(1, 0) else 1.0
    rules = RuleSet([rule])
    for text in hostile(rule):
        # Neighbours on the machine can make it longer, never shorter.
        assert any(cpu_time(rules, text[:size]) < limit for _ in range(3)), text[:60]


def cpu_time(rules: RuleSet, text: str) -> float:
    begin = time.process_time()
    rules.matches(text)
    return time.process_time() - begin
