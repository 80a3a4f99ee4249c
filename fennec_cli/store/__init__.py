"""What processes share: records by name, changed in short transactions.

Shared state makes things better, never worse. A store that is missing, read-only, full or broken is left alone for the
rest of the run, one that others hold for a while: `SharedState` goes on with what this process knows, and says so once.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from fennec_cli.private import home_of
from fennec_cli.types import Record

Result = TypeVar("Result")
_T = TypeVar("_T")
Change = Callable[[list[Record | None]], tuple[list[Record | None], Result]]
_Update = tuple[Sequence[str], Change[Result]]

MAX_RECORD = 4096  # bytes of JSON
REST_S = 5.0  # for which a store that others hold is left alone: each new try may cost another wait
BUSY_S = 0.25  # how long we wait for another process, and for a server's answer
GATHERED = 64  # updates that nobody waits for, at most
ERRORS = "store|errors"  # the record that counts how often processes could not use the store


class StoreFailed(Exception):
    """The store cannot be used: the reason in a few words."""


class StoreBusy(StoreFailed):
    """Another process holds the store for longer than we wait."""


class RecordTooLarge(StoreFailed):
    """A record has more bytes than `largest` allows. The store itself is as good as before."""


class StateStore(Protocol):
    """Records by name. Every method may raise `StoreFailed`, but for those of the other classes in this module."""

    def get(self, name: str, /) -> Record | None:
        """Return a record, or None."""
        ...

    def update(self, names: Sequence[str], change: Change[Result], /) -> Result:
        """Read the named records, and write what `change` makes of them, in one transaction.

        `change` gets them in order, None for those that do not exist; it returns the new ones (None deletes) and a
        result, which is handed on. It may be called again if the transaction has to be repeated.
        """
        ...

    def scan(self, prefix: str, /) -> Iterator[tuple[str, Record]]:
        """Yield the records whose names begin so, in no order."""
        ...

    def close(self) -> None: ...


class MemoryStore:
    """Records of this process alone."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Record | None:
        return self._records.get(name)

    def update(self, names: Sequence[str], change: Change[Result]) -> Result:
        with self._lock:
            records, result = change([self._records.get(name) for name in names])
            for name, record in zip(names, records, strict=True):
                if record is None:
                    self._records.pop(name, None)
                else:
                    self._records[name] = record
            return result

    def scan(self, prefix: str) -> Iterator[tuple[str, Record]]:
        with self._lock:
            found = [(name, record) for name, record in self._records.items() if name.startswith(prefix)]
        yield from found

    def close(self) -> None:
        """Nothing is open."""


class NullStore:
    """Records that nobody remembers: one request of a benchmark does not hold up another."""

    def get(self, _name: str, /) -> Record | None:
        return None

    def update(self, names: Sequence[str], change: Change[Result], /) -> Result:
        return change([None] * len(names))[1]

    def scan(self, _prefix: str, /) -> Iterator[tuple[str, Record]]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


