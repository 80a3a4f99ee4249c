"""The encrypted file: a random data key encrypts the values, and is itself wrapped by whatever may unlock the file.

Two lines: a JSON object with `wraps` and `entries`, and the keyed BLAKE2b of the first. Values and the data key are
AES-256-GCM with a fresh nonce; what a value belongs to is authenticated with it. A passphrase goes through Argon2id.
A lost passphrase or key file is a lost file: there is no other way in.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path
from typing import Any, Literal

import orjson

from fennec_cli.encryption import AESGCMCipher, from_passphrase
from fennec_cli.errors import AuthenticationError, ConfigError, IntegrityError
from fennec_cli.keys.index import Vault, keys_directory
from fennec_cli.private import open_file, replace_file
from fennec_cli.redactor import hide

Lock = Literal["key-file", "passphrase", "keyring"]
PASSPHRASE_VARIABLE = "FENNEC_PASSPHRASE_FILE"
MEMORY_KIB, PASSES, LANES = 64 * 1024, 3, 4  # Argon2id; 0.17 s on the machine where it was chosen
MAX_MEMORY_KIB, MAX_PASSES, MAX_LANES = 1024 * 1024, 16, 16  # a header may come from somebody else
KEY_BYTES = 32
MAX_FILE = 4 * 1024 * 1024
MAX_PASSPHRASE = 4096
VERSION = 1
Document = dict[str, Any]


class FileVault:
    """Values in an encrypted file. It is unlocked when it is first used, by the first wrap that the environment fits.

    `lock` is what a file that does not exist yet will be unlocked with.
    """

    kind: Vault = "file"
    backend = ""

    def __init__(
        self, environ: Mapping[str, str], *, lock: Lock = "key-file", passphrase_file: str | None = None
    ) -> None:
        directory = keys_directory(environ)
        self.path = directory / "keys.enc"
        self._key_file = directory / "unlock.key"
        self._environ = environ
        self._new_lock = lock
        self._passphrase_file = passphrase_file or environ.get(PASSPHRASE_VARIABLE) or _credential(environ)
        self._data_key: bytes | None = None

    @property
    def title(self) -> str:
        return f"the encrypted file {self.path}"

    def get(self, name: str, id: str) -> str | None:
        document = self._read()
        if document is None:
            return None
        data = document["entries"].get(name, {}).get(id)
        if data is None:
            return None
        try:
            return self._cipher().decrypt(b64decode(data), _names(name, id)).decode()
        except ValueError:
            raise self._damaged() from None

    def put(self, name: str, id: str, value: str) -> None:
        document = self._read() or self._fresh()
        data = self._cipher().encrypt(value.encode(), _names(name, id))
        document["entries"].setdefault(name, {})[id] = b64encode(data).decode()
        self._write(document)

    def delete(self, name: str, id: str) -> None:
        document = self._read()
        if document is None or id not in document["entries"].get(name, {}):
            return
        del document["entries"][name][id]
        if not document["entries"][name]:
            del document["entries"][name]
        self._write(document)

    def locks(self) -> list[str]:
        """Say what unlocks the file: nothing for one that does not exist."""
        raw = self._raw()
        return [] if raw is None else [str(wrap["lock"]) for wrap in self._parsed(raw[0])["wraps"]]

    def _cipher(self) -> AESGCMCipher:
        assert self._data_key is not None
        return AESGCMCipher(self._data_key)

    def _read(self) -> Document | None:
        """Return the file's content, whole and unchanged, or None where there is no file."""
        raw = self._raw()
        if raw is None:
            return None
        line, tag = raw
        document = self._parsed(line)
        if self._data_key is None:
            self._data_key = self._unlocked(document["wraps"])
        if not compare_digest(tag, _tag(self._data_key, line)):
            raise self._damaged()
        return document

    def _raw(self) -> tuple[bytes, bytes] | None:
        try:
            data = _content(self.path, MAX_FILE)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ConfigError(f"cannot read {self.path} ({error.strerror})") from error
        line, separator, tag = data.partition(b"\n")
        if not separator:
            raise self._damaged()
        return line, tag

    def _parsed(self, line: bytes) -> Document:
        try:
            document = orjson.loads(line)
            if document["v"] != VERSION:
                raise self._damaged()
            known = all(isinstance(wrap["data_key"], str) for wrap in document["wraps"])
            known &= all(isinstance(row, dict) for row in document["entries"].values())
        except (ValueError, TypeError, KeyError, AttributeError):
            raise self._damaged() from None
        if not known:
            raise self._damaged()
        return document  # type: ignore[no-any-return]

    def _unlocked(self, wraps: list[Document]) -> bytes:
        """Return the data key. A wrong passphrase and a file that was changed are the same error."""
        tried = False
        for wrap in wraps:
            try:
                key = self._wrapping_key(wrap)
                if key is None:
                    continue
                tried = True
                return AESGCMCipher(key).decrypt(b64decode(wrap["data_key"]), _header(wrap))
            except (ValueError, TypeError, KeyError):
                tried = True
        if tried:
            raise self._damaged()
        locks = [str(wrap.get("lock")) for wrap in wraps]
        hint = f"name the file with the passphrase in {PASSPHRASE_VARIABLE}"
        if set(locks) == {"key-file"}:
            hint = f"without {self._key_file} nobody can read it: delete it, and store the keys again"
        raise AuthenticationError(f"the encrypted file {self.path} is locked ({', '.join(locks)})", hint=hint)

    def _wrapping_key(self, wrap: Document) -> bytes | None:
        """Return the key that a wrap needs, or None if it is not at hand."""
        if wrap["lock"] == "key-file":
            try:
                return _content(self._key_file, KEY_BYTES + 1)
            except OSError:
                return None
        if wrap["lock"] == "passphrase":
            return None if self._passphrase_file is None else _stretched(self._passphrase(), wrap)
        if wrap["lock"] == "keyring":
            from fennec_cli.keys.keyring_vault import KeyringVault

            text = KeyringVault(self._environ).get("unlock", "data-key")
            return None if text is None else b64decode(text)
        raise ValueError("a lock that nobody of us has made")

    def _fresh(self) -> Document:
        """Make a data key and wrap it for a file that is still to be written."""
        self._data_key = os.urandom(KEY_BYTES)
        wrap: Document = {"lock": self._new_lock}
        if self._new_lock == "key-file":
            key = self._new_key_file()
        elif self._new_lock == "keyring":
            from fennec_cli.keys.keyring_vault import KeyringVault

            key = os.urandom(KEY_BYTES)
            KeyringVault(self._environ).put("unlock", "data-key", b64encode(key).decode())
        else:
            salt = b64encode(os.urandom(16)).decode()
            wrap |= {"salt": salt, "memory_kib": MEMORY_KIB, "passes": PASSES, "lanes": LANES}
            key = _stretched(self._passphrase(), wrap)
        wrap["data_key"] = b64encode(AESGCMCipher(key).encrypt(self._data_key, _header(wrap))).decode()
        return {"v": VERSION, "wraps": [wrap], "entries": {}}

    def _new_key_file(self) -> bytes:
        """Return the key of the key file; it is made where there is none."""
        with suppress(OSError):
            key = _content(self._key_file, KEY_BYTES + 1)
            if len(key) == KEY_BYTES:
                return key
        key = os.urandom(KEY_BYTES)
        self._put(self._key_file, key)
        return key

    def _passphrase(self) -> bytes:
        if self._passphrase_file is None:
            raise ConfigError("no passphrase is at hand", hint="name the file that holds it with --passphrase-file")
        path = os.path.expanduser(self._passphrase_file)
        try:
            with open(path, "rb") as file:
                text = file.read(MAX_PASSPHRASE + 1)
        except OSError as error:
            raise ConfigError(f"cannot read the passphrase file {path} ({error.strerror})") from error
        passphrase = text.rstrip(b"\r\n")
        if not passphrase or len(passphrase) > MAX_PASSPHRASE:
            raise ConfigError(f"the passphrase file {path} holds no passphrase")
        hide(passphrase.decode("utf-8", "surrogateescape"))
        return passphrase

    def _write(self, document: Document) -> None:
        assert self._data_key is not None
        line = orjson.dumps(document)
        self._put(self.path, line + b"\n" + _tag(self._data_key, line))

    def _put(self, path: Path, data: bytes) -> None:
        try:
            replace_file(path, data)
        except OSError as error:
            raise ConfigError(f"cannot write {path} ({error.strerror})") from error

    def _damaged(self) -> IntegrityError:
        return IntegrityError(
            f"the encrypted file {self.path} cannot be unlocked: the passphrase or key file is another one,"
            " or the file was changed",
            hint="restore it, or remove it and store the keys again",
        )


