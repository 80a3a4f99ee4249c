"""How far a batch is, in one line for a terminal."""

import os
import stat
import time
from collections.abc import Callable

from fennec_cli.batch.tally import Tally

EVERY_S = 0.2


class Progress:
    """Shows rows, rate, tokens, cost and, where the input's size is known, the time that is left."""

    def __init__(
        self, show: Callable[[str], None], size: int | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._show, self._size, self._clock = show, size, clock
        self._begin = self._shown = clock()
        self.bytes = 0  # of the input that is done

    def tick(self, tally: Tally) -> None:
        """Show where we are, if it was not shown a moment ago."""
        now = self._clock()
        if now - self._shown >= EVERY_S:
            self._shown = now
            self._show(line(tally, now - self._begin, self.bytes / self._size if self._size else None))

    def end(self) -> None:
        self._show("")


def line(tally: Tally, elapsed_s: float, part: float | None) -> str:
    """The line; `part` of the input is done, from 0 to 1, or None where its size is not known."""
    elapsed_s = max(elapsed_s, 0.001)
    words = [f"{tally.rows} rows", f"{tally.answered / elapsed_s:.1f} rows/s"]
    if tally.failed:
        words.insert(1, f"{tally.failed} failed")
    words.append(f"{tally.usage.output_tokens / elapsed_s:.0f} tokens/s")
    if tally.cost_usd is not None:
        words.append(f"${tally.cost_usd:.4f}")
    if part is not None and 0 < part < 1:
        words.append(f"{part:.0%}, {_span(elapsed_s * (1 - part) / part)} left")
    return ", ".join(words)


def input_size(fd: int = 0) -> int | None:
    """How many bytes there are to read, if that is known."""
    try:
        status = os.fstat(fd)
        return status.st_size - os.lseek(fd, 0, os.SEEK_CUR) if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
