"""Repeat what failed, as long as nothing of its answer was handed on.

tenacity drives the attempts. It is imported at the first failure only: a request that succeeds does not pay for it.
"""

import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from fennec_cli import signals
from fennec_cli.backoff import RetryConfig, chance
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, RetryNotice
from fennec_cli.errors import FennecError, ProviderError, RateLimitError, StreamBroken
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

THROTTLE_DELAY_S = 1.0  # base delay after "too many requests" without a hint


def retry(
    inner: Stage,
    policy: RetryConfig,
    *,
    shows_reasoning: bool = False,
    may_retry: Callable[[], bool] = lambda: True,
    sleep: Callable[[float], None] = signals.sleep,
    uniform: Callable[[float, float], float] = chance,
    clock: Callable[[], float] = time.monotonic,
) -> Stage:
    """Repeat `inner` while it fails before its first visible chunk with a retryable error.

    A failure after that chunk is raised as `StreamBroken`: nothing is printed twice or sent twice once it was shown.
    `may_retry` is asked last, and takes one retry out of what all processes may make together.
    """

    def attempt(request: CompletionRequest) -> Chunks:
        return primed(inner(request), shows_reasoning)

    def stage(request: CompletionRequest) -> Chunks:
        number = 1
        try:
            chunks = attempt(request)
        except FennecError as error:
            engine = _engine(policy, request.deadline, uniform, clock, may_retry)
            chunks, number = yield from _again(engine, attempt, request, error, sleep)
        if number > 1:
            yield CompletionChunk(metadata=ChunkMetadata(attempts=number))
        yield from _committed(chunks, number)

    return stage


def _engine(
    policy: RetryConfig,
    deadline: float | None,
    uniform: Callable[[float, float], float],
    clock: Callable[[], float],
    may_retry: Callable[[], bool],
) -> "Retrying":
    """Tell tenacity our rules: which errors, how many attempts, how long between them, and not past the deadline."""
    from tenacity import Retrying, stop_after_attempt
    from tenacity.retry import retry_if_exception

    enough = stop_after_attempt(policy.max_attempts)

    def may_repeat(error: BaseException) -> bool:
        return (
            isinstance(error, FennecError)
            and error.retryable
            and not error.ends_retries
            and (error.retry_after or 0.0) <= policy.max_retry_after
        )

    def too_late(wait: float) -> bool:
        return deadline is not None and clock() + wait >= deadline

    def used_up(error: FennecError) -> bool:
        if may_retry():
            return False
        error.budget_exhausted = True
        return True

    return Retrying(
        stop=lambda state: enough(state) or too_late(state.upcoming_sleep) or used_up(_failure(state)),
        wait=lambda state: wait_s(_failure(state), state.attempt_number, policy, uniform),
        retry=retry_if_exception(may_repeat),
        reraise=True,
    )


def _again(
    engine: "Retrying", attempt: Stage, request: CompletionRequest, first: FennecError, sleep: Callable[[float], None]
) -> "_Attempts":
    """Go on after the `first` attempt has failed; return the chunks of the one that succeeds, and its number."""
    from tenacity import DoAttempt, DoSleep, RetryCallState

    engine.begin()
    state = RetryCallState(retry_object=engine, fn=None, args=(), kwargs={})
    failure, number = first, 0
    failures: list[FennecError] = []
    try:
        while True:
            action = engine.iter(retry_state=state)
            if isinstance(action, DoAttempt):
                number += 1
                try:
                    if number == 1:
                        raise first  # it has failed already; the engine decides what follows
                    return attempt(request._replace(attempt=number)), number
                except FennecError as error:
                    if error.ends_retries and number > 1:  # not sent: what failed before says more
                        number -= 1
                        raise failure from None
                    failure = error
                    failures.append(error)
                    state.set_exception(sys.exc_info())  # type: ignore[arg-type]
            else:
                assert isinstance(action, DoSleep), action
                state.prepare_for_next_attempt()
                yield CompletionChunk(retry=RetryNotice(number, failure.error_class, failure.status, float(action)))
                yield PAUSE
                sleep(action)
    except FennecError as error:
        error.attempts = number - error.ends_retries  # what ends them was not sent
        error.earlier = tuple(each for each in failures if each is not error)
        if error.budget_exhausted:
            error.hint = "retries of all processes are used up for the moment; try again later"
        if error.retry_after is not None and error.retryable and not error.ends_retries:
            error.hint = f"try again in {error.retry_after:g} s"
        raise


if TYPE_CHECKING:
    from collections.abc import Generator

    _Attempts = Generator[CompletionChunk, None, tuple[Chunks, int]]


def primed(chunks: Chunks, shows_reasoning: bool = False) -> Chunks:
    """Pull the first visible chunk, so that a failure before it is an exception of this call.

    The chunks before it (opening, role, hidden reasoning) come out before it again, unharmed.
    """
    early: list[CompletionChunk] = []
    try:
        for chunk in chunks:
            if chunk is PAUSE:
                continue
            early.append(chunk)
            if chunk.content or chunk.tool_call is not None or (shows_reasoning and chunk.reasoning):
                break
    except BaseException:
        chunks.close()
        raise
    return _resumed(early, chunks)


def _resumed(early: list[CompletionChunk], chunks: Chunks) -> Chunks:
    with closing(chunks):
        yield from early
        early.clear()
        yield from chunks


def _committed(chunks: Chunks, attempts: int) -> Chunks:
    try:
        yield from chunks
    except ProviderError as error:
        broken = StreamBroken(
            f"the answer broke off: {error.message}",
            hint=error.hint or "what was written is incomplete; try again, or hold answers back with --atomic",
            provider=error.provider,
            status=error.status,
            request_id=error.request_id,
        )
        broken.attempts, broken.partial = attempts, True
        raise broken from error


def wait_s(error: FennecError, attempt: int, policy: RetryConfig, uniform: Callable[[float, float], float]) -> float:
    """Seconds to wait after failed attempt number `attempt` (from 1).

    The server's hint is never undercut (plus up to a second or a tenth, so that clients do not return together);
    without one exponential backoff with jitter: full for faults, equal for throttling.
    """
    if error.retry_after is not None:
        return error.retry_after + uniform(0.0, min(1.0, error.retry_after / 10))
    delay = policy.calculate_delay(attempt - 1)
    throttled = isinstance(error, RateLimitError)
    if throttled:
        delay = min(max(delay, THROTTLE_DELAY_S * 2.0 ** min(attempt - 1, 60)), policy.max_delay)
    if policy.jitter == "none":
        return delay
    return uniform(delay / 2 if throttled or policy.jitter == "equal" else 0.0, delay)


def _failure(state: "RetryCallState") -> FennecError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, FennecError)
    return error
