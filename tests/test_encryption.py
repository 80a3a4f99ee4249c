"""Encrypted bytes come back whole, in their place, or not at all."""

import subprocess
import sys

import pytest

from fennec_cli.encryption import AESGCMCipher

KEY, NAME = b"k" * 32, b"entry"
pytest.importorskip("cryptography", reason="the extra `encrypt` is not installed: NOT tested")


def test_what_was_encrypted_comes_back() -> None:
    cipher = AESGCMCipher(KEY)
    assert cipher.decrypt(cipher.encrypt(b"secret", NAME), NAME) == b"secret"
    assert AESGCMCipher(KEY).decrypt(cipher.encrypt(b"", NAME), NAME) == b""


def test_no_two_are_alike_and_none_shows_the_text() -> None:
    cipher = AESGCMCipher(KEY)
    first, second = cipher.encrypt(b"secret", NAME), cipher.encrypt(b"secret", NAME)
    assert first != second
    assert b"secret" not in first


def test_every_byte_counts() -> None:
    cipher = AESGCMCipher(KEY)
    good = cipher.encrypt(b"secret", NAME)
    for place in range(len(good)):
        with pytest.raises(ValueError, match="not encrypted by us"):
            cipher.decrypt(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :], NAME)
    for length in range(len(good)):
        with pytest.raises(ValueError):  # noqa: PT011 - cryptography has its own words for a nonce that is too short
            cipher.decrypt(good[:length], NAME)


def test_another_name_and_another_key_are_refused() -> None:
    good = AESGCMCipher(KEY).encrypt(b"secret", NAME)
    with pytest.raises(ValueError, match="not encrypted by us"):
        AESGCMCipher(KEY).decrypt(good, b"other")
    with pytest.raises(ValueError, match="not encrypted by us"):
        AESGCMCipher(b"x" * 32).decrypt(good, NAME)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        AESGCMCipher(b"short")


def test_without_the_package_the_error_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['cryptography.hazmat.primitives.ciphers.aead'] = None\n"
        "from fennec_cli.encryption import AESGCMCipher\n"
        "from fennec_cli.errors import ConfigError\n"
        "try: AESGCMCipher(b'k' * 32)\n"
        "except ConfigError as error: print(error.line())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True)
    assert "fennec-cli[encrypt]" in done.stdout
