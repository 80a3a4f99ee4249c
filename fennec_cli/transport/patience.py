"""How long one attempt may wait at each point, and which limit to name when it waited too long. Pure.

Idle clocks run only while we wait on the socket: a reader that takes its time does not make the provider late.
"""

import time
from collections.abc import Callable

from fennec_cli.errors import ProviderTimeout
from fennec_cli.tuples import NamedTuple

TAIL_S = 5.0  # how long, in all, the usage numbers are waited for once the finish reason is there


class Limits(NamedTuple):
    """Limits of one attempt, in seconds. `attempt` covers it as a whole, stream included; None is no limit.

    `idle_reasoning` takes the place of `idle` for a model that reasons, where that is longer.
    """

    connect: float = 5.0
    write: float = 30.0
    first_event: float = 300.0
    idle: float = 120.0
    idle_reasoning: float = 300.0
    content: float = 300.0  # bytes come, but no content in them
    attempt: float | None = None


class Patience:
    """The clocks of one attempt. `deadline` is a moment of `clock`, for the request as a whole.

    `reasons`, whether the model does, is asked when it matters only: after a long silence.
    """

    def __init__(
        self,
        limits: Limits,
        deadline: float | None = None,
        *,
        reasons: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._reasons = reasons
        self._clock = clock
        self._deadline = deadline
        self._end = None if limits.attempt is None else clock() + limits.attempt
        self._waited_for_event = 0.0
        self._waited_for_content = 0.0
        self._phase = "first event"
        self._waited_in_tail = 0.0
        self._linger_s = self._lingered = 0.0
        self._least_said: tuple[str, str | None] = ("", None)

    def event_seen(self) -> None:
        if self._phase == "first event":
            self._phase = "stream"
            self._waited_for_content = 0.0

    def content_seen(self) -> None:
        self._waited_for_content = 0.0

    def finish_seen(self) -> None:
        self._phase = "tail"

    def linger(self, seconds: float) -> None:
        """The answer is complete: all that still comes is waited for no longer than this. With 0 that is over.

        Another exchange of the same attempt may follow, when this one was refused.
        """
        self._linger_s, self._lingered = seconds, 0.0

    def waited(self, seconds: float) -> None:
        """Add time spent waiting on the socket."""
        self._waited_for_content += seconds
        self._lingered += seconds
        if self._phase == "first event":
            self._waited_for_event += seconds
        elif self._phase == "tail":
            self._waited_in_tail += seconds

    def connect_s(self) -> float:
        """Seconds left to connect. Raises `ProviderTimeout` when there are none."""
        return self._least((self._limits.connect, "could not connect", self._limits.connect, "--connect-timeout"))

    def write_s(self) -> float:
        return self._least((self._limits.write, "the request was not taken", self._limits.write, None))

    def read_s(self) -> float:
        """Seconds left for the next byte. Raises `ProviderTimeout`, which names the limit, when there are none."""
        limits = self._limits
        if self._linger_s:
            return self._least((self._linger_s - self._lingered, "no end of the answer", self._linger_s, None))
        if self._phase == "tail":
            return self._least((TAIL_S - self._waited_in_tail, "no end of the stream", TAIL_S, None))
        if self._phase == "first event":
            left = limits.first_event - self._waited_for_event
            return self._least((left, "no first event", limits.first_event, "--first-token-timeout"))
        return self._least(
            (limits.idle, "nothing came", limits.idle, "--idle-timeout"),
            (limits.content - self._waited_for_content, "no content came", limits.content, None),
        )

    def longer_s(self) -> float:
        """Seconds more to wait for the byte when those of `read_s` are over: a model may be thinking. 0 is none."""
        limits, (_, option) = self._limits, self._least_said
        more = limits.idle_reasoning - limits.idle
        if option != "--idle-timeout" or more <= 0 or not self._reasons():
            return 0.0
        self._limits = limits._replace(idle=limits.idle_reasoning)
        return self._least(
            (more, "nothing came", limits.idle_reasoning, "--idle-timeout"),
            (limits.content - self._waited_for_content - limits.idle, "no content came", limits.content, None),
        )

    @property
    def left_s(self) -> float:
        """Seconds until the attempt or the request is over, whatever is waited for."""
        ends = [end for end in (self._end, self._deadline) if end is not None]
        return min(ends) - self._clock() if ends else float("inf")

    @property
    def overrun(self) -> ProviderTimeout:
        """The error for the wait that was asked for last and that was used up."""
        what, option = self._least_said
        return ProviderTimeout(what, hint=f"raise {option}" if option else None, retryable=option != "--deadline")

    def overrun_at(self, place: str) -> ProviderTimeout:
        """`overrun`, and where that was."""
        error = self.overrun
        return ProviderTimeout(f"{error.message}: {place}", hint=error.hint, retryable=error.retryable)

    def _least(self, *candidates: tuple[float, str, float, str | None]) -> float:
        """Return the smallest of the waits, and remember what to say when it is used up."""
        now = self._clock()
        least = min(candidates)
        if self._end is not None and self._limits.attempt is not None and self._end - now < least[0]:
            least = (self._end - now, "the attempt was not finished", self._limits.attempt, "--timeout")
        if self._deadline is not None and self._deadline - now < least[0]:
            least = (self._deadline - now, "the deadline passed", 0.0, "--deadline")
        left, what, limit, option = least
        within = f" within {limit:g} s" if limit else ""
        self._least_said = (what + within, option)
        if left <= 0:
            raise self.overrun
        return left
