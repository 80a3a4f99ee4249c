"""A whole answer as a JSON record, and back as the chunks that it came in. Pure."""

from collections.abc import Iterator
from typing import Any

from fennec_cli.aggregate import CompletionResponse
from fennec_cli.chunk import ChunkMetadata, CompletionChunk, TokenUsage, ToolCallDelta

FORM = 1
_TEXTS = ("provider", "model", "response_id", "request_id", "detail")
_KEPT = (*_TEXTS, "max_tokens", "hides_length", "cost_usd")
_FINISHED = ("stop", "tool_calls", "length")
_COUNTS = len(TokenUsage._fields)

Record = dict[str, Any]


def recorded(response: CompletionResponse) -> Record:
    """Return everything of an answer that is shown."""
    known = response.metadata._asdict()
    return {
        "form": FORM,
        "choices": [
            {
                "content": choice.content,
                "reasoning": choice.reasoning,
                "tool_calls": [list(call) for call in choice.tool_calls],
                "finish_reason": choice.finish_reason,
            }
            for choice in response.choices
        ],
        "usage": None if response.usage is None else list(response.usage),
        "metadata": {name: known[name] for name in _KEPT if known[name] is not None},
    }


def checked(record: object) -> Record:
    """Return a record that somebody else wrote, if it is one. Raises `ValueError`."""
    if not isinstance(record, dict) or record.keys() != {"form", "choices", "usage", "metadata"}:
        raise ValueError("not a recorded answer")
    choices, usage, metadata = record["choices"], record["usage"], record["metadata"]
    good = (
        record["form"] == FORM
        and isinstance(choices, list)
        and choices
        and all(map(_is_choice, choices))
        and (usage is None or _is_usage(usage))
        and isinstance(metadata, dict)
        and metadata.keys() <= set(_KEPT)
        and all(isinstance(metadata.get(name, ""), str) for name in _TEXTS)
        and isinstance(metadata.get("max_tokens", 1), int)
        and isinstance(metadata.get("hides_length", True), bool)
        and isinstance(metadata.get("cost_usd", 0.0), int | float)
    )
    if not good:
        raise ValueError("not a recorded answer")
    return record


def replayed(record: Record, metadata: ChunkMetadata) -> Iterator[CompletionChunk]:
    """Yield the chunks of a recorded answer; `metadata` says what is new about it."""
    known = {name: value for name, value in record["metadata"].items() if name != "cost_usd"}
    new = {name: value for name, value in metadata._asdict().items() if value is not None}
    yield CompletionChunk(role="assistant", metadata=ChunkMetadata(**{**known, **new}))
    for index, choice in enumerate(record["choices"]):
        if choice["reasoning"]:
            yield CompletionChunk(reasoning=choice["reasoning"], index=index)
        if choice["content"]:
            yield CompletionChunk(content=choice["content"], index=index)
        for number, (call_id, name, arguments) in enumerate(choice["tool_calls"]):
            yield CompletionChunk(tool_call=ToolCallDelta(number, call_id, name, arguments), index=index)
        yield CompletionChunk(finish_reason=choice["finish_reason"], index=index)
    if record["usage"] is not None:
        yield CompletionChunk(usage=TokenUsage(*record["usage"]))


def is_keepable(finish_reasons: set[str | None], *, allow_truncated: bool) -> bool:
    """Whether an answer whose choices ended so is one to keep and to give again: never one that a filter stopped."""
    return finish_reasons <= ({"stop", "tool_calls", "length"} if allow_truncated else {"stop", "tool_calls"})


def finish_reasons(record: Record) -> set[str | None]:
    return {choice["finish_reason"] for choice in record["choices"]}


def _is_choice(choice: object) -> bool:
    return (
        isinstance(choice, dict)
        and choice.keys() == {"content", "reasoning", "tool_calls", "finish_reason"}
        and isinstance(choice["content"], str)
        and isinstance(choice["reasoning"], str)
        and isinstance(choice["tool_calls"], list)
        and all(
            isinstance(call, list) and len(call) == 3 and all(isinstance(part, str) for part in call)
            for call in choice["tool_calls"]
        )
        and choice["finish_reason"] in _FINISHED
    )


def _is_usage(usage: object) -> bool:
    return (
        isinstance(usage, list)
        and len(usage) == _COUNTS
        and all(isinstance(count, int) and count >= 0 for count in usage)
        and isinstance(usage[-1], bool)
    )
