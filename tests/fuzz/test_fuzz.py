"""The targets of the fuzzer with mutations of a seeded dice; `python -m tests.fuzz` is guided by coverage."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import soak
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import DIALECTS, TARGETS

CORPUS = Path(__file__).with_name("corpus")


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_no_mutation_breaks_a_promise(name: str, record_property: Callable[[str, object], None]) -> None:
    target, dice = TARGETS[name], random.Random(name)
    corpus = [*target.seeds(), *(path.read_bytes() for path in sorted((CORPUS / name).glob("*")))]
    for data in [b"", *corpus]:
        target.call(data)
    runs = soak(1000, 20_000)
    for _ in range(runs):
        data = mutated(dice.choice(corpus), corpus, dice)
        try:
            target.call(data)
        except BaseException:
            print(f"{name}: {data!r}")
            raise
    record_property("runs", runs)
    record_property("broken", 0)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(len(DIALECTS)), ids=[prefix for _, prefix in DIALECTS])
def test_every_byte_flipped_and_every_cut_keep_the_promises(
    number: int, record_property: Callable[[str, object], None]
) -> None:
    target, step, tried = TARGETS["answers"], soak(41, 1), 0
    for seed in target.seeds():
        if seed[0] != number:
            continue
        for place in range(1, len(seed), step):
            target.call(seed[:place])
            target.call(seed[:place] + bytes([seed[place] ^ 0x15]) + seed[place + 1 :])
            tried += 2
    record_property("streams", tried)
    record_property("taken for whole", 0)
