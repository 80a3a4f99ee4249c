"""The keyring of the system: Secret Service (GNOME, KeePassXC), KWallet, macOS, Windows.

Only these: keyring's `fail`, `null`, plain-text and foreign backends are never used. All of it runs in a thread, as a
locked keyring may ask its user for a password and nobody may be there to answer.
"""

import os
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from fennec_cli import signals
from fennec_cli.errors import AuthenticationError, ConfigError
from fennec_cli.keys.index import Vault

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "fennec"
PROMPT_S = 3.0  # a question that nobody can see
TERMINAL_PROMPT_S = 60.0
BACKENDS = (
    "keyring.backends.SecretService.Keyring",
    "keyring.backends.libsecret.Keyring",
    "keyring.backends.kwallet.DBusKeyring",
    "keyring.backends.macOS.Keyring",
    "keyring.backends.Windows.WinVaultKeyring",
)
_Result = TypeVar("_Result")


class KeyringVault:
    """Values as passwords of the service `fennec`, the user being name and id."""

    kind: Vault = "keyring"

    def __init__(self, environ: Mapping[str, str], backend: str = "") -> None:
        self._environ = environ
        self._wanted = backend
        self._keyring: KeyringBackend | None = None

    @property
    def backend(self) -> str:
        kind = type(self._opened())
        return f"{kind.__module__}.{kind.__qualname__}"

    @property
    def title(self) -> str:
        return f"the keyring ({self.backend.split('.')[-2]})"

    def get(self, name: str, id: str) -> str | None:
        return self._do(lambda keyring: keyring.get_password(SERVICE, _user(name, id)))

    def put(self, name: str, id: str, value: str) -> None:
        self._do(lambda keyring: keyring.set_password(SERVICE, _user(name, id), value))

    def delete(self, name: str, id: str) -> None:
        def work(keyring: "KeyringBackend") -> None:
            from keyring.errors import PasswordDeleteError

            try:
                keyring.delete_password(SERVICE, _user(name, id))
            except PasswordDeleteError:
                return  # it is gone already

        self._do(work)

    def foreign(self, service: str, user: str) -> str | None:
        """Return a password that another program has stored."""
        return self._do(lambda keyring: keyring.get_password(service, user))

    def _opened(self) -> "KeyringBackend":
        if self._keyring is None:
            self._keyring = in_time(lambda: _backend(self._environ, self._wanted))
        return self._keyring

    def _do(self, work: "Callable[[KeyringBackend], _Result]") -> _Result:
        keyring = self._opened()
        return in_time(lambda: work(keyring))


def read_foreign(service: str, user: str, environ: Mapping[str, str]) -> str:
    """Return the password of `user` for `service`. Raises `AuthenticationError` when the keyring has none."""
    found = KeyringVault(environ).foreign(service, user)
    if found is None:
        raise AuthenticationError(f"the keyring has no entry {service}/{user}")
    return found


def is_present(environ: Mapping[str, str]) -> bool:
    """Whether there may be a keyring at all. Imports nothing: on Linux all of them need a session bus."""
    import sys

    if not sys.platform.startswith("linux"):
        return True
    if environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return True
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return runtime.startswith("/") and os.path.exists(os.path.join(runtime, "bus"))


def in_time(work: Callable[[], _Result], *, limit_s: float | None = None) -> _Result:
    """Return what `work` returns, or give it up: it may wait for somebody to type a password.

    Errors of keyring and of what is below it become `AuthenticationError`.
    """
    limit = limit_s or (TERMINAL_PROMPT_S if os.isatty(2) else PROMPT_S)
    done: list[Any] = []

    def attempt() -> None:
        try:
            done.append((work(), None))
        except BaseException as error:  # handed to the thread that waits
            done.append((None, error))

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    left = limit
    while thread.is_alive() and left > 0:
        thread.join(min(left, signals.TICK_S))
        left -= signals.TICK_S
    if not done:
        hint = "unlock it, or use `fennec keys set --vault file`"
        raise AuthenticationError(f"the keyring did not answer within {limit:g} s: it is probably locked", hint=hint)
    result, error = done[0]
    if error is None:
        return result  # type: ignore[no-any-return]
    if isinstance(error, AuthenticationError | ConfigError):
        raise error
    raise _translated(error) from error


def _translated(error: BaseException) -> BaseException:
    """The keyring's own errors and those of the bus below it; anything else is a bug and stays what it is."""
    module = type(error).__module__.partition(".")[0]
    if module in ("keyring", "secretstorage", "jeepney") or isinstance(error, OSError | RuntimeError):
        text = " ".join(str(error).split())[:200]
        return AuthenticationError(f"the keyring cannot be used ({text or type(error).__name__})")
    return error


def _backend(environ: Mapping[str, str], wanted: str) -> "KeyringBackend":
    """Return the keyring that is there: the one of last time, else the first of the list that works."""
    if not is_present(environ):
        raise _none()
    try:
        import keyring.errors  # noqa: F401 - also shows that the package is there
    except ImportError:
        raise ConfigError("the package keyring is not installed", hint="pip install keyring") from None
    if wanted in BACKENDS:
        return _instance(wanted)
    for name in BACKENDS:
        try:
            kind = _class(name)
            if kind.priority > 0:  # raises where the keyring does not exist
                return _instance(name)
        except (ImportError, RuntimeError, AttributeError, OSError):
            continue
    raise _none()


def _none() -> AuthenticationError:
    return AuthenticationError(
        "there is no keyring in this session", hint="use `fennec keys set --vault file`, which needs none"
    )


def _class(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    return getattr(import_module(module), kind)


def _instance(name: str) -> "KeyringBackend":
    instance: KeyringBackend = _class(name)()
    return instance


def _user(name: str, id: str) -> str:
    return f"{name}/{id}"
