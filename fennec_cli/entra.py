"""Tokens of Entra ID: from `azure-identity` (the extra `azure`) or from a command that prints one.

A token lives in memory only. Whoever sends requests asks for `token()` every time; after an answer 401 it calls
`invalidate()` and tries once more.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson

from fennec_cli.errors import AuthenticationError, ConfigError
from fennec_cli.keys import Secret
from fennec_cli.keys.command import COMMAND_TIMEOUT_S, forget_keys, moment, printed_secret, run
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

REFRESH_AHEAD_S = 60.0
_UNKNOWN_LIFETIME_S = 300.0  # a bare token does not say when it ends; Azure's own clients hand out none nearer to it
_UNKNOWN_RESOURCE = "AADSTS500011"  # the cloud does not know the scope
_MESSAGE_LIMIT = 300


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
    return run(
        "token_command",
        command,
        environ,
        lambda output: read_token(output, now=time.time()),
        "it prints a bare token, or JSON",
        timeout_s=timeout_s,
    )


def read_token(output: bytes, *, now: float) -> AccessToken:
    """Read a bare token, or JSON as `az` and the token endpoints print it. `ValueError` says what is wrong with it."""
    text = output.strip()
    if not text.startswith(b"{"):
        return AccessToken(printed_secret(text.decode("ascii", "replace").removeprefix("Bearer "), "token"))
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("printed invalid JSON") from None
    token = document.get("accessToken") or document.get("access_token")
    if not isinstance(token, str):
        raise ValueError("printed JSON without accessToken")
    return AccessToken(printed_secret(token, "token"), _expiry(document, now))


def _expiry(document: dict[str, Any], now: float) -> float | None:
    """`expires_on` is Unix seconds, `expires_in` counts from now, `expiresOn` is a date; numbers may be strings."""
    try:
        if document.get("expires_on"):
            end = moment(document["expires_on"])
        elif document.get("expires_in"):
            end = now + float(document["expires_in"])
        elif document.get("expiresOn"):
            end = moment(document["expiresOn"])
        else:
            return None
    except (ValueError, TypeError, OverflowError):
        end = math.nan
    if not math.isfinite(end):
        raise ValueError("printed an expiry that is no time")
    return end


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
                forget_keys()  # the chain asks command-line programs
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
