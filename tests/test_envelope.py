"""The envelope gives back what was put in, or nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fennec_cli.encryption import AESGCMCipher
from fennec_cli.envelope import COMPRESS_FROM, LARGEST_BODY, is_fresh, seal, unseal

NAME, KEY = "ab" * 32, b"k" * 32
BODIES = [b"", b"{}", b"short", b"long" * COMPRESS_FROM, bytes(range(256)) * 20]


def sealed(body: bytes = b"body", **changes: object) -> bytes:
    fields: dict[str, object] = {"name": NAME, "key": KEY, "created": 100.0, "ttl": 60.0}
    return seal(body, **{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("encrypted", [False, True])
def test_what_was_sealed_comes_back(body: bytes, encrypted: bool) -> None:
    cipher = AESGCMCipher(KEY) if encrypted else None
    data = sealed(body, encrypt=cipher.encrypt if cipher else None)
    assert unseal(data, name=NAME, key=KEY, decrypt=cipher.decrypt if cipher else None) == (body, 100.0, 60.0)


def test_long_bodies_are_compressed_and_encrypted_ones_are_not_readable() -> None:
    assert len(sealed(b"long" * 1000)) < 1000
    assert b"secret" not in sealed(b"secret", encrypt=AESGCMCipher(KEY).encrypt)


@pytest.mark.parametrize("body", [b"body", b"long" * COMPRESS_FROM])
def test_no_byte_can_be_changed_or_cut(body: bytes) -> None:
    data = sealed(body)
    for place in range(len(data)):
        assert unseal(data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :], name=NAME, key=KEY) is None
        assert unseal(data[:place], name=NAME, key=KEY) is None
    assert unseal(data + b"x", name=NAME, key=KEY) is None


def test_another_name_and_another_key_are_refused() -> None:
    assert unseal(sealed(), name="cd" * 32, key=KEY) is None
    assert unseal(sealed(), name=NAME, key=b"x" * 32) is None


def test_plain_entries_do_not_count_where_encryption_is_asked_for_nor_the_other_way() -> None:
    cipher = AESGCMCipher(KEY)
    assert unseal(sealed(), name=NAME, key=KEY, decrypt=cipher.decrypt) is None
    assert unseal(sealed(encrypt=cipher.encrypt), name=NAME, key=KEY) is None
    assert unseal(sealed(encrypt=cipher.encrypt), name=NAME, key=KEY, decrypt=AESGCMCipher(b"x" * 32).decrypt) is None


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_bytes_of_somebody_else_are_nothing(data: bytes) -> None:
    assert unseal(data, name=NAME, key=KEY) is None


@pytest.mark.parametrize(
    ("now", "reader", "fresh"),
    [
        (100.0, None, True),
        (159.9, None, True),
        (160.0, None, False),
        (109.9, 10.0, True),
        (110.0, 10.0, False),
        (159.0, 600.0, True),
        (161.0, 600.0, False),  # the entry's own limit stands
        (41.0, None, True),  # the clock was set back
        (39.0, None, False),
        (100.0, 0.0, False),
    ],
)
def test_an_entry_counts_for_a_time(now: float, reader: float | None, fresh: bool) -> None:
    assert is_fresh(100.0, 60.0, now, reader) is fresh


def test_an_entry_counts_from_a_lifetime_before_it_was_made() -> None:
    assert is_fresh(100.0, 60.0, 40.0)


def test_what_earlier_releases_stored_opens() -> None:
    data = bytes.fromhex(
        "464e4331003ff8000000000000404e00000000000000000004"
        "873be0bc48949541b8c5f6882690cac05752f560b8fa1045f7eb8389783e8aec626f6479"
    )
    assert unseal(data, name="name", key=b"k" * 32) == (b"body", 1.5, 60.0)


def test_bodies_are_compressed_from_1024_bytes_on() -> None:
    assert len(seal(b"a" * 1023, name=NAME, key=KEY, created=1.0, ttl=1.0)) > 1023
    assert len(seal(b"a" * 1024, name=NAME, key=KEY, created=1.0, ttl=1.0)) < 200


def test_no_more_than_64_mib_come_out_of_one() -> None:
    """A larger answer is never kept; one that claims to be is cut, and no record then."""
    sealed = seal(bytes(LARGEST_BODY + 10), name=NAME, key=KEY, created=1.0, ttl=1.0)
    opened = unseal(sealed, name=NAME, key=KEY)
    assert opened is not None
    assert len(opened.body) == LARGEST_BODY
