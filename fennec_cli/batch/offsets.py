"""Where each finished id stands in a ledger: 18 to 36 bytes of memory an id. Pure.

An open-addressing table of 32 bits of each hash and an offset. Whoever asks is sure: the whole hash is compared with
what stands at the offset.
"""

from array import array
from collections.abc import Callable

_SMALLEST = 1024


class Offsets:
    """Maps hashes (16 bytes) to offsets from 1 on. `key_at` reads the hash that stands at an offset.

    There is room for as many as are `expected`, and for more: growing takes the memory of both tables for a moment.
    """

    def __init__(self, key_at: Callable[[int], bytes], expected: int = 0) -> None:
        self._key_at = key_at
        size = max(_SMALLEST, expected * 3 // 2 + 1)
        self._hashes, self._offsets = _table(size)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def get(self, key: bytes) -> int | None:
        return self._offsets[self._place(key)] or None

    def put(self, key: bytes, offset: int) -> None:
        place = self._place(key)
        if not self._offsets[place]:
            self._used += 1
        self._hashes[place], self._offsets[place] = int.from_bytes(key[:4], "little"), offset
        if self._used * 3 > len(self._offsets) * 2:
            self._grow()

    def _place(self, key: bytes) -> int:
        """Where the key is, or the empty place where it belongs."""
        part, size = int.from_bytes(key[:4], "little"), len(self._offsets)
        place = part % size
        while offset := self._offsets[place]:
            if self._hashes[place] == part and self._key_at(offset) == key:
                break
            place = (place + 1) % size
        return place

    def _grow(self) -> None:
        size = 2 * len(self._offsets)
        hashes, offsets = _table(size)
        for part, offset in zip(self._hashes, self._offsets, strict=True):
            if offset:
                place = part % size
                while offsets[place]:
                    place = (place + 1) % size
                hashes[place], offsets[place] = part, offset
        self._hashes, self._offsets = hashes, offsets


def _table(size: int) -> "tuple[array[int], array[int]]":
    return array("I", [0]) * size, array("Q", [0]) * size
