"""A recorded answer is shown as it was."""

import pytest

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.chunk import ChunkMetadata, CompletionChunk, TokenUsage, ToolCallDelta
from fennec_cli.recording import Record, checked, finish_reasons, is_keepable, recorded, replayed

OPENING = ChunkMetadata(provider="openai", model="m", fingerprint="f", request_id="r", attempts=2, max_tokens=9)
CHUNKS = [
    CompletionChunk(metadata=OPENING),
    CompletionChunk(reasoning="think"),
    CompletionChunk(content="Hel"),
    CompletionChunk(content="lo"),
    CompletionChunk(tool_call=ToolCallDelta(0, "c1", "look", '{"a":')),
    CompletionChunk(tool_call=ToolCallDelta(0, None, None, "1}")),
    CompletionChunk(content="other", index=1),
    CompletionChunk(finish_reason="tool_calls"),
    CompletionChunk(finish_reason="stop", index=1),
    CompletionChunk(usage=TokenUsage(7, 3, 1, 2), metadata=ChunkMetadata(cost_usd=0.5)),
]


def record() -> Record:
    fold = ResponseAggregator()
    for chunk in CHUNKS:
        fold.add_chunk(chunk)
    return recorded(fold.finalize())


def test_a_replay_folds_to_the_same_answer() -> None:
    first, second = ResponseAggregator(), ResponseAggregator()
    for chunk in CHUNKS:
        first.add_chunk(chunk)
    for chunk in replayed(record(), ChunkMetadata(fingerprint="f", cached=True, cost_usd=0.0)):
        second.add_chunk(chunk)
    before, after = first.finalize(), second.finalize()
    assert after.choices == before.choices
    assert after.usage == before.usage
    assert (after.metadata.provider, after.metadata.request_id, after.metadata.max_tokens) == ("openai", "r", 9)
    assert (after.metadata.cached, after.metadata.cost_usd, after.metadata.attempts) == (True, 0.0, None)


def test_a_record_is_good_when_it_is_checked() -> None:
    assert checked(record()) == record()
    assert finish_reasons(record()) == {"stop", "tool_calls"}


@pytest.mark.parametrize(
    "change",
    [
        {"form": 2},
        {"choices": []},
        {"choices": [{"content": "x"}]},
        {"usage": [1, 2]},
        {"usage": [1, 2, 3, -4, False]},
        {"metadata": {"provider": 5}},
        {"metadata": {"max_tokens": "9"}},
        {"metadata": {"surprise": "x"}},
        {"more": 1},
    ],
)
def test_a_record_of_another_shape_is_refused(change: Record) -> None:
    with pytest.raises(ValueError, match="not a recorded answer"):
        checked({**record(), **change})


@pytest.mark.parametrize("place", ["content", "reasoning", "finish_reason", "tool_calls"])
def test_a_choice_with_something_else_in_it_is_refused(place: str) -> None:
    bad = record()
    bad["choices"][0][place] = 5
    with pytest.raises(ValueError, match="not a recorded answer"):
        checked(bad)


def test_only_answers_that_ended_well_are_kept() -> None:
    assert is_keepable({"stop"}, allow_truncated=False)
    assert is_keepable({"tool_calls", "stop"}, allow_truncated=False)
    assert not is_keepable({"length"}, allow_truncated=False)
    assert is_keepable({"length"}, allow_truncated=True)
    assert not is_keepable({"stop", "content_filter"}, allow_truncated=True)
    assert not is_keepable({None}, allow_truncated=True)


def test_what_is_not_known_is_not_recorded() -> None:
    fold = ResponseAggregator()
    fold.add_chunk(CompletionChunk(content="x", finish_reason="stop"))
    assert recorded(fold.finalize()) == {
        "form": 1,
        "choices": [{"content": "x", "reasoning": "", "tool_calls": [], "finish_reason": "stop"}],
        "usage": None,
        "metadata": {},
    }


def test_a_replay_costs_nothing_unless_it_is_said() -> None:
    first, *_ = replayed(record(), ChunkMetadata(cached=True))
    assert first.role == "assistant"
    assert first.metadata is not None
    assert first.metadata.cost_usd is None


def test_a_replay_keeps_the_choices_and_the_calls_apart() -> None:
    calls = [["1", "f", "{}"], ["2", "g", "[]"]]
    other = {"content": "", "reasoning": "hm", "tool_calls": calls, "finish_reason": "tool_calls"}
    chunks = list(replayed({**record(), "choices": [record()["choices"][1], other]}, ChunkMetadata()))
    assert [chunk.index for chunk in chunks if chunk.reasoning] == [1]
    assert [(chunk.index, chunk.tool_call) for chunk in chunks if chunk.tool_call] == [
        (1, ToolCallDelta(0, "1", "f", "{}")),
        (1, ToolCallDelta(1, "2", "g", "[]")),
    ]


def test_all_that_is_kept_of_the_metadata_may_be_there() -> None:
    texts = dict.fromkeys(("provider", "model", "response_id", "request_id", "detail"), "x")
    good = {**record(), "metadata": {**texts, "hides_length": True, "cost_usd": 1}}
    assert checked(good) == good


@pytest.mark.parametrize("call", [["1", "f"], ["1", "f", 5], ["1", "f", "{}", ""], "abc", ("1", "f", "{}")])
def test_a_call_of_another_shape_is_refused(call: object) -> None:
    bad = record()
    bad["choices"][0]["tool_calls"] = [call]
    with pytest.raises(ValueError, match="not a recorded answer"):
        checked(bad)


def test_answers_that_were_cut_are_kept_beside_whole_ones() -> None:
    assert is_keepable({"stop", "tool_calls", "length"}, allow_truncated=True)
