"""What `fennec cache` does: numbers, single entries, in and out, and less of it."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

from fennec_cli.cache_lines import entries_of, line_of
from fennec_cli.chunk import TokenUsage
from fennec_cli.config import Config
from fennec_cli.digest import differences
from fennec_cli.errors import CacheMiss, ConfigError, IntegrityError
from fennec_cli.output.notes import Notes
from fennec_cli.registry import ProviderRegistry
from fennec_cli.responses import CachedResponse, ResponseCache
from fennec_cli.size import shown_size
from fennec_cli.store import StoreFailed
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import PutOnRecord, no_record

SHORTEST_PREFIX = 8  # digits of a fingerprint that stand for all of it
_FORM = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


class Stats(NamedTuple):
    """The cache in numbers. Ages in seconds; `saved` is what the answers that were given again would have cost."""

    entries: int = 0
    fresh: int = 0
    bytes: int = 0
    max_bytes: int = 0
    hits: int = 0
    misses: int = 0
    oldest_s: float | None = None
    newest_s: float | None = None
    saved_input_tokens: int = 0
    saved_output_tokens: int = 0
    saved_usd: float = 0.0

    @property
    def hit_rate(self) -> float | None:
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@contextmanager
def usable() -> Generator[None, None, None]:
    """Turn a store that cannot be used into an error for the user."""
    try:
        yield
    except StoreFailed as error:
        raise ConfigError(
            f"the response cache cannot be used ({error})", hint="check dir in [cache], and who owns it"
        ) from error


def collect(cache: ResponseCache, registry: ProviderRegistry, clock: Callable[[], float] = time.time) -> Stats:
    """Read every entry. Makes nothing where nothing is."""
    if not cache.is_there():
        return Stats(max_bytes=cache.max_size)
    now, stats = clock(), Stats(max_bytes=cache.max_size)
    ages: list[float] = []
    saved_in = saved_out = fresh = 0
    saved_usd = 0.0
    for entry in cache.entries():
        ages.append(now - entry.timestamp)
        fresh += cache.is_fresh(entry)
        usage = _usage(entry)
        saved_in += usage.input_tokens * entry.access_count
        saved_out += usage.output_tokens * entry.access_count
        saved_usd += _cost(entry, usage, registry) * entry.access_count
    hits, misses = cache.counters()
    return stats._replace(
        entries=len(ages),
        fresh=fresh,
        bytes=cache.volume(),
        hits=hits,
        misses=misses,
        oldest_s=max(ages, default=None),
        newest_s=min(ages, default=None),
        saved_input_tokens=saved_in,
        saved_output_tokens=saved_out,
        saved_usd=saved_usd,
    )


def rendered(stats: Stats, output_format: str) -> bytes:
    """The numbers for people, as JSON, or as a line of JSON."""
    if output_format != "text":
        fields = {
            "v": 1,
            **stats._asdict(),
            "hit_rate": None if stats.hit_rate is None else round(stats.hit_rate, 4),
            "saved_usd": round(stats.saved_usd, 6),
        }
        for name in ("oldest_s", "newest_s"):
            fields[name] = None if fields[name] is None else round(fields[name], 1)
        return orjson.dumps(fields, option=_FORM if output_format == "json" else orjson.OPT_APPEND_NEWLINE)
    rate = "-" if stats.hit_rate is None else f"{stats.hit_rate:.0%} ({stats.hits} of {stats.hits + stats.misses})"
    saved = f"{stats.saved_input_tokens} tokens in, {stats.saved_output_tokens} tokens out, ${stats.saved_usd:.4f}"
    rows = [
        ("answers", f"{stats.entries}, {stats.fresh} of them fresh"),
        ("room", f"{shown_size(stats.bytes)} of {shown_size(stats.max_bytes)}"),
        ("found", rate),
        ("age", f"{_age(stats.newest_s)} to {_age(stats.oldest_s)}" if stats.entries else "-"),
        ("saved", saved),
    ]
    return "".join(f"{name:8} {value}\n" for name, value in rows).encode()


def get(cache: ResponseCache, fingerprint: str) -> CachedResponse:
    """Return the entry of a fingerprint or of its beginning. Raises `CacheMiss`, and `IntegrityError` for a bad one."""
    if cache.is_there():
        found = cache.find(full_name(cache, fingerprint))
        if found is not None:
            return found
    raise CacheMiss(f"no answer is kept under {fingerprint:.64}")


def full_name(cache: ResponseCache, fingerprint: str) -> str:
    """Return the whole of a fingerprint that was shortened, or what was given."""
    if len(fingerprint) == 64:
        return fingerprint
    known = [name for name in cache.names() if name.startswith(fingerprint)]
    if len(fingerprint) < SHORTEST_PREFIX or len(known) > 1:
        raise CacheMiss(f"{fingerprint:.64} stands for no single answer", hint="give more of its digits")
    return known[0] if known else fingerprint


def shown_entry(entry: CachedResponse, output_format: str) -> bytes:
    """The answer's text, or all that is kept of it."""
    if output_format == "text":
        content: str = entry.response["choices"][0]["content"]
        return content.encode()
    fields = {
        "v": 1,
        "fingerprint": entry.fingerprint,
        "timestamp": entry.timestamp,
        "ttl": entry.ttl,
        "access_count": entry.access_count,
        "bytes": entry.size,
        "response": entry.response,
        "fields": entry.request.get("fields", {}),
        "prompt": entry.request.get("prompt"),
    }
    return orjson.dumps(fields, option=_FORM if output_format == "json" else orjson.OPT_APPEND_NEWLINE)


