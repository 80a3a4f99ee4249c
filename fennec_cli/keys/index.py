"""Which keys are stored, where, and which of them is in use: everything but their values.

So choosing a provider opens no keyring, and a rotation is one small file put in the place of another. A key's value is
stored under an id of its own; what changes when the next key takes over is only which id is the active one.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import orjson

from fennec_cli.errors import ConfigError, IntegrityError
from fennec_cli.private import home_of, make_directory, open_file, replace_file
from fennec_cli.tuples import NamedTuple

Slot = Literal["active", "next", "retired"]
Vault = Literal["keyring", "file"]
SLOTS: tuple[Slot, ...] = ("active", "next", "retired")
MAX_INDEX = 1024 * 1024
LOCK_WAIT_S = 10.0


class Stored(NamedTuple):
    """One stored key: the id of its value, and when it was stored (Unix seconds)."""

    id: str
    created: float


class Entry(NamedTuple):
    """The keys that are stored under one name. Every change raises the generation."""

    vault: Vault
    generation: int
    slots: Mapping[Slot, Stored]
    backend: str = ""  # the keyring's class, so that nobody has to search for it again

    def promoted(self) -> "Entry":
        """The next key is the active one, the active one is retired."""
        moved: dict[Slot, Stored] = {"active": self.slots["next"]}
        if "active" in self.slots:
            moved["retired"] = self.slots["active"]
        return self._replace(generation=self.generation + 1, slots=moved)


def keys_directory(environ: Mapping[str, str]) -> Path:
    """Where the index and the encrypted file are. Raises `ConfigError` where the environment names no home."""
    home = home_of("data", environ)
    if home is None:
        raise ConfigError("there is no place for stored keys: HOME is not set")
    return Path(home, "keys")


def stored_names(environ: Mapping[str, str]) -> Mapping[str, Entry]:
    """What is stored, for deciding who could answer: an index that cannot be read counts as empty here."""
    with suppress(ConfigError, IntegrityError):
        return read_index(environ)
    return {}


def read_index(environ: Mapping[str, str]) -> dict[str, Entry]:
    """Return what is stored, by name. Raises `ConfigError`, or `IntegrityError` for an index that is not one."""
    path = keys_directory(environ) / "index.json"
    try:
        fd = open_file(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read the index of stored keys {path} ({error.strerror})") from error
    try:
        data = os.read(fd, MAX_INDEX)
    finally:
        os.close(fd)
    try:
        return _parsed(orjson.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError):
        hint = "remove it and store the keys again"
        raise IntegrityError(f"the index of stored keys {path} is damaged", hint=hint) from None


@contextmanager
def changing(environ: Mapping[str, str]) -> Iterator[dict[str, Entry]]:
    """Hold the lock of all stored keys and hand out the index; what is in it at the end is written.

    Raises `ConfigError` when the place cannot be used or another process holds it too long.
    """
    directory = keys_directory(environ)
    try:
        make_directory(directory)
        lock = open_file(directory / "lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise ConfigError(f"keys cannot be stored in {directory} ({error.strerror})") from error
    try:
        _lock(lock, directory)
        entries = read_index(environ)
        before = dict(entries)
        yield entries
        if entries != before:
            try:
                replace_file(directory / "index.json", _written(entries))
            except OSError as error:
                raise ConfigError(f"cannot write the index of stored keys ({error.strerror})") from error
    finally:
        os.close(lock)


def _lock(fd: int, directory: Path) -> None:
    end = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > end:
                raise ConfigError(f"another process holds {directory / 'lock'}", hint="try again") from None
        time.sleep(0.01)


def _parsed(document: Any) -> dict[str, Entry]:
    if document["v"] != 1:
        raise ValueError("an index of another version")
    entries = {}
    for name, row in document["keys"].items():
        slots = {slot: Stored(str(at["id"]), float(at["created"])) for slot, at in row["slots"].items()}
        if row["vault"] not in ("keyring", "file") or not slots.keys() <= set(SLOTS):
            raise ValueError("not an index")
        entries[name] = Entry(row["vault"], int(row["generation"]), slots, str(row["backend"]))
    return entries


def _written(entries: Mapping[str, Entry]) -> bytes:
    rows = {
        name: {**entry._asdict(), "slots": {slot: at._asdict() for slot, at in entry.slots.items()}}
        for name, entry in entries.items()
    }
    return orjson.dumps({"v": 1, "keys": rows}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
