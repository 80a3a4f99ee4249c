"""The retry stage: three-line inner generators, a list as sleep, no randomness."""

import time
from random import Random

import pytest

from fennec_cli.backoff import RetryConfig
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk
from fennec_cli.dialects.openai_errors import decode_error
from fennec_cli.errors import (
    AuthenticationError,
    CircuitOpen,
    FennecError,
    NetworkError,
    QuotaExhausted,
    RateLimitError,
    ServerError,
    StreamBroken,
)
from fennec_cli.request import CompletionRequest, Message
from fennec_cli.stages import Chunks
from fennec_cli.stages.hold import hold
from fennec_cli.stages.retry import retry, wait_s
from tests.conftest import soak

REQUEST = CompletionRequest((Message("user", "hi"),), "m")
POLICY = RetryConfig(max_attempts=3, initial_delay=1.0, max_delay=30.0, jitter="none")
HELLO = CompletionChunk(content="Hello")
STOP = CompletionChunk(finish_reason="stop")


class Script:
    """An inner stage that plays one list of chunks and errors per attempt."""

    def __init__(self, *attempts: list[CompletionChunk | FennecError]) -> None:
        self.attempts = list(attempts)
        self.calls = 0
        self.closed = 0

    def __call__(self, _request: CompletionRequest) -> Chunks:
        steps = self.attempts[self.calls]
        self.calls += 1
        try:
            for step in steps:
                if isinstance(step, FennecError):
                    raise step
                yield step
        finally:
            self.closed += 1


def run(script: Script, policy: RetryConfig = POLICY, request: CompletionRequest = REQUEST) -> tuple[str, list[float]]:
    slept: list[float] = []
    stage = retry(script, policy, sleep=slept.append, uniform=lambda low, _high: low, clock=lambda: 0.0)
    return "".join(chunk.content or "" for chunk in stage(request)), slept


def test_success_at_first_passes_everything_on() -> None:
    script = Script([CompletionChunk(role="assistant"), HELLO, PAUSE, STOP])
    assert run(script) == ("Hello", [])
    assert script.calls == 1


def test_failures_before_the_first_chunk_are_repeated_with_growing_delays() -> None:
    script = Script([ServerError("1")], [NetworkError("2")], [HELLO, STOP])
    assert run(script) == ("Hello", [1.0, 2.0])


def test_the_last_error_is_raised_with_the_number_of_attempts() -> None:
    script = Script([ServerError("1")], [ServerError("2")], [ServerError("3")])
    with pytest.raises(ServerError, match="3") as caught:
        run(script)
    assert caught.value.attempts == 3
    assert [str(error) for error in caught.value.earlier] == ["1", "2"]
    assert script.calls == 3


@pytest.mark.parametrize("error", [AuthenticationError("no"), QuotaExhausted("no")])
def test_errors_that_waiting_cannot_mend_are_not_repeated(error: FennecError) -> None:
    script = Script([error])
    with pytest.raises(type(error)) as caught:
        run(script)
    assert script.calls == 1
    assert caught.value.attempts == 1


@pytest.mark.parametrize(("status", "code"), [(429, "insufficient_quota"), (429, "billing_hard_limit_reached")])
def test_retry_quota_not_retried(status: int, code: str) -> None:
    body = b'{"error":{"message":"m","code":"%s"}}' % code.encode()
    script = Script([decode_error(status, {"x-should-retry": "true", "retry-after": "1"}, body)], [HELLO, STOP])
    with pytest.raises(QuotaExhausted) as caught:
        run(script)
    assert (script.calls, caught.value.attempts, caught.value.retryable) == (1, 1, False)


def test_nothing_is_repeated_once_something_was_shown() -> None:
    script = Script([HELLO, NetworkError("cut")], [HELLO, STOP])
    slept: list[float] = []
    stage = retry(script, POLICY, sleep=slept.append)
    shown: list[str | None] = []
    with pytest.raises(StreamBroken) as caught:
        shown.extend(chunk.content for chunk in stage(REQUEST))
    assert script.calls == 1
    assert caught.value.partial
    assert slept == []


