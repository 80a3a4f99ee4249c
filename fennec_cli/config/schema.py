"""Which keys exist, what they hold, and which of them a project file may set. A new key is a new row.

Rows made by `_project` may stand in a file nobody vouched for (see `project`): none of them names a host or a file,
reads one (`@FILE`), or carries a secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fennec_cli.config.kinds import (
    Kind,
    backend,
    certificate,
    choice,
    command,
    duration,
    failures,
    filter_rules,
    flag,
    free_table,
    header_name,
    header_value,
    integer,
    keep_alive,
    name,
    number,
    provider_name,
    regions,
    size,
    text,
    texts,
    usd,
)


@dataclass(frozen=True, slots=True)
class Key:
    """One value. `ranks` are its values from lax to strict where a project file may make it stricter only."""

    kind: Kind
    project: bool = False
    ranks: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Named entries; `each` is what stands under a name that the user chooses, `plain` a value in the table's place."""

    keys: "Mapping[str, Key | Table]" = field(default_factory=dict)
    each: "Key | Table | None" = None
    names: Kind = name
    plain: Key | None = None

    def entry(self, key: str) -> "Key | Table | None":
        return self.keys.get(key, self.each)


def _project(kind: Kind) -> Key:
    return Key(kind, project=True)


FORMAT = _project(choice("text", "ndjson", "json"))

SAMPLING = {
    "max_tokens": _project(integer(1)),
    "temperature": _project(number(0)),
    "top_p": _project(number(0, 1)),
    "seed": _project(integer()),
    "stop": _project(texts),
    "reasoning_effort": _project(name),
}

TIMEOUTS = {
    "timeout": _project(duration),
    "connect_timeout": _project(duration),
    "first_token_timeout": _project(duration),
    "idle_timeout": _project(duration),
}

NETWORK = {
    "allow_insecure_http": Key(flag),
    "send_key_insecure": Key(flag),
    "x509_strict": Key(flag),
}

RETRY = Table(
    {
        "max_attempts": Key(integer(1)),
        "initial_delay": Key(duration),
        "max_delay": Key(duration),
        "backoff_factor": Key(number(1)),
        "jitter": Key(choice("full", "equal", "none")),
        "max_retry_after": Key(duration),
    }
)

BREAKER = Table({"threshold": Key(integer(1)), "timeout": Key(duration)})

LIMITS = {
    "rpm": _project(number(0.001)),
    "tpm": _project(number(0.001)),
    "burst": _project(number(1)),
    "max_parallel": _project(integer(1, 256)),
    "max_wait": _project(duration),
}

PRICE = Table(
    {
        "input": Key(usd),
        "output": Key(usd),
        "cached": Key(usd),
    }
)

# What only some providers know; their modules read it from `Endpoint.extra`.
EXTRA = {
    "num_ctx": Key(integer(1)),
    "gpu_layers": Key(integer(-1)),
    "keep_alive": Key(keep_alive),
    "routing": Key(free_table),
    "api_version": Key(name),
    "endpoint": Key(name),
    "resource": Key(name),
    "deployment": Key(name),
    "regions": Key(regions),
    "allowed_regions": Key(texts),
    "token_command": Key(command),
}

PROVIDER = Table(
    {
        "type": Key(name),  # packages add types (`providers.ENTRY_POINTS`): a wrong one shows when it is used
        "api": Key(choice("auto", "responses", "chat")),
        "api_key": Key(text),
        "api_keys": Key(texts),
        "key_command": Key(command),
        "max_age": Key(duration),
        "base_url": Key(text),
        "headers": Table(each=Key(header_value), names=header_name),
        "model": _project(name),
        **SAMPLING,
        **TIMEOUTS,
        "proxy": Key(name),
        "ca_bundle": Key(name),
        "client_cert": Key(certificate),
        "tls_min": Key(choice("1.2", "1.3")),
        **NETWORK,
        **EXTRA,
        **LIMITS,
        "private": _project(choice("required")),
        "prices": Table(each=PRICE),
        "retry": RETRY,
        "breaker": BREAKER,
    }
)

# A project file may only make a budget tighter (`project`).
BUDGET = Table(
    {
        "usd": _project(usd),
        "per": _project(choice("day", "month", "run")),
        "unknown_price": _project(choice("refuse", "allow")),
    }
)

CACHE_MODE = choice("use", "refresh", "off", "only")
FILTER_MODES = ("off", "warn", "mask", "block")
_FILTER_MODE = Key(choice(*FILTER_MODES), project=True, ranks=FILTER_MODES)
_DIRECTION = Table({"secrets": _FILTER_MODE, "pii": _FILTER_MODE}, plain=_FILTER_MODE)

FILTER = Table(
    {
        "request": _DIRECTION,
        "response": _DIRECTION,
        "preset": _project(choice("strict")),
        "rules": Key(filter_rules),
    }
)

AUDIT = Table(
    {
        "enabled": Key(flag),
        "file": Key(name),
        "content": Key(choice("none", "hash", "redacted", "full")),
        "required": Key(flag),
        "fsync": Key(choice("exit", "always", "never")),
        "keep": Key(integer(1)),
    }
)

