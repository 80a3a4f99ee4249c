"""The table of providers: name of a service to the module that knows it. Modules are imported on first use.

Installed packages add to it through entry points. They are looked for only when a type is not in the table: reading the
metadata of what is installed costs more than everything else that a run does before it sends.
"""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from fennec_cli.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from fennec_cli.dialects.base import ProviderModule

PROVIDERS: dict[str, str] = {
    "openai": "fennec_cli.providers.openai",
    "anthropic": "fennec_cli.providers.anthropic",
    "openrouter": "fennec_cli.providers.openrouter",
    "ollama": "fennec_cli.providers.ollama",
    "azure": "fennec_cli.providers.azure",
    "local": "fennec_cli.providers.local",
}
ENTRY_POINTS = "fennec.providers"


def provider_module(provider_type: str, *, name: str | None = None) -> "ProviderModule":
    """Return the module for a provider type. Raises `ConfigError` for one that neither we nor a package has.

    `name` is what the configuration calls the provider.
    """
    if provider_type in PROVIDERS:
        return cast("ProviderModule", import_module(PROVIDERS[provider_type]))
    installed = _installed()
    if provider_type not in installed:
        whose = f"provider {name}: " if name else ""
        hint = _nearest(provider_type, (*PROVIDERS, *installed))
        raise ConfigError(f"{whose}unknown type {provider_type!r:.80}", hint=hint)
    return _load(installed[provider_type])


def is_known(provider_type: str) -> bool:
    """Whether `provider_module` knows the type."""
    return provider_type in PROVIDERS or provider_type in _installed()


def _installed() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _load(point: "EntryPoint") -> "ProviderModule":
    from fennec_cli.dialects.base import ProviderModule

    try:
        module = point.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ConfigError(
            f"the provider type {point.name} cannot be loaded from {point.value} ({error})", hint=_remedy(point)
        ) from error
    members = [*ProviderModule.__annotations__, *(name for name in vars(ProviderModule) if not name.startswith("_"))]
    missing = [name for name in members if not hasattr(module, name)]
    if missing:
        raise ConfigError(f"{point.value} is no provider: it has no {', '.join(missing)}", hint=_remedy(point))
    return cast(ProviderModule, module)


def _remedy(point: "EntryPoint") -> str | None:
    return f"install a version of {point.dist.name} that fits this fennec" if point.dist else None


def _nearest(provider_type: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    for match in get_close_matches(provider_type[:80].lower(), known, n=1):
        return f"did you mean {match}?"
    return f"known are {', '.join(known)}"
