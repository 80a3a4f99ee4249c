"""What `fennec config show` says: the values in effect and where they came from, secrets masked."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from fennec_cli.backoff import DEFAULT_MAX_WAIT_S
from fennec_cli.completion.options import DEFAULT_DEADLINE_S
from fennec_cli.config import Config, ProviderConfig
from fennec_cli.config.source import dotted
from fennec_cli.config.values import missing_variable
from fennec_cli.dialects.base import ProviderModule
from fennec_cli.keys import MASK, key_variables, masked_header
from fennec_cli.providers import PROVIDERS, is_known, provider_module
from fennec_cli.transport.patience import Limits

_WIDEST = 48
_KEY_PLACES = ("file:", "keyring:", "store:")


@dataclass(frozen=True, slots=True)
class Row:
    """A value in effect. `origin` is FILE:LINE, the name of a variable, or `default`."""

    key: str
    value: Any
    source: str = "default"
    origin: str = "default"


@dataclass(frozen=True, slots=True)
class OptionValue:
    """What an option of `complete` has when the command line says nothing, and where it got that from."""

    key: str
    value: Any
    source: str
    variable: str


def effective_rows(
    config: Config, options: Iterable[OptionValue], profile: str | None, environ: Mapping[str, str]
) -> list[Row]:
    """Return every value in effect, secrets masked."""
    report = _Report(config, environ)
    rows = report.top_level()
    rows += [report.row(("alias", name), target) for name, target in config.alias.items()]
    rows += [
        Row(dotted(("profile", name, "selected")), name == profile, "file", str(origin))
        for name, origin in config.profiles.items()
    ]
    rows += [report.option(option) for option in options]
    rows.append(report.row(("cache", "backend"), masked_url(config.cache.backend)))
    for direction in ("request", "response"):
        modes = config.filter.modes(direction)
        rows += [report.row(("filter", direction, name), mode) for name, mode in modes.items()]
    rows.append(report.row(("filter", "preset"), config.filter.preset))
    rows.append(report.row(("filter", "rules"), tuple(rule["name"] for rule in config.filter.rules)))
    rows += [report.row(("audit", key), value) for key, value in config.audit._asdict().items()]
    rows += [report.row(("log", key), value) for key, value in config.log._asdict().items()]
    rows += [report.row(("network", key), value) for key, value in config.network._asdict().items()]
    for name in report.provider_names():
        rows += report.provider(name)
    return [row for row in rows if row.value is not None and row.value != ()]


class _Report:
    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self._config, self._environ = config, environ

    def top_level(self) -> list[Row]:
        """What stands at the top; [complete] has the last word on the provider (see `commands.options`)."""
        keys = ["model", "provider", "strategy", "candidates", "fallback", "format", "deadline"]
        if "complete.provider" in self._config.origins:
            keys.remove("provider")
        return [self._row(key, getattr(self._config, key), key) for key in keys]

    def row(self, path: tuple[str, ...], value: Any) -> Row:
        return self._row(dotted(path), value, dotted(path))

    def option(self, option: OptionValue) -> Row:
        key = f"complete.{option.key}"
        if option.source == "environment":
            return Row(key, option.value, "environment", option.variable)
        value = option.value
        if value is None and option.key in ("model", "provider", "deadline"):
            value = getattr(self._config, option.key)
        if value is None and option.key == "deadline":
            value = DEFAULT_DEADLINE_S
        return self._row(key, value, key, option.key)

    def provider_names(self) -> list[str]:
        """Those that are configured, and those that the environment says something about."""
        known = dict.fromkeys((*self._config.providers, *PROVIDERS))
        return [name for name in known if name in self._config.providers or self._variables_set(name)]

    def provider(self, name: str) -> Iterator[Row]:
        settings = self._config.provider_config(name)
        where = f"provider.{name}"
        for field, value in (_provider_defaults(settings) | _said(settings)).items():
            yield self._row(f"{where}.{field}", value, f"{where}.{field}", f"network.{field}")
        yield self._key(settings)
        if settings.api_keys:
            yield self.row(("provider", name, "api_keys"), tuple(map(masked_key, settings.api_keys)))
        yield self._base_url(settings)
        if settings.proxy:
            yield self.row(("provider", name, "proxy"), masked_url(settings.proxy))
        yield from self._headers(settings)
        for model, price in settings.prices.items():
            for field, usd in price._asdict().items():
                yield self.row(("provider", name, "prices", model, field), usd)
        for field, value in settings.retry._asdict().items():
            yield self.row(("provider", name, "retry", field), value)
        for field in ("threshold", "timeout"):
            yield self.row(("provider", name, "breaker", field), getattr(settings.breaker, field))

    def _row(self, key: str, value: Any, *places: str) -> Row:
        for place in places:
            if place in self._config.origins:
                return Row(key, value, "file", str(self._config.origins[place]))
        return Row(key, value)

    def _variables_set(self, name: str) -> list[str]:
        module = provider_module(name)
        names = (*key_variables(name, module.KEY_VARIABLES), module.BASE_URL_VARIABLE or "")
        return [variable for variable in names if self._environ.get(variable)]

    def _key(self, settings: ProviderConfig) -> Row:
        """The key that would be used, by the rule of `keys.find_key`."""
        key = f"provider.{settings.name}.api_key"
        module = _module(settings)
        own, *others = key_variables(settings.name, module.KEY_VARIABLES if module else ())
        usable = settings.api_key and not missing_variable(settings.api_key, self._environ)
        variables = [own] if usable else [own, *others]
        for variable in variables:
            if self._environ.get(variable):
                return Row(key, MASK, "environment", variable)
        return self._row(key, None if settings.api_key is None else masked_key(settings.api_key), key)

    def _base_url(self, settings: ProviderConfig) -> Row:
        key = f"provider.{settings.name}.base_url"
        if settings.base_url is not None:
            return self._row(key, masked_url(settings.base_url), key)
        module = _module(settings)
        variable = (module.BASE_URL_VARIABLE if module else None) or ""
        if self._environ.get(variable):
            return Row(key, masked_url(self._environ[variable]), "environment", variable)
        return Row(key, provider_module(settings.type).DEFAULT_BASE_URL if _speaks_http(settings) else None)

    def _headers(self, settings: ProviderConfig) -> Iterator[Row]:
        path = ("provider", settings.name, "headers")
        module = _module(settings)
        configured = {name.lower() for name in settings.headers}
        for variable, name in (module.HEADER_VARIABLES if module else {}).items():
            if self._environ.get(variable) and name.lower() not in configured:
                value = masked_setting(name, self._environ[variable])
                yield Row(dotted((*path, name)), value, "environment", variable)
        for name, value in settings.headers.items():
            yield self.row((*path, name), masked_setting(name, value))


def _said(settings: ProviderConfig) -> dict[str, Any]:
    """The plain fields that have a value."""
    special = {"name", "api_key", "api_keys", "base_url", "proxy", "extra", "headers", "prices", "retry", "breaker"}
    plain = {key: value for key, value in settings._asdict().items() if key not in special and value is not None}
    return {**plain, **settings.extra}


def _provider_defaults(settings: ProviderConfig) -> dict[str, Any]:
    """What a run puts in place of fields that say nothing."""
    limits = Limits()
    model = provider_module(settings.type).DEFAULT_MODEL if is_known(settings.type) else None
    return {
        "type": settings.type,
        "model": model,
        "connect_timeout": limits.connect,
        "first_token_timeout": limits.first_event,
        "idle_timeout": limits.idle,
        "max_wait": DEFAULT_MAX_WAIT_S,
    }


def _module(settings: ProviderConfig) -> ProviderModule | None:
    """The module whose variables the provider listens to: none if the name is one of the user's own."""
    known = settings.name == settings.type and is_known(settings.type)
    return provider_module(settings.type) if known else None


