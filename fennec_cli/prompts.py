"""Prompts from arguments, files and standard input: bytes to checked text, whole or row by row."""

import os
import select
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fennec_cli import signals
from fennec_cli.errors import FennecError, InputError, ProviderTimeout
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.rows import RowFields

MAX_PROMPT = 64 * 1024 * 1024  # bytes; more is a mistake (a device, a loop), not a prompt
_READ = 64 * 1024
ONLY_ROW = "1"  # the id of the row of text input


class Row(NamedTuple):
    """One prompt of a run; `fault` says why it cannot be sent.

    `given` is what an NDJSON row says beside its prompt, `meta` the JSON text that comes back with the answer, `source`
    the record as it came in.
    """

    id: str
    prompt: str = ""
    fault: FennecError | None = None
    given: "RowFields | None" = None
    meta: bytes | None = None
    source: bytes = b""


def read_all(fd: int, deadline: float | None) -> bytes:
    """Read a descriptor to its end. Raises `InputError` above `MAX_PROMPT`, `ProviderTimeout` past the deadline."""
    parts, size = [], 0
    for data in _pieces(fd, deadline):
        size += len(data)
        if size > MAX_PROMPT:
            raise InputError(f"the input is larger than {MAX_PROMPT} bytes", hint="split it, or use --input lines")
        parts.append(data)
    return b"".join(parts)


def read_records(fd: int, separator: bytes, deadline: float | None) -> Iterator[bytes]:
    """Yield records as they arrive, without their separator; the last one need not be closed by one."""
    rest: list[bytes] = []  # joined only when a separator comes: a long record in many reads stays linear
    size = 0
    for data in _pieces(fd, deadline):
        first, *others = data.split(separator)
        rest.append(first)
        size += len(first)
        if others:
            yield b"".join(rest)
            yield from others[:-1]
            rest, size = [others[-1]], len(others[-1])
        if size > MAX_PROMPT:
            raise InputError(f"a record is larger than {MAX_PROMPT} bytes", hint="check the separator of the input")
    if size:
        yield b"".join(rest)


def decode_text(data: bytes, source: str, *, replace: bool = False) -> str:
    """Decode UTF-8. Raises `InputError` with the byte offset of what is not UTF-8 or is NUL."""
    try:
        text = data.decode("utf-8", "replace" if replace else "strict")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source} is not UTF-8 at byte {error.start}", hint="convert it, or use --encoding-errors replace"
        ) from None
    return checked_text(text, source)


def checked_text(text: str, source: str) -> str:
    """Return `text`, unless there is a NUL in it. Raises `InputError`."""
    nul = text.find("\0")
    if nul >= 0:
        raise InputError(
            f"{source} has a NUL at byte {len(text[:nul].encode())}", hint="use -0 for NUL-separated prompts"
        )
    return text


def read_file(path: str, *, replace: bool = False) -> str:
    """Read a text file named on the command line. Raises `InputError`."""
    if "\0" in path:
        raise InputError(f"{path!r:.80} is no path")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_PROMPT + 1)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})") from error
    if len(data) > MAX_PROMPT:
        raise InputError(f"{path} is larger than {MAX_PROMPT} bytes")
    return decode_text(data, path, replace=replace)


def system_text(value: str | None, *, replace: bool = False) -> str | None:
    """Return a system prompt: the text itself, or a file's for `@FILE`."""
    if value is None or not value.startswith("@"):
        return value
    return read_file(value[1:], replace=replace)


def compose(parts: list[str]) -> str:
    """Join argument, files and standard input: a blank line between them, nothing else added."""
    return "\n\n".join(part for part in parts if part)


def single_row(head: list[str], stdin: bytes | None, *, replace: bool) -> Row:
    """Return the one row of text input. Raises `InputError` when there is nothing in it."""
    text = "" if stdin is None else decode_text(stdin, "standard input", replace=replace)
    prompt = compose([*head, text] if text.strip() else head)
    if not prompt.strip():
        raise InputError("the prompt is empty", hint="pipe a text in, or give one as an argument")
    return Row(ONLY_ROW, prompt)


def rows(records: Iterator[bytes], head: list[str], *, lines: bool, replace: bool) -> Iterator[Row]:
    """Yield a row per record; one that cannot be used carries its fault. `head` stands before every prompt."""
    for number, record in enumerate(records, 1):
        name = f"{'line' if lines else 'record'} {number}"
        row_id = str(number)
        try:
            text = decode_text(record.removesuffix(b"\r") if lines else record, name, replace=replace)
            if not text.strip():
                raise InputError(f"{name} is empty", hint="remove it")
        except InputError as error:
            yield Row(row_id, fault=error, source=record)
        else:
            yield Row(row_id, compose([*head, text]), source=record)


def _pieces(fd: int, deadline: float | None) -> Iterator[bytes]:
    while True:
        while not select.select([fd], [], [], signals.TICK_S)[0]:
            _check_in_time(deadline)
        try:
            data = os.read(fd, _READ)
        except OSError as error:
            raise InputError(f"cannot read standard input ({error.strerror})") from error
        if not data:
            return
        _check_in_time(deadline)
        yield data


def _check_in_time(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise ProviderTimeout(
            "standard input did not end before the deadline", hint="raise --deadline", retryable=False
        )
