"""The budgets of a run: amounts taken and given back, in this process and with all others.

A request that there is no money for waits while others of this process hold more than they may need: most answers are
shorter than they might be. When nobody does, it is refused.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from fennec_cli import budget, signals
from fennec_cli.budget import Budget
from fennec_cli.errors import BudgetExceeded
from fennec_cli.store import Change, MemoryStore, Result, SharedState, StateStore
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Record

Taken = tuple[str, str, int]  # a budget's name, its period, nano-dollars


class _Part(NamedTuple):
    """What was taken from a budget. `alone`: while the shared state could not be used, from what this process knows."""

    number: int  # which budget
    period: str
    amount: int  # nano-dollars
    alone: bool


class Held:
    """What a request has taken; `usd` of it in all."""

    def __init__(self) -> None:
        self.usd = 0.0
        self.parts: list[_Part] = []


class Spending:
    """The budgets that a run must keep. Those of a run live in this process, the others in the shared state."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        shared: StateStore,
        *,
        asked: str = "the request",
        warn: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        own = MemoryStore()
        self._budgets = [(each, own if each.per == "run" else shared) for each in budgets]
        self._asked, self._warn, self._clock = asked, warn, clock
        self._warned = False
        self._changed = threading.Condition()
        self._holders = 0  # requests that hold something
        self._stuck = 0  # of them, those that wait for more

    @property
    def refuses_unknown(self) -> Budget | None:
        """The budget, if any, that lets nothing through whose price is not known."""
        return next((each for each, _ in self._budgets if each.refuses_unknown), None)

    def take(self, held: Held, usd: float, *, waits: bool = True) -> None:
        """Take this much more. Raises `BudgetExceeded` when there is not enough left, and nobody to wait for."""
        holds = bool(held.parts)
        while (refused := self._try(held, usd)) is not None:
            with self._changed:
                if not waits or self._holders - self._stuck - holds <= 0:
                    raise self._exceeded(refused, usd, holds)
                self._stuck += holds
                self._changed.wait(signals.TICK_S)
                self._stuck -= holds
            signals.check()

    def settle(self, held: Held, usd: float) -> None:
        """The request is over and has cost this much."""
        for number, last in {part.number: part for part in held.parts}.items():
            own = [part for part in held.parts if part.number == number]
            earlier = sum(part.amount for part in own if part.period != last.period)  # stays with its period
            self._return([part for part in own if part.period == last.period], budget.nano(usd) - earlier)
        with self._changed:
            self._holders -= bool(held.parts)
            held.parts.clear()
            self._changed.notify_all()

    def lasting(self, held: Held) -> list[Taken]:
        """Return what is held of budgets that outlive this process, for another one to `settle_taken`."""
        parts = ((self._budgets[part.number][0], part) for part in held.parts)
        return [(each.name, part.period, 0 if part.alone else part.amount) for each, part in parts if each.per != "run"]

    def left_usd(self) -> float:
        """What the tightest budget has left."""
        now = self._clock()
        return min(budget.left_usd(store.get(_name(each)), each, now) for each, store in self._budgets)

    def _try(self, held: Held, usd: float) -> Budget | None:
        """Take from every budget, or from none and return the one that has not enough."""
        amount, taken = budget.nano(held.usd + usd) - budget.nano(held.usd), list[_Part]()
        for number, (each, store) in enumerate(self._budgets):
            now = self._clock()

            def change(
                records: list[Record | None], each: Budget = each, now: float = now, *, alone: bool = False
            ) -> tuple[list[Record | None], tuple[bool, bool]]:
                record, granted = budget.take(records[0], each, now, amount)
                return [record], (granted, alone)

            granted, alone = _update(store, each.name, change, partial(change, alone=True))
            if not granted:
                for part in taken:
                    self._return([part], 0)
                return each
            taken.append(_Part(number, each.period(now), amount, alone))
            self._check_shared(store)
        with self._changed:
            self._holders += not held.parts
            held.parts += taken
        held.usd += usd
        return None

    def _return(self, parts: Sequence[_Part], cost: int) -> None:
        """Give back what was taken from one budget in one period, but for this much: each to where it is from."""
        (each, store), period = self._budgets[parts[0].number], parts[0].period
        alone = sum(part.amount for part in parts if part.alone)
        if alone and isinstance(store, SharedState):
            _give_back(store.own, each.name, period, alone)
        _give_back(store, each.name, period, sum(part.amount for part in parts) - alone - cost)

    def _check_shared(self, store: StateStore) -> None:
        if isinstance(store, SharedState) and store.failures and not self._warned:
            self._warned = True
            self._warn("the budget cannot be shared with other processes: only this one is counted")

    def _exceeded(self, refused: Budget, usd: float, midway: bool) -> BudgetExceeded:
        store = next(store for each, store in self._budgets if each == refused)
        left = budget.left_usd(store.get(_name(refused)), refused, self._clock())
        what = "the rest of the answer" if midway else self._asked
        hint = "raise --max-cost" if refused.name == "--max-cost" else "wait for the next period, or raise it"
        return BudgetExceeded(
            f"{what} may cost ${usd:.6f}, and {refused.name} has ${left:.6f} left",
            hint=f"{hint}; --max-tokens makes an answer cheaper" if not midway else hint,
        )


def settle_taken(store: StateStore, taken: Sequence[Taken], usd: float) -> None:
    """What another process has taken these amounts for is over, and has cost this much."""
    for name, period, amount in taken:
        _give_back(store, name, period, amount - budget.nano(usd))


def _name(each: Budget) -> str:
    return _record_of(each.name)


def _record_of(name: str) -> str:
    return f"spend|{name}"


def _give_back(store: StateStore, name: str, period: str, amount: int) -> None:
    """Where this process goes on alone nothing was taken from what it knows: only what was needed beyond counts."""

    def change(records: list[Record | None], amount: int = amount) -> tuple[list[Record | None], None]:
        return [budget.give_back(records[0], period, amount)], None

    _update(store, name, change, partial(change, amount=min(0, amount)))


def _update(store: StateStore, name: str, change: Change[Result], alone: Change[Result]) -> Result:
    if isinstance(store, SharedState):
        return store.update([_record_of(name)], change, alone=alone)
    return store.update([_record_of(name)], change)
