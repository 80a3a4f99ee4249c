"""The targets of the fuzzer with mutations of a seeded dice; `python -m tests.fuzz` is guided by coverage."""

import random
from pathlib import Path

import pytest

from tests.conftest import soak
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_no_mutation_breaks_a_promise(name: str) -> None:
    target, dice = TARGETS[name], random.Random(name)
    corpus = [*target.seeds(), *(path.read_bytes() for path in sorted((CORPUS / name).glob("*")))]
    for data in [b"", *corpus]:
        target.call(data)
    for _ in range(soak(1500, 20_000)):
        data = mutated(dice.choice(corpus), corpus, dice)
        try:
            target.call(data)
        except BaseException:
            print(f"{name}: {data!r}")
            raise
