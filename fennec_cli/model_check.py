"""Whether each provider can be reached and takes the key: asked by what costs nothing, its list of models.

Beside it stand the circuits that all processes share, which can be closed here.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

from fennec_cli.circuit import CircuitState, reset, state_of
from fennec_cli.config import Config
from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import AuthenticationError, ConfigError, FennecError, RequestError
from fennec_cli.listing import asked_names, for_programs, one_server
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import write_out
from fennec_cli.output.table import table
from fennec_cli.registry import ProviderRegistry
from fennec_cli.store import StateStore
from fennec_cli.threads import at_once
from fennec_cli.transport import HTTPProvider
from fennec_cli.tuples import NamedTuple

HEADER = (
    "PROVIDER", "STATE", "ADDRESS", "PROXY", "TLS", "ISSUER", "KEY", "LATENCY", "MODELS", "CIRCUIT", "NOTE"
)  # fmt: skip


class Circuit(NamedTuple):
    """The circuit of a model: its state, and for how many seconds nothing is sent."""

    model: str
    state: CircuitState
    open_s: float


@dataclass(frozen=True, slots=True)
class Check:
    """What was seen of one provider. None stands for what was not seen, or does not exist (TLS of plain http)."""

    provider: str
    url: str | None = None
    key: str | None = None  # where it comes from
    key_accepted: bool | None = None
    proxy: str | None = None
    address: str | None = None  # the proxy's, if there is one
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    tls: str | None = None
    issuer: str | None = None
    latency_ms: float | None = None  # from the call to the head of its answer, connecting included
    models: int | None = None
    message: str = ""
    failure: FennecError | None = None
    circuits: tuple[Circuit, ...] = ()  # those that are not closed

    @property
    def row(self) -> dict[str, Any]:
        failure = self.failure
        return {
            "provider": self.provider,
            "ok": failure is None,
            "url": self.url,
            "proxy": self.proxy,
            "address": self.address,
            "dns_ms": self.dns_ms,
            "connect_ms": self.connect_ms,
            "tls_ms": self.tls_ms,
            "tls": self.tls,
            "issuer": self.issuer,
            "key": self.key,
            "key_accepted": self.key_accepted,
            "latency_ms": self.latency_ms,
            "models": self.models,
            "circuits": [circuit._asdict() for circuit in self.circuits],
            "class": failure.error_class if failure else "ok",
            "message": failure.line().partition(": ")[2] if failure else self.message,
        }


def run_check(config: Config, provider: str | None, output_format: str, *, closes: bool = False) -> int:
    """Run `fennec models check` and return its exit status: the first failure's, when a provider failed.

    With `closes` the circuits of these providers are closed first.
    """
    import fennec_cli.transport.client  # noqa: F401 - loading it takes longer than many an answer

    registry, notes = ProviderRegistry(config), Notes()
    try:
        names = asked_names(registry, provider)
        if closes:
            closed = sum(close_circuits(registry.state, name) for name in names)
            notes.warn(f"closed {closed} circuit{'' if closed == 1 else 's'}")
        found = at_once(lambda name: check(registry, name), names)
        checks = [replace(each, circuits=circuits(registry.state, each.provider)) for each in found]
    finally:
        registry.close()
    write_out(rendered(checks, output_format))
    failures = [each.failure for each in checks if each.failure]
    for failure in failures:
        notes.error(failure)
    return failures[0].exit_status if failures else 0


def check(registry: ProviderRegistry, name: str) -> Check:
    """Ask one provider; what fails is part of the answer."""
    seen, server = Check(name), None
    try:
        kind = registry.type_of(name)
        if kind == "local":
            return _check_local(registry, name)
        server = one_server(registry, name)
        seen = replace(seen, url=server.endpoint.base_url)
        proxy = registry.proxy(name, server.endpoint.base_url)
        seen = replace(seen, proxy=proxy.shown if proxy else None)
        place = registry.key_place(name)
        seen = replace(seen, key=place.name if place else None)
        models = try_key(registry, name)
    except FennecError as error:
        refused = isinstance(error, AuthenticationError) and error.status in (401, 403)
        return replace(_with_link(seen, server), failure=error, key_accepted=False if refused else None)
    seen = replace(_with_link(seen, server), models=len(models))
    return replace(seen, key_accepted=True if seen.key else None)


def _with_link(seen: Check, server: HTTPProvider | None) -> Check:
    """Add how the server answered, if it did."""
    if server is None or server.link is None:
        return seen
    link, path = server.link, server.link.seen
    return replace(
        seen,
        address=path.address or None,
        dns_ms=_ms(path.resolve_s),
        connect_ms=_ms(path.connect_s),
        tls_ms=_ms(path.tls_s) if link.tls else None,
        tls=link.tls,
        issuer=server.issuer,
        latency_ms=_ms(link.head_s),
    )


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)


def circuits(state: StateStore, provider: str) -> tuple[Circuit, ...]:
    """Return the provider's circuits that are not closed, by model."""
    found = []
    for name, record in state.scan(f"circuit|{provider}|"):
        status, left = state_of(record, time.time())
        if status != "closed":
            found.append(Circuit(name.split("|", 3)[3], status, round(left, 1)))
    return tuple(sorted(found))


def close_circuits(state: StateStore, provider: str) -> int:
    """Close the provider's circuits and return how many were not."""
    names = [name for name, record in state.scan(f"circuit|{provider}|") if record["state"] != "closed"]
    for name in names:
        state.update([name], lambda records: ([reset(records[0])], None))
    return len(names)


def try_key(registry: ProviderRegistry, name: str) -> list[ModelInfo]:
    """Ask a provider something that costs nothing and needs the key: its list of models. Raises what it answers."""
    if registry.type_of(name) == "openrouter":
        _ask_for_limits(one_server(registry, name))
    return registry.list_models(name)


def _ask_for_limits(server: HTTPProvider) -> None:
    """Ask OpenRouter for the key's limits, as its list of models is public. A gateway may not know that question."""
    from fennec_cli.providers.openrouter import build_key_request

    try:
        server.send(build_key_request(server.endpoint))
    except RequestError as error:
        if error.status != 404:
            raise


def rendered(checks: list[Check], output_format: str) -> bytes:
    """The checks as a JSON array, NDJSON, or a table."""
    if output_format != "table":
        return for_programs([each.row for each in checks], output_format)
    return table([HEADER, *map(_cells, checks)]).encode()


def _check_local(registry: ProviderRegistry, name: str) -> Check:
    from fennec_cli.engine import engine_version

    engine = f"xllamacpp {engine_version()}"
    models = registry.list_models(name)
    if not models:
        hint = "run `fennec models pull local/smollm2-135m`"
        return Check(name, models=0, failure=ConfigError(f"{name}: no model is installed", hint=hint))
    return Check(name, models=len(models), message=engine)


def _cells(each: Check) -> tuple[str, ...]:
    latency = "-" if each.latency_ms is None else f"{each.latency_ms:.0f} ms"
    models = "-" if each.models is None else str(each.models)
    circuit = ", ".join(
        f"{found.state.replace('_', '-')} {found.open_s:.0f} s ({found.model})" for found in each.circuits
    )
    # Why one failed stands on standard error, in a line that may be long.
    return (
        each.provider,
        each.row["class"],
        each.url or "-",
        each.proxy or "-",
        each.tls or "-",
        each.issuer or "-",
        f"{each.key or '-'}{' REFUSED' if each.key_accepted is False else ''}",
        latency,
        models,
        circuit or "closed",
        each.message,
    )
