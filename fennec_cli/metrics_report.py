"""The counters that all processes share, for people, programs and Prometheus."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from fennec_cli import metrics
from fennec_cli.circuit import CircuitState, state_of
from fennec_cli.errors import ConfigError
from fennec_cli.metrics import BOUNDS_S, Histogram, ProviderMetrics
from fennec_cli.output.table import table
from fennec_cli.registry import ProviderRegistry
from fennec_cli.store import ERRORS, StateStore, failure_count
from fennec_cli.tuples import NamedTuple

HEADER = (
    "MODEL",
    "REQUESTS",
    "OK",
    "ERRORS",
    "MEAN",
    "TTFT",
    "TOKENS IN",
    "OUT",
    "COST",
    "PER S",
    "LIMITED",
    "RETRIES",
    "CACHED",
    "CIRCUIT",
)
_WORST: tuple[CircuitState, ...] = ("open", "half_open", "closed")
_QUOTED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Measured(NamedTuple):
    """What was counted of a provider's model. `cost_usd` leaves out tokens whose price nobody knows."""

    provider: str
    model: str
    counted: ProviderMetrics
    cost_usd: float
    circuit: CircuitState


def collect(registry: ProviderRegistry, clock: Callable[[], float] = time.time) -> list[Measured]:
    """Read all counters, sorted by provider and model."""
    now, store = clock(), registry.state
    circuits = _circuits(store, now)
    found = []
    for name, record in store.scan("metrics|"):
        _, provider, model = name.split("|", 2)
        counted = metrics.read(record, now)
        cost = counted.cost_usd + _priced(registry, provider, model, counted)
        found.append(Measured(provider, model, counted, cost, circuits.get((provider, model), "closed")))
    return sorted(found, key=lambda each: (each.provider, each.model))


def reset(store: StateStore) -> int:
    """Forget all counters, and return of how many models there were some."""
    names = [name for name, _ in store.scan("metrics|")]
    for name in (*names, ERRORS):
        store.update([name], lambda _records: ([None], None))
    return len(names)


def rendered(found: list[Measured], output_format: str, store: StateStore) -> bytes:
    """The counters as a table, a JSON array, NDJSON, or Prometheus' text."""
    if output_format == "prometheus":
        return prometheus(found, store)
    if output_format == "table":
        return table([HEADER, *map(_cells, found)]).encode() if found else b"nothing was counted yet\n"
    rows = [row(each) for each in found]
    if output_format == "json":
        return orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in rows)


def row(each: Measured) -> dict[str, Any]:
    """One model for programs. Its schema: `fennec_cli/schemas/metrics.json`."""
    counted, usage = each.counted, each.counted.token_usage
    return {
        "v": 1,
        "provider": each.provider,
        "model": each.model,
        "request_count": counted.request_count,
        "success_count": counted.success_count,
        "error_count": counted.error_count,
        "errors": counted.errors,
        "avg_response_time_s": _rounded(counted.avg_response_time),
        "avg_ttft_s": _rounded(_mean(counted.ttft)),
        "response_time": _histogram_fields(counted.response_time),
        "ttft": _histogram_fields(counted.ttft),
        "requests_per_second": _rounded(counted.requests_per_second),
        "token_usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "cost_usd": _rounded(each.cost_usd),
        "rate_limit_hits": counted.rate_limit_hits,
        "retries": counted.retries,
        "ambiguous_retries": counted.ambiguous_retries,
        "fallbacks": counted.fallbacks,
        "cache_hits": counted.cache_hits,
        "circuit": each.circuit,
    }


def prometheus(found: list[Measured], store: StateStore) -> bytes:
    """Prometheus' text format, version 0.0.4."""
    name = "fennec_state_store_errors_total"
    of_the_store = [
        *_head(name, "counter", "How often a process could not use the shared state."),
        f"{name} {failure_count(store.get(ERRORS))}",
    ]
    return "".join(f"{line}\n" for line in (*_lines(found), *of_the_store)).encode()


