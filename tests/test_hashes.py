"""The built-in hash functions are those of hashlib."""

import hashlib
import hmac
import subprocess
import sys

from fennec_cli.hashes import blake2b, compare_digest, hmac_sha256, sha256


def test_they_give_what_hashlib_gives() -> None:
    assert sha256(b"x").hexdigest() == hashlib.sha256(b"x").hexdigest()
    built_in, known = (each(b"x", key=b"k", digest_size=32, person=b"p") for each in (blake2b, hashlib.blake2b))
    assert built_in.digest() == known.digest()
    assert compare_digest(b"a", b"a")
    assert not compare_digest(b"a", b"b")


def test_hmac_is_that_of_the_library() -> None:
    for key in (b"", b"k", b"k" * 64, b"k" * 65, b"k" * 200):
        for data in (b"", b"text" * 100):
            assert hmac_sha256(key, data) == hmac.digest(key, data, "sha256")


def test_hashlib_takes_their_place() -> None:
    script = (
        "import sys; sys.modules['_sha2'] = sys.modules['_sha256'] = None\n"
        "from fennec_cli.hashes import sha256; import hashlib; assert sha256 is hashlib.sha256"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=20)
