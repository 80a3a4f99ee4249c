"""How much a budget has left: amounts are taken before a request is sent, and what it did not cost is given back. Pure.

The record is `{"period", "spent"}`; amounts are whole nano-dollars, so that a million of them add up exactly. What a
process that was killed had taken stays taken until the period ends: it may have been paid.
"""

import time
from typing import Literal

from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Record

Period = Literal["day", "month", "run"]
NANO = 1_000_000_000  # of a dollar
_FORMS = {"day": "%Y-%m-%d", "month": "%Y-%m", "run": "run"}


class Budget(NamedTuple):
    """So much per day, month (both of UTC) or run. `refuses_unknown`: nothing is sent whose price is not known."""

    name: str
    usd: float
    per: Period = "day"
    refuses_unknown: bool = True

    def period(self, now: float) -> str:
        """The name of the period that a moment (seconds since 1970) is in."""
        return time.strftime(_FORMS[self.per], time.gmtime(now))


def take(record: Record | None, budget: Budget, now: float, amount: int) -> tuple[Record, bool]:
    """Take an amount out of what is left; False, and nothing taken, when it is more than that."""
    spent = _spent(record, budget.period(now))
    granted = spent + amount <= nano(budget.usd)
    return {"period": budget.period(now), "spent": spent + amount if granted else spent}, granted


def give_back(record: Record | None, period: str, amount: int) -> Record:
    """Give back what was taken in `period` and not needed; a negative amount was needed beyond that."""
    known = "" if record is None else str(record.get("period"))
    if record is None or (len(known) == len(period) and known < period):  # nobody has taken anything in it yet
        return {"period": period, "spent": max(0, -amount)}
    if known != period:  # it is over
        return record
    return {"period": period, "spent": max(0, record["spent"] - amount)}


def left_usd(record: Record | None, budget: Budget, now: float) -> float:
    """What can still be taken."""
    return max(0, nano(budget.usd) - _spent(record, budget.period(now))) / NANO


def nano(usd: float) -> int:
    """Round up: a price is never taken for nothing."""
    return -int(-usd * NANO // 1)


def _spent(record: Record | None, period: str) -> int:
    spent: int = record["spent"] if record is not None and record.get("period") == period else 0
    return spent
