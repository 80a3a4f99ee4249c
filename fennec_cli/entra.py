"""Tokens of Entra ID: from `azure-identity` (the extra `azure`) or from a command that prints one.

A token lives in memory only. Whoever sends requests asks for `token()` every time; after an answer 401 it calls
`invalidate()` and tries once more.
"""

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Event, Lock, Timer
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from fennec_cli.errors import AuthenticationError, ConfigError
from fennec_cli.keys import Secret

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

COMMAND_TIMEOUT_S = 10.0
MAX_OUTPUT = 64 * 1024  # bytes
REFRESH_AHEAD_S = 60.0
_UNKNOWN_LIFETIME_S = 300.0  # a bare token does not say when it ends; Azure's own clients hand out none nearer to it
_UNKNOWN_RESOURCE = "AADSTS500011"  # the cloud does not know the scope
_MESSAGE_LIMIT = 300
_OTHER_KEYS = ("OPENROUTER_KEY", "AZURE_OPENAI_KEY", "AZURE_OPENAI_AD_TOKEN")


class AccessToken(NamedTuple):
    """A token and the moment it expires, in Unix seconds; None when its origin does not say."""

    secret: Secret
    expires_on: float | None = None


Fetch = Callable[[str], AccessToken]  # scope -> token


class TokenSource:
    """A token that is fetched when first needed and kept until a minute before it expires. For any number of threads.

    `scopes` are alternatives: the first is asked for until somebody says that it is the wrong one.
    """

    def __init__(self, fetch: Fetch, scopes: Sequence[str], *, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetch
        self._scopes = list(scopes)
        self._clock = clock
        self._lock = Lock()
        self._token: Secret | None = None
        self._until = 0.0

    def token(self) -> str:
        """Return `Bearer …`. Raises `AuthenticationError` or, without the extra, `ConfigError`."""
        with self._lock:
            if self._token is None or self._clock() >= self._until:
                fetched = self._fetched()
                self._until = self._end(fetched.expires_on)
                self._token = fetched.secret
            return f"Bearer {self._token.reveal()}"

    def invalidate(self, refused: str, reason: str = "") -> None:
        """Forget the token if it is still the one that was `refused`; a wrong audience (`reason`) changes the scope."""
        with self._lock:
            if self._token is None or refused != f"Bearer {self._token.reveal()}":
                return  # another thread has renewed it
            self._token = None
            if "audience" in reason.casefold():
                self._next_scope()

    def _fetched(self) -> AccessToken:
        for _ in self._scopes[1:]:
            try:
                return self._fetch(self._scopes[0])
            except AuthenticationError as error:
                if _UNKNOWN_RESOURCE not in error.message:
                    raise
                self._next_scope()
        return self._fetch(self._scopes[0])

    def _end(self, expires_on: float | None) -> float:
        now = self._clock()
        if expires_on is None:
            return now + _UNKNOWN_LIFETIME_S
        if expires_on <= now:
            raise AuthenticationError("the access token has expired already", hint="sign in again; check the clock")
        return expires_on - REFRESH_AHEAD_S

    def _next_scope(self) -> None:
        self._scopes.append(self._scopes.pop(0))


def token_source(
    token_command: Sequence[str] | None,
    *,
    authority: str,
    scopes: Sequence[str],
    environ: Mapping[str, str] = os.environ,
) -> TokenSource:
    """Return the configured source: the command, else whatever identity azure-identity finds. Starts nothing yet."""
    if token_command:
        command = tuple(token_command)
        return TokenSource(lambda _scope: run_token_command(command, environ), scopes)
    return TokenSource(identity(authority, environ), scopes)


def run_token_command(
    command: Sequence[str], environ: Mapping[str, str], *, timeout_s: float = COMMAND_TIMEOUT_S
) -> AccessToken:
    """Run `command` without a shell and read its token. Raises `AuthenticationError`, never with its output in it."""
    name = os.path.basename(command[0])
    try:
        return read_token(_output(command, environ, timeout_s), now=time.time())
    except OSError as error:
        raise AuthenticationError(f"token_command {name} cannot be run ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise AuthenticationError(f"token_command {name} took longer than {timeout_s:g} s") from None
    except subprocess.CalledProcessError as error:
        hint = "run it by hand to see why"
        raise AuthenticationError(f"token_command {name} failed (status {error.returncode})", hint=hint) from None
    except ValueError as error:
        raise AuthenticationError(f"token_command {name} {error}", hint="it prints a bare token, or JSON") from None


def _output(command: Sequence[str], environ: Mapping[str, str], timeout_s: float) -> bytes:
    """Return what `command` prints. It is a process group of its own, which is gone when this returns."""
    kept = {name: value for name, value in environ.items() if not _is_key(name)}
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it may say more than anybody should keep
        env=kept,
        start_new_session=True,
    )
    assert process.stdout is not None
    too_late = Event()

    def stop() -> None:
        too_late.set()
        _kill_group(process.pid)

    timer = Timer(timeout_s, stop)
    timer.start()
    try:
        output = process.stdout.read(MAX_OUTPUT + 1)
        if len(output) > MAX_OUTPUT:
            raise ValueError(f"printed more than {MAX_OUTPUT // 1024} KiB")
        status = process.wait()
    finally:
        timer.cancel()
        _kill_group(process.pid)
        process.stdout.close()
        process.wait()
    if too_late.is_set():
        raise subprocess.TimeoutExpired(list(command), timeout_s)
    if status != 0:
        raise subprocess.CalledProcessError(status, list(command))
    return output


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return  # all of it has ended


def _is_key(name: str) -> bool:
    return name.endswith("_API_KEY") or name in _OTHER_KEYS


def read_token(output: bytes, *, now: float) -> AccessToken:
    """Read a bare token, or JSON as `az` and the token endpoints print it. `ValueError` says what is wrong with it."""
    text = output.strip()
    if not text.startswith(b"{"):
        return AccessToken(_token(text.decode("ascii", "replace").removeprefix("Bearer ")))
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("printed invalid JSON") from None
    token = document.get("accessToken") or document.get("access_token")
    if not isinstance(token, str):
        raise ValueError("printed JSON without accessToken")
    return AccessToken(_token(token), _expiry(document, now))


def _token(text: str) -> Secret:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("printed no token" if not text else "printed something that is no token")
    return Secret(text)


def _expiry(document: dict[str, Any], now: float) -> float | None:
    """`expires_on` is Unix seconds, `expires_in` counts from now, `expiresOn` is a date; numbers may be strings."""
    try:
        if document.get("expires_on"):
            moment = _moment(document["expires_on"])
        elif document.get("expires_in"):
            moment = now + float(document["expires_in"])
        elif document.get("expiresOn"):
            moment = _moment(document["expiresOn"])
        else:
            return None
    except (ValueError, TypeError, OverflowError):
        moment = math.nan
    if not math.isfinite(moment):
        raise ValueError("printed an expiry that is no time")
    return moment


def _moment(value: Any) -> float:
    """Unix seconds, or a date; one without a zone is local time, as `az` prints it."""
    try:
        return float(value)
    except ValueError:
        return datetime.fromisoformat(value).timestamp()


def identity(authority: str, environ: Mapping[str, str]) -> Fetch:
    """Return the fetch of azure-identity's default chain: secret, certificate, workload, managed identity, CLI, …"""
    credentials: list[TokenCredential] = []

    def fetch(scope: str) -> AccessToken:
        try:
            from azure.core.exceptions import AzureError
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise ConfigError(
                "no key for Azure, and Entra ID needs a package that is not installed",
                hint="pip install 'fennec-cli[azure]', or set token_command or AZURE_OPENAI_API_KEY",
            ) from None
        try:
            if not credentials:
                _silence()
                own = {} if environ.get("AZURE_AUTHORITY_HOST") else {"authority": authority}
                credentials.append(DefaultAzureCredential(**own))
            token = credentials[0].get_token(scope)
        except (AzureError, ValueError, OSError) as error:
            text = " ".join(str(getattr(error, "message", error)).split())
            raise AuthenticationError(f"Entra ID: {text[:_MESSAGE_LIMIT]}", hint="sign in, e.g. `az login`") from None
        return AccessToken(Secret(token.token), float(token.expires_on))

    return fetch


def _silence() -> None:
    """Keep azure-identity's own report of a failure from standard error: ours follows."""
    import logging

    logging.getLogger("azure").addHandler(logging.NullHandler())
