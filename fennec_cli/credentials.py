"""Which key or token a provider gets, and what becomes of one that is refused."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fennec_cli.config import ProviderConfig, expand, is_plain_http
from fennec_cli.dialects.base import ProviderModule
from fennec_cli.errors import AuthenticationError, ConfigError
from fennec_cli.hosts import is_loopback
from fennec_cli.keys import Secret, Sources
from fennec_cli.keys.places import key_variables, no_key, place_of
from fennec_cli.keys.source import KeySource, KeySources
from fennec_cli.types import PutOnRecord, Say, no_record, silent

if TYPE_CHECKING:
    from fennec_cli.entra import TokenSource
    from fennec_cli.store import StateStore


class Credentials:
    """The credential of one `[provider.NAME]` table. Looks for none before it is asked.

    `given` is one that has to be used and no other: to see whether it works. `key_file` is where the command line says
    that the key is.
    """

    def __init__(
        self,
        settings: ProviderConfig,
        module: ProviderModule,
        *,
        given: Secret | None = None,
        key_file: str | None = None,
        environ: Mapping[str, str] = os.environ,
        say: Say = silent,
        keys: KeySources | None = None,
        state: "StateStore | None" = None,
        record: PutOnRecord = no_record,
    ) -> None:
        self._settings, self._module = settings, module
        self._given, self._key_file = given, key_file
        self._environ, self._say, self._record = environ, say, record
        self._keys = keys or KeySources()
        self._state = state
        self._tokens: TokenSource | None = None

    def key(self, base_url: str) -> str | None:
        """Return the key or token, or None where none is needed (a compatible server on this machine, Ollama)."""
        settings = self._settings
        if is_plain_http(base_url) and not is_loopback(base_url) and not settings.send_key_insecure:
            return None
        if self._given is not None:
            return self._given.reveal()
        if settings.extra.get("token_command") and not self._is_told():
            return self._token_source(base_url).token()
        source = self._key_source()
        if source is not None:
            return source.key()
        if is_loopback(base_url) or settings.type == "ollama":
            return None
        if settings.type == "azure" and find_spec("azure") and find_spec("azure.identity"):
            return self._token_source(base_url).token()
        raise no_key(self.sources())

    def sources(self) -> Sources:
        """Where the key of this provider may be."""
        settings = self._settings
        return Sources(
            settings.name,
            own_variables(self._module, settings),
            self._environ,
            key_file=self._key_file,
            configured=configured_key(settings, self._environ),
            several=configured_keys(settings, self._environ),
            command=settings.key_command,
        )

    def _is_told(self) -> bool:
        """Whether the command line or our own variable says which key: that is stronger than the configuration."""
        own = key_variables(self._settings.name, ())[0]
        return self._key_file is not None or bool(self._environ.get(own))

    def _key_source(self) -> KeySource | None:
        """Return the source of the key, or None where there is none."""
        settings = self._settings

        def make() -> KeySource | None:
            place = place_of(self.sources(), self._state)
            if place is None:
                return None
            from fennec_cli.keys.guard import guard

            guard()
            return KeySource(settings.name, place, max_age_s=settings.max_age, say=self._say, record=self._record)

        return self._keys.get(settings.name, make)

    def _token_source(self, base_url: str) -> "TokenSource":
        if self._tokens is None:
            from fennec_cli.entra import token_source
            from fennec_cli.providers.azure import cloud

            place = cloud(base_url)
            self._tokens = token_source(
                self._settings.extra.get("token_command"),
                authority=place.authority,
                scopes=place.scopes,
                environ=self._environ,
            )
        return self._tokens

    def renew(self, refused: str, error: AuthenticationError, before: int) -> bool:
        """Whether a refused credential may be another one at the next try: a token fetched anew, or the next key."""
        if self._tokens is not None:
            if error.status != 401 or before > 0:
                return False
            self._tokens.invalidate(refused, error.message)
            return True
        source = self._keys.get(self._settings.name, lambda: None)
        return source is not None and source.refused(refused, error)

    def accepted(self, key: str) -> None:
        source = self._keys.get(self._settings.name, lambda: None)
        if source is not None:
            source.accepted(key)

    @property
    def slot(self) -> str | None:
        source = self._keys.get(self._settings.name, lambda: None)
        return source.slot if source is not None else None


def own_variables(module: ProviderModule, settings: ProviderConfig) -> tuple[str, ...]:
    """The provider's well-known variables, unless the configuration gave its type to another service."""
    return module.KEY_VARIABLES if settings.name == settings.type else ()


def configured_key(settings: ProviderConfig, environ: Mapping[str, str]) -> str | None:
    """The configuration's `api_key`; a variable in it that is not set only means: no key here, look further."""
    return None if settings.api_key is None else _expanded(settings.api_key, environ)


def configured_keys(settings: ProviderConfig, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of the configuration's `api_keys` that are there."""
    return tuple(filter(None, (_expanded(text, environ) for text in settings.api_keys)))


def _expanded(text: str, environ: Mapping[str, str]) -> str | None:
    try:
        return expand(text, environ, "")
    except ConfigError:
        return None
