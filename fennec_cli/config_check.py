"""The files of the configuration: where they may be, what is wrong in them, and a first one to start from."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from fennec_cli.config import Config, ProviderConfig, check_base_url, expand, load_config, server_url
from fennec_cli.config.load import Place, config_places, is_ours, user_file
from fennec_cli.config.project import file_refused
from fennec_cli.config.source import dotted, shown
from fennec_cli.config.starter import STARTER
from fennec_cli.config.values import missing_variable
from fennec_cli.config_report import as_json
from fennec_cli.errors import ConfigError, FennecError, OutputError
from fennec_cli.keys.places import Sources, configured_place
from fennec_cli.model_files import is_file_name
from fennec_cli.output.table import table
from fennec_cli.providers import PROVIDERS, provider_module


@dataclass(frozen=True, slots=True)
class File:
    """A place where a configuration file may be, and what there is."""

    layer: str
    path: str
    exists: bool
    trusted: bool
    state: str


@dataclass(frozen=True, slots=True)
class Findings:
    """Problems stop a run that needs what is wrong; notes do not."""

    problems: tuple[FennecError, ...]
    notes: tuple[str, ...]


def files(environ: Mapping[str, str], cwd: str, explicit: str | None) -> list[File]:
    """Return the places that are looked at, strongest first."""
    return [_file(place) for place in reversed(config_places(environ, cwd, explicit))]


def rendered_files(found: list[File], output_format: str) -> bytes:
    """Files as a table, a JSON array, or NDJSON."""
    if output_format != "text":
        return as_json(found, output_format)
    return table([("LAYER", "FILE", "STATE"), *((file.layer, file.path, file.state) for file in found)]).encode()


def find_mistakes(environ: Mapping[str, str], cwd: str, explicit: str | None, profile: str | None) -> Findings:
    """Read all layers and look at every provider, also those that no run uses now. Opens no connection."""
    problems: list[FennecError] = []
    config = load_config(environ=environ, cwd=cwd, explicit=explicit, profile=profile, report=problems.append)
    check = _Check(config, environ, problems)
    check.default_provider("provider", config.provider)
    check.default_provider("complete.provider", config.commands.get("complete", {}).get("provider"))
    check.backend()
    check.project_models()
    notes = list(config.notes)
    for settings in config.providers.values():
        check.provider_type(settings)
        check.addresses(settings)
        check.headers(settings)
        notes += check.key(settings)
    for name in PROVIDERS:
        check.address_variable(config.provider_config(name))
    return Findings(tuple(problems), tuple(notes))


def write_starter(environ: Mapping[str, str], explicit: str | None) -> str:
    """Write a commented file for its owner only, at the user's place or the one of --config, and return its path.

    Raises ConfigError if there is a file already, OutputError if it cannot be written.
    """
    path = explicit if explicit is not None else user_file(environ)
    if not path:
        raise ConfigError(
            "no place for the file: neither XDG_CONFIG_HOME nor HOME is set", hint="name it with --config"
        )
    try:
        _make_private(os.path.dirname(os.path.abspath(path)))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{shown(path)} exists already", hint="edit it, or move it away") from error
    except OSError as error:
        raise OutputError(f"cannot write {shown(path)} ({error.strerror})") from error
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(STARTER)
    except OSError as error:
        with suppress(OSError):
            os.unlink(path)
        raise OutputError(f"cannot write {shown(path)} ({error.strerror})") from error
    return path


def _make_private(directory: str) -> None:
    """Make a directory and those above it; `os.makedirs` would make the ones above readable by all."""
    if not os.path.isdir(directory):
        _make_private(os.path.dirname(directory))
        with suppress(FileExistsError):  # by another process; anything else in the way shows when the file is opened
            os.mkdir(directory, 0o700)


def _file(place: Place) -> File:
    path = shown(place.path)
    try:
        owner = os.stat(place.path).st_uid
    except (FileNotFoundError, NotADirectoryError):
        return File(place.layer, path, exists=False, trusted=False, state="missing")
    except OSError as error:
        return File(place.layer, path, exists=False, trusted=False, state=f"cannot be read: {error.strerror}")
    if place.layer == "project":
        state = "read, not trusted" if is_ours(owner) else "ignored: belongs to another user"
        return File(place.layer, path, exists=True, trusted=False, state=state)
    return File(place.layer, path, exists=True, trusted=True, state="read, trusted")


class _Check:
    """What is only known when a value is used. Adds to `problems`."""

    def __init__(self, config: Config, environ: Mapping[str, str], problems: list[FennecError]) -> None:
        self._config, self._environ, self._problems = config, environ, problems

    @contextmanager
    def _collected(self, key: str) -> Iterator[None]:
        """Collect an error, with the place of `key` if it stands in a file."""
        try:
            yield
        except FennecError as error:
            origin = self._config.origins.get(key)
            place = f"{origin}: " if origin else ""
            self._problems.append(ConfigError(place + error.message, hint=error.hint))

    def default_provider(self, key: str, name: str | None) -> None:
        is_broken = any(path.startswith(f"provider.{name}.") for path in self._config.origins)  # and that is known
        if name is not None and not is_broken:
            with self._collected(key):
                self._config.provider_config(name)

    def backend(self) -> None:
        with self._collected("cache.backend"):
            server_url(self._config.cache.backend, self._environ)

    def project_models(self) -> None:
        """A project's local model is no file; for a model without a provider it shows when somebody is asked."""
        for model, origin in self._config.project_models.items():
            name, _, rest = model.partition("/")
            if origin.path[0] == "provider":
                name, rest = origin.path[1], model
            if self._is_local(name) and is_file_name(rest):
                self._problems.append(file_refused(origin))

    def _is_local(self, name: str) -> bool:
        settings = self._config.providers.get(name)
        return (settings.type if settings else name) == "local"

    def provider_type(self, settings: ProviderConfig) -> None:
        with self._collected(f"provider.{settings.name}.type"):
            provider_module(settings.type, name=settings.name)

    def addresses(self, settings: ProviderConfig) -> None:
        name, extra = settings.name, settings.extra
        if settings.base_url is not None:
            with self._collected(where := f"provider.{name}.base_url"):
                self._check_address(expand(settings.base_url, self._environ, where), settings, where)
        if "endpoint" in extra:
            with self._collected(where := f"provider.{name}.endpoint"):
                self._check_address(extra["endpoint"], settings, where)
        for region in extra.get("regions", ()):
            with self._collected(where := f"provider.{name}.regions"):
                self._check_address(region["endpoint"], settings, f"{where}: the endpoint of {region['name']}")

    def _check_address(self, url: str, settings: ProviderConfig, where: str) -> None:
        check_base_url(url, allow_insecure_http=settings.allow_insecure_http, where=where)

    def address_variable(self, settings: ProviderConfig) -> None:
        variable = provider_module(settings.type).BASE_URL_VARIABLE if settings.type in PROVIDERS else None
        url = self._environ.get(variable or "")
        if variable and url and settings.base_url is None and settings.name == settings.type:
            with self._collected(variable):
                self._check_address(url, settings, variable)

    def headers(self, settings: ProviderConfig) -> None:
        for name, value in settings.headers.items():
            where = dotted(("provider", settings.name, "headers", name))
            with self._collected(where):
                expand(value, self._environ, where)

    def key(self, settings: ProviderConfig) -> Iterator[str]:
        """Yield a note for an unset variable: it only means that the key is looked for elsewhere."""
        where = f"provider.{settings.name}.api_key"
        if missing := missing_variable(settings.api_key or "", self._environ):
            yield f"{self._config.origins[where]}: {where}: {missing}: no key from here"
        elif settings.api_key:
            with self._collected(where):
                configured = expand(settings.api_key, self._environ, where)
                if not configured:
                    return
                place = configured_place(Sources(settings.name, environ=self._environ, configured=configured))
                if not configured.startswith(("keyring:", "store:")):
                    place.active()
