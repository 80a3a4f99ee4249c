"""AES-256-GCM for what lies on the disk. Needs the extra `encrypt` (package cryptography)."""

import os

from fennec_cli.errors import ConfigError

KEY_BYTES = 32
_NONCE_BYTES = 12


def from_passphrase(passphrase: bytes, salt: bytes, *, memory_kib: int, passes: int, lanes: int) -> bytes:
    """Return the key that a passphrase stands for: Argon2id (RFC 9106). `ValueError` for impossible parameters."""
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    except ImportError as error:
        raise _not_installed() from error
    stretch = Argon2id(salt=salt, length=KEY_BYTES, iterations=passes, lanes=lanes, memory_cost=memory_kib)
    return stretch.derive(passphrase)


class AESGCMCipher:
    """Encrypts with a fresh nonce each time; `key` has 32 bytes. Raises `ConfigError` without the extra.

    `name` is what the data belong to: they cannot be moved elsewhere.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise _not_installed() from error
        self._aes = AESGCM(key)

    def encrypt(self, data: bytes, name: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, data, name)

    def decrypt(self, data: bytes, name: bytes) -> bytes:
        """Raises `ValueError` for what was changed, moved, or encrypted with another key."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], name)
        except InvalidTag:
            raise ValueError("not encrypted by us") from None


def _not_installed() -> ConfigError:
    return ConfigError("encryption needs the extra `encrypt`", hint="pip install 'fennec-cli[encrypt]'")
