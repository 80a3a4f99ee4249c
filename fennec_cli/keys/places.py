"""Where the key of a provider may be, in the order in which the places are asked."""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from fennec_cli.errors import AuthenticationError, ConfigError, IntegrityError
from fennec_cli.keys.secret import Secret, checked
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.store import StateStore

MAX_KEY_BYTES = 64 * 1024


class Sources(NamedTuple):
    """What is known about a provider's key: options, environment, and configuration with its variables expanded."""

    provider: str
    variables: tuple[str, ...] = ()  # the provider's own, without ours
    environ: Mapping[str, str] = os.environ
    key_file: str | None = None
    configured: str | None = None
    several: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class Key(NamedTuple):
    """A key that was read. `expires_on` and `created` are Unix seconds, None where nobody knows."""

    secret: Secret
    slot: str = "active"
    generation: int = 0
    expires_on: float | None = None
    created: float | None = None
    id: str = ""


class Place(Protocol):
    """One place that holds the key of a provider, perhaps with another one that is to take over from it."""

    name: str  # for people; never the value

    def active(self) -> Key:
        """Read the key, anew each time. Raises `AuthenticationError`, `ConfigError`, `IntegrityError`."""
        ...

    def next(self, refused: Collection[Secret]) -> Key | None:
        """Return a key that is to be tried when the active one is refused, or None."""
        ...

    def promote(self, key: Key) -> bool:
        """Make the key that `next` gave the active one; False if another process did something meanwhile."""
        ...


class Fixed:
    """A place with one key."""

    def __init__(self, name: str, read: Callable[[], Key]) -> None:
        self.name = name
        self._read = read

    def active(self) -> Key:
        return self._read()

    def next(self, refused: Collection[Secret]) -> Key | None:  # noqa: ARG002
        return None

    def promote(self, key: Key) -> bool:  # noqa: ARG002
        return False


class Listed:
    """Several keys of the configuration. Which of them is in use is remembered for all processes."""

    def __init__(self, provider: str, keys: tuple[str, ...], state: "StateStore") -> None:
        self.name = f"provider.{provider}.api_keys"
        self._record = f"key|{provider}|{len(keys)}"
        self._keys = keys
        self._state = state

    def active(self) -> Key:
        return self._key(*self._in_use(), "active")

    def next(self, refused: Collection[Secret]) -> Key | None:
        number, generation = self._in_use()
        for step in range(1, len(self._keys)):
            key = self._key((number + step) % len(self._keys), generation, "next")
            if key.secret not in refused:
                return key
        return None

    def promote(self, key: Key) -> bool:
        def change(records: list[dict[str, object] | None]) -> tuple[list[dict[str, object] | None], bool]:
            if (records[0] or {}).get("generation", 0) != key.generation:
                return records, False
            return [{"generation": key.generation + 1, "active": int(key.id)}], True

        return self._state.update([self._record], change)

    def _in_use(self) -> tuple[int, int]:
        record = self._state.get(self._record) or {}
        number, generation = record.get("active", 0), record.get("generation", 0)
        return number % len(self._keys), generation

    def _key(self, number: int, generation: int, slot: str) -> Key:
        return Key(checked(self._keys[number], self.name), slot, generation, id=str(number))


def key_variables(provider: str, variables: tuple[str, ...]) -> tuple[str, ...]:
    """Environment variables that may hold the key of a provider, the one of our own first."""
    return (f"FENNEC_{provider.upper().replace('-', '_')}_API_KEY", *variables)


def has_key(provider: str, variables: tuple[str, ...], environ: Mapping[str, str]) -> bool:
    """Whether the environment, or what the index says is stored, holds a key for this provider. Opens no keyring."""
    if any(environ.get(name) for name in key_variables(provider, variables)):
        return True
    if credential_file(provider, environ) is not None:
        return True
    from fennec_cli.keys.index import stored_names

    return provider in stored_names(environ)


