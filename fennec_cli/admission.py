"""Leave to send: circuit, rate limits, slots, retry budget and metrics of one provider and model, shared by processes.

Two short transactions an attempt, none of them while anything is sent or waited for.
"""

import time
from collections.abc import Callable, Sequence

from fennec_cli import bucket, circuit, metrics, signals, slots
from fennec_cli.backoff import DEFAULT_MAX_WAIT_S, RetryBudget, chance
from fennec_cli.bucket import RateLimiter
from fennec_cli.chunk import ObservedLimits
from fennec_cli.circuit import CircuitBreaker, Outcome, Permit, Rejection
from fennec_cli.errors import CircuitOpen, FennecError, LimitReached
from fennec_cli.holders import is_dead, new_owner
from fennec_cli.keeper import Keeper
from fennec_cli.metrics import Attempt
from fennec_cli.store import Change, StateStore
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import PutOnRecord, Record, Say, no_record, silent

LEASE_S = 80.0  # of a probe: to connect, 60 s for the first event, and some more
SLOT_POLL_S = (0.05, 0.5)
PATIENT_SLOT_S = 2.0  # how long a single request waits for others to finish
SAID_FROM_S = 2.0  # shorter waits are nobody's business


class Rules(NamedTuple):
    """What may be sent to a provider. `breaker` is None for no circuit; `max_wait` in seconds."""

    breaker: CircuitBreaker | None = CircuitBreaker()
    requests: RateLimiter | None = None
    tokens: RateLimiter | None = None
    max_parallel: int = 16
    max_wait: float = DEFAULT_MAX_WAIT_S
    counted: bool = True  # in the metrics
    single: bool = True  # one prompt, whose user waits
    lease_s: float = LEASE_S  # how long a probe may take
    announced: bool = False  # waits are said to a user at a terminal


class Names(NamedTuple):
    """The records that an attempt concerns."""

    circuit: str
    limits: str
    slots: str
    budget: str
    metrics: str

    @classmethod
    def of(cls, provider: str, origin: str, model: str) -> "Names":
        model = model.encode("utf-8", "replace").decode()  # an argument may be anything
        place = f"{provider}|{origin}"
        return cls(
            f"circuit|{place}|{model}",
            f"limits|{place}|{model}",
            f"slots|{place}",
            f"budget|{place}",
            metrics.name_of(provider, model),
        )


class Ticket(NamedTuple):
    """An attempt that was let through; `amount` is the tokens that were reserved for it."""

    permit: Permit
    owner: str
    amount: float
    wait_s: float


class Report(NamedTuple):
    """How an attempt went."""

    attempt: Attempt
    outcome: Outcome
    first_try: bool = True
    limits: ObservedLimits | None = None
    retry_after: float | None = None  # seconds, of a provider that asks to slow down


_Turn = tuple[Record | None, Record | None]  # a circuit before and after a report


