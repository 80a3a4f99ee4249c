"""How many requests are under way at once, over all processes: leases that end by themselves. Pure.

The record holds `[holder, until]` for each, and when somebody `wanted` one in vain; times are seconds since 1970. An
owner `HOLDER.PART` is one of many of a process, whose lease `[holder, until, [part, …]]` is for all of them: 256 single
ones would not fit into a record.
"""

from collections.abc import Callable
from typing import Any

from fennec_cli.types import Record

TTL_S = 30.0
RENEW_S = 10.0
WANTED_S = 2.0  # how long it is known: who waits asks more often than that


def take(
    record: Record | None,
    now: float,
    owner: str,
    most: int,
    ttl_s: float = TTL_S,
    *,
    is_dead: Callable[[str], bool] = lambda _holder: False,
) -> tuple[Record, bool]:
    """Take one of `most` slots; False if all are taken. Where they are, those of holders that are dead are free."""
    leases = _living(record, now, ttl_s)
    if _count(leases) >= most:
        leases = [lease for lease in leases if not is_dead(lease[0])]
    if _count(leases) >= most:
        return {"leases": leases}, False
    holder, part = _split(owner)
    others = [lease for lease in leases if lease[0] != holder]
    own = [each for lease in leases if lease[0] == holder for each in _parts(lease)]
    return _with(record, now, [*others, _lease(holder, now + ttl_s, [*own, part])]), True


def renew(record: Record | None, now: float, owners: set[str], ttl_s: float = TTL_S) -> Record:
    """Lengthen the leases of these owners, and take those up again that ran out meanwhile."""
    held: dict[str, list[str]] = {}
    for owner in sorted(owners):
        holder, part = _split(owner)
        held.setdefault(holder, []).append(part)
    others = [lease for lease in _living(record, now, ttl_s) if lease[0] not in held]
    return _with(record, now, [*others, *(_lease(holder, now + ttl_s, parts) for holder, parts in held.items())])


def want(record: Record | None, now: float) -> Record:
    """Let others know that somebody waits for a slot."""
    return {**(record or {"leases": []}), "wanted": round(now, 3)}


def is_wanted(record: Record | None, now: float) -> bool:
    """Whether somebody waits for a slot, as far as we know."""
    return record is not None and "wanted" in record and abs(now - record["wanted"]) < WANTED_S


def free(record: Record | None, now: float, owner: str, ttl_s: float = TTL_S) -> Record | None:
    """Give a slot back; None when no slot is taken any more, nor wanted."""
    holder, part = _split(owner)
    leases = []
    for lease in _living(record, now, ttl_s):
        parts = _parts(lease)
        if lease[0] == holder and part in parts:
            parts = [each for each in parts if each != part]
            lease = [lease[0], lease[1], parts]
        if parts:
            leases.append(lease)
    return _with(record, now, leases) if leases or is_wanted(record, now) else None


def _with(record: Record | None, now: float, leases: list[list[Any]]) -> Record:
    if record is not None and is_wanted(record, now):
        return {"leases": leases, "wanted": record["wanted"]}
    return {"leases": leases}


def _living(record: Record | None, now: float, ttl_s: float) -> list[list[Any]]:
    return [lease for lease in (record or {}).get("leases", ()) if 0.0 < lease[1] - now <= ttl_s + 1.0]


def _count(leases: list[list[Any]]) -> int:
    return sum(len(_parts(lease)) for lease in leases)


def _lease(holder: str, until: float, parts: list[str]) -> list[Any]:
    return [holder, round(until, 3)] if parts == [""] else [holder, round(until, 3), parts]


def _parts(lease: list[Any]) -> list[str]:
    return lease[2] if len(lease) > 2 else [""]


def _split(owner: str) -> tuple[str, str]:
    holder, _, part = owner.partition(".")
    return holder, part