def exported(cache: ResponseCache, *, with_prompts: bool) -> Iterator[bytes]:
    """Yield every fresh answer as a line, sorted."""
    if cache.is_there():
        for entry in cache.entries():
            if cache.is_fresh(entry):
                yield line_of(entry, with_prompt=with_prompts)


def import_(
    cache: ResponseCache,
    lines: Iterable[bytes],
    notes: Notes,
    record: PutOnRecord = no_record,
) -> int:
    """Store the answers of these lines; return how many. Raises `IntegrityError` after the last line if one was bad."""
    count, refused, first = 0, 0, None
    for found in entries_of(lines):
        if isinstance(found, IntegrityError):
            if first is not None:
                notes.error(first)
            refused, first = refused + 1, found
        else:
            cache.restore([found])
            count += 1
    record("cache_import", {"fennec.answers": count, "fennec.refused": refused})
    if first is not None:
        notes.warn(f"{count} answers were imported")
        raise first
    return count


def prune(cache: ResponseCache, *, older_than_s: float | None, max_size: int | None) -> int:
    """Drop what is stale, older than this, or above this many bytes; return how many went."""
    if not cache.is_there():
        return 0
    now, old = time.time(), []
    if older_than_s is not None:
        old = [entry.fingerprint for entry in cache.entries() if now - entry.timestamp > older_than_s]
        cache.drop(old)
    return len(old) + cache.trim(cache.max_size if max_size is None else max_size)


def clear(cache: ResponseCache, index: ResponseCache) -> int:
    """Drop everything, the texts and vectors in `index` too, and return how many answers there were."""
    if index.is_there():
        index.drop(index.names())
        index.trim(index.max_size)
    if not cache.is_there():
        return 0
    names = list(cache.names())
    cache.drop(names)
    cache.trim(cache.max_size)
    return len(names)


class Explanation(NamedTuple):
    """Why a request is answered from the cache, or is not. `nearest` is another entry, and in what it differs."""

    fingerprint: str
    verdict: str  # kept, stale, truncated, missing
    entry: CachedResponse | None = None
    nearest: CachedResponse | None = None
    differs: tuple[tuple[str, Any, Any], ...] = ()  # field, here, there


def explain(
    cache: ResponseCache, fingerprint: str, fields: dict[str, Any] | None, *, ttl: float | None = None
) -> Explanation:
    """Say what is kept for a request; `fields` are its own (`digest`), None where only the fingerprint is known."""
    if not cache.is_there():
        return Explanation(fingerprint, "missing")
    entry = cache.find(fingerprint)
    if entry is not None:
        if not cache.is_fresh(entry, ttl):
            return Explanation(fingerprint, "stale", entry)
        finish = {choice["finish_reason"] for choice in entry.response["choices"]}
        return Explanation(fingerprint, "truncated" if "length" in finish else "kept", entry)
    if fields is None:
        return Explanation(fingerprint, "missing")
    nearest, paths = None, None
    for other in cache.entries():
        found = differences(fields, other.request.get("fields", {}))
        if paths is None or (len(found), -other.timestamp) < (len(paths), -nearest.timestamp if nearest else 0.0):
            nearest, paths = other, found
    there = nearest.request.get("fields", {}) if nearest else {}
    differs = tuple((path, fields.get(path), there.get(path)) for path in paths or ())
    return Explanation(fingerprint, "missing", None, nearest, differs)


_VERDICTS = {
    "kept": "an answer is kept and would be given",
    "stale": "an answer is kept, but too old",
    "truncated": "an answer is kept that was cut at its token limit: given with --allow-truncated only",
    "missing": "no answer is kept",
}


def shown_explanation(found: Explanation, output_format: str) -> bytes:
    """The explanation for people, as JSON, or as a line of JSON."""
    entry, nearest = found.entry, found.nearest
    if output_format != "text":
        fields = {
            "v": 1,
            "fingerprint": found.fingerprint,
            "verdict": found.verdict,
            "timestamp": entry.timestamp if entry else None,
            "access_count": entry.access_count if entry else None,
            "nearest": nearest.fingerprint if nearest else None,
            "differs": [{"field": path, "here": here, "there": there} for path, here, there in found.differs],
        }
        return orjson.dumps(fields, option=_FORM if output_format == "json" else orjson.OPT_APPEND_NEWLINE)
    lines = [f"{found.fingerprint}: {_VERDICTS[found.verdict]}"]
    if entry:
        lines.append(f"answered {_moment(entry.timestamp)}, given again {entry.access_count} times")
    if nearest:
        lines.append(f"the nearest is {nearest.fingerprint}, answered {_moment(nearest.timestamp)}; it differs in")
        lines += [f"  {path}: {_value(here)} here, {_value(there)} there" for path, here, there in found.differs]
    return "".join(f"{line}\n" for line in lines).encode()


def _value(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def _usage(entry: CachedResponse) -> TokenUsage:
    usage = entry.response["usage"]
    return TokenUsage(*usage) if usage is not None else TokenUsage()


def _cost(entry: CachedResponse, usage: TokenUsage, registry: ProviderRegistry) -> float:
    """What the answer cost: as the provider said, else by the price of the model that was asked."""
    told = entry.response["metadata"].get("cost_usd")
    if told is not None:
        return float(told)
    fields = entry.request.get("fields", {})
    try:
        price = registry.price(str(fields.get("provider")), str(fields.get("model")))
    except ConfigError:  # of a provider that is not configured here
        return 0.0
    return price.cost_usd(usage) if price else 0.0


def open_cache(config: Config) -> ResponseCache:
    return ResponseCache(config.cache, patient=True)


def open_index(config: Config, cache: ResponseCache) -> ResponseCache:
    from fennec_cli.semantic import index_of

    return index_of(config.cache, cache, lambda _text: None)