class SharedState:
    """A store that never fails: opened when it is first used, replaced by memory when it cannot be.

    `failures` counts what went wrong, and is added to the record `ERRORS` at the end; `say` is told the reason once.
    While it `gathers`, what is done `later` goes along with the next update, of any thread: of many rows at once each
    needs one transaction then, not two. Who sets that has to `flush` now and then.
    """

    def __init__(
        self,
        open_store: Callable[[], StateStore],
        say: Callable[[str], None] = lambda _text: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = open_store
        self._say = say
        self._clock = clock
        self._store: StateStore | None = None
        self.own = MemoryStore()  # what this process goes on with alone
        self._rests_until = 0.0
        self._lock = threading.Lock()
        self._late: deque[_Update[None]] = deque()
        self.failures = 0
        self.gathers = False

    def get(self, name: str) -> Record | None:
        return self._try(lambda store: store.get(name))

    def update(self, names: Sequence[str], change: Change[Result], *, alone: Change[Result] | None = None) -> Result:
        """`alone` is done instead where this process goes on with its own records."""
        late = list(taken(self._late))

        def use(store: StateStore) -> Result:
            what = alone if alone is not None and store is self.own else change
            return store.update(*_joined(late, names, what) if late else (names, what))

        return self._try(use)

    def later(self, names: Sequence[str], change: Change[None]) -> None:
        """Like `update`, of which nobody has to know when it is done."""
        if not self.gathers:
            self.update(names, change)
            return
        self._late.append((names, change))
        if len(self._late) >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """Do what is to be done `later`."""
        late = list(taken(self._late))  # another thread's update may take the same
        if late:
            names, change = _joined(late, [], lambda records: (records, None))
            self._try(lambda store: store.update(names, change))

    def scan(self, prefix: str) -> Iterator[tuple[str, Record]]:
        self.flush()
        return iter(self._try(lambda store: list(store.scan(prefix))))

    def close(self) -> None:
        self.leave()
        if self._store is not None:
            self._store.close()

    def leave(self) -> None:
        """Like `close` before the end of the process, which closes what is open at less cost (see `store.disk`)."""
        self.flush()
        store = self._store
        if store is None:
            return
        if self.failures and store is not self.own and self._clock() >= self._rests_until:
            with suppress(StoreFailed):
                store.update([ERRORS], lambda records: ([{"n": failure_count(records[0]) + self.failures}], None))

    def _try(self, use: Callable[[StateStore], Result]) -> Result:
        if self._clock() < self._rests_until:
            return use(self.own)
        store = self._store
        try:
            if store is None:
                store = self._opened()
            return use(store)
        except StoreBusy as error:
            self._note(error)
            self._rests_until = self._clock() + REST_S
            return use(self.own)
        except RecordTooLarge as error:
            self._note(error)
            return use(self.own)
        except StoreFailed as error:
            return use(self._given_up(store, error))

    def _opened(self) -> StateStore:
        with self._lock:
            if self._store is None:
                self._store = self._open()
            return self._store

    def _given_up(self, failed: StateStore | None, error: StoreFailed) -> StateStore:
        self._note(error)
        with self._lock:
            if self._store is failed:  # the first thread that met the failure
                if failed is not None:
                    failed.close()
                self._store = self.own
            return self.own

    def _note(self, error: StoreFailed) -> None:
        with self._lock:
            self.failures += 1
            if self.failures == 1:
                self._say(f"the shared state cannot be used ({error}); this process goes on with its own")


def taken(waiting: "deque[_T]") -> Iterator[_T]:
    """Take what is there; other threads may do the same, and add to it."""
    with suppress(IndexError):
        while True:
            yield waiting.popleft()


def _joined(late: "Sequence[_Update[None]]", names: Sequence[str], change: Change[Result]) -> "_Update[Result]":
    """Make one update of several, the last of which has a result."""
    every = list(dict.fromkeys(name for update in (*late, (names, change)) for name in update[0]))

    def joined(records: list[Record | None]) -> tuple[list[Record | None], Result]:
        now = dict(zip(every, records, strict=True))
        for own, what in late:
            now.update(zip(own, what([now[name] for name in own])[0], strict=True))
        changed, result = change([now[name] for name in names])
        now.update(zip(names, changed, strict=True))
        return [now[name] for name in every], result

    return every, joined


def largest(name: str) -> int:
    """How many bytes of JSON a record may have: that of the slots has a lease for each of up to 256 processes."""
    return 8 * MAX_RECORD if name.startswith("slots|") else MAX_RECORD


def failure_count(record: Record | None) -> int:
    """Return what the record `ERRORS` counts."""
    return int(record["n"]) if record else 0


def shared_state(
    environ: Mapping[str, str] = os.environ,
    say: Callable[[str], None] = lambda _text: None,
    server: str | None = None,
) -> SharedState:
    """Return the state that all processes of this user share, below the state directory. Opens nothing.

    `server` is the address of a Redis or Valkey server that holds it instead, for several machines.
    """

    def open_store() -> StateStore:
        if server is not None:
            from fennec_cli.store.redis import RedisState

            return RedisState(server)
        home = home_of("state", environ)
        if home is None:
            raise StoreFailed("there is no state directory: HOME is not set")
        from fennec_cli.store.rows import OnNetwork
        from fennec_cli.store.state import DiskState

        try:
            return DiskState(os.path.join(home, "state"))
        except OnNetwork:
            runtime = environ.get("XDG_RUNTIME_DIR", "")
            if not runtime.startswith("/"):
                raise
            return DiskState(os.path.join(runtime, "fennec", "state"))

    return SharedState(open_store, say)
