"""What the configuration says, as data. None means: not said here, the user of the value has its own default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fennec_cli.backoff import RetryConfig
from fennec_cli.errors import ConfigError

KeyPath = tuple[str, ...]

# The providers that exist without configuration. A provider of another name says which of them it speaks like.
PROVIDER_TYPES = ("openai", "anthropic", "openrouter", "ollama", "azure", "local")


@dataclass(frozen=True, slots=True)
class Origin:
    """The place a value came from. The line is looked for only when somebody asks."""

    file: str
    path: KeyPath
    text: str = field(repr=False)

    @property
    def line(self) -> int:
        from fennec_cli.config.source import find_line

        return find_line(self.text, self.path)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost, in USD per million."""

    input: float
    output: float
    cached: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One `[provider.NAME]` table. Timeouts are seconds. Strings keep their `${VAR}` until `expand`."""

    name: str
    type: str
    api: Literal["auto", "responses", "chat"] = "auto"
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
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
    ca_bundle: str | None = None
    tls_min: Literal["1.2", "1.3"] = "1.3"
    allow_insecure_http: bool = False
    send_key_insecure: bool = False
    num_ctx: int | None = None
    gpu_layers: int | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    retry: RetryConfig = RetryConfig()


@dataclass(frozen=True, slots=True)
class LogConfig:
    """The `[log]` table."""

    file: str | None = None
    level: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The `[network]` table: defaults of every provider."""

    allow_insecure_http: bool = False
    send_key_insecure: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """All layers together. `origins` is keyed like `provider.openai.model`; `notes` are warnings for stderr."""

    model: str | None = None
    provider: str | None = None
    format: str | None = None
    deadline: float | None = None
    alias: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    commands: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    log: LogConfig = LogConfig()
    network: NetworkConfig = NetworkConfig()
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

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
        )


def dotted(path: KeyPath) -> str:
    """Write a path as in a TOML file, safe for a terminal: `provider.openai.prices."gpt-5.4"`."""
    return ".".join(_part(name) for name in path)


def _part(name: str) -> str:
    bare = name.replace("-", "").replace("_", "")
    if bare.isascii() and bare.isalnum() and len(name) <= 80:
        return name
    escaped = name[:80].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if escaped.isprintable() else '"' + ascii(escaped)[1:-1] + '"'
