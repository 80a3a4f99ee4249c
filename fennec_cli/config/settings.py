"""What the configuration says, as data. None means: not said here, the user of the value has its own default.

These are named tuples because every run pays for their making: 0.5 ms for one of 25 fields, where a frozen slotted
dataclass takes 2.7 ms (measured with Python 3.11).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from fennec_cli.backoff import RetryConfig
from fennec_cli.circuit import CircuitBreaker
from fennec_cli.errors import ConfigError
from fennec_cli.providers import PROVIDERS
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.config.source import Origin
    from fennec_cli.pricing import Price

# The providers that exist without configuration. A provider of another name says which of them it speaks like.
PROVIDER_TYPES = tuple(PROVIDERS)
EMPTY: Mapping[str, Any] = MappingProxyType({})


class ProviderConfig(NamedTuple):
    """One `[provider.NAME]` table. Timeouts are seconds. Strings keep their `${VAR}` until `expand`."""

    name: str
    type: str
    api: Literal["auto", "responses", "chat"] = "auto"
    api_key: str | None = None
    api_keys: tuple[str, ...] = ()
    key_command: tuple[str, ...] = ()
    max_age: float | None = None  # seconds
    base_url: str | None = None
    headers: Mapping[str, str] = EMPTY
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    timeout: float | None = None
    connect_timeout: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    proxy: str | None = None
    ca_bundle: str | None = None
    client_cert: tuple[str, ...] = ()
    tls_min: Literal["1.2", "1.3"] = "1.3"
    x509_strict: bool = True
    allow_insecure_http: bool = False
    send_key_insecure: bool = False
    extra: Mapping[str, Any] = EMPTY  # by the keys of `schema.EXTRA`
    prices: "Mapping[str, Price]" = EMPTY
    retry: RetryConfig = RetryConfig()
    breaker: CircuitBreaker = CircuitBreaker()
    rpm: float | None = None  # requests and tokens a minute
    tpm: float | None = None
    burst: float | None = None
    max_parallel: int = 16
    max_wait: float | None = None
    private: str | None = None  # `required`: only private requests, and nothing that cannot keep them so

    def __repr__(self) -> str:
        return f"ProviderConfig(name={self.name!r}, type={self.type!r}, ...)"  # key and headers are secrets


class LogConfig(NamedTuple):
    """The `[log]` table."""

    file: str | None = None
    level: str | None = None


class MetricsConfig(NamedTuple):
    """The `[metrics]` table. `file` is written after each run, for Prometheus' node exporter."""

    enabled: bool = True
    file: str | None = None


class SemanticConfig(NamedTuple):
    """The `[cache.semantic]` table. `embeddings` is `local` or a model `provider/model`; None: the built-in default."""

    enabled: bool = False
    threshold: float | None = None
    embeddings: str = "local"


class CacheConfig(NamedTuple):
    """The `[cache]` table. `ttl` in seconds, `max_size` in bytes.

    `backend` is `disk`, or a server's address, which may hold a password.
    """

    mode: str = "off"
    single_flight: bool = True
    dir: str | None = None
    ttl: float = 86_400.0
    max_size: int = 256 * 1024 * 1024
    encrypt: bool = False
    backend: str = "disk"
    mac_key_file: str | None = None
    semantic: SemanticConfig = SemanticConfig()

    def __repr__(self) -> str:
        return "CacheConfig(...)"


class BudgetConfig(NamedTuple):
    """One `[budget.NAME]` table."""

    usd: float
    per: Literal["day", "month", "run"] = "day"
    unknown_price: Literal["refuse", "allow"] = "refuse"


class FilterConfig(NamedTuple):
    """The `[filter]` table: what is said of each direction, by class."""

    request: Mapping[str, str] = EMPTY
    response: Mapping[str, str] = EMPTY
    preset: str | None = None
    rules: tuple[Mapping[str, str], ...] = ()

    def modes(self, direction: Literal["request", "response"]) -> dict[str, str]:
        """The mode of each class: as said, else by the preset, else by default."""
        said = self.request if direction == "request" else self.response
        return {name: said.get(name) or usual_mode(self.preset, direction, name) for name in ("secrets", "pii")}


def usual_mode(preset: str | None, direction: str, name: str) -> str:
    """What the filter does with a class that nothing is said about."""
    if direction == "response":
        return "off"
    if preset == "strict":
        return "block" if name == "secrets" else "mask"
    return "warn" if name == "secrets" else "off"


class AuditConfig(NamedTuple):
    """The `[audit]` table."""

    enabled: bool = True
    file: str | None = None
    content: Literal["none", "hash", "redacted", "full"] = "none"
    required: bool = False
    fsync: Literal["exit", "always", "never"] = "exit"
    keep: int = 12


class NetworkConfig(NamedTuple):
    """The `[network]` table: defaults of every provider."""

    allow_insecure_http: bool = False
    send_key_insecure: bool = False
    x509_strict: bool = True


class Config(NamedTuple):
    """All layers together. `origins` is keyed like `provider.openai.model`; `notes` are warnings for stderr."""

    model: str | None = None
    provider: str | None = None
    strategy: str | None = None
    candidates: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    format: str | None = None
    deadline: float | None = None
    alias: Mapping[str, str] = EMPTY
    providers: Mapping[str, ProviderConfig] = EMPTY
    commands: Mapping[str, Mapping[str, Any]] = EMPTY
    cache: CacheConfig = CacheConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()
    filter: FilterConfig = FilterConfig()
    audit: AuditConfig = AuditConfig()
    network: NetworkConfig = NetworkConfig()
    budgets: Mapping[str, BudgetConfig] = EMPTY
    digest: str = ""  # of what the files say, but for secrets
    profiles: "Mapping[str, Origin]" = EMPTY
    origins: "Mapping[str, Origin]" = EMPTY
    notes: tuple[str, ...] = ()
    project_models: "Mapping[str, Origin]" = EMPTY  # what a project file calls a model: never a file

    def provider_config(self, name: str) -> ProviderConfig:
        """Return the named provider as configured, or a built-in one with nothing but defaults."""
        if name in self.providers:
            return self.providers[name]
        if name not in PROVIDER_TYPES:
            known = ", ".join(dict.fromkeys([*self.providers, *PROVIDER_TYPES]))
            raise ConfigError(f"unknown provider {name!r:.80}", hint=f"known are {known}")
        return ProviderConfig(
            name=name,
            type=name,
            allow_insecure_http=self.network.allow_insecure_http,
            send_key_insecure=self.network.send_key_insecure,
            x509_strict=self.network.x509_strict,
        )
