"""Where an API key comes from. It is looked up when needed and lives in a `Secret` that does not show itself."""

import hmac
import os
from collections.abc import Mapping

from fennec_cli.errors import AuthenticationError, ConfigError

MAX_KEY_BYTES = 64 * 1024
MASK = "***"
# Everything else in a header may be a key.
_HARMLESS_HEADERS = {
    "anthropic-beta",
    "anthropic-version",
    "http-referer",
    "openai-organization",
    "openai-project",
    "referer",
    "user-agent",
    "x-title",
}


class Secret:
    """A text that shows itself only through `reveal()`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def key_variables(provider: str, variables: tuple[str, ...]) -> tuple[str, ...]:
    """Environment variables that may hold the key of a provider, the one of our own first."""
    return (f"FENNEC_{provider.upper().replace('-', '_')}_API_KEY", *variables)


def has_key(provider: str, variables: tuple[str, ...], environ: Mapping[str, str]) -> bool:
    """Whether the environment holds a key for this provider. Opens nothing."""
    return any(environ.get(name) for name in key_variables(provider, variables))


def find_key(
    provider: str,
    variables: tuple[str, ...],
    *,
    environ: Mapping[str, str],
    key_file: str | None = None,
    configured: str | None = None,
) -> Secret:
    """Return the key: from `key_file`, our own variable, the configuration (`file:PATH` or the key), the provider's.

    Raises `AuthenticationError` when there is none, `ConfigError` for a key file that cannot be read.
    """
    own, *others = key_variables(provider, variables)
    if key_file is not None:
        return _from_file(key_file)
    if environ.get(own):
        return _checked(environ[own], own)
    if configured:
        if configured.startswith("file:"):
            return _from_file(configured.removeprefix("file:"))
        return _checked(configured, f"provider.{provider}.api_key")
    for name in others:
        if environ.get(name):
            return _checked(environ[name], name)
    places = " or ".join(others or (own,))
    raise AuthenticationError(
        "no key", provider=provider, hint=f"set {places}, or name a file with --api-key-file", retryable=False
    )


def _from_file(path: str) -> Secret:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            raw = file.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read the key file {path} ({error.strerror})") from error
    if len(raw) > MAX_KEY_BYTES:
        raise ConfigError(f"the key file {path} is too large to be a key")
    try:
        return _checked(raw.decode(), path)
    except UnicodeDecodeError:
        raise ConfigError(f"the key file {path} is not text") from None


def _checked(text: str, place: str) -> Secret:
    key = text.strip()
    if not key:
        raise AuthenticationError(f"the key in {place} is empty")
    bare = key.removeprefix("Bearer ")
    if not bare.isascii() or not bare.isprintable() or " " in bare:
        raise AuthenticationError(f"the key in {place} has characters that no key has", hint="store it again")
    return Secret(key)


def masked_header(name: str, value: str) -> str:
    """A header's value for people: any header that is not known to be harmless may carry a secret."""
    return value if name.lower() in _HARMLESS_HEADERS else MASK
