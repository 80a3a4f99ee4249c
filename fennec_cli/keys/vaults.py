"""Where the values of stored keys are: the keyring of the system, or an encrypted file."""

from collections.abc import Mapping
from typing import Protocol

from fennec_cli.keys.index import Vault


class KeyVault(Protocol):
    """Values by name and id. Every method may raise `AuthenticationError`, `ConfigError` or `IntegrityError`."""

    @property
    def kind(self) -> Vault: ...

    @property
    def backend(self) -> str:
        """The class of the keyring, or nothing."""
        ...

    @property
    def title(self) -> str:
        """What it is, for people."""
        ...

    def get(self, name: str, id: str, /) -> str | None: ...

    def put(self, name: str, id: str, value: str, /) -> None: ...

    def delete(self, name: str, id: str, /) -> None: ...


def open_vault(kind: Vault, environ: Mapping[str, str], *, backend: str = "") -> KeyVault:
    """Return a vault. Nothing is opened before it is used, but what is imported may take time."""
    if kind == "keyring":
        from fennec_cli.keys.keyring_vault import KeyringVault

        return KeyringVault(environ, backend)
    from fennec_cli.keys.file_vault import FileVault

    return FileVault(environ)