def place_of(sources: Sources, state: "StateStore | None" = None) -> Place | None:
    """Return the first place that has a key, or None. Reads no key and opens no keyring.

    The order: the file of the command line, our own variable, `api_key` and `api_keys` of the configuration, the
    provider's variables, a credential of systemd, `key_command`, what `fennec keys set` has stored.
    """
    provider, environ = sources.provider, sources.environ
    own, *others = key_variables(provider, sources.variables)
    if sources.key_file is not None:
        return _file(sources.key_file)
    if environ.get(own):
        return _text(own, environ[own])
    if sources.configured:
        return configured_place(sources)
    if sources.several:
        from fennec_cli.store import MemoryStore

        return Listed(provider, sources.several, state or MemoryStore())
    for name in others:
        if environ.get(name):
            return _text(name, environ[name])
    credential = credential_file(provider, environ)
    if credential is not None:
        return _file(credential, f"systemd credential {os.path.basename(credential)}")
    if sources.command:
        return _command(sources)
    return stored(provider, environ)


def no_key(sources: Sources) -> AuthenticationError:
    """The error for a provider that has no key anywhere."""
    variables = key_variables(sources.provider, sources.variables)
    named = " or ".join(variables[1:] or variables)
    hint = f"set {named}, or store one with `fennec keys set {sources.provider}`"
    return AuthenticationError("no key", provider=sources.provider, hint=hint, retryable=False)


def stored(name: str, environ: Mapping[str, str]) -> Place | None:
    """Return the place of a key that `fennec keys set` has stored under a name, or None."""
    from fennec_cli.keys.index import stored_names

    if name not in stored_names(environ):
        return None
    from fennec_cli.keys.stored import Stored

    return Stored(name, environ)


def credential_file(provider: str, environ: Mapping[str, str]) -> str | None:
    """Return the file with the key that systemd hands to a service (systemd.exec(5), CREDENTIALS), or None."""
    directory = environ.get("CREDENTIALS_DIRECTORY", "")
    if not directory.startswith("/"):
        return None
    path = os.path.join(directory, f"{provider.lower().replace('-', '_')}_api_key")
    return path if os.path.isfile(path) else None


def _text(name: str, text: str) -> Place:
    return Fixed(name, lambda: Key(checked(text, name)))


def _file(path: str, name: str | None = None) -> Place:
    return Fixed(name or f"file {path}", lambda: _from_file(path))


def configured_place(sources: Sources) -> Place:
    """Return the place that `api_key` names. Raises `AuthenticationError` for a stored key that is not there."""
    text, provider = sources.configured or "", sources.provider
    kind, _, rest = text.partition(":")
    if kind == "file":
        return _file(rest)
    if kind == "store" or (kind == "keyring" and "/" not in rest):
        found = stored(rest or provider, sources.environ)
        if found is None:
            name = rest or provider
            hint = f"store it with `fennec keys set {name}`"
            raise AuthenticationError(f"no key is stored under {name}", provider=provider, hint=hint)
        return found
    if kind == "keyring":
        service, _, user = rest.rpartition("/")

        def read() -> Key:
            from fennec_cli.keys.keyring_vault import read_foreign

            return Key(checked(read_foreign(service, user, sources.environ), f"keyring {rest}"))

        return Fixed(f"keyring {rest}", read)
    return _text(f"provider.{provider}.api_key", text)


def _command(sources: Sources) -> Place:
    def read() -> Key:
        from fennec_cli.keys.command import run_key_command

        secret, expires_on = run_key_command(sources.command, sources.environ)
        return Key(secret, expires_on=expires_on)

    return Fixed(f"key_command {os.path.basename(sources.command[0])}", read)


def _from_file(path: str) -> Key:
    try:
        with open(os.path.expanduser(path), "rb") as file:
            raw = file.read(MAX_KEY_BYTES + 1)
            changed = os.fstat(file.fileno()).st_mtime
    except OSError as error:
        raise ConfigError(f"cannot read the key file {path} ({error.strerror})") from error
    if len(raw) > MAX_KEY_BYTES:
        raise ConfigError(f"the key file {path} is too large to be a key")
    try:
        return Key(checked(raw.decode(), path), created=changed)
    except UnicodeDecodeError:
        raise ConfigError(f"the key file {path} is not text") from None


def read_quietly(place: Place) -> Key | None:
    """Read the key again, or None where it can be read only once (a descriptor) or not any more."""
    with suppress(AuthenticationError, ConfigError, IntegrityError):
        return place.active()
    return None