def test_role_and_hidden_reasoning_do_not_count_as_shown() -> None:
    early = [CompletionChunk(role="assistant"), CompletionChunk(reasoning="hm"), NetworkError("cut")]
    script = Script(early, [HELLO, STOP])
    assert run(script) == ("Hello", [1.0])


def test_reasoning_that_is_shown_commits() -> None:
    script = Script([CompletionChunk(reasoning="hm"), NetworkError("cut")], [HELLO, STOP])
    stage = retry(script, POLICY, shows_reasoning=True, sleep=lambda _s: None)
    with pytest.raises(StreamBroken):
        list(stage(REQUEST))
    assert script.calls == 1


def test_a_held_answer_may_be_repeated_after_a_late_failure() -> None:
    script = Script([HELLO, NetworkError("cut")], [HELLO, STOP])
    stage = retry(hold(script), POLICY, sleep=lambda _s: None)
    assert "".join(chunk.content or "" for chunk in stage(REQUEST)) == "Hello"
    assert script.calls == 2


def test_a_notice_precedes_each_repetition_and_the_number_of_attempts_follows() -> None:
    script = Script([ServerError("busy", status=503)], [HELLO, STOP])
    stage = retry(script, POLICY, sleep=lambda _s: None, uniform=lambda low, _high: low)
    chunks = [chunk for chunk in stage(REQUEST) if chunk is not PAUSE]
    notice = chunks[0].retry
    assert notice is not None
    assert (notice.attempt, notice.error_class, notice.status, notice.wait_s) == (1, "unavailable", 503, 1.0)
    assert chunks[1].metadata == ChunkMetadata(attempts=2)


def test_a_server_hint_is_waited_for_in_full() -> None:
    script = Script([RateLimitError("slow", retry_after=7.0)], [HELLO, STOP])
    assert run(script) == ("Hello", [7.0])


def test_a_hint_longer_than_allowed_stops_at_once_and_says_when() -> None:
    script = Script([RateLimitError("slow", retry_after=7200.0)])
    with pytest.raises(RateLimitError) as caught:
        run(script)
    assert "7200 s" in caught.value.line()
    assert script.calls == 1


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    request = CompletionRequest((Message("user", "hi"),), "m", deadline=0.5)
    script = Script([ServerError("1")], [HELLO, STOP])
    with pytest.raises(ServerError):
        run(script, request=request)
    assert script.calls == 1


def test_throttling_without_a_hint_waits_at_least_half_a_second() -> None:
    def low(lowest: float, _high: float) -> float:
        return lowest

    policy = RetryConfig(initial_delay=0.5)
    assert wait_s(RateLimitError("slow"), 1, policy, low) == 0.5
    assert wait_s(RateLimitError("slow"), 2, policy, low) == 1.0
    assert wait_s(ServerError("busy"), 2, policy, low) == 0.0


def test_closing_the_stage_closes_the_attempt_under_way() -> None:
    script = Script([HELLO, HELLO, STOP])
    chunks = retry(script, POLICY)(REQUEST)
    next(chunks)
    chunks.close()
    assert script.closed == 1


def test_every_failed_attempt_is_closed() -> None:
    script = Script([CompletionChunk(role="assistant"), ServerError("1")], [HELLO, STOP])
    run(script)
    assert script.closed == 2


def test_an_answer_without_any_text_is_an_answer() -> None:
    assert run(Script([CompletionChunk(role="assistant"), STOP])) == ("", [])


