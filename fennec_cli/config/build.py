"""Layers laid over each other -> the configuration."""

from collections.abc import Mapping
from typing import Any

from fennec_cli.backoff import RetryConfig
from fennec_cli.circuit import CircuitBreaker
from fennec_cli.config.layer import Layer, laid_over, wrong
from fennec_cli.config.load import Report
from fennec_cli.config.schema import COMMANDS, EXTRA
from fennec_cli.config.settings import (
    PROVIDER_TYPES,
    AuditConfig,
    BudgetConfig,
    CacheConfig,
    Config,
    FilterConfig,
    LogConfig,
    MetricsConfig,
    NetworkConfig,
    ProviderConfig,
    SemanticConfig,
)
from fennec_cli.config.source import KeyPath, Origin, dotted
from fennec_cli.config.values import check_base_url
from fennec_cli.errors import ConfigError
from fennec_cli.pricing import Price

Tree = dict[str, Any]


def select_profile(layers: list[Layer], profile: str, report: Report) -> Layer:
    """Return what `[profile.NAME]` says in all layers, as if it stood at the top, and report it if none has it."""
    chosen: Layer = {}
    known: set[str] = set()
    for layer in layers:
        below = {path: leaf for path, leaf in layer.items() if path[0] == "profile"}
        known |= {path[1] for path in below}
        said = {path[2:]: leaf for path, leaf in below.items() if path[1] == profile and len(path) > 2}
        chosen = laid_over(chosen, said)
    if profile not in known:
        hint = f"known are {', '.join(dotted((name,)) for name in sorted(known))}" if known else "none is configured"
        report(ConfigError(f"unknown profile {profile!r:.80}", hint=hint))
    return chosen


def providers_in(layer: Layer) -> set[str]:
    """Return the names of all providers that a layer has a table for."""
    return {path[1] for path in layer if path[0] == "provider" and len(path) > 1}


def build_config(layer: Layer, notes: tuple[str, ...], report: Report) -> Config:
    """Make the configuration of a merged layer, and report the providers whose tables are not whole."""
    profiles: dict[str, Origin] = {}
    for path, leaf in layer.items():
        if path[0] == "profile":
            profiles.setdefault(path[1], Origin(leaf.origin.file, path[:2], leaf.origin.text))
    layer = {path: leaf for path, leaf in layer.items() if path[0] != "profile"}
    origins = {path: leaf.origin for path, leaf in layer.items()}
    default_provider = layer.pop(("provider",), None)  # the table of that name stands beside it
    digest = _digest(layer)
    tree = _nested(layer)
    network = NetworkConfig(**tree.pop("network", {}))
    providers: dict[str, ProviderConfig] = {}
    for name, table in tree.pop("provider", {}).items():
        try:
            providers[name] = _provider(name, table, network, origins)
        except ConfigError as error:
            report(error)
    budgets: dict[str, BudgetConfig] = {}
    for name, table in tree.pop("budget", {}).items():
        if "usd" in table:
            budgets[name] = BudgetConfig(**table)
        else:
            report(wrong(_place(("budget", name), origins), "needs usd", "write how much it is, in USD"))
    return Config(
        budgets=budgets,
        provider=default_provider.value if default_provider else None,
        providers=providers,
        commands={name: tree.pop(name) for name in COMMANDS if name in tree},
        cache=_cache(tree.pop("cache", {})),
        log=LogConfig(**tree.pop("log", {})),
        metrics=MetricsConfig(**tree.pop("metrics", {})),
        filter=FilterConfig(**tree.pop("filter", {})),
        audit=AuditConfig(**tree.pop("audit", {})),
        network=network,
        digest=digest,
        profiles=profiles,
        origins={dotted(path): origin for path, origin in origins.items()},
        notes=notes,
        **tree,
    )


def _digest(layer: Layer) -> str:
    """Hash what is configured, so that the audit log shows when it changed. Of secrets only that they are there."""
    from fennec_cli.hashes import sha256

    secret = {"api_key", "api_keys", "headers", "backend"}
    said = sorted((path, "" if secret.intersection(path) else repr(leaf.value)) for path, leaf in layer.items())
    return sha256(repr(said).encode("utf-8", "replace")).hexdigest()[:32] if said else ""


def _nested(layer: Layer) -> Tree:
    tree: Tree = {}
    for path, leaf in layer.items():
        node = tree
        for name in path[:-1]:
            node = node.setdefault(name, {})
        if leaf.key is None:
            node.setdefault(path[-1], {})
        else:
            node[path[-1]] = leaf.value
    return tree


def _provider(name: str, table: Tree, network: NetworkConfig, origins: Mapping[KeyPath, Origin]) -> ProviderConfig:
    path = ("provider", name)
    if "type" not in table and name not in PROVIDER_TYPES:
        raise wrong(_place(path, origins), "needs a type", f'write type = "openai" or another of {PROVIDER_TYPES[1:]}')
    prices = {
        model: _price(price, (*path, "prices", model), origins) for model, price in table.get("prices", {}).items()
    }
    extra = {key: table.pop(key) for key in EXTRA if key in table}
    settings = {
        "type": name,
        "allow_insecure_http": network.allow_insecure_http,
        "send_key_insecure": network.send_key_insecure,
        "x509_strict": network.x509_strict,
        **table,
        "extra": extra,
        "prices": prices,
        "retry": RetryConfig(**table.get("retry", {})),
        "breaker": CircuitBreaker(**table.get("breaker", {})),
    }
    provider = ProviderConfig(name=name, **settings)
    _check_address(provider, origins)
    return provider


def _cache(table: Tree) -> CacheConfig:
    return CacheConfig(**{**table, "semantic": SemanticConfig(**table.get("semantic", {}))})


def _price(price: Tree, path: KeyPath, origins: Mapping[KeyPath, Origin]) -> Price:
    if not {"input", "output"} <= price.keys():
        raise wrong(_place(path, origins), "needs both input and output", "in USD per million tokens")
    return Price(**price)


def _check_address(provider: ProviderConfig, origins: Mapping[KeyPath, Origin]) -> None:
    url = provider.base_url
    if url is None or "${" in url:  # what a variable stands for is checked by who expands it
        return
    origin = origins["provider", provider.name, "base_url"]
    try:
        check_base_url(url, allow_insecure_http=provider.allow_insecure_http, where=dotted(origin.path))
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error.message}", hint=error.hint) from error


def _place(path: KeyPath, origins: Mapping[KeyPath, Origin]) -> Origin:
    """The place of a table: where the first of its values was found."""
    return next(
        Origin(origin.file, path, origin.text) for below, origin in origins.items() if below[: len(path)] == path
    )
