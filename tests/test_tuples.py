"""Our NamedTuple against the standard one: what holds for theirs holds for ours."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from fennec_cli import tuples


class Theirs(NamedTuple):
    """A point with a name."""

    x: int
    y: "float" = 0.5
    name: str = ""

    @property
    def sum(self) -> float:
        return self.x + self.y

    @classmethod
    def origin(cls) -> "Theirs":
        return cls(0, 0.0)

    def moved(self, by: int) -> "Theirs":
        return self._replace(x=self.x + by)


class Ours(tuples.NamedTuple):
    """A point with a name."""

    x: int
    y: "float" = 0.5
    name: str = ""

    @property
    def sum(self) -> float:
        return self.x + self.y

    @classmethod
    def origin(cls) -> "Ours":
        return cls(0, 0.0)

    def moved(self, by: int) -> "Ours":
        return self._replace(x=self.x + by)


class TheirPair(NamedTuple):
    first: int
    second: int


class OurPair(tuples.NamedTuple):
    first: int
    second: int


USES: list[Callable[[Any], Any]] = [
    lambda kind: kind(1),
    lambda kind: kind(1, 2.0, "a"),
    lambda kind: kind(name="a", x=1),
    lambda kind: kind(),
    lambda kind: kind(1, 2, 3, 4),
    lambda kind: kind(1, x=2),
    lambda kind: kind(1, z=2),
    lambda kind: repr(kind(1, name="a'b")).partition("(")[2],
    lambda kind: kind(1) == (1, 0.5, ""),
    lambda kind: hash(kind(1)),
    lambda kind: kind(1) < kind(2),
    lambda kind: kind(3).sum,
    lambda kind: kind.origin(),
    lambda kind: kind(3).moved(2),
    lambda kind: kind(1)._replace(y=2.0, name="b"),
    lambda kind: kind(1)._replace(z=2),
    lambda kind: kind(1)._asdict(),
    lambda kind: kind._make([1, 2, "c"]),
    lambda kind: kind._make([1, 2]),
    lambda kind: kind._fields,
    lambda kind: kind._field_defaults,
    lambda kind: kind.__match_args__,
    lambda kind: kind.__doc__,
    lambda kind: kind.__annotations__.keys(),
    lambda kind: [str(each) for each in inspect.signature(kind).parameters],
    lambda kind: pickle.loads(pickle.dumps(kind(1, name="p"))),
    lambda kind: copy.deepcopy(kind(1, name="p")),
    lambda kind: setattr(kind(1), "x", 2),
    lambda kind: setattr(kind(1), "unknown", 2),
    lambda kind: isinstance(kind(1), tuple) and kind.__bases__,
    lambda kind: type(kind),
    lambda kind: kind(1).__class__.__module__,
    lambda kind: kind.__slots__,
    lambda kind: kind(*kind(4)),
]


def outcome(use: Callable[[Any], Any], kind: type) -> Any:
    try:
        return use(kind)
    except (TypeError, ValueError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize("number", range(len(USES)))
def test_ours_is_as_theirs(number: int) -> None:
    assert outcome(USES[number], Ours) == outcome(USES[number], Theirs)


def test_what_is_made_has_the_class_it_was_made_of() -> None:
    for made in (Ours(1), Ours.origin(), Ours(1)._replace(x=2), Ours._make([1, 2, "c"]), copy.copy(Ours(1))):
        assert type(made) is Ours


def test_classes_of_the_same_length_are_strangers() -> None:
    """They share the code of their constructors, and nothing else."""
    assert OurPair(second=1, first=2) == TheirPair(2, 1)
    assert OurPair._fields == ("first", "second")
    with pytest.raises(TypeError):
        OurPair(x=1, y=2)  # type: ignore[call-arg]


def test_a_default_ends_what_must_be_given() -> None:
    with pytest.raises(TypeError):
        type(tuples.NamedTuple)("Wrong", (), {"__annotations__": {"a": int, "b": int}, "a": 1})
