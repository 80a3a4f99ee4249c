"""What is said on standard error and in the log file: one line a problem, never a key, never a prompt."""

import os
import select
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from fennec_cli import signals
from fennec_cli.errors import Bug, FennecError, OutputError
from fennec_cli.redactor import one_line, redacted

if TYPE_CHECKING:
    from typing import Protocol

    class Voice(Protocol):
        """What a command's options say about its notes."""

        @property
        def verbose(self) -> int: ...
        @property
        def quiet(self) -> bool: ...
        @property
        def log_file(self) -> str | None: ...
        @property
        def no_color(self) -> bool: ...


_LEVELS = ("debug", "info", "warning", "error")
RED, RESET = "\x1b[31m", "\x1b[0m"
CLEAR = "\r\x1b[K"
_AT_ONCE = 4096  # PIPE_BUF: what a writable pipe takes without a wait


class Notes:
    """Lines for people. `verbosity` is the number of `-v`; `quiet` silences everything but errors.

    What is less serious than `log_level` is not in the log file.
    """

    def __init__(
        self,
        *,
        verbosity: int = 0,
        quiet: bool = False,
        log_file: str | None = None,
        log_level: str | None = None,
        color: bool = False,
    ) -> None:
        self.verbosity = verbosity
        self._quiet = quiet
        self._color = color
        self._log_fd = -1 if log_file is None else _open_log(log_file)
        self._logged = _LEVELS[_LEVELS.index(log_level or "debug") :] if log_file is not None else ()
        self._status = ""

    def error(self, error: FennecError, where: str = "") -> None:
        name, _, rest = error.line().partition(": ")
        line = one_line(f"{name}: {where}{rest}")  # a row's id says where, and is anybody's text
        self._log("error", line)
        self._write(f"fennec: {_painted(line) if self._color else line}")
        if isinstance(error, Bug):
            for frame in error.frames.splitlines():
                self.say(3, frame)

    def warn(self, text: str) -> None:
        """Say something that the user should know although the run goes on."""
        self._say("warning", text, shown=not self._quiet)

    def say(self, level: int, text: str) -> None:
        """Say `text` to those who gave `-v` at least `level` times."""
        self._say("info" if level < 3 else "debug", text, shown=self.verbosity >= level and not self._quiet)

    def loud(self, level: int, text: str) -> None:
        """As `say`; what has level 0 is a warning."""
        self.say(level, text) if level else self.warn(text)

    def usage(self, text: str) -> None:
        self._say("info", text, shown=True)

    def _say(self, level: str, text: str, *, shown: bool) -> None:
        if not shown and level not in self._logged:
            return  # looking for secrets takes a while, and the HTTP exchange is said with every request
        text = one_line(redacted(text))
        self._log(level, text)
        if shown:
            self._write(f"fennec: {text}")

    def _log(self, level: str, text: str) -> None:
        if level in self._logged:
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            write_quietly(self._log_fd, f"{moment} {os.getpid()} {level} {text}\n".encode())

    def status(self, text: str) -> None:
        """Show `text` on a terminal until something else is said; an empty one takes it away."""
        if text or self._status:
            self._status = text
            write_quietly(2, f"{CLEAR}{text}".encode())

    def _write(self, line: str) -> None:
        clear = CLEAR if self._status else ""
        self._status = ""
        write_quietly(2, f"{clear}{line}\n".encode())


def notes_for(options: "Voice", log_file: str | None, log_level: str | None, warnings: Iterable[str]) -> Notes:
    """The notes of a command with these options. The log is the configured one; `warnings` are said at once."""
    notes = Notes(
        verbosity=options.verbose,
        quiet=options.quiet,
        log_file=options.log_file or log_file,
        log_level=log_level,
        color=wants_color(os.environ, no_color=options.no_color),
    )
    for warning in warnings:
        notes.warn(warning)
    return notes


def write_quietly(fd: int, data: bytes) -> None:
    """Write to a place whose failure must not hide what was to be said elsewhere (closed stderr, full log).

    A reader that stands still is waited for, until a signal ends the run.
    """
    ready = select.poll()
    ready.register(fd, select.POLLOUT)
    with suppress(OSError):
        while data:
            if ready.poll(0 if signals.stopping() else signals.TICK_S * 1000):
                data = data[os.write(fd, data[:_AT_ONCE]) :]
            elif signals.stopping():
                return


def wants_color(environ: Mapping[str, str], *, no_color: bool = False) -> bool:
    """Whether standard error is a terminal that may be coloured (https://no-color.org, read 2026-11)."""
    if no_color or environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return sys.stderr is not None and os.isatty(2)


def shows_progress(environ: Mapping[str, str], *, quiet: bool = False) -> bool:
    """Whether a line that changes may be shown: on a terminal that nothing else is written to."""
    if quiet or environ.get("TERM") == "dumb" or sys.stderr is None or not os.isatty(2):
        return False
    return sys.stdout is None or not os.isatty(1)


def _painted(line: str) -> str:
    name, separator, rest = line.partition(": ")
    return f"{RED}{name}{RESET}{separator}{rest}"


def _open_log(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutputError(f"cannot write the log file {path} ({error.strerror})") from error