def _speaks_http(settings: ProviderConfig) -> bool:
    return settings.type != "local" and is_known(settings.type)


def masked_key(value: str) -> str:
    """A key's place may be shown, a key may not."""
    return value if value.startswith(_KEY_PLACES) or _is_variable(value) else MASK


def masked_setting(name: str, value: str) -> str:
    """A header's value, unless it may be a secret; a reference to a variable is none."""
    return value if _is_variable(value) else masked_header(name, value)


def masked_url(value: str) -> str:
    """Hide an address that holds a password or a query, which may hold a key."""
    return MASK if "@" in value or "?" in value else value


def _is_variable(value: str) -> bool:
    name = value.removeprefix("${").removesuffix("}")
    return value == f"${{{name}}}" and name.isidentifier()


def rendered(rows: list[Row], output_format: str) -> bytes:
    """Rows as TOML with the origins as comments, as a JSON array, or NDJSON."""
    if output_format != "text":
        return as_json(rows, output_format)
    lines = [f"{row.key} = {_toml(row.value)}" for row in rows]
    width = min(_WIDEST, max(map(len, lines), default=0))
    return "".join(f"{line:<{width}}  # {row.origin}\n" for line, row in zip(lines, rows, strict=True)).encode()


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=not (isinstance(value, str) and value.isprintable()))


def as_json(rows: Any, output_format: str) -> bytes:
    """Records as a JSON array or as NDJSON."""
    if output_format == "json":
        return orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