def _lines(found: list[Measured]) -> Iterator[str]:
    counters: list[tuple[str, str, Callable[[ProviderMetrics], int | float]]] = [
        ("requests", "Attempts that were sent.", lambda counted: counted.request_count),
        ("successes", "Attempts that gave an answer.", lambda counted: counted.success_count),
        ("retries", "Attempts after the first one.", lambda counted: counted.retries),
        ("ambiguous_retries", "Failures after the answer had begun.", lambda counted: counted.ambiguous_retries),
        ("fallbacks", "Requests that went on to another model.", lambda counted: counted.fallbacks),
        ("cache_hits", "Answers from the cache.", lambda counted: counted.cache_hits),
    ]
    for name, text, value in counters:
        yield from _head(f"fennec_{name}_total", "counter", text)
        for each in found:
            yield _sample(f"fennec_{name}_total", each, value(each.counted))
    yield from _head("fennec_errors_total", "counter", "Attempts that failed, by class.")
    for each in found:
        for error_class, number in sorted(each.counted.errors.items()):
            yield _sample("fennec_errors_total", each, number, **{"class": error_class})
    yield from _head("fennec_rate_limit_hits_total", "counter", "Waits for rate limits: the provider's, or our own.")
    for each in found:
        for place, number in each.counted.rate_limit_hits.items():
            yield _sample("fennec_rate_limit_hits_total", each, number, where=place)
    yield from _head("fennec_tokens_total", "counter", "Tokens; cached are part of input, reasoning of output.")
    for each in found:
        usage = each.counted.token_usage
        for kind in ("input", "output", "cached", "reasoning"):
            yield _sample("fennec_tokens_total", each, getattr(usage, f"{kind}_tokens"), kind=kind)
    yield from _head("fennec_cost_usd_total", "counter", "Cost, as far as prices are known.")
    for each in found:
        yield _sample("fennec_cost_usd_total", each, each.cost_usd)
    yield from _histograms(found, "fennec_response_seconds", "Length of answers.", lambda each: each.response_time)
    yield from _histograms(found, "fennec_ttft_seconds", "Time to first token.", lambda each: each.ttft)
    yield from _head("fennec_requests_per_second", "gauge", "Attempts a second in the last minute.")
    for each in found:
        yield _sample("fennec_requests_per_second", each, each.counted.requests_per_second)
    yield from _head("fennec_circuit_open", "gauge", "1 for a circuit that is not closed.")
    for each in found:
        yield _sample("fennec_circuit_open", each, int(each.circuit != "closed"))


def _histograms(
    found: list[Measured], name: str, text: str, pick: Callable[[ProviderMetrics], Histogram]
) -> Iterator[str]:
    yield from _head(name, "histogram", text)
    for each in found:
        histogram, below = pick(each.counted), 0
        for bound, number in zip((*map(str, BOUNDS_S), "+Inf"), histogram.buckets, strict=True):
            below += number
            yield _sample(f"{name}_bucket", each, below, le=bound)
        yield _sample(f"{name}_sum", each, histogram.total)
        yield _sample(f"{name}_count", each, histogram.number)


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _sample(name: str, each: Measured, value: float, **labels: str) -> str:
    shown = {"provider": each.provider, "model": each.model, **labels}
    inner = ",".join(f'{key}="{text.translate(_QUOTED)}"' for key, text in shown.items())
    return f"{name}{{{inner}}} {value}"


def _circuits(store: StateStore, now: float) -> dict[tuple[str, str], CircuitState]:
    """The state of each model's circuit: the worst, where it is served at several places."""
    found: dict[tuple[str, str], CircuitState] = {}
    for name, record in store.scan("circuit|"):
        _, provider, _, model = name.split("|", 3)
        state, _ = state_of(record, now)
        found[provider, model] = min(state, found.get((provider, model), "closed"), key=_WORST.index)
    return found


def _priced(registry: ProviderRegistry, provider: str, model: str, counted: ProviderMetrics) -> float:
    try:
        price = registry.price(provider, model)
    except ConfigError:  # a provider that is no longer configured
        return 0.0
    return price.cost_usd(counted.unpriced) if price else 0.0


def _cells(each: Measured) -> tuple[str, ...]:
    counted = each.counted
    return (
        f"{each.provider}/{each.model}",
        str(counted.request_count),
        str(counted.success_count),
        " ".join(f"{name}:{number}" for name, number in sorted(counted.errors.items())) or "-",
        _seconds(counted.avg_response_time),
        _seconds(_mean(counted.ttft)),
        str(counted.token_usage.input_tokens),
        str(counted.token_usage.output_tokens),
        f"${each.cost_usd:.4f}",
        f"{counted.requests_per_second:.2f}",
        str(sum(counted.rate_limit_hits.values())),
        str(counted.retries),
        str(counted.cache_hits),
        each.circuit.replace("_", "-"),
    )


def _histogram_fields(histogram: Histogram) -> dict[str, Any]:
    """`le_s` are upper bounds in seconds, the last bucket is for what is longer; counts are not cumulative."""
    return {
        "sum_s": _rounded(histogram.total),
        "count": histogram.number,
        "le_s": list(BOUNDS_S),
        "buckets": list(histogram.buckets),
    }


def _mean(histogram: Histogram) -> float | None:
    return histogram.total / histogram.number if histogram.number else None


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
