"""No secret in what is said, however it is spelt there."""

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fennec_cli import redactor
from fennec_cli.errors import NetworkError
from fennec_cli.output.notes import Notes
from fennec_cli.redactor import hide, redacted

KEY = "sk-canary/0123+456789==é"


def test_every_spelling_is_hidden() -> None:
    hide(KEY)
    for spelt in (KEY, quote(KEY, safe=""), quote_plus(KEY)):
        assert redacted(f"the key {spelt} is wrong") == "the key *** is wrong"


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_base64_is_hidden_wherever_the_key_stands_in_it(before: bytes, after: bytes) -> None:
    redactor._hidden.clear()
    hide(KEY)
    for encode in (b64encode, urlsafe_b64encode):
        coded = encode(before + KEY.encode() + after).decode()
        said = redacted(coded)
        assert "***" in said
        assert b64encode(KEY.encode()).decode()[4:-8] not in said


def test_the_longer_secret_goes_first_and_bearer_is_no_part_of_one() -> None:
    hide("secret-1")
    hide("Bearer secret-1-and-more")
    assert redacted("secret-1-and-more secret-1") == "*** ***"


def test_short_texts_are_no_secrets() -> None:
    hide("the")
    hide("")
    assert redacted("the other") == "the other"


def test_errors_and_notes_go_through_it(capfd: pytest.CaptureFixture[str], tmp_path: object) -> None:
    hide(KEY)
    log = f"{tmp_path}/log"
    notes = Notes(verbosity=3, log_file=log)
    notes.error(NetworkError(f"server says {KEY}", hint=f"not {KEY}", provider=KEY))
    notes.say(3, f"> {KEY}")
    notes.warn(KEY)
    notes.usage(KEY)
    with open(log) as file:
        for text in (capfd.readouterr().err, file.read()):
            assert text.count("***") == 6
            assert "canary" not in text


def test_what_is_said_is_one_line_that_drives_no_terminal(capfd: pytest.CaptureFixture[str], tmp_path: object) -> None:
    log = f"{tmp_path}/log"
    notes = Notes(verbosity=3, log_file=log)
    forged = "a\nfennec: auth: \x1b[31mfake\udcff"
    notes.error(NetworkError(forged), where=f"row {forged}: ")
    notes.say(1, forged)
    notes.warn(forged)
    notes.usage(forged)
    with open(log) as file:
        for text in (capfd.readouterr().err, file.read()):
            assert text.count("\n") == 4
            assert text.replace("\n", "").isprintable()
            assert text.count("fake\ufffd") == 5


def test_six_characters_are_a_secret_and_five_are_none() -> None:
    hide("abcdef")
    hide("uvwxy")
    assert redacted("abcdef uvwxy") == "*** uvwxy"


def test_a_longer_secret_goes_first_whatever_it_begins_with() -> None:
    hide("zz-secret")
    hide("aa-zz-secret-more")
    assert redacted("aa-zz-secret-more") == "***"


def test_a_slash_is_hidden_as_urls_spell_it() -> None:
    hide("secret/key")
    assert redacted("secret%2Fkey") == "***"


def test_a_key_that_is_not_utf8_is_hidden_too() -> None:
    hide("secret-\udcff")
    assert redacted("a secret-\udcff!") == "a ***!"


@pytest.mark.parametrize("length", range(6, 12))
@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("after", range(3))
def test_base64_hides_every_group_that_is_the_secret_s_alone(length: int, before: int, after: int) -> None:
    """A character that a neighbouring byte has a part in is left: no other one is."""
    key = "secret-key-x"[:length]
    hide(key)
    coded = b64encode(b"\xff" * before + key.encode() + b"\xff" * after).decode().rstrip("=")
    begin, end = -(-8 * before // 6), 8 * (before + length) // 6
    assert redacted(coded) == f"{coded[:begin]}***{coded[end:]}"