def _content(path: Path, limit: int) -> bytes:
    fd = open_file(path, os.O_RDONLY)
    with open(fd, "rb") as file:
        return file.read(limit)


def _credential(environ: Mapping[str, str]) -> str | None:
    """The passphrase that systemd hands to a service."""
    directory = environ.get("CREDENTIALS_DIRECTORY", "")
    path = os.path.join(directory, "fennec_passphrase")
    return path if directory.startswith("/") and os.path.isfile(path) else None


def _stretched(passphrase: bytes, wrap: Document) -> bytes:
    """Stretch the passphrase with the parameters of the header. `ValueError` for ones that nobody of us has written."""
    memory, passes, lanes = wrap["memory_kib"], wrap["passes"], wrap["lanes"]
    if not (8 * lanes <= memory <= MAX_MEMORY_KIB and 1 <= passes <= MAX_PASSES and 1 <= lanes <= MAX_LANES):
        raise ValueError("not our parameters")
    return from_passphrase(passphrase, b64decode(wrap["salt"]), memory_kib=memory, passes=passes, lanes=lanes)


def _header(wrap: Document) -> bytes:
    """All of a wrap but the wrapped key is authenticated with it."""
    rest = {name: value for name, value in wrap.items() if name != "data_key"}
    return b"fennec keys|" + orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)


def _names(name: str, id: str) -> bytes:
    return f"{VERSION}|{name}|{id}".encode()


def _tag(data_key: bytes, line: bytes) -> bytes:
    return blake2b(line, key=data_key, person=b"fennec keys", digest_size=32).hexdigest().encode()
