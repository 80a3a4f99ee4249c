"""Masks: the same value, the same mask; nobody else's masks are restored."""

from fennec_cli.masking import Masks, as_json
from fennec_cli.rules.table import PERSONAL

EMAIL = PERSONAL[0]


def test_a_mask_names_its_class_and_number() -> None:
    masks = Masks(["a@b.example c@d.example"], b"key")
    first, second = masks.mask(EMAIL, "a@b.example"), masks.mask(EMAIL, "c@d.example")
    assert first.startswith("[EMAIL_1_")
    assert second.startswith("[EMAIL_2_")
    assert masks.mask(EMAIL, "a@b.example") == first
    assert masks.values == {first: "a@b.example", second: "c@d.example"}


def test_the_same_request_gets_the_same_masks_and_another_one_others() -> None:
    def mask(text: str, key: bytes) -> str:
        return Masks([text], key).mask(EMAIL, "a@b.example")

    assert mask("x", b"key") == mask("x", b"key")
    assert mask("x", b"key") != mask("y", b"key")
    assert mask("x", b"key") != mask("x", b"other")


def test_a_suffix_that_the_request_has_already_is_not_taken() -> None:
    text = "x"
    for _ in range(3):
        mask = Masks([text], b"key").mask(EMAIL, "a@b.example")
        assert mask not in text
        suffix = mask.rpartition("_")[2]
        assert f"_{suffix}" not in text
        text += f" [EMAIL_9_{suffix}"


def test_a_value_inside_json_is_escaped() -> None:
    assert as_json('a"b\\c\n') == 'a\\"b\\\\c\\n'


def test_a_suffix_is_the_same_in_every_release() -> None:
    """The masked request is what the cache knows: other masks would be another request."""
    assert Masks(["write to a@b.example", "é"], b"key").mask(EMAIL, "a@b.example") == "[EMAIL_1_2ejn]"


def test_texts_are_told_apart_by_where_they_end() -> None:
    def suffix(*texts: str) -> str:
        return Masks(texts, b"key").mask(EMAIL, "x")

    assert suffix("ab", "c") != suffix("a", "bc")
    assert suffix("ab") != suffix("ab", "")


def test_suffixes_are_spread_over_all_letters() -> None:
    letters = {letter for number in range(200) for letter in Masks([str(number)], b"key").mask(EMAIL, "x")[-5:-1]}
    assert letters == set("abcdefghijkmnpqrstuvwxyz23456789")


def test_half_a_character_is_no_obstacle() -> None:
    assert Masks(["\ud800"], b"key").mask(EMAIL, "\ud800").startswith("[EMAIL_1_")


def test_masks_stay_what_they_are() -> None:
    """An answer that is kept is found by its request, masks included."""
    suffixes = [next(iter(_masks(texts))).rpartition("_")[2] for texts in (["one", "two"], ["on", "etwo"], ["é\ud800"])]
    assert suffixes == ["vx57]", "8mtf]", "kssg]"]


def _masks(texts: list[str]) -> dict[str, str]:
    masks = Masks(texts, b"key")
    masks.mask(EMAIL, "a@b.example")
    return masks.values
