"""The table of providers: name of a service to the module that knows it. Modules are imported on first use."""

from importlib import import_module
from typing import cast

from fennec_cli.dialects.base import ProviderModule
from fennec_cli.errors import ConfigError

PROVIDERS: dict[str, str] = {
    "openai": "fennec_cli.providers.openai",
    "anthropic": "fennec_cli.providers.anthropic",
    "openrouter": "fennec_cli.providers.openrouter",
    "ollama": "fennec_cli.providers.ollama",
    "azure": "fennec_cli.providers.azure",
    "local": "fennec_cli.providers.local",
}


def provider_module(provider_type: str, *, name: str | None = None) -> ProviderModule:
    """Return the module for a provider type. Raises `ConfigError` for one that is not in the table."""
    try:
        path = PROVIDERS[provider_type]
    except KeyError:
        known = ", ".join(PROVIDERS)
        raise ConfigError(f"unknown provider {name or provider_type}", hint=f"known providers: {known}") from None
    return cast(ProviderModule, import_module(path))
