"""Where each finished id stands in a ledger: 12 to 48 bytes of memory an id. Pure.

An open-addressing table of 32 bits of each hash and an offset. Whoever asks is sure: the whole hash is compared with
what stands at the offset.
"""

from array import array
from collections.abc import Callable

_SMALLEST = 1024


class Offsets:
    """Maps hashes (16 bytes) to offsets from 1 on. `key_at` reads the hash that stands at an offset."""

    def __init__(self, key_at: Callable[[int], bytes]) -> None:
        self._key_at = key_at
        self._hashes = array("I", bytes(4 * _SMALLEST))
        self._offsets = array("Q", bytes(8 * _SMALLEST))
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
        if self._used * 2 > len(self._offsets):
            self._grow()

    def _place(self, key: bytes) -> int:
        """Where the key is, or the empty place where it belongs."""
        part, mask = int.from_bytes(key[:4], "little"), len(self._offsets) - 1
        place = part & mask
        while offset := self._offsets[place]:
            if self._hashes[place] == part and self._key_at(offset) == key:
                break
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        size = 2 * len(self._offsets)
        hashes, offsets = array("I", bytes(4 * size)), array("Q", bytes(8 * size))
        mask = size - 1
        for part, offset in zip(self._hashes, self._offsets, strict=True):
            if offset:
                place = part & mask
                while offsets[place]:
                    place = (place + 1) & mask
                hashes[place], offsets[place] = part, offset
        self._hashes, self._offsets = hashes, offsets