class Gate:
    """Lets attempts at one provider and model through, and hears how they went. Opens nothing before it is asked.

    `later` is how the store is told what nobody has to wait for.
    """

    def __init__(
        self,
        store: StateStore,
        provider: str,
        origin: str,
        model: str,
        rules: Rules = Rules(),
        *,
        say: Say = silent,
        record: PutOnRecord = no_record,
        later: "Callable[[Sequence[str], Change[None]], None] | None" = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = signals.sleep,
        uniform: Callable[[float, float], float] = chance,
    ) -> None:
        self.rules = rules
        self.names = Names.of(provider, origin, model)
        self._store = store
        self._later = later or store.update
        self._crowded = False  # somebody waits for a slot
        self._provider = provider
        self._what = f"{provider}/{model}"
        self._say = say
        self._record = record
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform

    def enter(self, amount: float, deadline: float | None) -> Ticket:
        """Wait for leave to send something of `amount` tokens, and take it.

        `deadline` is a moment of the monotonic clock. Raises `CircuitOpen`, and `LimitReached` when the wait would be
        longer than allowed.
        """
        owner = new_owner()
        longest = self.rules.max_wait
        if deadline is not None:  # one that is over is not for us to tell: who need not wait is let through to it
            longest = min(longest, max(0.0, deadline - time.monotonic()))
        ticket = self._with_slot(owner, amount, longest)
        _KEEPER.keep(self._store, self.names.slots, owner)
        if ticket.wait_s > 0:
            try:
                self._wait(ticket.wait_s)
            except BaseException:
                self.leave(ticket, Report(Attempt("cancelled", 0.0), "neutral"))
                raise
        return ticket

    def prove(self, ticket: Ticket) -> None:
        """The first event of a probe has come: the provider is back."""

        def change(records: list[Record | None]) -> tuple[list[Record | None], _Turn]:
            new = self._reported(records[0], ticket, "ok")
            return [new], (records[0], new)

        self._tell(self._store.update([self.names.circuit], change))

    def leave(self, ticket: Ticket, report: Report) -> None:
        """Say how an attempt went, and give back what it held."""
        _KEEPER.drop(ticket.owner)
        names = self.names

        def change(records: list[Record | None]) -> tuple[list[Record | None], _Turn]:
            before, limits, places, budget, counters = records
            now = self._clock()
            breaker = self._reported(before, ticket, report.outcome)
            limits = self._settled(limits, ticket, report, now)
            places = slots.free(places, now, ticket.owner)
            if report.first_try and report.attempt.error_class is None:
                budget = RetryBudget.earn(budget, now)
            if self.rules.counted:
                counters = metrics.finish(counters, report.attempt)
            return [breaker, limits, places, budget, counters], (before, breaker)

        records = [names.circuit, names.limits, names.slots, names.budget, names.metrics]
        if report.outcome == "ok" and not (ticket.permit.probe or self._crowded):
            self._later(records, lambda found: (change(found)[0], None))  # it changes no circuit, and nobody's turn
        else:
            self._tell(self._store.update(records, change))

    def may_retry(self) -> bool:
        """Take a retry out of the budget that all processes share; False when it is used up."""

        def change(records: list[Record | None]) -> tuple[list[Record | None], bool]:
            budget, counters = records
            budget, granted = RetryBudget.spend(budget, self._clock())
            if granted and self.rules.counted:
                counters = metrics.count(counters, "retries")
            return [budget, counters], granted

        return self._store.update([self.names.budget, self.names.metrics], change)

    def count(self, name: str) -> None:
        """Count one more of what `metrics.count` knows."""
        if self.rules.counted:
            self._store.update([self.names.metrics], lambda records: ([metrics.count(records[0], name)], None))

    def _with_slot(self, owner: str, amount: float, longest: float) -> Ticket:
        begin = time.monotonic()
        patience = min(longest, PATIENT_SLOT_S) if self.rules.single else longest
        while True:
            waited = time.monotonic() - begin
            must = waited < patience
            ticket = self._begin(owner, amount, max(0.0, longest - waited), needs_slot=must)
            if ticket is not None:
                return ticket
            if not must and not self.rules.single:
                raise LimitReached(
                    f"{self.rules.max_parallel} requests are under way already",
                    hint="raise --max-wait, or max_parallel in the configuration",
                    provider=self._provider,
                )
            self._sleep(min(patience - waited, self._uniform(*SLOT_POLL_S)))

    def _begin(self, owner: str, amount: float, longest: float, *, needs_slot: bool) -> Ticket | None:
        """The first transaction; None when there is no slot at the moment."""
        rules, names = self.rules, self.names

        def change(records: list[Record | None]) -> tuple[list[Record | None], Ticket | FennecError | None]:
            breaker, limits, places, counters = records
            now = self._clock()
            taken, found = slots.take(places, now, owner, rules.max_parallel, is_dead=is_dead)
            self._crowded = slots.is_wanted(places, now)
            if not found and (needs_slot or not rules.single):
                return [breaker, limits, slots.want(places, now), counters], None
            limits, turn = bucket.reserve(
                limits, now, requests=rules.requests, tokens=rules.tokens, amount=amount, longest_wait=longest
            )
            permit: Permit | Rejection = Permit(0, owner)
            if rules.breaker is not None:
                lease_s = rules.lease_s + turn.wait_s
                breaker, permit = circuit.acquire(breaker, now, owner, lease_s, rules.breaker, is_dead=is_dead)
            if isinstance(permit, Rejection):
                return records, self._open(permit)
            if not turn.granted:
                return records, self._limited(turn.wait_s)
            if rules.counted:
                counters = metrics.begin(counters, now)
                counters = metrics.count(counters, "local") if turn.wait_s > 0 else counters
            return [breaker, limits, taken, counters], Ticket(permit, owner, amount, turn.wait_s)

        result = self._store.update([names.circuit, names.limits, names.slots, names.metrics], change)
        if isinstance(result, FennecError):
            raise result
        return result

    def _reported(self, record: Record | None, ticket: Ticket, outcome: Outcome) -> Record | None:
        if self.rules.breaker is None:
            return record
        return circuit.report(record, ticket.permit, outcome, self._clock(), self._uniform, self.rules.breaker)

    def _tell(self, turn: _Turn) -> None:
        """Say that the circuit has changed, once that is so for all processes."""
        before, after = ("closed" if record is None else str(record["state"]) for record in turn)
        if before == after:
            return
        if after == "open" and turn[1] is not None:
            self._say(1, f"{self._what}: circuit opened for {turn[1]['open_until'] - self._clock():.0f} s")
        self._record(
            "circuit", {"fennec.circuit": self._what, "fennec.circuit_before": before, "fennec.circuit_state": after}
        )

    def _settled(self, record: Record | None, ticket: Ticket, report: Report, now: float) -> Record | None:
        usage = report.attempt.usage
        if usage is not None and not usage.estimated:
            record = bucket.settle(record, ticket.amount, usage.total_tokens, self.rules.tokens)
        if report.limits is not None:
            record = bucket.learn(record, now, report.limits)
        if report.attempt.rate_limited and report.retry_after is not None:
            record = bucket.hold(record, now, report.retry_after)
        return record

    def _wait(self, seconds: float) -> None:
        if seconds > SAID_FROM_S:
            self._say(0 if self.rules.announced else 1, f"{self._what}: waiting {seconds:.0f} s for a rate limit")
        self._sleep(seconds)

    def _open(self, rejection: Rejection) -> CircuitOpen:
        return CircuitOpen(
            f"it failed too often of late; nothing is sent for another {rejection.wait_s:.0f} s",
            hint="see `fennec models check`, which can --reset it, or use --no-breaker",
            provider=self._what,
            retry_after=rejection.wait_s,
        )

    def _limited(self, wait_s: float) -> LimitReached:
        return LimitReached(
            f"the rate limit is used up for another {wait_s:.0f} s",
            hint="try again then, or raise --max-wait",
            provider=self._what,
            retry_after=wait_s,
        )


_KEEPER = Keeper(slots.TTL_S, slots.RENEW_S)
