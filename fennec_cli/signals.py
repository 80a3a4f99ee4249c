"""Ctrl-C, TERM and HUP end the program by the real signal, after what is open was closed in order."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

_Result = TypeVar("_Result")

# CPython runs a handler between two instructions: a signal that comes just before a blocking call is seen only when the
# call returns (6 of 150 runs hung, with two signals at the moment a request was sent). So no wait of ours is longer.
TICK_S = 0.2

_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asks us to stop. A BaseException, so that nothing on the way takes it for a failure to handle."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_status = 128 + number


def die_silently() -> None:
    """Let signals end the program at once and without a traceback: right until there is something to clean up."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def install() -> None:
    """Turn the first signal into `Interrupted`; the second one ends the program at once.

    A signal that was inherited as ignored (nohup, background jobs) stays ignored.
    """
    for number in _HANDLED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _first)


class Halted(BaseException):
    """The run is over: nobody wants any more what this thread waits for."""


class HaltableThread(threading.Thread):
    """A thread that other ones can end, at its next wait. Signals reach the main thread only."""

    _reason: BaseException | None = None

    def halt(self, reason: BaseException) -> None:
        """Let `check` raise another one of `reason`'s kind in this thread, once: `Interrupted`, or else `Halted`."""
        self._reason = reason

    def check(self) -> None:
        reason, self._reason = self._reason, None  # what closes what is open may wait
        if isinstance(reason, Interrupted):
            raise Interrupted(reason.number)
        if reason is not None:
            raise Halted


def check() -> None:
    """Raise what ends this thread, if somebody wants it to end. Whoever waits asks between two pieces of the wait."""
    thread = threading.current_thread()
    if isinstance(thread, HaltableThread):
        thread.check()


def tick_s(end: float) -> float:
    """Return how long to wait before the next look for signals. Raises `TimeoutError` at the end (monotonic clock)."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, TICK_S)


def tried(work: Callable[[], _Result], settimeout: Callable[[float], None], end: float) -> _Result:
    """Do `work` again, each time for as long as `settimeout` is told, until it is done or `end` is reached.

    Raises `TimeoutError` at the end (monotonic clock).
    """
    while True:
        settimeout(tick_s(end))
        try:
            return work()
        except TimeoutError:
            check()


def sleep(seconds: float) -> None:
    """Sleep in pieces short enough for a signal to be seen."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, TICK_S))
        check()


class _Postponed:
    """A `with` block that a signal does not break into: it counts at the end of the outermost one."""

    _depth = 0
    number: int | None = None

    @property
    def active(self) -> bool:
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *_details: object) -> None:
        self._depth -= 1
        if self.number is not None and not self._depth:
            number, self.number = self.number, None
            raise Interrupted(number)


postponed = _Postponed()
_stopping = 0


def stopping() -> int:
    """The number of the first signal, once it has come and only what is open is being closed; 0 before."""
    return _stopping


def die(number: int) -> NoReturn:
    """End by the default action of signal `number`, so that the parent sees what happened."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # not reached, unless the signal is blocked


def _first(number: int, _frame: object) -> None:
    # A second signal that came together with this one finds no handler any more, and Python would print that it did.
    sys.unraisablehook = lambda _unraisable: None
    for handled in _HANDLED:
        if signal.getsignal(handled) is not signal.SIG_IGN:
            signal.signal(handled, signal.SIG_DFL)
    global _stopping
    _stopping = number
    if postponed.active:
        postponed.number = number
        return
    raise Interrupted(number)
