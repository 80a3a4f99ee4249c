"""Slots are leases: they end by themselves."""

from fennec_cli.slots import TTL_S, Record, free, renew, take


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


def test_clocks_that_jump_free_what_was_taken() -> None:
    assert take(taken("a", now=10_000.0), 100.0, "b", most=1)[1]
    assert take(taken("a", now=100.0), 10_000.0, "b", most=1)[1]