@pytest.mark.soak
def test_retry_never_after_output() -> None:
    """Wherever attempts fail: what is shown is a prefix of the answer, and only a whole answer is a success."""
    random = Random(5)
    for _ in range(soak(1000, 100_000)):
        text = [chr(97 + number) for number in range(random.randint(1, 8))]
        pieces = [CompletionChunk(role="assistant"), *(CompletionChunk(content=letter) for letter in text), STOP]
        points = [random.randint(0, len(pieces)) for _ in range(POLICY.max_attempts)]
        script = Script(
            *([*pieces[:point], NetworkError("cut")] if point < len(pieces) else pieces for point in points)
        )
        shown: list[str] = []
        calls_when_shown = 0
        try:
            for chunk in retry(script, POLICY, sleep=lambda _s: None)(REQUEST):
                if chunk.content:
                    calls_when_shown = calls_when_shown or script.calls
                    shown.append(chunk.content)
        except StreamBroken:
            assert shown == text[: points[script.calls - 1] - 1]
        except NetworkError:
            assert (shown, script.calls) == ([], POLICY.max_attempts)
        else:
            assert shown == text
        assert calls_when_shown in (0, script.calls)  # nothing was sent again after it


def test_retry_deadline_never_exceeded_by_more_than_100ms() -> None:
    """Real waits: a peer that always fails, hints and delays that would go far past the deadline.

    A busy machine may add to one run: the best of a few is ours.
    """
    for hint in (None, 0.05, 0.2, 5.0):
        policy = RetryConfig(max_attempts=1000, initial_delay=0.05, max_delay=30.0, jitter="none")
        error = RateLimitError("slow", retry_after=hint) if hint else ServerError("down")
        late = []
        while len(late) < 10 and min(late, default=1.0) > 0.1:
            end = time.monotonic() + 0.3
            request = CompletionRequest((Message("user", "hi"),), "m", deadline=end)
            with pytest.raises(type(error)):
                list(retry(Script(*[[error]] * 1000), policy)(request))
            late.append(time.monotonic() - end)
        assert min(late) <= 0.1


def test_attempts_are_numbered_in_the_request_and_in_the_answer() -> None:
    seen: list[CompletionRequest] = []

    def inner(request: CompletionRequest) -> Chunks:
        seen.append(request)
        if len(seen) < 3:
            raise ServerError("no")
        yield HELLO

    chunks = list(retry(inner, POLICY, sleep=lambda _s: None)(REQUEST))
    assert seen == [REQUEST, REQUEST._replace(attempt=2), REQUEST._replace(attempt=3)]
    assert [chunk.metadata.attempts for chunk in chunks if chunk.metadata] == [3]
    assert [chunk.retry.attempt for chunk in chunks if chunk.retry] == [1, 2]


def test_an_answer_at_first_says_nothing_of_attempts() -> None:
    assert list(retry(Script([HELLO]), POLICY)(REQUEST)) == [HELLO]


def test_a_hint_as_long_as_allowed_is_followed_and_a_longer_one_is_not() -> None:
    policy = POLICY._replace(max_retry_after=7.0)
    assert run(Script([RateLimitError("no", retry_after=7.0)], [HELLO]), policy) == ("Hello", [7.0])
    script = Script([RateLimitError("no", retry_after=7.5)], [HELLO])
    with pytest.raises(RateLimitError) as caught:
        run(script, policy)
    assert (script.calls, caught.value.hint) == (1, "try again in 7.5 s")


def test_without_a_hint_of_the_server_none_is_made_up() -> None:
    assert run(Script([ServerError("no")], [HELLO]), POLICY._replace(max_retry_after=0.5)) == ("Hello", [1.0])


def test_a_wait_that_ends_at_the_deadline_is_too_long() -> None:
    script = Script([ServerError("no")], [HELLO])
    with pytest.raises(ServerError):
        run(script, request=REQUEST._replace(deadline=1.0))
    assert run(Script([ServerError("no")], [HELLO]), request=REQUEST._replace(deadline=1.1)) == ("Hello", [1.0])


