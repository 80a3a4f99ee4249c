"""Rate limits for all processes together: the generic cell rate algorithm, one number for each limit. Pure.

The number is the theoretical arrival time (`tat`, ITU-T I.371): the moment at which the bucket would be full again. A
request that has to wait takes its place at once and sleeps until its turn, so nobody asks twice and nobody is passed.
Times are seconds since 1970.
"""

from fennec_cli.chunk import ObservedLimits
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Record

LONGEST_WAIT_S = 86400.0  # limits per day exist; what lies further ahead is a clock that was wrong
_BACK_S = 60.0  # a clock that goes back by more has been set: what was noted before means nothing


class RateLimiter(NamedTuple):
    """At most `burst` at once and `per_s` a second."""

    per_s: float
    burst: float

    @classmethod
    def per_minute(cls, rate: float, burst: float | None = None) -> "RateLimiter":
        """Return the limiter for `rate` a minute; the default burst is a tenth of it, at least 1."""
        return cls(rate / 60, max(1.0, rate / 10) if burst is None else burst)


class Turn(NamedTuple):
    """How long to wait, in seconds; `granted` is false when that is longer than allowed: then nothing was reserved."""

    wait_s: float
    granted: bool = True


def reserve(
    record: Record | None,
    now: float,
    *,
    requests: RateLimiter | None = None,
    tokens: RateLimiter | None = None,
    amount: float = 0.0,
    longest_wait: float = 60.0,
) -> tuple[Record | None, Turn]:
    """Take one request and `amount` tokens out of the buckets, at the moment at which there are enough.

    Limits that are not given are those that were learnt from the provider's answers, if any.
    """
    record = _current(record, now)
    requests, tokens = requests or _learnt(record, "rpm"), tokens or _learnt(record, "tpm")
    wanted = (("requests", requests, 1.0), ("tokens", tokens, amount))
    turns = [_turn(record.get(key), now, limiter, cost) for key, limiter, cost in wanted]
    wait = max(*turns, _ahead(record.get("hold"), now))
    if wait > longest_wait:
        return record or None, Turn(wait, granted=False)
    new = {**record, "at": now}
    for key, limiter, cost in wanted:
        if limiter is not None and limiter.per_s > 0:
            # Taken at the moment of sending: those whom a hold stops together do not all go at its end.
            new[key] = max(_place(record.get(key), now), now + wait) + cost / limiter.per_s
    return (new if len(new) > 1 else None), Turn(wait)


def settle(record: Record | None, reserved: float, used: float, tokens: RateLimiter | None = None) -> Record | None:
    """Put back what was reserved too much, or take what was used more."""
    limiter = tokens or _learnt(record or {}, "tpm")
    if not record or limiter is None or "tokens" not in record:
        return record
    return {**record, "tokens": record["tokens"] + (used - reserved) / limiter.per_s}


def hold(record: Record | None, now: float, seconds: float) -> Record | None:
    """Let nobody through for `seconds`: the provider told one of us to wait, so all do."""
    if not 0 < seconds <= LONGEST_WAIT_S:
        return record
    record = _current(record, now)
    return {**record, "at": now, "hold": max(_place(record.get("hold"), now), now + seconds)}


def learn(record: Record | None, now: float, observed: ObservedLimits) -> Record | None:
    """Remember what a provider said. An exhausted limit holds everybody until there is more."""
    told = {"rpm": observed.requests, "tpm": observed.tokens}
    new = {**_current(record, now), **{key: limit for key, limit in told.items() if limit}}
    for left, reset_s in (
        (observed.requests_left, observed.requests_reset_s),
        (observed.tokens_left, observed.tokens_reset_s),
    ):
        if left is not None and left <= 0 and reset_s is not None:
            new = hold(new, now, reset_s) or {}
    return new or None


def _current(record: Record | None, now: float) -> Record:
    """The record, without its moments if the clock was set back since."""
    record = record or {}
    if record.get("at", now) - now > _BACK_S:
        return {key: value for key, value in record.items() if key in ("rpm", "tpm")}
    return record


def _learnt(record: Record, key: str) -> RateLimiter | None:
    """A limit that the provider told: its minute's worth may come at once, as far as we know."""
    rate = record.get(key)
    return RateLimiter(rate / 60, rate) if rate else None


def _turn(tat: float | None, now: float, limiter: RateLimiter | None, cost: float) -> float:
    """Seconds until there is enough in a bucket."""
    if limiter is None or limiter.per_s <= 0:
        return 0.0
    slack = max(0.0, limiter.burst - cost) / limiter.per_s
    return max(0.0, _ahead(tat, now) - slack)


def _place(moment: float | None, now: float) -> float:
    return now + _ahead(moment, now)


def _ahead(moment: float | None, now: float) -> float:
    left = (moment or 0.0) - now
    return left if 0.0 < left <= LONGEST_WAIT_S else 0.0
