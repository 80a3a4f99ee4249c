"""What `fennec keys` does: keys are listed without being read, stored from standard input, tried, and rotated."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from fennec_cli.assembly import Overrides
from fennec_cli.config import Config
from fennec_cli.errors import AuthenticationError, ConfigError, FennecError, InputError, UsageError
from fennec_cli.keys import Secret, checked, index
from fennec_cli.keys.file_vault import PASSPHRASE_VARIABLE, FileVault, Lock
from fennec_cli.keys.guard import guard
from fennec_cli.keys.index import Slot, Vault, keys_directory, read_index
from fennec_cli.keys.keyring_vault import KeyringVault, is_present
from fennec_cli.keys.places import MAX_KEY_BYTES, Key, Place
from fennec_cli.keys.source import DAY_S, too_old
from fennec_cli.keys.stored import Stored, promote, remove, store, withdraw
from fennec_cli.keys.vaults import KeyVault, open_vault
from fennec_cli.listing import for_programs
from fennec_cli.model_check import try_key
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import write_out
from fennec_cli.output.table import table
from fennec_cli.providers import PROVIDERS
from fennec_cli.registry import ProviderRegistry
from fennec_cli.safeguards import safeguards
from fennec_cli.tuples import NamedTuple


class Keeping(NamedTuple):
    """How a key is to be kept; None leaves it to what is there."""

    vault: Vault | None = None
    lock: Lock | None = None
    passphrase_file: str | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One key: `used` says whether a request of the provider would take it (a stored `next` key: in its turn)."""

    name: str
    place: str
    slot: str
    used: bool
    age_days: float | None = None
    old: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What a provider said to a key."""

    name: str
    place: str
    slot: str
    failure: FennecError | None = None

    @property
    def row(self) -> dict[str, Any]:
        failure = self.failure
        return {
            "name": self.name,
            "place": self.place,
            "slot": self.slot,
            "ok": failure is None,
            "class": failure.error_class if failure else "ok",
            "message": failure.line().partition(": ")[2] if failure else "",
        }


def run_list(config: Config, output_format: str) -> int:
    """Run `fennec keys list` and return its exit status."""
    with closing(ProviderRegistry(config)) as registry:
        rows = list(_rows(registry, config))
    if output_format == "table":
        cells = [(row.name, row.place, row.slot, _age(row), "" if row.used else "not used") for row in rows]
        write_out(table([("NAME", "PLACE", "SLOT", "AGE", "NOTE"), *cells]).encode())
    else:
        write_out(for_programs([asdict(row) for row in rows], output_format))
    for row in rows:
        if row.old:
            Notes().warn(f"{row.name}: the key in {row.place} is {row.age_days:.0f} days old; rotate it")
    return 0


def run_set(config: Config, name: str, slot: Slot, keeping: Keeping) -> int:
    """Run `fennec keys set` and return its exit status."""
    _check_name(name)
    notes = Notes(quiet=keeping.quiet)
    guard()
    secret = checked(_standard_input(), "standard input")
    vault = _vault(name, keeping)
    store(name, secret, vault, os.environ, slot=slot, warn=notes.warn)
    _record(config, "key_stored", name, slot)
    notes.say(0, f"the {'next ' if slot == 'next' else ''}key of {name} is in {vault.title}")
    with closing(ProviderRegistry(config)) as registry:
        users = _providers_of(config, name)
        if not users:
            notes.warn(f'no provider is called {name}; use the key with api_key = "store:{name}"')
        for user in users:
            if (place := _first_place(registry, config, user)) and not isinstance(place, Stored):
                notes.warn(f"{user} does not use it: the key in {place.name} comes first")
    return 0


def run_rm(config: Config, name: str, slot: Slot | None, passphrase_file: str | None) -> int:
    """Run `fennec keys rm` and return its exit status."""
    _use_passphrase(passphrase_file)
    remove(name, os.environ, slot=slot)
    _record(config, "key_removed", name, slot)
    return 0


def run_rotate(config: Config, name: str, keeping: Keeping, *, reads_stdin: bool) -> int:
    """Run `fennec keys rotate` and return its exit status: the new key is tried before it takes over."""
    _use_passphrase(keeping.passphrase_file)
    guard()
    if name not in read_index(os.environ):
        raise AuthenticationError(f"no key is stored under {name}", hint=f"store one with `fennec keys set {name}`")
    given = _new_key() if reads_stdin else None
    stored = Stored(name, os.environ)
    if given is not None:
        entry = store(name, given, _vault(name, keeping), os.environ, slot="next")
        key = Key(given, "next", entry.generation, id=entry.slots["next"].id)
    else:
        try:
            key = stored.in_slot("next")
        except AuthenticationError as error:
            error.hint = "give the new key on standard input"
            raise
    try:
        _try(config, name, key.secret)
    except AuthenticationError:
        if given is not None:
            withdraw(name, key.id, os.environ)
        raise
    if promote(name, key.generation, os.environ):
        _record(config, "key_rotated", name, "active")
    elif stored.in_slot("active").id != key.id:  # else a run whose key was refused was faster, and has recorded it
        raise ConfigError(
            f"another process has changed the keys of {name} meanwhile: the key that was tried is not the active one",
            hint="look with `fennec keys`, and rotate again",
        )
    Notes(quiet=keeping.quiet).say(0, f"{name}: the new key works and is active now; the old one is kept as retired")
    return 0


def run_test(config: Config, name: str | None, passphrase_file: str | None, output_format: str) -> int:
    """Run `fennec keys test` and return its exit status: the first failure's, if a key does not work."""
    _use_passphrase(passphrase_file)
    guard()
    trials = list(_trials(config, name))
    if output_format == "table":
        cells = [(each.name, each.place, each.slot, str(each.row["class"])) for each in trials]
        write_out(table([("NAME", "PLACE", "SLOT", "STATE"), *cells]).encode())
    else:
        write_out(for_programs([each.row for each in trials], output_format))
    failures = [each.failure for each in trials if each.failure]
    for failure in failures:
        Notes().error(failure)
    return failures[0].exit_status if failures else 0


