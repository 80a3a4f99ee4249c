"""Single flight: of all processes that miss the same answer, one asks for it, and the others wait for what it stores.

Who asks holds a lease that ends by itself, at once where others on its machine see it dead: then, or when its answer is
not one to keep, the next one asks.
"""

import time
from collections.abc import Callable, Iterator

from fennec_cli import signals, slots
from fennec_cli.backoff import chance
from fennec_cli.holders import is_dead, new_owner
from fennec_cli.keeper import Keeper
from fennec_cli.store import StateStore
from fennec_cli.types import Record

TTL_S = 15.0
RENEW_S = 5.0
LONGEST_WAIT_S = 30.0
POLL_S = (0.05, 0.5)  # the first and the longest pause

_KEEPER = Keeper(TTL_S, RENEW_S)


class Flights:
    """Leases by fingerprint, shared by all processes of a user. Opens nothing before it is asked."""

    def __init__(
        self,
        store: StateStore,
        *,
        keeper: Keeper = _KEEPER,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = signals.sleep,
        uniform: Callable[[float, float], float] = chance,
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._uniform = uniform

    def take(self, fingerprint: str) -> str | None:
        """Take the lease and return what gives it back; None while somebody else has it."""
        owner, name = new_owner(), _name(fingerprint)

        def change(records: list[Record | None]) -> tuple[list[Record | None], bool]:
            record, taken = slots.take(records[0], self._clock(), owner, 1, TTL_S, is_dead=is_dead)
            return ([record], True) if taken else (records, False)

        if not self._store.update([name], change):
            return None
        self._keeper.keep(self._store, name, owner)
        return owner

    def free(self, fingerprint: str, owner: str) -> None:
        """Give the lease back."""
        self._keeper.drop(owner)
        now = self._clock()
        self._store.update([_name(fingerprint)], lambda records: ([slots.free(records[0], now, owner, TTL_S)], None))

    def pauses(self, deadline: float | None) -> Iterator[None]:
        """Sleep from step to step, and stop when waiting is no longer worth it.

        `deadline` is a moment of the monotonic clock.
        """
        end = self._monotonic() + LONGEST_WAIT_S
        end = end if deadline is None else min(end, deadline)
        pause = POLL_S[0]
        while (left := end - self._monotonic()) > 0.001:
            self._sleep(min(left, self._uniform(pause / 2, pause)))
            pause = min(pause * 2, POLL_S[1])
            yield


def _name(fingerprint: str) -> str:
    return f"flight|{fingerprint}"
