"""`--shard I/N`: which rows are ours. Pure."""

from hashlib import blake2b

from fennec_cli.tuples import NamedTuple


class Shard(NamedTuple):
    """Part `index` (from 1) of `count`. The parts are disjoint, and together they are everything."""

    index: int  # type: ignore[assignment] # a record, not a sequence: it hides tuple.index
    count: int  # type: ignore[assignment]

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `I/N`. Raises ValueError."""
        first, slash, second = text.partition("/")
        if not (slash and first.isascii() and first.isdigit() and second.isascii() and second.isdigit()):
            raise ValueError(f"{text!r:.40} is not I/N, such as 1/4")
        index, count = int(first), int(second)
        if not 1 <= index <= count:
            raise ValueError(f"the part must be from 1 to {count}, not {index}")
        return cls(index, count)

    def has(self, row_id: str) -> bool:
        """Whether the row is in this part, by a hash of its id: the same on every machine and in every version."""
        value = int.from_bytes(blake2b(row_id.encode(), digest_size=8, person=b"fennec-shard").digest(), "big")
        return value % self.count == self.index - 1
