"""What happened, per provider and model: counters, histograms, and means in which the recent weighs more. Pure.

The state is one JSON record for a provider and a model. Counters only grow. Times are seconds.
"""

from typing import Any

from fennec_cli.chunk import TokenUsage
from fennec_cli.counting import add as add
from fennec_cli.counting import count as count
from fennec_cli.counting import name_of as name_of
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Record

BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)  # of both histograms
WINDOW_S = 60.0
_BUCKETS = 6
_RECENT = 0.1  # weight of the newest value in a decayed mean: about the last twenty requests count


class Attempt(NamedTuple):
    """How one attempt ended. `error_class` is None for an answer, `cancelled` when its reader went away."""

    error_class: str | None
    duration_s: float
    ttft_s: float | None = None
    usage: TokenUsage | None = None
    cost_usd: float | None = None
    rate_limited: bool = False  # the provider said 429
    ambiguous: bool = False  # it failed after the provider had begun: perhaps it is billed


class Histogram(NamedTuple):
    """Counts up to each of `BOUNDS_S`, not cumulative, the last one for what is longer."""

    total: float
    number: int
    buckets: tuple[int, ...]


class ProviderMetrics(NamedTuple):
    """The counters of a provider and model, as the specification names them, and more."""

    request_count: int
    success_count: int
    error_count: int
    errors: dict[str, int]
    avg_response_time: float | None
    token_usage: TokenUsage
    rate_limit_hits: dict[str, int]  # remote: 429s; local: waits of our own
    retries: int
    ambiguous_retries: int
    fallbacks: int
    cache_hits: int
    cost_usd: float  # as far as the provider reported it
    unpriced: TokenUsage  # what no cost was reported for
    response_time: Histogram
    ttft: Histogram
    requests_per_second: float  # of the last minute


def begin(record: Record | None, now: float) -> Record:
    """Count an attempt that is sent."""
    new = {**(record or {})}
    new["requests"] = new.get("requests", 0) + 1
    slot = int(now // (WINDOW_S / _BUCKETS))
    window = [each for each in new.get("window", ()) if slot - _BUCKETS < each[0] < slot]
    here = next((each[1] for each in new.get("window", ()) if each[0] == slot), 0)
    new["window"] = [*window, [slot, here + 1]]
    return new


def finish(record: Record | None, attempt: Attempt) -> Record:
    """Count how an attempt ended."""
    new = {**(record or {})}
    if attempt.error_class is None:
        new["ok"] = new.get("ok", 0) + 1
        new["time"] = _observed(new.get("time"), attempt.duration_s)
        _answered(new, attempt)
    else:
        errors = new.get("errors", {})
        new["errors"] = {**errors, attempt.error_class: errors.get(attempt.error_class, 0) + 1}
        new["ambiguous"] = new.get("ambiguous", 0) + attempt.ambiguous
    if attempt.rate_limited:
        add(new, "remote")
    if attempt.error_class != "cancelled":
        new["rate"] = _decayed(new.get("rate"), 1.0 if attempt.error_class is None else 0.0)
    return new


def fetched(record: Record | None, attempt: Attempt) -> Record:
    """Count a row of a batch. How long it took says nothing about the provider's live answers."""
    new = {**(record or {})}
    new["requests"] = new.get("requests", 0) + 1
    if attempt.error_class is None:
        new["ok"] = new.get("ok", 0) + 1
        _answered(new, attempt)
    else:
        errors = new.get("errors", {})
        new["errors"] = {**errors, attempt.error_class: errors.get(attempt.error_class, 0) + 1}
    return new


def read(record: Record | None, now: float) -> ProviderMetrics:
    """Return what a record says."""
    got = record or {}
    time, ttft = _histogram(got.get("time")), _histogram(got.get("ttft"))
    slot = int(now // (WINDOW_S / _BUCKETS))
    recent = sum(each[1] for each in got.get("window", ()) if slot - _BUCKETS < each[0] <= slot)
    return ProviderMetrics(
        request_count=got.get("requests", 0),
        success_count=got.get("ok", 0),
        error_count=sum(got.get("errors", {}).values()),
        errors=got.get("errors", {}),
        avg_response_time=time.total / time.number if time.number else None,
        token_usage=TokenUsage(*got.get("tokens", ())),
        rate_limit_hits={"remote": got.get("remote", 0), "local": got.get("local", 0)},
        retries=got.get("retries", 0),
        ambiguous_retries=got.get("ambiguous", 0),
        fallbacks=got.get("fallbacks", 0),
        cache_hits=got.get("hits", 0),
        cost_usd=got.get("cost") or 0.0,  # null was written for what no JSON number can say
        unpriced=TokenUsage(*got.get("unpriced", ())),
        response_time=time,
        ttft=ttft,
        requests_per_second=recent / WINDOW_S,
    )


class Recent(NamedTuple):
    """What selection wants to know: means in which the recent weighs more, None where nothing was measured."""

    success_rate: float | None = None
    ttft_s: float | None = None
    output_tokens: float | None = None


def recent(record: Record | None) -> Recent:
    got = record or {}
    return Recent(got.get("rate"), got.get("mean_ttft"), got.get("mean_out"))


def _answered(new: Record, attempt: Attempt) -> None:
    if attempt.ttft_s is not None:
        new["ttft"] = _observed(new.get("ttft"), attempt.ttft_s)
        new["mean_ttft"] = _decayed(new.get("mean_ttft"), attempt.ttft_s)
    if attempt.cost_usd is not None:
        new["cost"] = (new.get("cost") or 0.0) + attempt.cost_usd
    usage = attempt.usage
    if usage is None:
        return
    counts = [usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens]
    for name in ("tokens",) if attempt.cost_usd is not None else ("tokens", "unpriced"):
        new[name] = [old + more for old, more in zip(new.get(name, (0, 0, 0, 0)), counts, strict=True)]
    if not usage.estimated:
        new["mean_out"] = _decayed(new.get("mean_out"), usage.output_tokens)


def _decayed(old: float | None, value: float) -> float:
    return round(float(value) if old is None else old + _RECENT * (value - old), 6)


def _observed(old: list[Any] | None, value: float) -> list[Any]:
    """`[sum, count, counts of each bucket]`."""
    total, number, buckets = old or (0.0, 0, [0] * (len(BOUNDS_S) + 1))
    place = sum(value > bound for bound in BOUNDS_S)
    return [
        round(total + value, 6),
        number + 1,
        [each + (index == place) for index, each in enumerate(buckets)],
    ]


def _histogram(stored: list[Any] | None) -> Histogram:
    total, number, buckets = stored or (0.0, 0, [0] * (len(BOUNDS_S) + 1))
    return Histogram(total, number, tuple(buckets))
