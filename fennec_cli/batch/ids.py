"""Which ids a batch has seen: 16 bytes of memory an id, so that a million of them are no burden. Pure.

An open-addressing table of 64-bit hashes. Two different ids of a million have the same one with a chance of 1 in 37
million; the second one would be refused as a repetition, loudly.
"""

from array import array
from hashlib import blake2b

_SMALLEST = 1024


class IdSet:
    """A set of texts that only grows."""

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 * _SMALLEST))
        self._used = 0

    def add(self, text: str) -> bool:
        """Add `text`; False if it was in already."""
        value = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1  # 0 is an empty place
        if not _insert(self._table, value):
            return False
        self._used += 1
        if self._used * 2 > len(self._table):
            self._grow()
        return True

    def _grow(self) -> None:
        table = array("Q", bytes(16 * len(self._table)))
        for value in self._table:
            if value:
                _insert(table, value)
        self._table = table


def _insert(table: "array[int]", value: int) -> bool:
    mask = len(table) - 1
    place = value & mask
    while found := table[place]:
        if found == value:
            return False
        place = (place + 1) & mask
    table[place] = value
    return True
