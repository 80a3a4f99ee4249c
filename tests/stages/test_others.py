"""budget, hold, judge and measure."""

import pytest

from fennec_cli.budget import Budget
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, FinishReason, TokenUsage, ToolCallDelta
from fennec_cli.errors import ContentFiltered, FennecError, NetworkError, Truncated
from fennec_cli.pricing import Price
from fennec_cli.request import CompletionRequest, Message
from fennec_cli.spending import Spending
from fennec_cli.stages import Chunks
from fennec_cli.stages.budget import Purse, budget
from fennec_cli.stages.hold import hold
from fennec_cli.stages.judge import judge
from fennec_cli.stages.measure import measure
from fennec_cli.store import MemoryStore
from tests.cases import folded

REQUEST = CompletionRequest((Message("user", "12345678"),), "m")


def inner_of(*steps: CompletionChunk | FennecError):  # type: ignore[no-untyped-def]
    def inner(_request: CompletionRequest) -> Chunks:
        for step in steps:
            if isinstance(step, FennecError):
                raise step
            yield step

    return inner


def test_hold_hands_on_nothing_of_an_answer_that_fails() -> None:
    stage = hold(inner_of(CompletionChunk(content="a"), NetworkError("cut")))
    with pytest.raises(NetworkError):
        next(stage(REQUEST))


def test_hold_drops_the_pauses() -> None:
    a, b = CompletionChunk(content="a"), CompletionChunk(content="b")
    assert list(hold(inner_of(a, PAUSE, b, PAUSE))(REQUEST))[:2] == [a, b]


def test_the_first_token_of_an_answer_that_is_held_is_the_providers() -> None:
    moments = iter([10.0, 10.5, 12.0, 12.0])

    def clock() -> float:
        return next(moments)

    inner = inner_of(CompletionChunk(role="assistant"), CompletionChunk(content="a"), CompletionChunk(content="b"))
    last = list(measure(hold(inner, clock=clock), clock=clock)(REQUEST))[-1]
    assert last.metadata is not None
    assert (last.metadata.ttft_s, last.metadata.total_s) == (0.5, 2.0)


@pytest.mark.parametrize(
    ("reason", "fault"),
    [("stop", None), ("tool_calls", None), ("length", Truncated), ("content_filter", ContentFiltered)],
)
def test_judge_says_what_is_wrong_with_an_answer(reason: FinishReason, fault: type[FennecError] | None) -> None:
    chunks = list(judge(inner_of(CompletionChunk(finish_reason=reason)))(REQUEST))
    faults = [type(chunk.fault) for chunk in chunks if chunk.fault]
    assert faults == ([fault] if fault else [])


def test_judge_accepts_what_the_user_allows() -> None:
    inner = inner_of(CompletionChunk(finish_reason="length"))
    assert not [c for c in judge(inner, allow_truncated=True)(REQUEST) if c.fault]
    assert [c for c in judge(inner, allow_filtered=True)(REQUEST) if c.fault]


def test_measure_says_times_and_cost_in_a_last_chunk() -> None:
    moments = iter([10.0, 10.5, 12.0])
    usage = TokenUsage(input_tokens=1_000_000, output_tokens=2_000_000)
    stage = measure(
        inner_of(
            CompletionChunk(metadata=ChunkMetadata(provider="p", model="m")),
            CompletionChunk(content="a"),
            CompletionChunk(usage=usage),
        ),
        price=lambda provider, model, used: Price(1.0, 2.0).cost_usd(used) if (provider, model) == ("p", "m") else 0.0,
        clock=lambda: next(moments),
    )
    last = list(stage(REQUEST))[-1]
    assert last.usage is None
    assert last.metadata is not None
    assert (last.metadata.ttft_s, last.metadata.total_s, last.metadata.cost_usd) == (0.5, 2.0, 5.0)


def test_measure_estimates_usage_where_the_provider_sent_none() -> None:
    last = list(measure(inner_of(CompletionChunk(content="a" * 40)))(REQUEST))[-1]
    assert last.usage == TokenUsage(input_tokens=2, output_tokens=10, estimated=True)


def test_measure_counts_the_output_that_the_provider_did_not() -> None:
    opening = CompletionChunk(usage=TokenUsage(input_tokens=7, estimated=True))
    assert folded(list(measure(inner_of(opening, CompletionChunk(content="a" * 41)))(REQUEST))).usage == TokenUsage(
        input_tokens=7, output_tokens=11, estimated=True
    )


def test_measure_counts_tool_calls_too() -> None:
    call = CompletionChunk(tool_call=ToolCallDelta(0, "c", "f", "a" * 40))
    assert folded(list(measure(inner_of(call))(REQUEST))).usage == TokenUsage(2, 10, estimated=True)


@pytest.mark.parametrize(
    ("told", "cost"),
    [(None, 2 + 10), (TokenUsage(7, 0, estimated=True), 7 + 10), (TokenUsage(7, 3, estimated=False), 7 + 3)],
)
@pytest.mark.parametrize(
    "part", [CompletionChunk(content="a" * 40), CompletionChunk(tool_call=ToolCallDelta(0, "c", "f", "a" * 40))]
)
def test_a_budget_pays_for_what_came_before_the_answer_broke(
    part: CompletionChunk, told: TokenUsage | None, cost: float
) -> None:
    money = Spending([Budget("run", 5000.0, "run")], MemoryStore())
    opening = CompletionChunk(metadata=ChunkMetadata(provider="p", model="m"), usage=told)
    stage = budget(
        inner_of(opening, part, NetworkError("cut")),
        Purse(Price(1e6, 1e6), "p/m"),
        money,
    )
    with pytest.raises(NetworkError):
        list(stage(REQUEST))
    assert money.left_usd() == pytest.approx(5000.0 - cost)


def test_cached_tokens_have_their_own_price() -> None:
    usage = TokenUsage(input_tokens=1_000_000, cached_tokens=500_000)
    assert Price(2.0, 0.0, cached=0.2).cost_usd(usage) == pytest.approx(1.1)
    assert Price(2.0, 0.0).cost_usd(usage) == pytest.approx(2.0)
    assert Price(2.0, 0.0, cached=0.2).cost_usd(TokenUsage(0, cached_tokens=500_000)) == pytest.approx(0.1)


SENT = CompletionChunk(metadata=ChunkMetadata(provider="p", max_tokens=10))


@pytest.mark.parametrize(("tokens", "cut"), [(9, False), (10, True), (11, True)])
def test_judge_sees_a_limit_that_the_server_hides(tokens: int, cut: bool) -> None:
    inner = inner_of(
        SENT,
        CompletionChunk(finish_reason="stop", metadata=ChunkMetadata(hides_length=True)),
        CompletionChunk(usage=TokenUsage(1, tokens)),
    )
    assert [type(c.fault) for c in judge(inner)(REQUEST) if c.fault] == ([Truncated] if cut else [])


def test_judge_believes_a_server_that_tells_them_apart() -> None:
    inner = inner_of(SENT, CompletionChunk(finish_reason="stop"), CompletionChunk(usage=TokenUsage(1, 10)))
    assert not [c for c in judge(inner)(REQUEST) if c.fault]