def _record(config: Config, event: str, name: str, slot: Slot | None) -> None:
    """Put a change of what is stored into the audit log."""
    guards = safeguards(config, say=Notes().loud)
    guards.record(event, {"fennec.key_name": name, "fennec.key_slot": slot or "all"})
    guards.close()


def _rows(registry: ProviderRegistry, config: Config) -> Iterator[Row]:
    entries, now = read_index(os.environ), time.time()
    names = dict.fromkeys((*PROVIDERS, *config.providers))
    for name in names:
        place = _first_place(registry, config, name)
        if place is not None and not isinstance(place, Stored):
            yield Row(name, place.name, "active", used=True)
    for name, entry in entries.items():
        users = _providers_of(config, name)
        used = any(isinstance(_first_place(registry, config, user), Stored) for user in users)
        place_name = {"keyring": "the keyring", "file": "the encrypted file"}[entry.vault]
        max_age = config.provider_config(users[0]).max_age if users else None
        for slot in index.SLOTS:
            if slot in entry.slots:
                age = max(0.0, now - entry.slots[slot].created)
                old = slot == "active" and bool(too_old(entry.slots[slot].created, max_age, now))
                yield Row(name, place_name, slot, used and slot != "retired", round(age / DAY_S, 1), old)


def _trials(config: Config, name: str | None) -> Iterator[Trial]:
    with closing(ProviderRegistry(config)) as registry:
        names = [name] if name else [each for each in registry.names() if _first_place(registry, config, each)]
        if not names:
            raise AuthenticationError("no provider has a key", hint="store one with `fennec keys set NAME`")
        for each in names:
            place = _first_place(registry, config, each)
            if place is None:
                yield Trial(each, "-", "active", AuthenticationError("no key", provider=each))
                continue
            for key in _keys_in(place):
                failure = key if isinstance(key, FennecError) else _failure(config, each, key)
                yield Trial(each, place.name, key.slot if isinstance(key, Key) else "active", failure)


