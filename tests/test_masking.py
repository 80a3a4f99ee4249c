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
