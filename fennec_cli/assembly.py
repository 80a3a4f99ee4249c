"""One provider's settings to a working provider: where it is, how it is reached, how long it may take."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from fennec_cli.backoff import DEFAULT_MAX_WAIT_S
from fennec_cli.config import ProviderConfig, check_base_url, expand, is_plain_http
from fennec_cli.credentials import Credentials
from fennec_cli.dialects.base import Endpoint
from fennec_cli.keys import MASK, Secret, masked_header
from fennec_cli.keys.source import KeySources
from fennec_cli.providers import provider_module
from fennec_cli.redactor import hide
from fennec_cli.request import Sampling
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import PutOnRecord, Say, no_record, silent

if TYPE_CHECKING:
    from fennec_cli.admission import Rules
    from fennec_cli.dialects.base import HTTPCall
    from fennec_cli.engine import Engine
    from fennec_cli.regions import Region
    from fennec_cli.request import CompletionRequest
    from fennec_cli.store import StateStore
    from fennec_cli.transport import HTTPProvider
    from fennec_cli.transport.client import HTTPClient
    from fennec_cli.transport.patience import Limits
    from fennec_cli.transport.proxy import Proxy

LINGER_S = 0.1  # for the end of an answer: a new connection to a provider takes about as long
_T = TypeVar("_T")


class Overrides(NamedTuple):
    """What the command line says about every provider; None leaves it to the configuration. Seconds."""

    timeout: float | None = None
    connect_timeout: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    api_key_file: str | None = None
    key: Secret | None = None  # this one and no other: to see whether it works
    rpm: float | None = None  # a minute
    tpm: float | None = None
    max_wait: float | None = None
    no_breaker: bool = False
    many: bool = False  # requests follow each other: their connections are used again


class Assembly:
    """Builds the provider of one `[provider.NAME]` table for one model. Opens nothing."""

    def __init__(
        self,
        settings: ProviderConfig,
        model: str | None,
        *,
        overrides: Overrides = Overrides(),
        environ: Mapping[str, str] = os.environ,
        say: Say = silent,
        keys: KeySources | None = None,
        state: "StateStore | None" = None,
        record: PutOnRecord = no_record,
    ) -> None:
        self._settings = settings
        self._model = model
        self._overrides = overrides
        self._environ = environ
        self._say = say
        self._module = provider_module(settings.type, name=settings.name)
        self.credentials = Credentials(
            settings,
            self._module,
            given=overrides.key,
            key_file=overrides.api_key_file,
            environ=environ,
            say=say,
            keys=keys,
            state=state,
            record=record,
        )
        self._called: Endpoint | None = None

    def call(self, request: "CompletionRequest") -> "HTTPCall":
        """Return the call that the provider makes, in its first region where it has some, but for the key."""
        if self._called is None:
            self._called = self._regions()[0][1] if has_regions(self._settings) else self.endpoint()
        return self._module.build_request(request, self._called)

    def provider(self) -> "HTTPProvider":
        """Return the provider at its one address."""
        return self._at(self.endpoint())

    def regional(self) -> "list[tuple[Region, HTTPProvider]]":
        """Return the provider in each allowed region, in order. Raises `Blocked` when none is allowed."""
        return [(region, self._at(endpoint)) for region, endpoint in self._regions()]

    def local(self, start: "Callable[[], Engine]") -> "HTTPProvider":
        """Return the embedded engine as a provider; `start` loads the model on first use."""
        from fennec_cli.transport import HTTPProvider

        engines: list[Engine] = []

        def begin() -> "Engine":
            engines.append(start())
            return engines[0]

        engine = once(begin)

        def connect() -> "HTTPClient":
            from fennec_cli.transport.client import HTTPClient

            return HTTPClient(uds=str(engine().socket_path), linger_s=self._linger_s)

        return HTTPProvider(
            self._module,
            self.endpoint(),
            connect,
            key=lambda: engines[0].token if engines else None,
            limits=self._limits(),
            trace=lambda line: self._say(3, line),
        )

    def default_model(self) -> str | None:
        """The configured model, else the provider's own default, if it has one."""
        if self._settings.model is None and self._settings.type == "azure":
            from fennec_cli.providers.azure import default_model

            return default_model(self._settings.extra)
        return self._settings.model or self._module.DEFAULT_MODEL

    def endpoint(self) -> Endpoint:
        """Where the provider is, and what its settings add to every request. Raises `ConfigError`."""
        settings, where = self._settings, f"provider.{self._settings.name}"
        headers: dict[str, str] = {}
        if settings.name == settings.type:
            for variable, header in self._module.HEADER_VARIABLES.items():
                if self._environ.get(variable):
                    headers[header] = self._environ[variable]
        for header, value in settings.headers.items():
            headers[header.lower()] = expand(value, self._environ, f"{where}.headers.{header}")
            if masked_header(header, value) == MASK:
                hide(headers[header.lower()])
        base_url = expand(settings.base_url, self._environ, f"{where}.base_url") if settings.base_url else self._found()
        if settings.type != "local":
            check_base_url(base_url, allow_insecure_http=settings.allow_insecure_http)
        return Endpoint(
            name=settings.name,
            base_url=base_url,
            api=settings.api,
            headers=headers,
            defaults=self._defaults(),
            extra=self._extra(),
        )

    def origin(self) -> str:
        """Scheme, host and port: what fails and is limited together."""
        if self._settings.type == "local":
            return "local"
        scheme, _, rest = self.endpoint().base_url.partition("://")
        return f"{scheme.lower()}://{rest.partition('/')[0].lower()}"

    def rules(self, *, single: bool) -> "Rules":
        """What may be sent to the provider; `single` is for one prompt whose user waits."""
        from fennec_cli.admission import Rules
        from fennec_cli.bucket import RateLimiter

        given, settings = self._overrides, self._settings
        rpm, tpm = given.rpm or settings.rpm, given.tpm or settings.tpm
        max_wait = given.max_wait if given.max_wait is not None else settings.max_wait
        return Rules(
            breaker=None if given.no_breaker else settings.breaker,
            requests=RateLimiter.per_minute(rpm, None if given.rpm else settings.burst) if rpm else None,
            tokens=RateLimiter.per_minute(tpm) if tpm else None,
            max_parallel=settings.max_parallel,
            max_wait=DEFAULT_MAX_WAIT_S if max_wait is None else max_wait,
            single=single,
            announced=os.isatty(2),
        )

    def _regions(self) -> "list[tuple[Region, Endpoint]]":
        from fennec_cli.regions import located, regions_in_order

        endpoint = self.endpoint()
        model = self.default_model()
        found = regions_in_order(endpoint.extra, endpoint.base_url)
        for region in found:
            where = f"the endpoint of region {region.name}"
            check_base_url(region.endpoint, allow_insecure_http=self._settings.allow_insecure_http, where=where)
        return [(region, located(endpoint, region, model)) for region in found]

    def _found(self) -> str:
        """The address where the configuration names none: the environment's, else the provider's own."""
        if self._settings.type == "azure":
            from fennec_cli.providers.azure import base_url

            return base_url(self._settings.extra, self._environ)
        given = ""
        if self._settings.name == self._settings.type:
            given = self._environ.get(self._module.BASE_URL_VARIABLE or "", "")
        if given and self._settings.type == "ollama":
            from fennec_cli.providers.ollama import base_url_from_host

            return base_url_from_host(given)
        return given or self._module.DEFAULT_BASE_URL

    def _extra(self) -> Mapping[str, object]:
        extra = self._settings.extra
        if self._settings.type == "azure":
            from fennec_cli.providers.azure import settled

            return settled(extra, self._environ, self.default_model())
        if self._settings.type == "openrouter" and "models" in extra.get("routing", {}):
            routing = {key: value for key, value in extra["routing"].items() if key != "models"}
            return {**extra, "routing": routing, "fallback_models": extra["routing"]["models"]}
        return extra

    def _at(self, endpoint: Endpoint) -> "HTTPProvider":
        from fennec_cli.transport import HTTPProvider

        plain = is_plain_http(endpoint.base_url)
        tls = once(self._tls)

        def connect() -> "HTTPClient":
            from fennec_cli.transport.client import HTTPClient

            if not self._wants_proxy():
                return HTTPClient(None if plain else tls(), linger_s=self._linger_s)
            from fennec_cli.transport.network import Network

            proxy = self.proxy(endpoint.base_url)
            over_tls = proxy is not None and proxy.scheme == "https"
            network = Network(proxy=proxy, forwards=plain, proxy_context=tls() if over_tls else None)
            return HTTPClient(None if plain else tls(), network=network, linger_s=self._linger_s)

        return HTTPProvider(
            self._module,
            endpoint,
            connect,
            key=lambda: self.credentials.key(endpoint.base_url),
            renew=self.credentials.renew,
            accepted=self.credentials.accepted,
            slot=lambda: self.credentials.slot,
            limits=self._limits(),
            reasons=self._reasons,
            trace=lambda line: self._say(3, line),
        )

    def proxy(self, url: str) -> "Proxy | None":
        """The proxy between us and `url`. Raises `ConfigError` for one that cannot be used."""
        from fennec_cli.transport.proxy import proxy_for

        setting = f"provider.{self._settings.name}.proxy"
        configured = expand(self._settings.proxy, self._environ, setting) if self._settings.proxy else None
        proxy = proxy_for(url, configured, self._environ, setting)
        if proxy is not None and proxy.password:
            hide(proxy.password)
            hide(proxy.basic or "")
        return proxy

    def _wants_proxy(self) -> bool:
        """Whether anything speaks of a proxy at all: most runs need not know how one is found."""
        return bool(self._settings.proxy) or any(name[-6:].upper() == "_PROXY" for name in self._environ)

    def _tls(self) -> Any:  # a context; its module has one home
        from fennec_cli.transport.tls import tls_context

        settings = self._settings
        if settings.tls_min == "1.2":
            self._say(0, f"{settings.name}: TLS 1.2 is allowed by tls_min; have the gateway learn 1.3")
        return tls_context(
            ca_bundle=settings.ca_bundle,
            client_cert=settings.client_cert,
            tls_min=settings.tls_min,
            x509_strict=settings.x509_strict,
            environ=self._environ,
        )

    @property
    def _linger_s(self) -> float:
        return LINGER_S if self._overrides.many else 0.0

    def _limits(self) -> "Limits":
        from fennec_cli.transport.patience import Limits

        given, settings, default = self._overrides, self._settings, self._module_limits()
        idle = given.idle_timeout if given.idle_timeout is not None else settings.idle_timeout
        return Limits(
            connect=_first(given.connect_timeout, settings.connect_timeout, default.connect),
            first_event=_first(given.first_token_timeout, settings.first_token_timeout, default.first_event),
            idle=default.idle if idle is None else idle,
            idle_reasoning=default.idle_reasoning if idle is None else idle,
            attempt=given.timeout if given.timeout is not None else settings.timeout,
        )

    def _module_limits(self) -> "Limits":
        """Ollama loads models from disk before it answers."""
        from fennec_cli.transport.patience import Limits

        return Limits(first_event=600.0) if self._settings.type == "ollama" else Limits()

    def _reasons(self, model: str) -> bool:
        from fennec_cli.catalogue import lookup

        known = lookup(self._settings.type, model)
        return known is not None and "reasoning" in known.capabilities

    def _defaults(self) -> Sampling:
        """Sampling from the configuration, without what the model is known to refuse."""
        settings = self._settings
        defaults = Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            seed=settings.seed,
            stop=settings.stop,
            reasoning_effort=settings.reasoning_effort,
        )
        if self._model is None or (defaults.temperature is None and defaults.top_p is None):
            return defaults
        from fennec_cli.catalogue import lookup, refuses_sampling

        known = lookup(settings.type, self._model)
        if known is None or not refuses_sampling(known, defaults.reasoning_effort):
            return defaults
        self._say(1, f"{settings.name}/{self._model} refuses sampling options: temperature and top_p are left out")
        return defaults._replace(temperature=None, top_p=None)


def once(make: Callable[[], _T]) -> Callable[[], _T]:
    """Return what gives the result of the first `make` to all threads; one that fails is made again."""
    lock, made = threading.Lock(), list[_T]()

    def get() -> _T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def has_regions(settings: ProviderConfig) -> bool:
    """Whether the provider is served at several places, or only some of them are allowed."""
    return bool(settings.extra.get("regions")) or settings.extra.get("allowed_regions") is not None


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)