def test_a_budget_that_is_used_up_ends_the_retries_and_says_so() -> None:
    asked: list[bool] = []

    def may_retry() -> bool:
        asked.append(True)
        return len(asked) < 2

    stage = retry(
        Script([ServerError("1")], [ServerError("2")], [HELLO]), POLICY, may_retry=may_retry, sleep=lambda _: None
    )
    with pytest.raises(ServerError, match="2") as caught:
        list(stage(REQUEST))
    assert (caught.value.attempts, caught.value.budget_exhausted) == (2, True)
    assert caught.value.hint == "retries of all processes are used up for the moment; try again later"


def test_the_budget_is_not_asked_for_a_retry_that_is_not_made() -> None:
    def may_retry() -> bool:
        raise AssertionError("asked")

    with pytest.raises(AuthenticationError):
        list(retry(Script([AuthenticationError("no")]), POLICY, may_retry=may_retry)(REQUEST))


@pytest.mark.parametrize("before", [1, 2])
def test_an_attempt_that_is_not_let_through_is_not_counted_and_hides_no_better_error(before: int) -> None:
    failures: list[list[CompletionChunk | FennecError]] = [[ServerError(f"{n}")] for n in range(1, before + 1)]
    script = Script(*failures, [CircuitOpen("open")], [HELLO])
    with pytest.raises(ServerError, match=str(before)) as caught:
        run(script, POLICY._replace(max_attempts=9))
    assert caught.value.attempts == before
    assert script.calls == before + 1


def test_a_circuit_that_is_open_from_the_start_counts_no_attempt() -> None:
    with pytest.raises(CircuitOpen) as caught:
        run(Script([CircuitOpen("open", retry_after=5.0, hint="wait")], [HELLO]))
    assert (caught.value.attempts, caught.value.hint) == (0, "wait")


def test_what_broke_off_keeps_what_is_known_of_the_failure() -> None:
    cause = ServerError("cut", provider="p", status=502, request_id="r")
    stage = retry(Script([ServerError("first")], [HELLO, cause]), POLICY, sleep=lambda _s: None)
    with pytest.raises(StreamBroken) as caught:
        list(stage(REQUEST))
    error = caught.value
    assert (error.message, error.provider, error.status, error.request_id) == (
        "the answer broke off: cut",
        "p",
        502,
        "r",
    )
    assert (error.attempts, error.partial) == (2, True)
    assert error.hint == "what was written is incomplete; try again, or hold answers back with --atomic"
    with pytest.raises(StreamBroken) as caught:
        list(retry(Script([HELLO, NetworkError("cut", hint="plug it in")]), POLICY)(REQUEST))
    assert caught.value.hint == "plug it in"


def highest(_low: float, high: float) -> float:
    return high


def test_a_hint_is_never_undercut_and_stretched_by_a_tenth_at_most_a_second() -> None:
    def waits(seconds: float) -> tuple[float, float]:
        error = RateLimitError("no", retry_after=seconds)
        return wait_s(error, 1, POLICY, min), wait_s(error, 1, POLICY, highest)

    assert waits(4.0) == (4.0, pytest.approx(4.4))
    assert waits(60.0) == (60.0, 61.0)


def test_jitter_is_full_for_faults_and_equal_for_throttling() -> None:
    full, equal = POLICY._replace(jitter="full"), POLICY._replace(jitter="equal")
    fault, throttled = ServerError("no"), RateLimitError("no")
    assert (wait_s(fault, 3, full, min), wait_s(fault, 3, full, highest)) == (0.0, 4.0)
    assert (wait_s(fault, 3, equal, min), wait_s(fault, 3, equal, highest)) == (2.0, 4.0)
    assert (wait_s(throttled, 3, full, min), wait_s(throttled, 3, full, highest)) == (2.0, 4.0)


def test_pauses_before_the_first_visible_chunk_do_not_end_the_priming() -> None:
    script = Script([PAUSE, CompletionChunk(role="assistant"), PAUSE, NetworkError("cut")], [HELLO])
    assert run(script) == ("Hello", [1.0])