def _keys_in(place: Place) -> Iterator[Key | FennecError]:
    try:
        key = place.active()
        yield key
        following = place.next({key.secret})
        if following is not None:
            yield following
    except FennecError as error:
        yield error


def _failure(config: Config, provider: str, key: Key) -> FennecError | None:
    try:
        _try(config, provider, key.secret)
    except FennecError as error:
        return error
    return None


def _try(config: Config, name: str, secret: Secret) -> None:
    """Ask a provider that uses keys of this name something that costs nothing, with this key."""
    providers = _providers_of(config, name)
    if not providers:
        raise ConfigError(f"no provider uses the keys of {name}", hint=f'set api_key = "store:{name}" for one')
    with closing(ProviderRegistry(config, overrides=Overrides(key=secret))) as registry:
        try_key(registry, providers[0])


def _providers_of(config: Config, name: str) -> list[str]:
    """The provider of this name, else those whose `api_key` points to it."""
    if name in config.providers or name in PROVIDERS:
        return [name]
    pointers = (f"store:{name}", f"keyring:{name}")
    return [each for each, settings in config.providers.items() if settings.api_key in pointers]


def _first_place(registry: ProviderRegistry, config: Config, name: str) -> Place | None:
    if config.provider_config(name).type == "local":
        return None
    try:
        return registry.key_place(name)
    except AuthenticationError:  # the configuration points to a stored key that does not exist
        return None


def _vault(name: str, keeping: Keeping) -> KeyVault:
    """Where the key of `name` is to be stored: where it is told to, where it is, else where there is a keyring."""
    _use_passphrase(keeping.passphrase_file)
    entry = read_index(os.environ).get(name)
    kind = keeping.vault or (entry.vault if entry else None)
    if kind == "keyring":
        return open_vault("keyring", os.environ)
    if kind is None and keeping.lock is None and not os.environ.get(PASSPHRASE_VARIABLE) and is_present(os.environ):
        keyring = KeyringVault(os.environ)
        try:
            keyring.get(name, "none")  # one that is locked or does not answer is not used
            return keyring
        except (AuthenticationError, ConfigError):
            pass
    lock: Lock = keeping.lock or ("passphrase" if os.environ.get(PASSPHRASE_VARIABLE) else "key-file")
    vault = FileVault(os.environ, lock=lock)
    locks = vault.locks()
    if keeping.lock and locks and keeping.lock not in locks:
        raise UsageError(
            f"the encrypted file is unlocked by {', '.join(locks)} already", hint=f"see {keys_directory(os.environ)}"
        )
    return vault


def _use_passphrase(path: str | None) -> None:
    """The option stands for its variable, which is where all who open the file look."""
    if path is not None:
        os.environ[PASSPHRASE_VARIABLE] = path


def _check_name(name: str) -> None:
    bare = name.replace("-", "").replace("_", "")
    if not (bare.isascii() and bare.isalnum()):
        raise UsageError(f"{name!r:.80} is no name", hint="a name has letters, digits, - and _")


def _standard_input() -> str:
    if sys.stdin is None or os.isatty(0):
        raise UsageError("a key is read from standard input only", hint="pipe it in")
    data = sys.stdin.buffer.read(MAX_KEY_BYTES + 1)
    if len(data) > MAX_KEY_BYTES:
        raise InputError("standard input is too large to be a key")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InputError("the key on standard input is not text") from None


def _new_key() -> Secret | None:
    """The key on standard input, if there is one."""
    if sys.stdin is None or os.isatty(0):
        return None
    text = _standard_input()
    return checked(text, "standard input") if text.strip() else None


def _age(row: Row) -> str:
    return "-" if row.age_days is None else f"{row.age_days:.0f} d"
