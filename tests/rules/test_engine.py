"""What is found does not depend on how it is looked for, nor on how the text is cut."""

import random
from itertools import pairwise

import pytest

from fennec_cli.rules import redact
from fennec_cli.rules.engine import Match, RuleSet, Scanner, continuation
from fennec_cli.rules.table import PERSONAL, SECRETS, Rule
from tests.conftest import soak
from tests.rules import samples

ALL = RuleSet(SECRETS + PERSONAL)
KNOWN = {"[EMAIL_1_abcd]": "", "[CARD_2_abcd]": ""}


def as_pieces(text: str, cuts: list[int], rules: RuleSet = ALL, known: dict[str, str] = KNOWN) -> list[str]:
    """What a scanner makes of `text` cut at `cuts`: found things as <name>, the rest joined."""
    scanner = Scanner(rules, known)
    out: list[str] = []
    edges = [0, *sorted(cuts), len(text)]
    for start, end in pairwise(edges):
        out += [shown(*piece) for piece in scanner.feed(text[start:end])]
    return [*out, *(shown(*piece) for piece in scanner.close())]


def shown(text: str, rule: Rule | None, known: bool) -> str:
    return f"<known {text}>" if known else f"<{rule.name}>" if rule else text


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


@pytest.mark.soak
def test_ranges_and_literals_leave_nothing_out() -> None:
    rng = random.Random(1)
    for _ in range(soak(25, 1500)):
        text = samples.mixture(rng, 12, samples.PERSONAL)
        assert spans(ALL.matches(text)) == slow_matches(text, ALL.rules), text


@pytest.mark.soak
def test_filter_chunking_equivalence_1e6() -> None:
    rng = random.Random(2)
    done = 0
    while done < soak(20_000, 1_000_000):
        text = samples.mixture(rng, rng.randint(2, 14), samples.PERSONAL)
        whole = "".join(as_pieces(text, []))
        for _ in range(10):
            cuts = [rng.randrange(len(text) + 1) for _ in range(rng.randint(1, 4) ** 3)]
            assert "".join(as_pieces(text, cuts)) == whole, (text, cuts)
            done += len(cuts)


@pytest.mark.soak
def test_every_single_cut_and_single_characters_give_the_same() -> None:
    rng = random.Random(3)
    for _ in range(soak(4, 400)):
        text = samples.mixture(rng, 6, samples.PERSONAL)
        whole = "".join(as_pieces(text, []))
        assert "".join(as_pieces(text, list(range(len(text))))) == whole, text
        for cut in range(0, len(text), soak(7, 1)):
            assert "".join(as_pieces(text, [cut])) == whole, (text, cut)


def test_a_stream_in_one_piece_finds_what_the_whole_text_has() -> None:
    rng = random.Random(4)
    for _ in range(60):
        text = samples.mixture(rng, 12, samples.PERSONAL)
        parts, place = [], 0
        for match in ALL.matches(text):
            parts += [text[place : match.start], f"<{match.rule.name}>"]
            place = match.end
        assert "".join(as_pieces(text, [], known={})) == "".join([*parts, text[place:]])


def test_prose_is_hardly_held_back() -> None:
    scanner = Scanner(RuleSet(SECRETS))
    text = (
        (Match.__doc__ or "") + (RuleSet.candidates.__doc__ or "") + "A sentence about skis, eyes and gherkins. " * 20
    )
    held = 0
    for place in range(0, len(text), 4):
        scanner.feed(text[place : place + 4])
        held = max(held, scanner.held)
    assert held <= 32


def test_a_key_is_not_shown_before_it_is_known_to_be_none() -> None:
    scanner = Scanner(RuleSet(SECRETS))
    shown_ = "".join(piece.text for letter in "see sk-proj-abcdefgh" for piece in scanner.feed(letter))
    assert shown_ == "see "
    assert "".join(piece.text for piece in scanner.feed("! no, ")) == "sk-proj-abcdefgh! no, "


def test_a_key_at_the_end_of_a_stream_is_found() -> None:
    rng = random.Random(5)
    text = "ghp_" + "".join(rng.choices(samples.ALNUM, k=36))
    assert as_pieces(text, [3, 9, 40]) == ["<github-token>"]


def test_what_belongs_to_a_key_goes_with_it_however_long() -> None:
    rng = random.Random(6)
    body = "\n".join("".join(rng.choices(samples.B64, k=64)) for _ in range(200))
    text = f"a -----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY----- b"
    whole = "".join(as_pieces(text, []))
    assert body[-20:] not in whole
    assert whole.startswith("a <private-key>")
    assert "".join(as_pieces(text, list(range(0, len(text), 37)))) == whole


def test_of_two_rules_at_one_value_the_special_one_counts() -> None:
    rng = random.Random(7)
    text = f"OPENAI_API_KEY={samples.filled('sk-proj-{URL:74}T3BlbkFJ{URL:74}', rng)}"
    assert as_pieces(text, [])[-1] == "<openai-key>"


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
    assert as_pieces(f"{name} = '{value}'", []) == [f"{name} = '{value}'"]
    assert as_pieces(f"{name}_secret = '{value}'", [])[1] == "<password>"
