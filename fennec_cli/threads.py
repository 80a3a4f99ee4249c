"""A piece of work for each of several things, all at once."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from fennec_cli import signals

_ENDING_S = 0.4  # how long threads get to end what they are at, when nobody wants it any more
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def at_once(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """Return what `work` makes of each item, each in a thread of its own. What the first of them raises is raised.

    A signal ends them all, whatever they wait for.
    """
    results: dict[int, _Result] = {}
    failures: dict[int, BaseException] = {}

    def run(number: int) -> None:
        try:
            results[number] = work(items[number])
        except BaseException as error:
            failures[number] = error

    threads = [signals.HaltableThread(target=run, args=(number,), daemon=True) for number in range(len(items))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(signals.TICK_S)
    except BaseException as reason:
        for thread in threads:
            thread.halt(reason)
        end = time.monotonic() + _ENDING_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        raise
    for number in sorted(failures):
        raise failures[number]
    return [results[number] for number in range(len(items))]
