"""Mutations without a guide: seeded, so that a run is the same everywhere."""

import random

WORDS = [b"\n", b"\r\n", b"\r", b"\0", b" ", b":", b",", b'"', b"\\", b"{", b"}", b"[", b"]", b"=", b"#", b'"""', b"0x"]
WORDS += [b"null", b"true", b"-1", b"0", b"1e999", b"9" * 20, b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xe2\x80\xa8"]
WORDS += [b"\\ud800", b'""', b"{}", b"[]", b"[DONE]", b"data: ", b"0\r\n\r\n", b"\x1b["]


def mutated(data: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """Change `data` a little; parts of `others` may come in."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randint(0, len(data))
        kind = dice.randrange(6)
        if kind == 0:
            data = data[:at] + dice.choice(WORDS) + data[at + dice.choice((0, 1, 3)) :]
        elif kind == 1 and data:
            at %= len(data)
            data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        elif kind == 2:
            data = data[:at]
        elif kind == 3:
            data = data[:at] + data[at + dice.randint(1, 20) :]
        elif kind == 4:
            end = at + dice.randint(1, 60)
            data = data[:end] + data[at:end] + data[end:]
        else:
            other = dice.choice(others)
            begin = dice.randint(0, len(other))
            data = data[:at] + other[begin : begin + dice.randint(1, 60)] + data[at:]
    return data
