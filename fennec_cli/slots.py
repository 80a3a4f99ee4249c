"""How many requests are under way at once, over all processes: leases that end by themselves. Pure.

The record holds `[owner, until]` for each; times are seconds since 1970.
"""

from typing import Any

Record = dict[str, Any]

TTL_S = 30.0
RENEW_S = 10.0


def take(record: Record | None, now: float, owner: str, most: int, ttl_s: float = TTL_S) -> tuple[Record, bool]:
    """Take one of `most` slots; False if all are taken."""
    leases = _living(record, now, ttl_s)
    if len(leases) >= most:
        return {"leases": leases}, False
    return {"leases": [*leases, [owner, round(now + ttl_s, 3)]]}, True


def renew(record: Record | None, now: float, owners: set[str], ttl_s: float = TTL_S) -> Record:
    """Lengthen the leases of these owners, and take those up again that ran out meanwhile."""
    others = [lease for lease in _living(record, now, ttl_s) if lease[0] not in owners]
    return {"leases": [*others, *([owner, round(now + ttl_s, 3)] for owner in sorted(owners))]}


def free(record: Record | None, now: float, owner: str, ttl_s: float = TTL_S) -> Record | None:
    """Give a slot back; None when no slot is taken any more."""
    leases = [lease for lease in _living(record, now, ttl_s) if lease[0] != owner]
    return {"leases": leases} if leases else None


def _living(record: Record | None, now: float, ttl_s: float) -> list[list[Any]]:
    return [lease for lease in (record or {}).get("leases", ()) if 0.0 < lease[1] - now <= ttl_s + 1.0]
