"""Which files are read, and in which order they are laid over each other."""

import os
from collections.abc import Callable, Mapping

from fennec_cli.config.settings import PROVIDER_TYPES, Config
from fennec_cli.config.source import LARGEST_PROJECT_FILE, Source, read_source, shown
from fennec_cli.errors import ConfigError

SYSTEM_FILE = "/etc/fennec/config.toml"
PROJECT_FILE = ".fennec.toml"


def load_config(
    *,
    environ: Mapping[str, str],
    cwd: str | os.PathLike[str],
    explicit: str | os.PathLike[str] | None = None,
    profile: str | None = None,
    system_file: str | os.PathLike[str] = SYSTEM_FILE,
    user_id: Callable[[], int] = os.geteuid,
) -> Config:
    """Read the configuration. A file that does not exist says nothing; without any the answer is all defaults.

    From weak to strong: the system's file, the user's, the project's (`.fennec.toml` in `cwd`, not trusted), then the
    selected profile of the trusted ones. Tables are merged key by key. `explicit`, the file of `--config`, is trusted,
    has to exist, and stands in for the user's and the project's file.

    Raises ConfigError for anything that cannot be read, is not known, or has the wrong type.
    """
    trusted, project, notes = _read_sources(environ, os.fspath(cwd), explicit, os.fspath(system_file), user_id)
    if not trusted and not project and profile is None:
        return Config(notes=notes)
    return _merge(trusted, project, profile, notes)


def _merge(trusted: list[Source], project: Source | None, profile: str | None, notes: tuple[str, ...]) -> Config:
    from fennec_cli.config.build import build_config, providers_in, select_profile
    from fennec_cli.config.layer import Layer, open_secrets, read_layer
    from fennec_cli.config.project import check_project

    layers = [read_layer(source) for source in trusted]
    chosen = {} if profile is None else select_profile(layers, profile)
    notes += tuple(note for source, layer in zip(trusted, layers, strict=True) for note in open_secrets(source, layer))
    merged: Layer = {}
    for layer in layers:
        merged |= layer
    if project:
        layer = read_layer(project)
        check_project(layer, providers_in(merged | chosen) | set(PROVIDER_TYPES))
        merged |= layer
    return build_config(merged | chosen, notes)


def _read_sources(
    environ: Mapping[str, str],
    cwd: str,
    explicit: str | os.PathLike[str] | None,
    system_file: str,
    user_id: Callable[[], int],
) -> tuple[list[Source], Source | None, tuple[str, ...]]:
    """Return the trusted files, weakest first, the project's, and notes about what was left out."""
    system = _read_if_there(system_file)
    if explicit is not None:
        return [*system, _read_named(os.fspath(explicit))], None, ()
    user_file = _user_file(environ)
    trusted = [*system, *(_read_if_there(user_file) if user_file else [])]
    return trusted, *_read_project(os.path.join(cwd, PROJECT_FILE), user_id)


def _user_file(environ: Mapping[str, str]) -> str | None:
    """XDG Base Directory Specification 0.8: a relative or empty path counts as not set."""
    directory = environ.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(directory):
        if not environ.get("HOME"):
            return None
        directory = os.path.join(environ["HOME"], ".config")
    return os.path.join(directory, "fennec", "config.toml")


def _read_if_there(path: str) -> list[Source]:
    try:
        return [read_source(path)]
    except FileNotFoundError:
        return []


def _read_named(path: str) -> Source:
    try:
        return read_source(path, wait=True)  # `--config <(...)` is a pipe
    except FileNotFoundError as error:
        raise ConfigError(f"cannot read {shown(path)}: no such file", hint="check --config") from error


def _read_project(path: str, user_id: Callable[[], int]) -> tuple[Source | None, tuple[str, ...]]:
    ours = (user_id(), 0)
    try:
        owner = os.stat(path).st_uid  # before opening: a stranger's file may be unreadable, and still is only ignored
    except OSError:
        return None, ()
    if owner in ours:
        source = read_source(path, limit=LARGEST_PROJECT_FILE)
        if source.owner in ours:
            return source, ()
    return None, (f"{shown(path)} belongs to another user: ignored",)
