"""The key of one provider, for any number of threads: read when first needed, renewed when it is refused or expires."""

import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

from fennec_cli.errors import AuthenticationError, ConfigError, IntegrityError
from fennec_cli.keys.places import Key, Place, read_quietly
from fennec_cli.keys.secret import Secret
from fennec_cli.types import PutOnRecord, Say, no_record, silent

REFRESH_AHEAD_S = 60.0
DEFAULT_MAX_AGE_S = 90 * 86400.0
DAY_S = 86400.0


class KeySource:
    """Hands the key out. What is said about it names its place, never the key.

    A key that is refused (401) gives way to the one that another process has put in its place meanwhile, else to the
    next one; that one becomes the active one when it has worked.
    """

    def __init__(
        self,
        provider: str,
        place: Place,
        *,
        max_age_s: float | None = None,
        say: Say = silent,
        record: PutOnRecord = no_record,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._provider = provider
        self._place = place
        self._max_age_s = max_age_s
        self._say = say
        self._record = record
        self._clock = clock
        self._lock = Lock()
        self._key: Key | None = None
        self._refused: set[Secret] = set()

    @property
    def slot(self) -> str:
        """Which of the keys is in use."""
        return self._key.slot if self._key else "active"

    def key(self) -> str:
        """Return the key. Raises `AuthenticationError`, `ConfigError` or `IntegrityError` when there is none."""
        with self._lock:
            if self._key is None:
                self._key = self._first()
            elif self._key.expires_on is not None and self._clock() >= self._key.expires_on - REFRESH_AHEAD_S:
                self._key = self._place.active()
            return self._key.secret.reveal()

    def refused(self, key: str, error: AuthenticationError) -> bool:
        """Whether there is another key now that `key` was refused. 403 and others say nothing about the key itself."""
        if error.status != 401:
            return False
        with self._lock:
            if self._key is None or self._key.secret.reveal() != key:
                return self._key is not None  # another thread has changed it
            self._refused.add(self._key.secret)
            other = self._other()
            if other is None:
                return False
            self._say(1, f"{self._provider}: the key was refused; trying the {_called(other)} of {self._place.name}")
            self._key = other
            return True

    def accepted(self, key: str) -> None:
        """Note that `key` has worked: one that was the next becomes the active one, for all processes."""
        if self._key is None or self._key.slot != "next":
            return
        with self._lock:
            if self._key.slot != "next" or self._key.secret.reveal() != key:
                return
            promoted = False
            with suppress(AuthenticationError, ConfigError, IntegrityError):
                promoted = self._place.promote(self._key)
            self._key = self._key._replace(slot="active")
        if promoted:
            self._say(0, f"{self._provider}: the active key was refused (401); the next one works and is active now")
            self._record("key_rotated", {"gen_ai.provider.name": self._provider, "fennec.key_place": self._place.name})

    def _first(self) -> Key:
        key = self._place.active()
        if key.created is not None and (age := too_old(key.created, self._max_age_s, self._clock())):
            level = 1 if self._max_age_s is None else 0
            self._say(level, f"{self._provider}: the key of {self._place.name} is {age}; rotate it")
        return key

    def _other(self) -> Key | None:
        return self._fresh() or self._following() or self._fresh()  # another process may rotate between the first two

    def _fresh(self) -> Key | None:
        key = read_quietly(self._place)
        return key if key is not None and key.secret not in self._refused else None

    def _following(self) -> Key | None:
        with suppress(AuthenticationError, ConfigError, IntegrityError):
            key = self._place.next(self._refused)
            return key if key is not None and key.secret not in self._refused else None
        return None


class KeySources:
    """The `KeySource` of each provider, the same for all threads."""

    def __init__(self) -> None:
        self._sources: dict[str, KeySource] = {}
        self._lock = Lock()

    def get(self, provider: str, make: Callable[[], KeySource | None]) -> KeySource | None:
        """Return the source; `make` is asked for it until it has one."""
        if provider in self._sources:
            return self._sources[provider]
        with self._lock:
            source = self._sources.get(provider) or make()
            if source is not None:
                self._sources[provider] = source
            return source


def too_old(created: float, max_age_s: float | None, now: float) -> str:
    """Say how old a key is if it is too old, else nothing."""
    age = now - created
    limit = DEFAULT_MAX_AGE_S if max_age_s is None else max_age_s
    return f"{age / DAY_S:.0f} days old (max_age is {limit / DAY_S:g} days)" if age > limit else ""


def _called(key: Key) -> str:
    return "next one" if key.slot == "next" else "one that has taken its place"
