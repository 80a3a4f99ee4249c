"""The circuit breaker: who fails again and again is left alone for a while. Pure; the state is a JSON record.

    closed     failures reach the threshold       -> open
    open       its time is over                   -> half-open: the caller may probe, others are refused
    half-open  the probe is answered              -> closed
    half-open  the probe fails                    -> open, for twice as long
    half-open  the probe says nothing about it    -> half-open, the next caller may probe

A probe is a lease: who dies with it blocks nobody for longer than that. Every change of state has a new generation, and
reports from an older one are ignored. Times are seconds since 1970, the only clock that processes share: what lies
further in the future than can be is taken for past.
"""

from collections.abc import Callable
from typing import Literal

from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Record

CircuitState = Literal["closed", "open", "half_open"]
Outcome = Literal["ok", "failure", "neutral"]
LONGEST_LEASE_S = 900.0


class CircuitBreaker(NamedTuple):
    """When a circuit opens and for how long. Times are seconds.

    It opens after `threshold` failures in a row, or when at least `failure_rate` of `least_attempts` or more failed
    within `window`.
    """

    threshold: int = 5
    timeout: float = 30.0
    failure_rate: float = 0.5
    least_attempts: int = 10
    window: float = 60.0
    longest: float = 300.0  # each failed probe doubles the time, up to this
    jitter: float = 0.1


class Permit(NamedTuple):
    """Leave to try; `probe` is true for the one attempt that finds out whether the provider is back."""

    generation: int
    owner: str
    probe: bool = False


class Rejection(NamedTuple):
    """No leave; worth asking again after `wait_s` seconds."""

    wait_s: float


def acquire(
    record: Record | None,
    now: float,
    owner: str,
    lease_s: float,
    breaker: CircuitBreaker = CircuitBreaker(),
    *,
    is_dead: Callable[[str], bool] = lambda _owner: False,
) -> tuple[Record | None, Permit | Rejection]:
    """Ask for leave to try, for at most `lease_s` seconds if it is a probe. `owner` is unique to this attempt.

    The lease of an owner that is dead is over.
    """
    if record is None or record["state"] == "closed":
        return record, Permit(record["gen"] if record else 0, owner)
    left = _left(record, now, breaker)
    if left > 0 and not (record["state"] == "half_open" and is_dead(record["probe"]["owner"])):
        return record, Rejection(left)
    generation = record["gen"] + 1
    probe = {"owner": owner, "until": now + lease_s}
    new = {**record, "state": "half_open", "gen": generation, "probe": probe, "open_until": 0.0}
    return new, Permit(generation, owner, probe=True)


def report(
    record: Record | None,
    permit: Permit,
    outcome: Outcome,
    now: float,
    uniform: Callable[[float, float], float],
    breaker: CircuitBreaker = CircuitBreaker(),
) -> Record | None:
    """Say how an attempt went. `uniform(a, b)` is the source of randomness."""
    record = record or _closed(0)
    if permit.generation != record["gen"]:
        return record
    if record["state"] == "half_open":
        probe = record["probe"]
        if probe is None or probe["owner"] != permit.owner:
            return record
        if outcome == "ok":
            return _closed(record["gen"] + 1)
        if outcome == "failure":
            return _opened(record, now, uniform, breaker)
        return {**record, "probe": None}
    if record["state"] == "open" or outcome == "neutral":
        return record
    failed = outcome == "failure"
    counted = {
        **record,
        "consecutive": record["consecutive"] + 1 if failed else 0,
        "buckets": _counted(record["buckets"], now, failed, breaker),
    }
    return _opened(counted, now, uniform, breaker) if _trips(counted, failed, breaker) else counted


def state_of(
    record: Record | None, now: float, breaker: CircuitBreaker = CircuitBreaker()
) -> tuple[CircuitState, float]:
    """Return the state and the seconds for which callers are still refused (0: they are not)."""
    if record is None:
        return "closed", 0.0
    state: CircuitState = record["state"]
    return state, (0.0 if state == "closed" else _left(record, now, breaker))


def reset(record: Record | None) -> Record | None:
    """Close a circuit whatever its state is; reports of attempts under way no longer count."""
    return record and _closed(record["gen"] + 1)


def _left(record: Record, now: float, breaker: CircuitBreaker) -> float:
    """Seconds until a caller may probe."""
    if record["state"] == "open":
        return _until(record["open_until"], now, breaker.longest * (1 + breaker.jitter))
    probe = record["probe"]
    return _until(probe["until"], now, LONGEST_LEASE_S) if probe else 0.0


def _until(moment: float, now: float, longest: float) -> float:
    left = moment - now
    return left if 0.0 < left <= longest else 0.0


def _closed(generation: int) -> Record:
    return {
        "state": "closed",
        "gen": generation,
        "consecutive": 0,
        "buckets": [],
        "open_until": 0.0,
        "reopen": 0,
        "probe": None,
    }


def _opened(record: Record, now: float, uniform: Callable[[float, float], float], breaker: CircuitBreaker) -> Record:
    reopen = record["reopen"]
    length = min(breaker.timeout * 2.0 ** min(reopen, 60), breaker.longest)
    length *= 1 + uniform(-breaker.jitter, breaker.jitter)
    return {
        **_closed(record["gen"] + 1),
        "state": "open",
        "open_until": now + length,
        "reopen": reopen + 1,
    }


def _trips(record: Record, failed: bool, breaker: CircuitBreaker) -> bool:
    if not failed:
        return False
    failures = sum(bucket[2] for bucket in record["buckets"])
    attempts = failures + sum(bucket[1] for bucket in record["buckets"])
    often = attempts >= breaker.least_attempts and failures >= breaker.failure_rate * attempts
    return bool(often or record["consecutive"] >= breaker.threshold)


def _counted(buckets: list[list[int]], now: float, failed: bool, breaker: CircuitBreaker) -> list[list[int]]:
    """Six buckets of a sixth of the window each: [number, successes, failures]."""
    width = breaker.window / 6
    current = int(now // width)
    kept = [bucket for bucket in buckets if current - 6 < bucket[0] < current]
    here = next((bucket for bucket in buckets if bucket[0] == current), [current, 0, 0])
    return [*kept, [current, here[1] + (not failed), here[2] + failed]]
