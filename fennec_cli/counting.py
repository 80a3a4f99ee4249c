"""One more of something, in a model's record of counters; `metrics` knows the rest of it. Pure."""

from fennec_cli.types import Record


def name_of(provider: str, model: str) -> str:
    """Return the name of a model's record."""
    return f"metrics|{provider}|{model.encode('utf-8', 'replace').decode()}"


def count(record: Record | None, name: str) -> Record:
    """Count one more of `local` (waits), `retries`, `fallbacks` or `hits` (of the cache)."""
    new = {**(record or {})}
    add(new, name)
    return new


def add(new: Record, name: str) -> None:
    new[name] = new.get(name, 0) + 1
