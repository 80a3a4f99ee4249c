"""Settings to named providers: which provider answers, where it is, which key and which limits it gets."""

import os
import threading
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from fennec_cli.assembly import Assembly, Overrides, has_regions
from fennec_cli.chunk import TokenUsage
from fennec_cli.config import Config, ProviderConfig, server_url
from fennec_cli.credentials import configured_key, configured_keys, own_variables
from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import Blocked, ConfigError
from fennec_cli.keys import has_key
from fennec_cli.keys.places import Place, place_of
from fennec_cli.keys.source import KeySources
from fennec_cli.pricing import Price
from fennec_cli.providers import PROVIDERS, provider_module
from fennec_cli.redactor import hide
from fennec_cli.request import CompletionRequest
from fennec_cli.store import SharedState, StateStore, shared_state
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import PutOnRecord, Say, no_record, silent

if TYPE_CHECKING:
    from fennec_cli.admission import Gate
    from fennec_cli.dialects.base import HTTPCall
    from fennec_cli.engine import Engine
    from fennec_cli.regional import RegionalProvider
    from fennec_cli.stages.budget import Purse
    from fennec_cli.transport import HTTPProvider
    from fennec_cli.transport.proxy import Proxy

    _Provider = HTTPProvider | RegionalProvider

OLLAMA_PORT = 11434
# Which provider is taken when nothing names one: the first whose key is present.
_BY_KEY = tuple(name for name in ("openai", "anthropic", "openrouter", "azure") if name in PROVIDERS)


