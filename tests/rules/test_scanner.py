"""What is found in a stream does not depend on how it is cut."""

import random
from itertools import pairwise

import pytest

from fennec_cli.rules.engine import Match, RuleSet
from fennec_cli.rules.scanner import Scanner
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
