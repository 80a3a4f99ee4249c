"""One line on a terminal's standard error that says how far a run is, and goes away at its end."""

import os

from fennec_cli.output.notes import write_quietly

_COLUMNS = 80  # where the terminal does not say


class StatusLine:
    """Shown or not, as `shown` says; its owner knows whether somebody looks."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._drawn = False

    def show(self, text: str) -> None:
        if self._shown:
            self._drawn = True
            write_quietly(2, f"\r{fitting(text)}\x1b[K".encode())

    def clear(self) -> None:
        if self._drawn:
            self._drawn = False
            write_quietly(2, b"\r\x1b[K")


def fitting(text: str) -> str:
    """Return as much of `text` as stands in one line of the terminal: only one line can be taken away again."""
    try:
        columns = os.get_terminal_size(2).columns or _COLUMNS
    except OSError:
        columns = _COLUMNS
    return text[: columns - 1]
