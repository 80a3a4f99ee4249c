"""Compressed answers: right bytes, small pieces, no bombs."""

import gzip
import random
import subprocess
import sys
import zlib
from itertools import chain

import pytest

from fennec_cli.errors import ProtocolError
from fennec_cli.wire.inflate import Inflater
from tests.wire.wire_cuts import TRANSCRIPTS, random_cuts, single_cuts

MIB = 1024 * 1024
TEXT = (TRANSCRIPTS / "openai-chat-stream.sse").read_bytes()


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def inflate(encoding: str, pieces: list[bytes]) -> bytes:
    inflater = Inflater(encoding)
    out = b"".join(part for piece in pieces for part in inflater.feed(piece))
    inflater.close()
    return out


PACKED = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "x-gzip": ("X-GZip", gzip.compress(TEXT)),
    "zlib": ("deflate", zlib.compress(TEXT)),
    "raw": ("deflate", raw_deflate(TEXT)),
    "gzip-members": ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(b"") + gzip.compress(TEXT[100:])),
}


@pytest.mark.parametrize(("encoding", "packed"), PACKED.values(), ids=PACKED)
def test_body_comes_out_whole_however_it_is_cut(encoding: str, packed: bytes) -> None:
    assert all(inflate(encoding, pieces) == TEXT for pieces in single_cuts(packed))


@pytest.mark.parametrize("name", [name for name in PACKED if name != "gzip-members"])
def test_body_cut_at_any_byte_is_refused(name: str) -> None:
    encoding, packed = PACKED[name]
    for place in range(1, len(packed)):
        with pytest.raises(ProtocolError, match="cut short"):
            inflate(encoding, [packed[:place]])


def test_body_without_any_byte_is_empty() -> None:
    assert inflate("gzip", [b""]) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bytes_behind_the_end_are_refused(encoding: str) -> None:
    packed = gzip.compress(TEXT) if encoding == "gzip" else zlib.compress(TEXT)
    with pytest.raises(ProtocolError, match=r"corrupt|after the end"):
        inflate(encoding, [packed + b"junk"])


def test_flipped_byte_never_gives_other_text_or_another_error() -> None:
    packed = gzip.compress(TEXT, mtime=0)
    for place in range(10, len(packed)):  # the header before it holds nothing of the text
        broken = packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :]
        with pytest.raises(ProtocolError):
            inflate("gzip", [broken])


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "compress", "identity", ""])
def test_unknown_encoding_is_refused_by_name(encoding: str) -> None:
    with pytest.raises(ProtocolError, match=f"Content-Encoding '{encoding}'"):
        Inflater(encoding)


def test_pieces_are_at_most_1_mib_and_nothing_is_lost() -> None:
    text = random.Random(4).randbytes(MIB // 8) + bytes(8 * MIB)
    pieces = list(Inflater("gzip").feed(gzip.compress(text)))
    assert b"".join(pieces) == text
    assert max(map(len, pieces)) == MIB


@pytest.mark.parametrize("size", [MIB, MIB + 50, MIB + 100, MIB + 190])
def test_end_is_found_when_zlib_has_taken_all_bytes_but_the_last_piece_is_full(size: int) -> None:
    packer = zlib.compressobj(wbits=-15)
    noise = random.Random(6).randbytes(MIB // 8)  # keeps the ratio low
    first = packer.compress(noise) + packer.flush(zlib.Z_FULL_FLUSH)
    second = packer.compress(bytes(size)) + packer.flush()
    assert inflate("deflate", [first, second]) == noise + bytes(size)


BOMBS = {
    "gzip": ("gzip", gzip.compress(bytes(64 * MIB))),
    "zlib": ("deflate", zlib.compress(bytes(16 * MIB))),
    "raw": ("deflate", raw_deflate(bytes(16 * MIB))),
}


@pytest.mark.parametrize(("encoding", "bomb"), BOMBS.values(), ids=BOMBS)
def test_bomb_limits(encoding: str, bomb: bytes) -> None:
    for pieces in ([bomb], *random_cuts(bomb, 20, seed=5)):
        inflater = Inflater(encoding)
        parts = chain.from_iterable(map(inflater.feed, pieces))
        sizes: list[int] = []
        with pytest.raises(ProtocolError, match="grows more than 200-fold"):
            sizes.extend(map(len, parts))
        assert sum(sizes) <= MIB


def test_small_body_may_shrink_as_much_as_it_likes() -> None:
    assert inflate("gzip", [gzip.compress(bytes(MIB))]) == bytes(MIB)


def test_big_body_of_usual_ratio_passes() -> None:
    text = TEXT * 4000
    assert len(text) / len(gzip.compress(text)) < 200
    assert inflate("gzip", [gzip.compress(text)]) == text


def test_zlib_is_imported_only_when_used() -> None:
    code = (
        "import sys; before = 'zlib' in sys.modules; import fennec_cli.wire.inflate as i; i.Inflater('gzip');"
        "sys.exit(not before and 'zlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
