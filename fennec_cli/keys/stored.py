"""A key that `fennec keys set` has stored, as a place where keys are looked up; and the changes of what is stored."""

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from fennec_cli.errors import AuthenticationError, ConfigError, IntegrityError
from fennec_cli.keys import index
from fennec_cli.keys.index import Entry, Slot
from fennec_cli.keys.places import Key
from fennec_cli.keys.secret import Secret, checked
from fennec_cli.keys.vaults import KeyVault, open_vault

_TITLES = {"keyring": "the keyring", "file": "the encrypted file"}


class Stored:
    """The keys that are stored under one name: an active one, perhaps a next and a retired one."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self._entry_name = name
        self._environ = environ
        self._vault: KeyVault | None = None
        self.name = _TITLES[index.read_index(environ)[name].vault]

    def active(self) -> Key:
        return self.in_slot("active")

    def next(self, refused: Collection[Secret]) -> Key | None:  # noqa: ARG002
        return self.in_slot("next") if "next" in self._entry().slots else None

    def promote(self, key: Key) -> bool:
        return promote(self._entry_name, key.generation, self._environ)

    def in_slot(self, slot: Slot) -> Key:
        """Read the key in a slot. Raises `AuthenticationError` when there is none."""
        entry = self._entry()
        while True:
            if slot not in entry.slots:
                hint = f"store one with `fennec keys set {self._entry_name}`"
                raise AuthenticationError(f"no {slot} key is stored under {self._entry_name}", hint=hint)
            at = entry.slots[slot]
            if self._vault is None or self._vault.kind != entry.vault:
                self._vault = open_vault(entry.vault, self._environ, backend=entry.backend)
                self.name = _TITLES[entry.vault]
            text = self._vault.get(self._entry_name, at.id)
            if text is not None:
                secret = checked(text, self.name)
                return Key(secret, slot, entry.generation, created=at.created, id=at.id)
            before, entry = entry, self._entry()
            if entry == before:  # else another process has put another key there since the index was read
                hint = f"store it again with `fennec keys set {self._entry_name}`"
                raise AuthenticationError(f"the key of {self._entry_name} is no longer in {self.name}", hint=hint)

    def _entry(self) -> Entry:
        entry = index.read_index(self._environ).get(self._entry_name)
        if entry is None:
            raise AuthenticationError(f"no key is stored under {self._entry_name} any more")
        return entry


def store(
    name: str,
    secret: Secret,
    vault: KeyVault,
    environ: Mapping[str, str],
    *,
    slot: Slot = "active",
    warn: Callable[[str], None] = lambda _text: None,
) -> Entry:
    """Put a key into a slot. The value goes first: a process that dies between the two leaves the old key in use.

    That the one before cannot be removed is only a warning.
    """
    with index.changing(environ) as entries:
        entry = entries.get(name)
        if entry is None or entry.vault != vault.kind:
            entry = Entry(vault.kind, entry.generation if entry else 0, {}, vault.backend)
        if slot != "active" and "active" not in entry.slots:
            raise AuthenticationError(
                f"no active key is stored under {name} in {vault.title}",
                hint=f"store one with `fennec keys set {name}`",
            )
        at = index.Stored(os.urandom(6).hex(), time.time())
        vault.put(name, at.id, secret.reveal())
        before = entries.get(name)
        entries[name] = entry._replace(
            generation=entry.generation + 1, slots={**entry.slots, slot: at}, backend=vault.backend
        )
    try:
        _forget(name, before, entries[name], environ)
    except (AuthenticationError, ConfigError, IntegrityError) as error:
        warn(f"the key of {name} that was stored before cannot be removed: {error.message}")
    return entries[name]


def promote(name: str, generation: int, environ: Mapping[str, str]) -> bool:
    """Make the next key the active one, if nothing has changed since `generation`: one of many callers wins."""
    with index.changing(environ) as entries:
        before = entries.get(name)
        if before is None or before.generation != generation or "next" not in before.slots:
            return False
        entries[name] = before.promoted()
    with suppress(AuthenticationError, ConfigError, IntegrityError):  # the new key works: that was what counts
        _forget(name, before, entries[name], environ)
    return True


def withdraw(name: str, id: str, environ: Mapping[str, str]) -> None:
    """Remove the next key if it is the one with this id. What another process has put there meanwhile stays."""
    with index.changing(environ) as entries:
        before = entries.get(name)
        if before is None or "next" not in before.slots or before.slots["next"].id != id:
            return
        left: dict[Slot, index.Stored] = {slot: at for slot, at in before.slots.items() if slot != "next"}
        entries[name] = before._replace(generation=before.generation + 1, slots=left)
    _forget(name, before, entries[name], environ)


def remove(name: str, environ: Mapping[str, str], *, slot: Slot | None = None) -> None:
    """Remove all keys of a name, or the one in a slot. The index goes first, so that nobody looks for what is gone.

    A vault that cannot be reached keeps its keys, and the index goes on to name them.
    """
    with index.changing(environ) as entries:
        before = entries.get(name)
        if before is None or (slot is not None and slot not in before.slots):
            raise AuthenticationError(f"no {slot + ' ' if slot else ''}key is stored under {name}")
        open_vault(before.vault, environ, backend=before.backend).get(name, next(iter(before.slots.values())).id)
        left = {each: at for each, at in before.slots.items() if slot is not None and each != slot}
        after = before._replace(generation=before.generation + 1, slots=left) if left else None
        if after is None:
            del entries[name]
        else:
            entries[name] = after
    _forget(name, before, after, environ)


def _forget(name: str, before: Entry | None, after: Entry | None, environ: Mapping[str, str]) -> None:
    """Drop the values that `before` has and `after` does not."""
    if before is None:
        return
    kept = {at.id for at in after.slots.values()} if after is not None and after.vault == before.vault else set()
    gone = {at.id for at in before.slots.values()} - kept
    if gone:
        vault = open_vault(before.vault, environ, backend=before.backend)
        with index.changing(environ):
            for each in gone:
                vault.delete(name, each)
