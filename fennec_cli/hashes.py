"""The hash functions of every run, from the modules that Python builds in.

`hashlib` takes them from OpenSSL, and loading that costs 2.5 ms, a twentieth of an answer from the cache. `random` does
the same with its own. Where the built-in ones have another name `hashlib` is right as well.
"""

from typing import TYPE_CHECKING

__all__ = ["blake2b", "compare_digest", "hmac_sha256", "sha256"]

if TYPE_CHECKING:
    from hashlib import blake2b, sha256
    from hmac import compare_digest
else:
    try:
        from _blake2 import blake2b
        from _operator import _compare_digest as compare_digest

        try:
            from _sha2 import sha256  # Python 3.12
        except ImportError:
            from _sha256 import sha256
    except ImportError:
        from hashlib import blake2b, sha256
        from hmac import compare_digest

_BLOCK = 64  # bytes, of SHA-256


_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC with SHA-256 (RFC 2104); `hmac` imports hashlib."""
    key = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = sha256(key.translate(_INNER) + data).digest()
    return sha256(key.translate(_OUTER) + inner).digest()
