"""A recorded answer is shown as it was."""

import pytest

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.chunk import ChunkMetadata, CompletionChunk, TokenUsage, ToolCallDelta
from fennec_cli.recording import Record, checked, finish_reasons, is_keepable, recorded, replayed

CHUNKS = [
    CompletionChunk(metadata=ChunkMetadata(provider="openai", model="m", fingerprint="f", request_id="r", attempts=2)),
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
    assert (after.metadata.provider, after.metadata.request_id) == ("openai", "r")
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
