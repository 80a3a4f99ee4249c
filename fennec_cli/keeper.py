"""Renews the leases of what this process has under way, from a thread that begins with the first of them."""

import threading
import time
from collections.abc import Callable
from functools import partial

from fennec_cli import slots
from fennec_cli.store import StateStore
from fennec_cli.types import Record


class Keeper:
    """Leases last `ttl_s` seconds and are renewed every `renew_s`: what a process that died has held ends by itself."""

    def __init__(self, ttl_s: float, renew_s: float, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._ttl_s = ttl_s
        self._renew_s = renew_s
        self._sleep = sleep
        self._held: dict[str, tuple[StateStore, str]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, store: StateStore, name: str, owner: str) -> None:
        with self._lock:
            self._held[owner] = (store, name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def drop(self, owner: str) -> None:
        with self._lock:
            self._held.pop(owner, None)

    def _run(self) -> None:
        while True:
            self._sleep(self._renew_s)
            with self._lock:
                held = list(self._held.items())
            for store, name in {place for _, place in held}:
                store.update([name], partial(self._renewed, (store, name)))

    def _renewed(self, place: tuple[StateStore, str], records: list[Record | None]) -> tuple[list[Record | None], None]:
        with self._lock:  # those that are held now: one that was given back meanwhile must not be taken up again
            owners = {owner for owner, where in self._held.items() if where == place}
        return [slots.renew(records[0], time.time(), owners, self._ttl_s) if owners else records[0]], None