UNDECIDED = "nothing says which"


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
        say: Say = silent,
        state: StateStore | None = None,
        record: PutOnRecord = no_record,
        offline: bool = False,
        engines: "Mapping[str, Engine] | None" = None,
    ) -> None:
        """`engines` are those of local models that somebody else has started, by model, and closes."""
        self.state = state or shared_state(environ, partial(say, 1), server_url(config.cache.backend, environ))
        self._later = self.state.later if isinstance(self.state, SharedState) else self.state.update
        self._config = config
        self._overrides = overrides
        self._environ = dict(environ)  # a copy: the process' own loses its keys before children of others inherit it
        for variable, value in self._environ.items():
            if variable.endswith("_API_KEY"):
                hide(value)
        self._keys = KeySources()
        self._record = record
        self._say = say
        self._lock = threading.Lock()
        self._offline = offline  # no socket is opened to find out what could answer
        self._providers: dict[str, _Provider] = {}
        self._assemblies: dict[tuple[str, str], Assembly] = {}
        self._engines: list[Engine] = []
        self._running = engines or {}

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
        self._check(chosen)
        return Target(chosen, name or self._default_model(chosen), reason)

    def defaults(self, chosen: Target) -> list[Target]:
        """Return what each built-in provider would be asked, where nothing says which one is: `chosen` or another."""
        model = None if chosen.model == self._default_model(chosen.provider) else chosen.model
        found = []
        for name in PROVIDERS:
            try:
                found.append(Target(name, model or self._default_model(name), UNDECIDED))
            except ConfigError:  # one that has no default model
                continue
        return found

    def get_provider(self, name: str, model: str | None = None) -> "_Provider":
        """Return the provider called `name`, set up for `model` (the embedded engine loads it)."""
        key = f"{name}/{model}"
        with self._lock:
            if key not in self._providers:
                self._providers[key] = self._build(name, model)
            return self._providers[key]

    def gate(self, name: str, model: str, *, single: bool = True) -> "Gate":
        """Return what lets requests to a model through, shared with all processes."""
        from fennec_cli.admission import Gate  # an answer from the cache needs no leave

        settings = self._settings(name)
        assembly = self._assembly(settings, model)
        rules = assembly.rules(single=single)._replace(counted=self._config.metrics.enabled)
        return Gate(
            self.state, name, assembly.origin(), model, rules, say=self._say, record=self._record, later=self._later
        )

    def call(self, target: Target, request: CompletionRequest) -> "HTTPCall":
        """Return `request` as a model would get it first, but for the key. Looks for no key and opens nothing."""
        with self._lock:
            key = (target.provider, target.model)
            if key not in self._assemblies:
                self._assemblies[key] = self._assembly(self._settings(target.provider), target.model)
        return self._assemblies[key].call(request._replace(model=target.model))

    def count(self, provider: str, model: str, name: str) -> None:
        """Count something of a model that no attempt counts; see `metrics.count`."""
        if not self._config.metrics.enabled:
            return
        from fennec_cli.counting import count, name_of  # less than all of `metrics`

        self._later([name_of(provider, model)], lambda records: ([count(records[0], name)], None))

    def origin(self, name: str) -> str:
        """Scheme, host and port of a provider. Raises `ConfigError`."""
        return self._assembly(self._settings(name), None).origin()

    def address(self, name: str) -> str:
        """The base URL of a provider. Raises `ConfigError`."""
        return self._assembly(self._settings(name), None).endpoint().base_url

    def requires_private(self, name: str) -> bool:
        """Whether the configuration lets only private requests go to a provider."""
        return self._settings(name).private == "required"

    def privately(self, name: str, request: CompletionRequest) -> CompletionRequest:
        """Return a request as it may go to a provider that requires private ones. Raises `Blocked`."""
        if not self.requires_private(name):
            return request
        request = request._replace(private=True)
        if not self.keeps_private(name, request):
            raise Blocked(
                "such a request is not kept private there, and the configuration requires that",
                hint=f'ask another provider, or take private = "required" out of [provider.{name}]',
                provider=name,
            )
        return request

    def keeps_private(self, name: str, request: CompletionRequest) -> bool:
        """Whether a provider keeps nothing of this request when it is private. Raises `ConfigError`."""
        settings = self._settings(name)
        endpoint = self._assembly(settings, request.model).endpoint()
        return provider_module(settings.type, name=name).keeps_private(request, endpoint)

    def direct(self, name: str) -> "HTTPProvider":
        """Return the provider at its one address, for calls that are no completions."""
        from fennec_cli.transport import HTTPProvider

        provider = self.get_provider(name)
        if not isinstance(provider, HTTPProvider):
            raise ConfigError(f"{name} has several regions, and models are managed at one address")
        return provider

    def names(self) -> list[str]:
        """Names of the providers that the configuration, a key or an installed engine makes usable."""
        known = dict.fromkeys((*PROVIDERS, *self._config.providers))
        return [name for name in known if self.is_usable(name)]

    def key_place(self, name: str) -> Place | None:
        """Where the key of a provider comes from, or None. Reads no key."""
        return place_of(self._assembly(self._settings(name), None).credentials.sources(), self.state)

    def proxy(self, name: str, url: str) -> "Proxy | None":
        """The proxy between us and an address of a provider. Raises `ConfigError`."""
        return self._assembly(self._settings(name), None).proxy(url)

    def price(self, name: str, model: str) -> Price | None:
        """Return the price of a model: the configured one, else the catalogue's, else None."""
        configured = self.configured_price(name, model)
        if configured is not None:
            return configured
        from fennec_cli.catalogue import lookup

        known = lookup(self._settings(name).type, model)
        return known.price if known else None

    def configured_price(self, name: str, model: str) -> Price | None:
        """Return what `[provider.NAME.prices]` says of a model."""
        return self._settings(name).prices.get(model)

    def cost(self, name: str, model: str, usage: TokenUsage) -> float | None:
        """Return what an answer cost, in USD; None where the price is unknown."""
        price = self.price(name, model)
        return price.cost_usd(usage) if price else None

    def own_price(self, name: str) -> Price | None:
        """What models on this machine cost: nothing. None for those of others."""
        return Price(0.0, 0.0) if self._settings(name).type in ("local", "ollama") else None

    def purse(self, name: str, model: str) -> "Purse":
        """What a model costs, and how long its answers are."""
        from fennec_cli.metrics import name_of, recent
        from fennec_cli.stages.budget import Purse

        return Purse(
            self.price(name, model) or self.own_price(name),
            f"{name}/{model}",
            self._settings(name).max_tokens,
            lambda: recent(self.state.get(name_of(name, model))).output_tokens,
        )

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

    def close(self, *, ends_process: bool = False) -> None:
        """Close what is open. At the end of the process the shared state is left to the system (see `store.disk`)."""
        for provider in self._providers.values():
            provider.close()
        for engine in self._engines:
            engine.close()
        self._providers.clear()
        self._engines.clear()
        if ends_process and isinstance(self.state, SharedState):
            self.state.leave()
        else:
            self.state.close()

    def _check(self, name: str) -> None:
        """An unknown provider and an unknown type are errors here, before anything is read."""
        settings = self._settings(name)
        if settings.type not in PROVIDERS:
            provider_module(settings.type, name=name)

    def _is_provider(self, name: str) -> bool:
        return name in PROVIDERS or name in self._config.providers

    def is_usable(self, name: str) -> bool:
        """Whether the configuration, a key or an installed engine makes this provider usable. Opens nothing."""
        settings = self._settings(name)
        if settings.type not in PROVIDERS:
            return True  # somebody wrote a table for it; what it lacks shows when it is asked
        if settings.type == "local":
            return find_spec("xllamacpp") is not None
        if settings.type == "ollama" and (name in self._config.providers or self._environ.get("OLLAMA_HOST")):
            return True
        module = provider_module(settings.type)
        configured = self._config.providers.get(name)
        return has_key(name, own_variables(module, settings), self._environ) or bool(
            configured
            and (
                configured_key(configured, self._environ)
                or configured_keys(configured, self._environ)
                or configured.key_command
                or configured.base_url
                or configured.extra.get("token_command")
            )
        )

    def _first_usable(self) -> tuple[str, str]:
        for name in _BY_KEY:
            if self.is_usable(name):
                return name, "its key is present"
        if self.is_usable("ollama"):
            return "ollama", "it is configured"
        if self._offline:
            return _BY_KEY[0], UNDECIDED
        from fennec_cli.transport.probe import answers

        if answers("127.0.0.1", OLLAMA_PORT, within_s=0.2):
            self._say(0, "using the Ollama that answers on this machine; name a provider to choose another")
            return "ollama", "it answers on this machine"
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
        model = self._assembly(settings, None).default_model()
        if model is None and settings.type == "ollama" and not self._offline:
            model = self._newest_installed(name)
        if model is None:
            raise ConfigError(f"{name} has no default model", hint=f"name one with -m {name}/MODEL")
        return model

    def _newest_installed(self, name: str) -> str | None:
        from fennec_cli.providers import ollama

        provider = self._assembly(self._settings(name), None)
        return ollama.newest(provider.provider().send(ollama.build_models_request(provider.endpoint())))

    def _assembly(self, settings: ProviderConfig, model: str | None) -> Assembly:
        return Assembly(
            settings,
            model,
            overrides=self._overrides,
            environ=self._environ,
            say=self._say,
            keys=self._keys,
            state=self.state,
            record=self._record,
        )

    def _build(self, name: str, model: str | None) -> "_Provider":
        settings = self._settings(name)
        assembly = self._assembly(settings, model)
        if settings.type == "local":
            wanted = model or self._default_model(name)
            return assembly.local(lambda: self._running.get(wanted) or self.start_engine(name, wanted))
        if has_regions(settings):
            from fennec_cli.regional import RegionalProvider

            return RegionalProvider(assembly.regional(), say=self._say)
        return assembly.provider()

    def start_engine(self, name: str, model: str, *, parallel: int = 1) -> "Engine":
        """Load a local model, for so many requests at once, until this registry is closed."""
        from fennec_cli.engine import start_engine
        from fennec_cli.model_files import ModelManager, is_file_name

        if model in self._config.project_models and is_file_name(model):
            from fennec_cli.config.project import file_refused

            raise file_refused(self._config.project_models[model])
        settings = self._settings(name)
        engine = start_engine(
            ModelManager(environ=self._environ).path_of(model),
            model_id=model,
            context=settings.extra.get("num_ctx"),
            gpu_layers=settings.extra.get("gpu_layers"),
            parallel=parallel,
        )
        self._engines.append(engine)
        return engine
