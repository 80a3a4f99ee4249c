"""The pure parts of a batch: ids, shards, when to give up, what a failed row looks like."""

import random

import orjson
import pytest

from fennec_cli.batch.course import letter
from fennec_cli.batch.ids import IdSet
from fennec_cli.batch.policy import FAIL_FAST, FailurePolicy
from fennec_cli.batch.shard import Shard
from fennec_cli.errors import RequestError
from fennec_cli.rows import read_row


def test_an_id_is_new_once() -> None:
    seen, judge, rng = IdSet(), set[str](), random.Random(5)
    for _ in range(20_000):
        row_id = str(rng.randrange(15_000))
        assert seen.add(row_id) is (row_id not in judge)
        judge.add(row_id)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_shards_are_everything_and_disjoint(count: int) -> None:
    ids = [f"row-{number}" for number in range(2000)]
    parts = [Shard(index, count) for index in range(1, count + 1)]
    owners = [[part.index for part in parts if part.has(row_id)] for row_id in ids]
    assert all(len(each) == 1 for each in owners)
    sizes = [owners.count([part.index]) for part in parts]
    assert min(sizes) > 0.8 * len(ids) / count


def test_shards_are_the_same_in_every_version() -> None:
    owners = [next(part for part in range(1, 5) if Shard(part, 4).has(row_id)) for row_id in "abcdef"]
    assert owners == [4, 3, 3, 3, 4, 4]


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "-1/4", "1/4/2", "a/b", "1 /4", "²/4"])
def test_a_part_that_there_is_not(text: str) -> None:
    with pytest.raises(ValueError, match=r"I/N|the part must be"):
        Shard.parse(text)


@pytest.mark.parametrize(
    ("text", "failed", "rows", "gives_up"),
    [
        ("0", 1, 1, True),
        ("3", 3, 50, False),
        ("3", 4, 50, True),
        ("5%", 6, 99, False),
        ("5%", 5, 100, False),
        ("5%", 6, 100, True),
        ("0.5%", 2, 1000, False),
        ("100%", 1000, 1000, False),
    ],
)
def test_a_batch_is_given_up_in_time(text: str, failed: int, rows: int, gives_up: bool) -> None:
    assert FailurePolicy.parse(text).gives_up(failed, rows) is gives_up


def test_fail_fast_is_no_failure_at_all() -> None:
    assert FAIL_FAST.gives_up(1, 1)
    assert not FAIL_FAST.gives_up(0, 10)


@pytest.mark.parametrize("text", ["", "-1", "x", "1.5", "101%", "-1%", "5%%", "%", "nan%"])
def test_a_policy_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        FailurePolicy.parse(text)


@pytest.mark.parametrize(
    "record",
    [
        b'{"prompt":"a"}',
        b'{"id":"x","prompt":"a","error":{"class":"timeout"}}',
        b'{"body":{"input":"a"}}',
        b'{"custom_id":"x","body":{"input":"a"}}',
        b'{"custom_id":null,"body":{"input":"a"}}',
        b'{"id":"x","prompt":"a\xff","options":{"seed":1}}',
        b'{"prompt":"a","options":{"n":' + b"9" * 30 + b'},"meta":1.10}',
        b'{"prompt":"a","options":{"x":' + b"[" * 300 + b"]" * 300 + b"}}",
    ],
)
def test_a_dead_letter_is_the_row_itself_and_says_its_error(record: bytes) -> None:
    row = read_row(record, 7, replace=True)
    text = orjson.dumps(letter(row, RequestError("no")))
    again = read_row(text, 1)
    assert (again.id, again.prompt, again.given, again.meta) == (row.id, row.prompt, row.given, row.meta)
    assert orjson.loads(text)["error"]["class"] == "request"
    assert text.count(b'"error"') == 1
