"""Slots are leases: they end by themselves."""

import orjson

from fennec_cli.slots import TTL_S, WANTED_S, free, is_wanted, renew, take, want
from fennec_cli.store import MAX_RECORD, largest
from fennec_cli.types import Record


def taken(owners: str, now: float = 100.0) -> Record | None:
    record: Record | None = None
    for owner in owners:
        record, found = take(record, now, owner, most=16)
        assert found
    return record


def test_no_more_than_there_are() -> None:
    record = taken("ab")
    assert take(record, 100.0, "c", most=2) == (record, False)
    assert take(record, 100.0, "c", most=3)[1]


def test_one_that_is_given_back_is_free() -> None:
    assert take(free(taken("ab"), 100.0, "a"), 100.0, "c", most=2)[1]
    assert free(taken("a"), 100.0, "a") is None


def test_one_that_nobody_renews_ends() -> None:
    record = taken("ab")
    record = renew(record, 100.0 + TTL_S - 1, {"a"})
    assert take(record, 100.0 + TTL_S + 1, "c", most=1)[1] is False
    assert take(record, 100.0 + TTL_S + 1, "c", most=2)[1] is True


def test_those_of_the_dead_are_free_and_nobody_is_asked_about_before_it_matters() -> None:
    asked: list[str] = []

    def is_dead(holder: str) -> bool:
        asked.append(holder)
        return holder == "b"

    record = taken("ab")
    record, found = take(record, 100.0, "c.1", most=3, is_dead=is_dead)
    assert (found, asked) == (True, [])
    record, found = take(record, 100.0, "d.1", most=3, is_dead=is_dead)
    assert (found, asked) == (True, ["a", "b", "c"])
    assert [lease[0] for lease in record["leases"]] == ["a", "c", "d"]
    assert take(record, 100.0, "e.1", most=3, is_dead=is_dead)[1] is False


def test_clocks_that_jump_free_what_was_taken() -> None:
    assert take(taken("a", now=10_000.0), 100.0, "b", most=1)[1]
    assert take(taken("a", now=100.0), 10_000.0, "b", most=1)[1]


def test_many_of_one_process_fit_into_a_record() -> None:
    record: Record | None = None
    for number in range(256):
        record, found = take(record, 100.0, f"{'a' * 32}.{123_456 + number}", most=256)
        assert found
    assert len(orjson.dumps(record)) < MAX_RECORD
    assert not take(record, 100.0, "b", most=256)[1]
    record = free(record, 100.0, f"{'a' * 32}.123456")
    assert take(record, 100.0, "b", most=256)[1]


def test_one_of_many_processes_each_fits_into_a_record() -> None:
    record: Record | None = None
    for number in range(256):
        holder = f"{number:016x}-{2**22 - number:x}-{10**9:x}-{'a' * 12}"
        record, found = take(record, 1_800_000_000.0, f"{holder}.{100_000 + number}", most=256)
        assert found
    assert MAX_RECORD < len(orjson.dumps(record)) < largest("slots|p|https://p")


def test_a_process_keeps_what_it_says_that_it_holds() -> None:
    record = taken("b")
    for part in ("a.1", "a.2", "a.3"):
        record, _ = take(record, 100.0, part, most=16)
    record = renew(record, 110.0, {"a.1", "a.3"})
    assert record == {"leases": [["b", 130.0], ["a", 140.0, ["1", "3"]]]}
    record = free(free(record, 110.0, "a.1"), 110.0, "a.3")
    assert record == {"leases": [["b", 130.0]]}
    assert free(record, 110.0, "a.9") == record


def test_what_somebody_else_holds_is_not_given_back() -> None:
    record = taken("ab")
    assert free(record, 100.0, "c") == record
    for part in ("x.1", "x.2"):
        record, _ = take(record, 100.0, part, most=16)
    assert free(record, 100.0, "b.1") == record
    assert free(record, 100.0, "x.1") == {"leases": [["a", 130.0], ["b", 130.0], ["x", 130.0, ["2"]]]}


def test_a_lease_counts_to_its_end() -> None:
    record = taken("a")
    assert not take(record, 100.0 + TTL_S - 0.5, "b", most=1)[1]
    assert take(record, 100.0 + TTL_S, "b", most=1)[1]


def test_a_clock_that_is_a_second_behind_changes_nothing_and_two_do() -> None:
    record = taken("a")
    assert not take(record, 99.0, "b", most=1)[1]
    assert take(record, 98.5, "b", most=1)[1]


def test_moments_are_kept_in_milliseconds() -> None:
    record, _ = take(None, 100.123456, "a", most=1)
    assert record == {"leases": [["a", 130.123]]}
    record, _ = take(None, 100.123456, "a.1", most=1)
    assert record == {"leases": [["a", 130.123, ["1"]]]}


def test_that_somebody_waits_is_known_for_a_while() -> None:
    record = want(taken("abc"), 100.0)
    record = free(record, 100.5, "a")
    record = renew(record, 101.0, {"b"})
    record, found = take(record, 101.5, "d", most=16)
    assert found
    assert is_wanted(record, 101.9)
    assert not is_wanted(record, 100.0 + WANTED_S)
    assert "wanted" not in take(record, 103.0, "e", most=16)[0]
    assert is_wanted(want(None, 100.0), 100.0)
    assert not is_wanted(None, 100.0)