STRATEGY = _project(choice("manual", "automatic", "fallback", "cost"))

COMPLETE = Table(
    {
        "model": _project(name),
        "provider": _project(name),
        "system": Key(text),
        **SAMPLING,
        "option": Key(texts),
        "tools": Key(name),
        "tool_choice": Key(name),
        "schema": Key(name),
        "input": Key(choice("text", "lines", "nul", "ndjson")),
        "file": Key(texts),
        "attach": Key(texts),
        "no_stdin": Key(flag),
        "encoding_errors": Key(choice("strict", "replace")),
        "format": FORMAT,
        "output": Key(name),
        "extract": Key(flag),
        "reasoning": Key(flag),
        "atomic": Key(flag),
        "no_stream": Key(flag),
        "strategy": STRATEGY,
        "fallback": Key(texts),
        **TIMEOUTS,
        "deadline": _project(duration),
        "retries": Key(integer(0)),
        "max_wait": _project(duration),
        "no_breaker": Key(flag),
        "rpm": _project(number(0.001)),
        "tpm": _project(number(0.001)),
        "max_cost": _project(usd),
        "budget": _project(name),
        "jobs": Key(integer(1)),
        "ordered": Key(flag),
        "allow_row_model": Key(flag),
        "attach_root": Key(name),
        "resume": Key(name),
        "dead_letter": Key(name),
        "fail_fast": Key(flag),
        "max_failures": Key(failures),
        "shard": Key(name),
        "on_interrupt": Key(choice("fail", "resume", "restart")),
        "allow_truncated": Key(flag),
        "allow_filtered": Key(flag),
        "cache": _project(CACHE_MODE),
        "no_cache": _project(flag),
        "offline": _project(flag),
        "cache_ttl": _project(duration),
        "semantic": Key(flag),
        "semantic_threshold": Key(number(0, 1)),
        "fingerprint": Key(flag),
        "usage": Key(flag),
        "dry_run": Key(flag),
        "quiet": Key(flag),
        "verbose": Key(integer(0)),
        "log_file": Key(name),
        "metrics_file": Key(name),
        "no_color": Key(flag),
        "redact": Key(choice(*FILTER_MODES)),
        "private": Key(flag, project=True, ranks=(False, True)),
        "audit": Key(name),
        "api_key_file": Key(name),
    }
)

BENCH = Table(
    {
        "model": _project(texts),
        "models_from": Key(name),
        "requests": _project(integer(1)),
        "duration": _project(duration),
        "jobs": _project(integer(1, 1024)),
        "rate": _project(number(0.001)),
        "arrival": _project(choice("poisson", "constant")),
        "sweep": Key(flag),
        "warmup": _project(integer(0)),
        "seed": _project(integer()),
        "slo": _project(name),
        "max_cost": Key(usd),
        "set": _project(name),
        "input": Key(choice("text", "lines", "nul", "ndjson")),
        "system": Key(text),
        "max_tokens": _project(integer(1)),
        "temperature": _project(number(0)),
        "option": Key(texts),
        "baseline": Key(name),
        "max_regression": _project(name),
        "format": _project(choice("table", "json", "ndjson", "csv")),
        "output": Key(name),
        "report": Key(name),
        "self": Key(flag),
        **TIMEOUTS,
        "retries": Key(integer(0)),
        "breaker": Key(flag),
        "cache": Key(choice("off", "use", "refresh")),
        "api_key_file": Key(name),
        "quiet": Key(flag),
        "verbose": Key(integer(0)),
        "log_file": Key(name),
        "no_color": Key(flag),
    }
)

COMMANDS = {"complete": COMPLETE, "bench": BENCH}

_BELOW_A_PROFILE: Mapping[str, Key | Table] = {
    "model": _project(name),
    "provider": Table(each=PROVIDER, names=provider_name, plain=_project(name)),
    "strategy": STRATEGY,
    "candidates": _project(texts),
    "fallback": Key(texts),
    "format": FORMAT,
    "deadline": _project(duration),
    "alias": Table(each=_project(name)),
    **COMMANDS,
    "cache": Table(
        {
            "mode": _project(CACHE_MODE),
            "single_flight": Key(flag),
            "dir": Key(name),
            "ttl": _project(duration),
            "max_size": Key(size),
            "encrypt": Key(flag),
            "backend": Key(backend),
            "mac_key_file": Key(name),
            "semantic": Table({"enabled": Key(flag), "threshold": Key(number(0, 1)), "embeddings": Key(name)}),
        }
    ),
    "budget": Table(each=BUDGET),
    "filter": FILTER,
    "audit": AUDIT,
    "metrics": Table({"enabled": Key(flag), "file": Key(name)}),
    "log": Table({"file": Key(name), "level": Key(choice("debug", "info", "warning", "error"))}),
    "network": Table(NETWORK),
}

ROOT = Table({**_BELOW_A_PROFILE, "profile": Table(each=Table(_BELOW_A_PROFILE))})
