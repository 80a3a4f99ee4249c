"""Budgets: what is taken, what is given back, and when there is not enough."""

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fennec_cli.budget import NANO, Budget, give_back, left_usd, nano, take
from fennec_cli.errors import BudgetExceeded
from fennec_cli.spending import Held, Spending, settle_taken
from fennec_cli.store import REST_S, Change, MemoryStore, Result, SharedState, StoreBusy

DAY = Budget("daily", 1.0)
NOON = 1_795_608_000.0  # 2026-11-25, 12:00 UTC


def test_no_more_is_taken_than_there_is() -> None:
    record, granted = take(None, DAY, NOON, nano(0.75))
    assert granted
    assert take(record, DAY, NOON, nano(0.26))[1] is False
    record, granted = take(record, DAY, NOON, nano(0.25))
    assert granted
    assert left_usd(record, DAY, NOON) == 0.0
    assert take(record, DAY, NOON, 1)[1] is False


def test_what_was_not_needed_is_there_again() -> None:
    record, _ = take(None, DAY, NOON, nano(1.0))
    record = give_back(record, "2026-11-25", nano(0.4))
    assert left_usd(record, DAY, NOON) == pytest.approx(0.4)
    assert left_usd(give_back(record, "2026-11-25", -nano(0.3)), DAY, NOON) == pytest.approx(0.1)


@pytest.mark.parametrize(("per", "later_s", "left"), [("day", 43_199, 0), ("day", 43_200, 1), ("month", 5 * 86_400, 0),
                                                    ("month", 6 * 86_400, 1), ("run", 1e9, 0)])  # fmt: skip
def test_a_new_period_begins_with_everything(per: str, later_s: float, left: float) -> None:
    budget = Budget("b", 1.0, per)  # type: ignore[arg-type]
    record, _ = take(None, budget, NOON, NANO)
    assert left_usd(record, budget, NOON + later_s) == left
    assert give_back(record, "2026-11-24", 5) == record  # what is given back late belongs to the old one


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)), max_size=60))
def test_spending_never_passes_the_limit_if_estimates_hold(requests: list[tuple[int, int]]) -> None:
    record, paid = None, 0
    for reserved, used in requests:
        record, granted = take(record, DAY, NOON, reserved)
        if granted:
            record = give_back(record, "2026-11-25", reserved - min(used, reserved))
            paid += min(used, reserved)
        assert record["spent"] == paid <= NANO


def spending(*budgets: Budget) -> Spending:
    return Spending(budgets, MemoryStore(), clock=lambda: NOON)


def test_a_request_waits_for_money_that_others_may_not_need() -> None:
    money = spending(Budget("run", 1.0, "run"))
    first, second = Held(), Held()
    money.take(first, 0.9)
    threading.Timer(0.1, lambda: money.settle(first, 0.01)).start()
    money.take(second, 0.9)
    money.settle(second, 0.5)
    assert money.left_usd() == pytest.approx(0.49)


def test_what_can_be_done_without_does_not_wait_for_money() -> None:
    money = spending(Budget("run", 1.0, "run"))
    money.take(Held(), 0.9)
    with pytest.raises(BudgetExceeded):
        money.take(Held(), 0.2, waits=False)


def test_what_was_taken_in_an_earlier_period_stays_there() -> None:
    moment = NOON + 43_199
    money = Spending([DAY], MemoryStore(), clock=lambda: moment)
    held = Held()
    money.take(held, 1.0)
    moment += 2
    money.take(held, 1.0)
    money.settle(held, 1.5)
    assert money.left_usd() == pytest.approx(0.5)


def test_a_request_that_nobody_makes_room_for_is_refused() -> None:
    money = spending(Budget("run", 1.0, "run"))
    begin = time.monotonic()
    with pytest.raises(BudgetExceeded, match=r"may cost \$1.100000, and run has \$1.000000 left"):
        money.take(Held(), 1.1)
    assert time.monotonic() - begin < 0.1


def test_who_waits_for_more_does_not_wait_for_one_that_does_too() -> None:
    money = spending(Budget("run", 1.0, "run"))
    helds = [Held(), Held()]
    for held in helds:
        money.take(held, 0.5)
    refused = []

    def more(held: Held) -> None:
        try:
            money.take(held, 0.5)
        except BudgetExceeded:
            refused.append(held)
            money.settle(held, 0.5)

    threads = [threading.Thread(target=more, args=(held,)) for held in helds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2.0)
        assert not thread.is_alive()
    assert len(refused) == 2


