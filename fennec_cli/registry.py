"""Settings to named providers: which provider answers, where it is, which key and which limits it gets."""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from fennec_cli.config import Config, ProviderConfig, check_base_url, expand
from fennec_cli.dialects.base import Endpoint, ModelInfo, ProviderModule
from fennec_cli.errors import ConfigError
from fennec_cli.keys import find_key, has_key
from fennec_cli.pricing import Price
from fennec_cli.providers import PROVIDERS, provider_module
from fennec_cli.request import Sampling
from fennec_cli.transport import HTTPProvider
from fennec_cli.transport.patience import Limits

if TYPE_CHECKING:
    from fennec_cli.engine import Engine
    from fennec_cli.transport.client import HTTPClient

# Which provider is taken when nothing names one: the first whose key is present.
_BY_KEY = tuple(name for name in ("openai", "anthropic", "openrouter", "azure") if name in PROVIDERS)


class Overrides(NamedTuple):
    """What the command line says about every provider; None leaves it to the configuration. Seconds."""

    timeout: float | None = None
    connect_timeout: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    api_key_file: str | None = None


class Target(NamedTuple):
    """A provider and one of its models; `reason` says why it was chosen."""

    provider: str
    model: str
    reason: str


class ProviderRegistry:
    """Named providers, built when they are first asked for."""

    def __init__(
        self,
        config: Config,
        *,
        overrides: Overrides = Overrides(),
        environ: Mapping[str, str] = os.environ,
        say: Callable[[int, str], None] = lambda _level, _text: None,
    ) -> None:
        self._config = config
        self._overrides = overrides
        self._environ = environ
        self._say = say
        self._providers: dict[str, HTTPProvider] = {}
        self._engines: list[Engine] = []

    def choose(self, model: str | None = None, provider: str | None = None) -> Target:
        """Decide which provider and model answer. Raises `ConfigError` when nothing is configured."""
        name = self._config.alias.get(model, model) if model else None
        prefix, _, rest = (name or "").partition("/")
        if provider is None and rest and self._is_provider(prefix):
            return Target(prefix, rest, "named")
        if provider is not None and name and prefix == provider and rest:
            name = rest
        if provider is not None:
            chosen, reason = provider, "named"
        elif self._config.provider is not None:
            chosen, reason = self._config.provider, "configured"
        else:
            chosen, reason = self._first_usable()
        self._settings(chosen)  # an unknown one is an error here, before anything is read
        return Target(chosen, name or self._default_model(chosen), reason)

    def get_provider(self, name: str, model: str | None = None) -> HTTPProvider:
        """Return the provider called `name`, set up for `model` (the embedded engine loads it)."""
        key = f"{name}/{model}"
        if key not in self._providers:
            self._providers[key] = self._build(name, model)
        return self._providers[key]

    def names(self) -> list[str]:
        """Names of the providers that the configuration, a key or an installed engine makes usable."""
        known = dict.fromkeys((*PROVIDERS, *self._config.providers))
        return [name for name in known if self._is_usable(name)]

    def price(self, name: str, model: str) -> Price | None:
        """Return the price of a model: the configured one, else the catalogue's, else None."""
        settings = self._settings(name)
        if model in settings.prices:
            return settings.prices[model]
        from fennec_cli.catalogue import lookup

        known = lookup(settings.type, model)
        return known.price if known else None

    def type_of(self, name: str) -> str:
        return self._settings(name).type

    def list_models(self, name: str) -> list[ModelInfo]:
        """Ask a provider for its models; the embedded engine's are the installed files."""
        settings = self._settings(name)
        if settings.type != "local":
            return self.get_provider(name).get_models()
        from fennec_cli.model_files import ModelManager

        installed = ModelManager(environ=self._environ).installed()
        return [ModelInfo(id=model.id, provider=name, source="installed") for model in installed]

    def close(self) -> None:
        for provider in self._providers.values():
            provider.close()
        for engine in self._engines:
            engine.close()
        self._providers.clear()
        self._engines.clear()

    def _is_provider(self, name: str) -> bool:
        return name in PROVIDERS or name in self._config.providers

    def _is_usable(self, name: str) -> bool:
        settings = self._settings(name)
        if settings.type not in PROVIDERS:
            return False
        if settings.type == "local":
            return find_spec("xllamacpp") is not None
        module = provider_module(settings.type)
        configured = self._config.providers.get(name)
        return has_key(name, _own_variables(module, settings), self._environ) or bool(
            configured and (configured.api_key or configured.base_url)
        )

    def _first_usable(self) -> tuple[str, str]:
        for name in _BY_KEY:
            if self._is_usable(name):
                return name, "its key is present"
        if find_spec("xllamacpp") is not None:
            return "local", "no key is present and the embedded engine is installed"
        raise ConfigError(
            "no provider is configured",
            hint="set OPENAI_API_KEY, or name one in the configuration, or install the extra `local`",
        )

    def _settings(self, name: str) -> ProviderConfig:
        return self._config.provider_config(name)

    def _default_model(self, name: str) -> str:
        settings = self._settings(name)
        model = settings.model or provider_module(settings.type, name=name).DEFAULT_MODEL
        if model is None:
            raise ConfigError(f"{name} has no default model", hint=f"name one with -m {name}/MODEL")
        return model

    def _build(self, name: str, model: str | None) -> HTTPProvider:
        settings = self._settings(name)
        module = provider_module(settings.type, name=name)
        endpoint = self._endpoint(module, settings, model)
        limits = self._limits(settings)
        if settings.type == "local":
            return self._build_local(module, endpoint, settings, limits, model or self._default_model(name))

        def connect() -> "HTTPClient":
            from fennec_cli.transport.client import HTTPClient
            from fennec_cli.transport.tls import plain_context, tls_context

            if endpoint.base_url.startswith("http://"):
                return HTTPClient(plain_context())
            return HTTPClient(
                tls_context(ca_bundle=settings.ca_bundle, tls_min=settings.tls_min, environ=self._environ)
            )

        def key() -> str | None:
            return self._key(module, settings, endpoint.base_url)

        return HTTPProvider(module, endpoint, connect, key=key, limits=limits, trace=lambda line: self._say(3, line))

    def _build_local(
        self, module: ProviderModule, endpoint: Endpoint, settings: ProviderConfig, limits: Limits, model: str
    ) -> HTTPProvider:
        engines: list[Engine] = []

        def connect() -> "HTTPClient":
            from fennec_cli.engine import start_engine
            from fennec_cli.model_files import ModelManager
            from fennec_cli.transport.client import HTTPClient
            from fennec_cli.transport.tls import plain_context

            path = ModelManager(environ=self._environ).path_of(model)
            engine = start_engine(
                path,
                model_id=model,
                context=settings.extra.get("num_ctx"),
                gpu_layers=settings.extra.get("gpu_layers"),
            )
            engines.append(engine)
            self._engines.append(engine)
            return HTTPClient(plain_context(), uds=str(engine.socket_path))

        def key() -> str | None:
            return engines[0].token if engines else None

        return HTTPProvider(module, endpoint, connect, key=key, limits=limits, trace=lambda line: self._say(3, line))

    def _endpoint(self, module: ProviderModule, settings: ProviderConfig, model: str | None) -> Endpoint:
        from_environment = None
        headers = {}
        if settings.name == settings.type:
            from_environment = self._environ.get(module.BASE_URL_VARIABLE or "")
            for variable, header in module.HEADER_VARIABLES.items():
                if self._environ.get(variable):
                    headers[header] = self._environ[variable]
        where = f"provider.{settings.name}"
        configured = expand(settings.base_url, self._environ, f"{where}.base_url") if settings.base_url else None
        base_url = configured or from_environment or module.DEFAULT_BASE_URL
        if settings.type != "local":
            check_base_url(base_url, allow_insecure_http=settings.allow_insecure_http)
        for header, value in settings.headers.items():
            headers[header.lower()] = expand(value, self._environ, f"{where}.headers.{header}")
        return Endpoint(
            name=settings.name,
            base_url=base_url,
            api=settings.api,
            headers=headers,
            defaults=self._defaults(settings, model),
            extra=settings.extra,
        )

    def _defaults(self, settings: ProviderConfig, model: str | None) -> Sampling:
        """Sampling from the configuration, without what the model is known to refuse."""
        defaults = Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            stop=settings.stop,
            reasoning_effort=settings.reasoning_effort,
        )
        if model is None or (defaults.temperature is None and defaults.top_p is None):
            return defaults
        from fennec_cli.catalogue import lookup, refuses_sampling

        known = lookup(settings.type, model)
        if known is None or not refuses_sampling(known, defaults.reasoning_effort):
            return defaults
        self._say(1, f"{settings.name}/{model} refuses sampling options: temperature and top_p are left out")
        return defaults._replace(temperature=None, top_p=None)

    def _limits(self, settings: ProviderConfig) -> Limits:
        given, default = self._overrides, Limits()
        return Limits(
            connect=_first(given.connect_timeout, settings.connect_timeout, default.connect),
            first_event=_first(given.first_token_timeout, settings.first_token_timeout, default.first_event),
            idle=_first(given.idle_timeout, settings.idle_timeout, default.idle),
            attempt=given.timeout if given.timeout is not None else settings.timeout,
        )

    def _key(self, module: ProviderModule, settings: ProviderConfig, base_url: str) -> str | None:
        """Return the key, or None where none is needed (a compatible server on this machine)."""
        configured = settings.api_key
        if configured is not None:
            try:
                configured = expand(configured, self._environ, f"provider.{settings.name}.api_key")
            except ConfigError:
                configured = None  # an unset variable only means: no key here, look further
        loopback = _is_loopback(base_url)
        if base_url.startswith("http://") and not loopback and not settings.send_key_insecure:
            return None
        variables = _own_variables(module, settings)
        named = self._overrides.api_key_file is not None or configured
        if loopback and not named and not has_key(settings.name, variables, self._environ):
            return None
        return find_key(
            settings.name,
            variables,
            environ=self._environ,
            key_file=self._overrides.api_key_file,
            configured=configured,
        ).reveal()


def _own_variables(module: ProviderModule, settings: ProviderConfig) -> tuple[str, ...]:
    """The provider's well-known variables, unless the configuration gave its type to another service."""
    return module.KEY_VARIABLES if settings.name == settings.type else ()


def _is_loopback(base_url: str) -> bool:
    host = base_url.split("://", 1)[-1].split("/", 1)[0]
    return host.startswith(("127.", "localhost", "[::1]"))


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
