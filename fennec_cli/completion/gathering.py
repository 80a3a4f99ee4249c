"""What many rows at once write together: audit records, counters of this machine, what the cache counts.

Each is a lock, a transaction or a disk write, and a thread that waits for one gives up its turn.
"""

import time
from collections.abc import Callable

from fennec_cli import signals
from fennec_cli.audit.trail import Trail
from fennec_cli.responses import ResponseCache
from fennec_cli.store import SharedState, StateStore

EVERY_S = 0.2  # how long others may wait to see it


class Gathering:
    """Has rows gathered, from `begin` on, and written by the thread that writes answers."""

    def __init__(
        self,
        trail: Trail | None,
        state: StateStore,
        responses: ResponseCache | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trail, self._responses = trail, responses
        self._state = state if isinstance(state, SharedState) else None
        self._clock = clock
        self._last = clock()

    def begin(self) -> None:
        if self._trail is not None:
            self._trail.gather()
        if self._state is not None:
            self._state.gathers = True
        if self._responses is not None:
            self._responses.gathers = True

    def before_output(self) -> None:
        """What is shown is on record."""
        if self._trail is not None:
            with signals.postponed:  # what is gathered is written whole
                self._trail.flush()

    def tick(self) -> None:
        now = self._clock()
        if now - self._last < EVERY_S:
            return
        self._last = now
        self.before_output()
        with signals.postponed:
            if self._state is not None:
                self._state.flush()
            if self._responses is not None:
                self._responses.flush()
