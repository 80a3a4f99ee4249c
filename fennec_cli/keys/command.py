"""Commands of the user's that print a key or a token: no shell, ten seconds, and nothing in their environment that is a
key itself. What they print is never in an error, and their standard error is not read at all.
"""

import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import orjson

from fennec_cli.errors import AuthenticationError
from fennec_cli.keys.secret import Secret

COMMAND_TIMEOUT_S = 10.0
MAX_OUTPUT = 64 * 1024  # bytes
_OTHER_KEYS = ("OPENROUTER_KEY", "AZURE_OPENAI_KEY", "AZURE_OPENAI_AD_TOKEN")
_Read = TypeVar("_Read")


def is_key_variable(name: str) -> bool:
    """Whether a variable holds a key, by its name."""
    return name.upper().endswith("_API_KEY") or name in _OTHER_KEYS


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that a child process gets."""
    return {name: value for name, value in environ.items() if not is_key_variable(name)}


def forget_keys(environ: MutableMapping[str, str] = os.environ) -> None:
    """Take the keys out of our own environment, before a library starts children that inherit it."""
    for name in filter(is_key_variable, list(environ)):
        del environ[name]


def run_key_command(
    command: Sequence[str], environ: Mapping[str, str], *, timeout_s: float = COMMAND_TIMEOUT_S
) -> tuple[Secret, float | None]:
    """Run `command` and return the key it prints and when that expires, in Unix seconds. See `read_key`."""
    return run("key_command", command, environ, read_key, "it prints a bare key, or JSON", timeout_s=timeout_s)


def run(
    kind: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    read: Callable[[bytes], _Read],
    hint: str,
    *,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> _Read:
    """Run `command` and return what `read` makes of its output (`ValueError` says what is wrong with that).

    Raises `AuthenticationError`, never with the output in it.
    """
    name = f"{kind} {os.path.basename(command[0])}"
    try:
        return read(_output(command, environ, timeout_s))
    except OSError as error:
        raise AuthenticationError(f"{name} cannot be run ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise AuthenticationError(f"{name} took longer than {timeout_s:g} s") from None
    except subprocess.CalledProcessError as error:
        status = f"status {error.returncode}"
        raise AuthenticationError(f"{name} failed ({status})", hint="run it by hand to see why") from None
    except ValueError as error:
        raise AuthenticationError(f"{name} {error}", hint=hint) from None


def read_key(output: bytes) -> tuple[Secret, float | None]:
    """Read a bare key, or `{"version": 1, "api_key": …, "expiration": …}` (an RFC 3339 date or Unix seconds)."""
    text = output.strip()
    if not text.startswith(b"{"):
        return printed_secret(text.decode("ascii", "replace"), "key"), None
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("printed invalid JSON") from None
    if document.get("version", 1) != 1:
        raise ValueError("printed JSON of a version that is not 1")
    key, expiration = document.get("api_key"), document.get("expiration")
    if not isinstance(key, str):
        raise ValueError("printed JSON without api_key")
    try:
        expires_on = None if expiration is None else moment(expiration)
    except (ValueError, TypeError, OverflowError):
        expires_on = math.nan
    if expires_on is not None and not math.isfinite(expires_on):
        raise ValueError("printed an expiration that is no time")
    if expires_on is not None and expires_on <= time.time():
        raise ValueError("printed a key that has expired already")
    return printed_secret(key, "key"), expires_on


def printed_secret(text: str, what: str) -> Secret:
    """Return what a command printed, if it can be what it should be."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"printed no {what}" if not text else f"printed something that is no {what}")
    return Secret(text)


def moment(value: Any) -> float:
    """Unix seconds, or a date; one without a zone is local time, as `az` prints it."""
    try:
        return float(value)
    except ValueError:
        return datetime.fromisoformat(value).timestamp()


def _output(command: Sequence[str], environ: Mapping[str, str], timeout_s: float) -> bytes:
    """Return what `command` prints. It is a process group of its own, which is gone when this returns."""
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it may say more than anybody should keep
        env=without_keys(environ),
        start_new_session=True,
    )
    assert process.stdout is not None
    end = time.monotonic() + timeout_s
    try:
        output = _read_until(end, process.stdout.fileno())
        if output is None:
            raise subprocess.TimeoutExpired(list(command), timeout_s)
        if len(output) > MAX_OUTPUT:
            raise ValueError(f"printed more than {MAX_OUTPUT // 1024} KiB")
        status = process.wait(max(0.0, end - time.monotonic()))
    finally:
        _kill_group(process.pid)
        process.stdout.close()
        process.wait()
    if status != 0:
        raise subprocess.CalledProcessError(status, list(command))
    return output


def _read_until(end: float, fd: int) -> bytes | None:
    """Read all there is, or a little more than is allowed. None: what holds the pipe still does at the end."""
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    output = b""
    while waiting.poll(max(0.0, end - time.monotonic()) * 1000):
        piece = os.read(fd, MAX_OUTPUT + 1 - len(output))
        output += piece
        if not piece or len(output) > MAX_OUTPUT:
            return output
    return None


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it has ended
