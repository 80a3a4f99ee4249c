"""One request of a run: the moments at which things happened, and what follows from them. Pure.

Moments are seconds since the step began, on the monotonic clock that all processes of a machine share.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from fennec_cli.tuples import NamedTuple

# Printed with every result. t0 … tl are the moments of `Sample`.
DEFINITIONS: Mapping[str, str] = {
    "t0": "planned moment of sending: of the arrival (open loop), or when the lane became free (closed loop)",
    "t1": "first byte of the request written to the socket; connecting comes before it and is shown as connect_s",
    "tf": "first event with content: any token of the answer, of its reasoning or of a tool call",
    "to": "first event with content that is not reasoning",
    "tl": "last event with content",
    "clock": "kernel: an event came when the kernel had its bytes; it tells the moment of the last one in a read, "
    "which the others in it get (merged); process: when we had read it (Unix sockets, other systems than Linux)",
    "n": "output tokens as the provider counts them, else estimated from the length of the text and marked so",
    "ttft": "time to first token, tf - t1",
    "ttfo": "time to first output token, to - t1",
    "e2e": "time to the last token, tl - t1",
    "*_from_planned": "the same from t0: what a user who came at t0 waits, queueing and connecting included",
    "tpot": "time per output token, (tl - tf) / (n - 1) for n > 1 (AIPerf calls it ITL)",
    "icl": "inter-chunk latency, the gaps between events with content (vLLM calls it ITL)",
    "tokens_per_s": "of a request: 1 / tpot; of a model: all n of a step / its wall time",
    "goodput": "requests a second that met all of --slo; a failed request meets none",
    "lag": "t1 - t0 without connecting: how late our own side was",
    "stall": "how late a thread of ours that sleeps 10 ms at a time wakes up",
    "quantiles": "nearest rank; not given below 10 / (1 - p) values (p50: 20, p90: 100, p99: 1,000)",
    "intervals": "95 % bootstrap intervals, 2,000 resamples, seeded; means of more than 300 values by their normal "
    "limit, a share of all or of none by its exact bound",
    "delta": "Cliff's delta: how much more often a value of this run is larger than one of the baseline than smaller",
}
Slo = Mapping[str, float]  # metric -> seconds


class Sample(NamedTuple):
    """What happened to one request. None stands for what did not happen."""

    index: int  # type: ignore[assignment] # a record, not a sequence: it hides tuple.index
    model: str
    planned: float  # t0
    end: float  # nothing more comes
    sent: float | None = None  # t1
    connect_s: float = 0.0
    first: float | None = None  # tf
    first_output: float | None = None  # to
    events: tuple[float, ...] = ()  # seconds from tf to each event with content; the first is 0
    clock: str | None = None  # that gave the moments of the events: of the kernel or of our process
    input_tokens: int = 0
    output_tokens: int = 0  # n
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False  # the tokens
    cost_usd: float | None = None
    finish_reason: str | None = None
    attempts: int = 1
    cached: bool = False  # from the response cache
    error_class: str | None = None
    status: int | None = None

    @property
    def ok(self) -> bool:
        return self.error_class is None

    @property
    def last(self) -> float | None:
        """tl."""
        return self.first + self.events[-1] if self.first is not None and self.events else self.first

    @property
    def ttft(self) -> float | None:
        return _between(self.sent, self.first)

    @property
    def ttfo(self) -> float | None:
        return _between(self.sent, self.first_output)

    @property
    def e2e(self) -> float | None:
        return _between(self.sent, self.last)

    @property
    def ttft_from_planned(self) -> float | None:
        return _between(self.planned, self.first)

    @property
    def ttfo_from_planned(self) -> float | None:
        return _between(self.planned, self.first_output)

    @property
    def e2e_from_planned(self) -> float | None:
        return _between(self.planned, self.last)

    @property
    def tpot(self) -> float | None:
        return self.events[-1] / (self.output_tokens - 1) if len(self.events) > 1 and self.output_tokens > 1 else None

    @property
    def tokens_per_s(self) -> float | None:
        return 1 / self.tpot if self.tpot else None

    @property
    def gaps(self) -> list[float]:
        """ICL."""
        return [later - earlier for earlier, later in pairwise(self.events)]

    @property
    def merged(self) -> int:
        """Events that came in one read with the next one, so that nobody knows when."""
        return self.gaps.count(0.0) if self.clock == "kernel" else 0

    @property
    def lag(self) -> float | None:
        return None if self.sent is None else self.sent - self.planned - self.connect_s

    def meets(self, slo: Slo) -> bool:
        """Whether the request kept every limit. One with a single token has no TPOT, and keeps any limit on it."""
        if not self.ok:
            return False
        return all(_keeps(getattr(self, name), limit, name) for name, limit in slo.items())


METRICS = ("ttft", "ttfo", "tpot", "e2e", "ttft_from_planned", "ttfo_from_planned", "e2e_from_planned")


def row(sample: Sample, step: str, slo: Slo) -> dict[str, Any]:
    """One request for programs. Its schema: `fennec_cli/schemas/bench-request.json`."""
    gaps = sample.gaps
    return {
        "v": 1,
        "type": "request",
        "step": step,
        "index": sample.index,
        "model": sample.model,
        "ok": sample.ok,
        "class": sample.error_class or "ok",
        "status": sample.status,
        "planned_s": round(sample.planned, 6),
        "sent_s": _rounded(sample.sent),
        "end_s": round(sample.end, 6),
        "connect_s": round(sample.connect_s, 6),
        "lag_s": _rounded(sample.lag),
        **{f"{name}_s": _rounded(getattr(sample, name)) for name in METRICS},
        "icl_mean_s": _rounded(sum(gaps) / len(gaps)) if gaps else None,
        "icl_max_s": _rounded(max(gaps)) if gaps else None,
        "chunks": len(sample.events),
        "merged_chunks": sample.merged,
        "clock": sample.clock,
        "tokens_per_s": _rounded(sample.tokens_per_s),
        "input_tokens": sample.input_tokens,
        "output_tokens": sample.output_tokens,
        "cached_tokens": sample.cached_tokens,
        "reasoning_tokens": sample.reasoning_tokens,
        "estimated": sample.estimated,
        "cost_usd": sample.cost_usd,
        "finish_reason": sample.finish_reason,
        "attempts": sample.attempts,
        "cached": sample.cached,
        "good": sample.meets(slo) if slo else None,
    }


def packed(sample: Sample) -> list[Any]:
    """A sample as it goes from a worker to the runner."""
    return list(sample)


def unpacked(fields: Sequence[Any]) -> Sample:
    sample = Sample(*fields)
    return sample._replace(events=tuple(sample.events))


def _keeps(value: float | None, limit: float, name: str) -> bool:
    return name == "tpot" if value is None else value <= limit


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else end - begin


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
