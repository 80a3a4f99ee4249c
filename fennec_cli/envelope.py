"""What a cached answer is wrapped in: who wrote it, when, and for how long it counts. Pure.

    4 bytes  "FNC1"          8  created, seconds since 1970     4  length of the body
    1        flags           8  time to live, seconds           32 keyed BLAKE2b of all this, the name, and the body

The code (MAC) binds the body to its name, so that nobody without the key can change an answer or move it under another
request. Only this version of the form is read.
"""

import struct
from collections.abc import Callable

from fennec_cli.hashes import blake2b, compare_digest
from fennec_cli.tuples import NamedTuple

_HEAD = struct.Struct(">4sBddI")
_MAGIC = b"FNC1"
_MAC_BYTES = 32
_COMPRESSED, _ENCRYPTED = 1, 2
COMPRESS_FROM = 1024  # bytes; smaller bodies gain nothing
LARGEST_BODY = 64 * 1024 * 1024

Cipher = Callable[[bytes, bytes], bytes]  # data, name -> data; raises ValueError for what is not whole


class Sealed(NamedTuple):
    """An opened envelope."""

    body: bytes
    created: float
    ttl: float


def seal(body: bytes, *, name: str, key: bytes, created: float, ttl: float, encrypt: Cipher | None = None) -> bytes:
    """Wrap `body` for the entry `name`. Times are seconds."""
    flags = 0
    if len(body) >= COMPRESS_FROM:
        import zlib

        body, flags = zlib.compress(body, 1), _COMPRESSED
    if encrypt is not None:
        body, flags = encrypt(body, name.encode()), flags | _ENCRYPTED
    head = _HEAD.pack(_MAGIC, flags, created, ttl, len(body))
    return head + _mac(key, head, name, body) + body


def unseal(data: bytes, *, name: str, key: bytes, decrypt: Cipher | None = None) -> Sealed | None:
    """Open an envelope; None for one that is not whole, not ours, or of another name.

    One that is encrypted counts as none without `decrypt`, and one that is not counts as none with it.
    """
    start = _HEAD.size + _MAC_BYTES
    if len(data) < start:
        return None
    head, mac, body = data[: _HEAD.size], data[_HEAD.size : start], data[start:]
    magic, flags, created, ttl, length = _HEAD.unpack(head)
    if magic != _MAGIC or length != len(body) or not compare_digest(mac, _mac(key, head, name, body)):
        return None
    if bool(flags & _ENCRYPTED) != (decrypt is not None):
        return None
    if decrypt is not None:
        try:
            body = decrypt(body, name.encode())
        except ValueError:
            return None
    if flags & _COMPRESSED:
        body = _inflated(body)
    return Sealed(body, created, ttl)


def is_fresh(created: float, lifetime: float, now: float, ttl: float | None = None) -> bool:
    """Whether it still counts, by its own time to live and by the reader's. Seconds.

    What seems to come from the future was made before the clock was set back: it counts as new, but not for longer than
    its time to live.
    """
    limit = lifetime if ttl is None else min(ttl, lifetime)
    return -lifetime <= now - created < limit


def _mac(key: bytes, head: bytes, name: str, body: bytes) -> bytes:
    code = blake2b(head, key=key, digest_size=_MAC_BYTES)
    code.update(name.encode())
    code.update(body)
    return code.digest()


def _inflated(body: bytes) -> bytes:
    """The code has been checked: what is in it was compressed by us, and is no bomb."""
    import zlib

    return zlib.decompressobj().decompress(body, LARGEST_BODY)
