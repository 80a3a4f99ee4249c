"""A document checked against the table of keys, as a flat layer, and one layer over another."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fennec_cli.config.load import Report
from fennec_cli.config.schema import ROOT, Key, Table
from fennec_cli.config.source import KeyPath, Origin, Source, dotted, parse
from fennec_cli.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value and its place. `key` is None for a named table without content; its value is an empty dict."""

    value: Any
    origin: Origin
    key: Key | None


Layer = dict[KeyPath, Leaf]


def read_layer(source: Source, report: Report) -> Layer:
    """Return every value of the file that the table of keys knows, and report the others."""
    try:
        document = parse(source)
    except ConfigError as error:
        report(error)
        return {}
    return _by_class(dict(_leaves(source, ROOT, document, (), report)))


def laid_over(below: Layer, above: Layer) -> Layer:
    """Return `above` over `below`, key by key.

    A key at the top is the same setting as the one in the table of a command, so it takes the place of that one too.
    """
    said = {path[0] for path in above if len(path) == 1}
    gone = {("complete", name) for name in said} | {("bench", name) for name in said & {"model"}}
    return {path: leaf for path, leaf in below.items() if path not in gone} | above


def _by_class(layer: Layer) -> Layer:
    """One mode for a direction of the filter is that mode for each class, so that layers lie over each other."""
    for path in [path for path in layer if path[-2:-1] == ("filter",) and path[-1] in ("request", "response")]:
        leaf = layer.pop(path)
        if leaf.key is not None:
            layer |= {(*path, name): leaf for name in ("secrets", "pii")}
    return layer


def open_secrets(source: Source, layer: Layer) -> list[str]:
    """Warn of a file that others can read and that holds a key or password itself, not only the place of one."""
    elsewhere = ("file:", "keyring:", "store:")
    mine = [(path[-1], leaf.value) for path, leaf in layer.items() if path[-3:-2] == ("provider",)]
    keys = [value for name, value in mine if name == "api_key"]
    keys += [value for name, values in mine if name == "api_keys" for value in values]
    if source.mode & 0o044 and any(key and "${" not in key and not key.startswith(elsewhere) for key in keys):
        return [f"{source.file} holds an API key and others can read it; chmod 600 it"]
    servers = [leaf.value for path, leaf in layer.items() if path[-2:] == ("cache", "backend")]
    if source.mode & 0o044 and any("@" in url and "${" not in url for url in servers):
        return [f"{source.file} holds a password and others can read it; chmod 600 it"]
    return []


def wrong(origin: Origin, reason: str, hint: str | None = None) -> ConfigError:
    """The error for a key: where it stands, its name, what is wrong with it."""
    return ConfigError(f"{origin}: {dotted(origin.path)} {reason}", hint=hint)


def _leaves(
    source: Source, table: Table, data: Mapping[str, Any], path: KeyPath, report: Report
) -> Iterator[tuple[KeyPath, Leaf]]:
    for key, value in data.items():
        here = (*path, key)
        origin = source.origin(here)
        try:
            entry = _entry(origin, table, key, value)
            if isinstance(entry, Key):
                yield here, Leaf(_convert(origin, entry, value), origin, entry)
                continue
        except ConfigError as error:
            report(error)
            continue
        if value:
            yield from _leaves(source, entry, value, here, report)
        elif key not in table.keys:
            yield here, Leaf({}, origin, None)


def _entry(origin: Origin, table: Table, key: str, value: object) -> Key | Table:
    """What the table says about a key and this kind of value."""
    entry = table.entry(key)
    if entry is None:
        raise wrong(origin, "is not a key that exists", _nearest(key, table.keys))
    if key not in table.keys:
        _convert(origin, Key(table.names), key)
    if isinstance(entry, Table) and not isinstance(value, dict):
        return _plain(origin, entry)
    return entry


def _plain(origin: Origin, table: Table) -> Key:
    if table.plain is None:
        raise wrong(origin, "must be a table", f"write [{dotted(origin.path)}]")
    return table.plain


def _convert(origin: Origin, key: Key, value: object) -> object:
    try:
        return key.kind(value)
    except ValueError as error:
        raise wrong(origin, str(error)) from error


def _nearest(key: str, known: Iterable[str]) -> str:
    import difflib

    for match in difflib.get_close_matches(key[:80].lower(), known, n=1):
        return f"did you mean {match}?"
    return f"known here are {', '.join(known)}"
