"""Which files are read, and in which order they are laid over each other."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from fennec_cli.config.settings import PROVIDER_TYPES, Config
from fennec_cli.errors import ConfigError
from fennec_cli.private import FilePath
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.config.source import Origin, Source

SYSTEM_FILE = "/etc/fennec/config.toml"
PROJECT_FILE = ".fennec.toml"

Report = Callable[[ConfigError], None]


class Place(NamedTuple):
    """Where the file of a layer may be; `named` is the one of --config."""

    layer: Literal["system", "user", "project", "named"]
    path: str


def stop_at_once(error: ConfigError) -> None:
    raise error


def load_config(
    *,
    environ: Mapping[str, str],
    cwd: FilePath,
    explicit: FilePath | None = None,
    profile: str | None = None,
    system_file: FilePath = SYSTEM_FILE,
    user_id: Callable[[], int] = os.geteuid,
    report: Report = stop_at_once,
) -> Config:
    """Read the configuration. A file that does not exist says nothing; without any the answer is all defaults.

    From weak to strong: the system's file, the user's, the project's (`.fennec.toml` in `cwd`, not trusted), then the
    selected profile of the trusted ones. Tables are merged key by key; see `layer.laid_over`. `explicit`, the file of
    `--config`, is trusted, has to exist, and stands in for the user's and the project's file.

    Raises ConfigError for anything that cannot be read, is not known, or has the wrong type; with a `report` that does
    not raise, it is handed all of these and what is wrong is left out.
    """
    found = config_places(environ, cwd, explicit, system_file)
    trusted, project, notes = _read_sources(found, user_id, report)
    if not trusted and not project and profile is None:
        return Config(notes=notes)
    return _merge(trusted, project, profile, notes, report)


def config_places(
    environ: Mapping[str, str], cwd: FilePath, explicit: FilePath | None = None, system_file: FilePath = SYSTEM_FILE
) -> list[Place]:
    """Return where configuration files may be, weakest first."""
    system = Place("system", os.fspath(system_file))
    if explicit is not None:
        return [system, Place("named", os.fspath(explicit))]
    user = user_file(environ)
    project = Place("project", os.path.join(cwd, PROJECT_FILE))
    return [system, Place("user", user), project] if user else [system, project]


def user_file(environ: Mapping[str, str]) -> str | None:
    """XDG Base Directory Specification 0.8: a relative or empty path counts as not set."""
    directory = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(directory):
        if not environ.get("HOME"):
            return None
        directory = os.path.join(environ["HOME"], ".config")
    return os.path.join(directory, "fennec", "config.toml")


def is_ours(owner: int, user_id: Callable[[], int] = os.geteuid) -> bool:
    """Whether a project file of this owner is read at all."""
    return owner in (user_id(), 0)


def _merge(
    trusted: "list[Source]", project: "Source | None", profile: str | None, notes: tuple[str, ...], report: Report
) -> Config:
    from fennec_cli.config.build import build_config, providers_in, select_profile
    from fennec_cli.config.layer import Layer, laid_over, open_secrets, read_layer
    from fennec_cli.config.project import check_project, models_in

    layers = [read_layer(source, report) for source in trusted]
    chosen = {} if profile is None else select_profile(layers, profile, report)
    notes += tuple(note for source, layer in zip(trusted, layers, strict=True) for note in open_secrets(source, layer))
    merged: Layer = {}
    for layer in layers:
        merged = laid_over(merged, layer)
    models: Mapping[str, Origin] = {}
    if project:
        known = laid_over(merged, chosen)
        providers = providers_in(known) | set(PROVIDER_TYPES)
        layer = check_project(read_layer(project, report), known, providers, report)
        merged, models = laid_over(merged, layer), models_in(layer)
    return build_config(laid_over(merged, chosen), notes, report)._replace(project_models=models)


def _read_sources(
    found: list[Place], user_id: Callable[[], int], report: Report
) -> "tuple[list[Source], Source | None, tuple[str, ...]]":
    """Return the trusted files, weakest first, the project's, and notes about what was left out."""
    trusted: list[Source] = []
    project: Source | None = None
    notes: tuple[str, ...] = ()
    for place in found:
        try:
            if place.layer == "project":
                project, notes = _read_project(place.path, user_id)
            elif place.layer == "named":
                trusted.append(_read_named(place.path))
            else:
                trusted += _read_if_there(place.path)
        except ConfigError as error:
            report(error)
    return trusted, project, notes


def _read_if_there(path: str) -> "list[Source]":
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return []  # before the import below: most runs find no file
    except OSError:
        pass  # reading it says why
    from fennec_cli.config.source import read_source

    try:
        return [read_source(path)]
    except FileNotFoundError:
        return []


def _read_named(path: str) -> "Source":
    from fennec_cli.config.source import read_source, shown

    try:
        return read_source(path, wait=True)  # `--config <(...)` is a pipe
    except FileNotFoundError as error:
        raise ConfigError(f"cannot read {shown(path)}: no such file", hint="check --config") from error


def _read_project(path: str, user_id: Callable[[], int]) -> "tuple[Source | None, tuple[str, ...]]":
    try:
        owner = os.stat(path).st_uid  # before opening: a stranger's file may be unreadable, and still is only ignored
    except OSError:
        return None, ()
    from fennec_cli.config.source import LARGEST_PROJECT_FILE, read_source, shown

    if is_ours(owner, user_id):
        source = read_source(path, limit=LARGEST_PROJECT_FILE)
        if is_ours(source.owner, user_id):
            return source, ()
    return None, (f"{shown(path)} belongs to another user: ignored",)