def test_of_two_budgets_both_must_have_enough() -> None:
    money = spending(Budget("run", 1.0, "run"), Budget("small", 0.1))
    with pytest.raises(BudgetExceeded, match="small has"):
        money.take(Held(), 0.2)
    held = Held()
    money.take(held, 0.1)
    money.settle(held, 0.05)
    assert money.left_usd() == pytest.approx(0.05)


def test_what_is_given_back_into_an_empty_record_is_taken_where_it_was_not_enough() -> None:
    assert give_back(None, "2026-11-25", 5) == {"period": "2026-11-25", "spent": 0}
    assert give_back(None, "2026-11-25", -7) == {"period": "2026-11-25", "spent": 7}


def test_what_was_needed_beyond_begins_a_new_period() -> None:
    record, _ = take(None, DAY, NOON, 5)
    assert give_back(record, "2026-11-26", -7) == {"period": "2026-11-26", "spent": 7}


class Busy(MemoryStore):
    """What processes share, while others hold it or not."""

    held = False

    def update(self, names: Sequence[str], change: Change[Result]) -> Result:
        if self.held:
            raise StoreBusy("another process holds it")
        return super().update(names, change)


class Sharing:
    """A process that spends, and the record that it shares with others, who have 0.60 under way."""

    def __init__(self) -> None:
        self.busy, self._now = Busy(), 0.0
        self.state = SharedState(lambda: self.busy, clock=lambda: self._now)
        self.money = Spending([DAY], self.state, clock=lambda: NOON)
        Spending([DAY], self.busy, clock=lambda: NOON).take(Held(), 0.6)

    def hold(self, held: bool) -> None:
        self.busy.held = held
        self._now += REST_S

    def spent(self) -> list[float | None]:
        """In the shared record, and in this process's own."""
        records = (store.get("spend|daily") for store in (self.busy, self.state.own))
        return [record and record["spent"] / NANO for record in records]


def test_what_was_taken_alone_is_not_given_back_to_others() -> None:
    sharing, held = Sharing(), Held()
    sharing.hold(True)
    sharing.money.take(held, 0.5)
    assert sharing.money.lasting(held) == [("daily", "2026-11-25", 0)]
    sharing.hold(False)
    sharing.money.settle(held, 0.05)
    assert sharing.spent() == [0.65, 0.0]


def test_what_was_taken_from_all_is_not_given_back_to_one() -> None:
    sharing, first, second = Sharing(), Held(), Held()
    sharing.money.take(first, 0.3)
    sharing.hold(True)
    sharing.money.take(second, 0.5)
    sharing.money.settle(first, 0.1)
    assert sharing.spent() == [0.9, 0.5]
    sharing.money.settle(second, 0.05)
    assert sharing.spent() == [0.9, 0.05]


def test_what_was_taken_here_and_there_is_given_back_here_and_there() -> None:
    sharing, held = Sharing(), Held()
    sharing.money.take(held, 0.1)
    sharing.hold(True)
    sharing.money.take(held, 0.2)
    sharing.hold(False)
    sharing.money.take(held, 0.1)
    assert sharing.spent() == pytest.approx([0.8, 0.2])
    sharing.money.settle(held, 0.25)
    assert sharing.spent() == pytest.approx([0.85, 0.0])


def test_another_process_settles_what_was_taken_before() -> None:
    sharing = Sharing()
    settle_taken(sharing.state, [("daily", "2026-11-25", nano(0.6))], 0.1)
    assert sharing.spent() == [0.1, None]
    sharing.hold(True)
    settle_taken(sharing.state, [("daily", "2026-11-25", nano(0.6))], 0.7)
    assert sharing.spent() == [0.1, 0.1]


def test_a_budget_that_refuses_leaves_the_others_as_they_were() -> None:
    sharing = Sharing()
    sharing.money = Spending([DAY, Budget("small", 0.1)], sharing.state, clock=lambda: NOON)
    sharing.hold(True)
    with pytest.raises(BudgetExceeded, match="small has"):
        sharing.money.take(Held(), 0.2)
    assert sharing.spent() == [0.6, 0.0]


def test_the_period_is_that_of_the_moment_given() -> None:
    assert take(None, DAY, 86_400.0, 3) == ({"period": "1970-01-02", "spent": 3}, True)
    assert take(None, Budget("m", 1.0, "month"), 86_400.0 * 40, 3)[0]["period"] == "1970-02"
    assert take(None, DAY._replace(usd=0.0), 86_400.0, 3) == ({"period": "1970-01-02", "spent": 0}, False)


def test_a_price_is_rounded_up_to_a_nano_dollar() -> None:
    assert [nano(1e-10), nano(1.5e-9), nano(2e-9), nano(0.0)] == [1, 2, 2, 0]
