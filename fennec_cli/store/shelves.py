"""What a response cache needs of the place where answers lie, and no more. Types only."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from fennec_cli.store.shelf import Stored


class Shelf(Protocol):
    """Every method may raise `StoreFailed`. Threads may share it. Names are 64 hexadecimal digits."""

    def read(self, name: str, /) -> Stored | None: ...

    def write(self, name: str, data: bytes, lifetime_s: float, /, *, missed: bool) -> None:
        """Store a value for a time; `missed` counts that it was looked for before, in vain."""
        ...

    def touch(self, names: Sequence[str], /) -> None:
        """Count that values were read and are of use. It is no failure if somebody else keeps us from it."""
        ...

    def drop(self, names: Sequence[str], /) -> None: ...

    def reject(self, name: str, /) -> None:
        """Drop a value that is not ours, and count it."""
        ...

    def names(self) -> Iterator[str]: ...

    def volume(self) -> int:
        """How many bytes it all takes."""
        ...

    def trim(self, limit: int, /) -> int:
        """Drop what is expired, then the least recently read until `limit` bytes are left; return how many went."""
        ...

    def counters(self) -> tuple[int, int]:
        """How often something was found, and how often not."""
        ...

    def tidy(self) -> None:
        """Now and then throw away what dead processes have left behind; called at the end of a run."""
        ...

    def close(self) -> None: ...
