"""Many rows at a time: threads that answer them, and the main thread, which alone writes and hears signals.

Memory is bounded by the window: a row is read when one of those before it is written. Threads begin as they are needed.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from fennec_cli import signals
from fennec_cli.batch import Ask, run_row
from fennec_cli.output.text import Answer, Writer
from fennec_cli.prompts import Row
from fennec_cli.signals import HaltableThread, Interrupted
from fennec_cli.tuples import NamedTuple

AHEAD = 2  # rows of the window for each thread: one that is being answered, one that waits to be written
AHEAD_ORDERED = 8  # more of them wait for one that takes long
TAKEN_AT_ONCE = 256  # pieces that are written together
CLOSING_S = 0.4  # how long threads get to end what they are at, when the run is over


class Piece(NamedTuple):
    """Some output of a row, whole lines of it; the last one of a row has what became of it.

    `aside` is for standard error. A row that was broken off has a last piece without an answer.
    """

    number: int
    row: Row
    data: bytes
    aside: bytes = b""
    answer: Answer | None = None
    last: bool = False


class Buffer:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def commit(self) -> None: ...

    def discard(self) -> None: ...


MakeWriter = Callable[[Buffer, Buffer], Writer]  # where answers go, and where reasoning does
Deliver = Callable[[list[Piece]], None]


class _Begun(NamedTuple):
    row: Row
    out: Buffer
    writer: Writer


class Runner:
    """Answers `rows` in `jobs` threads. With `whole` nothing of an answer is handed on before its end.

    `ordered` hands whole answers on in the order of their rows. `broken` says whether what there is of an answer that a
    signal broke off is handed on: events say so themselves, a text would look like an answer.
    """

    def __init__(
        self,
        rows: Iterator[Row],
        ask: Ask,
        writer: MakeWriter,
        *,
        jobs: int,
        ordered: bool = False,
        whole: bool = True,
        broken: bool = False,
        ahead: int = AHEAD,
    ) -> None:
        self._rows = enumerate(rows)
        self._ask, self._writer = ask, writer
        self._jobs, self._ordered, self._whole, self._broken = jobs, ordered, whole or ordered, broken
        self._window = threading.Semaphore(jobs * (AHEAD_ORDERED if ordered else ahead))
        self._reading = threading.Lock()
        self._more = True
        self._pieces: queue.SimpleQueue[Piece | BaseException] = queue.SimpleQueue()
        self._due: list[Piece] = []  # taken from there, and not handed on yet
        self._threads: list[HaltableThread] = []
        self._ended = 0  # threads that have said that they end
        self._bug: BaseException | None = None
        self._early: dict[int, Piece] = {}  # answers that wait for those before them
        self._next = 0
        self._under_way: dict[int, _Begun] = {}  # begun, and without their last piece

    def stop(self) -> None:
        """Begin no more rows; those under way are answered."""
        self._more = False

    def run(
        self,
        deliver: Deliver,
        *,
        keep: Deliver = lambda _pieces: None,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        """Hand every piece to `deliver`, in this thread, once; a signal does not break into it.

        `idle` is called now and then. `keep` gets the pieces that are left when the run ends because nothing can be
        delivered any more. Raises what concerns the whole run, after what is under way was ended.
        """
        self._begin_thread()
        try:
            while self._ended < len(self._threads):
                self._take(signals.TICK_S)
                if self._bug is not None:
                    raise self._bug
                self._hand_on(deliver)
                idle()
        except BaseException as reason:
            with signals.postponed:
                self._end(reason, deliver, keep)
            raise

    def _take(self, wait_s: float) -> None:
        """Wait for a piece, and take those that are there."""
        # What is off the queue is in `_due`, whatever comes; and no lock of Python's own is left held by a signal.
        with signals.postponed, suppress(queue.Empty):
            self._took(self._pieces.get(timeout=wait_s))
            for _ in range(TAKEN_AT_ONCE):
                self._took(self._pieces.get_nowait())

    def _took(self, found: Piece | BaseException) -> None:
        if isinstance(found, Piece):
            if found.last:
                self._under_way.pop(found.number, None)
            self._due.append(found)
        elif isinstance(found, _Ended):
            self._ended += 1
        else:
            self._bug = found

    def _hand_on(self, deliver: Deliver) -> None:
        with signals.postponed:  # a piece is either written or due, never both and never neither
            pieces, self._due = self._due, []
            if self._ordered:
                pieces = self._in_order(pieces)
            if pieces:
                deliver(pieces)
            for piece in pieces:
                if piece.last:
                    self._window.release()

    def _in_order(self, pieces: list[Piece]) -> list[Piece]:
        self._early.update((piece.number, piece) for piece in pieces)
        due: list[Piece] = []
        while self._next in self._early:
            due.append(self._early.pop(self._next))
            self._next += 1
        return due

    def _end(self, reason: BaseException, deliver: Deliver, keep: Deliver) -> None:
        """End all threads. After a signal what is whole is still written, and what is broken off gets its last line."""
        self._more = False
        for thread in self._threads:
            thread.halt(reason)
        end = time.monotonic() + CLOSING_S
        while self._ended < len(self._threads) and (left_s := end - time.monotonic()) > 0:
            self._take(left_s)
        broken = self._broken_off(reason) if isinstance(reason, Interrupted) else []
        while not self._pieces.empty():  # of threads that have ended meanwhile after all
            self._take(0)
        broken = [piece for piece in broken if piece.data or piece.number in self._under_way]
        left = sorted([*self._early.values(), *self._due, *broken], key=lambda piece: piece.number)
        if isinstance(reason, Interrupted):
            deliver(left)
        else:
            keep(left)

    def _broken_off(self, reason: Interrupted) -> list[Piece]:
        """The last pieces of rows whose threads did not end in time."""
        found = []
        for number, each in self._under_way.copy().items():
            data = each.out.taken() + each.writer.interrupted(reason.exit_status) if self._broken else b""
            found.append(Piece(number, each.row, data, last=True))
        return found

    # In the threads:

    def _begin_thread(self) -> None:
        thread = HaltableThread(target=self._work, name="row", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        try:
            while (found := self._next_row()) is not None:
                self._answer(*found)
        except (signals.Halted, Interrupted):
            pass
        except BaseException as error:  # of the input as a whole, or a bug: the main thread says so
            self._pieces.put(error)
        self._pieces.put(_Ended())

    def _next_row(self) -> tuple[int, Row] | None:
        _acquire(self._window)
        _acquire(self._reading)
        try:
            found = next(self._rows, None) if self._more else None
            if found is None:
                self._more = False
            elif len(self._threads) < self._jobs:
                self._begin_thread()
        except BaseException:
            self._more = False
            raise
        finally:
            self._reading.release()
        if found is None:
            self._window.release()  # for the other threads, which have to see the end too
        return found

    def _answer(self, number: int, row: Row) -> None:
        aside = Buffer()
        out = Buffer() if self._whole else _Live(lambda data: self._put(Piece(number, row, data, aside.taken())))
        writer = self._writer(out, aside)
        self._under_way[number] = _Begun(row, out, writer)
        try:
            answer = run_row(row, self._ask, writer)
        except BaseException:
            self._pieces.put(Piece(number, row, out.taken() if self._broken else b"", last=True))
            raise
        self._put(Piece(number, row, out.taken(), aside.taken(), answer, last=True))

    def _put(self, piece: Piece) -> None:
        while self._pieces.qsize() > TAKEN_AT_ONCE:  # whoever reads our output is slow: so are we
            time.sleep(0.01)
            signals.check()
        self._pieces.put(piece)


class _Ended(BaseException):
    """A thread has nothing more to do."""


class _Live(Buffer):
    """A sink that hands on what it gets at once."""

    def __init__(self, hand_on: Callable[[bytes], None]) -> None:
        super().__init__()
        self._hand_on = hand_on

    def write(self, data: bytes) -> None:
        self._hand_on(data)


def _acquire(lock: "threading.Lock | threading.Semaphore") -> None:
    while not lock.acquire(timeout=signals.TICK_S):
        signals.check()
