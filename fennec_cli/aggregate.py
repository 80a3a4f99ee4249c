"""The fold over all chunks of one answer: chunks in, `CompletionResponse` out. Pure."""

from fennec_cli.chunk import LAST_CALL, ChunkMetadata, CompletionChunk, FinishReason, TokenUsage
from fennec_cli.request import ToolCall
from fennec_cli.tuples import NamedTuple

# With several choices the answer as a whole is as good as its worst one.
_WORST_FIRST: tuple[FinishReason, ...] = ("content_filter", "length", "tool_calls", "stop")

ResponseMetadata = ChunkMetadata


class Choice(NamedTuple):
    """One of the answers of a request (there is one unless the provider was asked for more)."""

    content: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason | None


class CompletionResponse(NamedTuple):
    """A whole answer. `finish_reason` is None when the stream ended without one."""

    choices: tuple[Choice, ...]
    finish_reason: FinishReason | None
    usage: TokenUsage | None
    metadata: ResponseMetadata

    @property
    def content(self) -> str:
        return self.choices[0].content if self.choices else ""

    @property
    def reasoning(self) -> str:
        return self.choices[0].reasoning if self.choices else ""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return self.choices[0].tool_calls if self.choices else ()


class _Open:
    """A choice under way."""

    __slots__ = ("content", "finish_reason", "reasoning", "refused", "tool_calls")

    def __init__(self) -> None:
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.tool_calls: dict[int, list[str]] = {}  # index -> [id, name, fragment, ...]
        self.finish_reason: FinishReason | None = None
        self.refused = False

    @property
    def outcome(self) -> FinishReason | None:
        """The finish reason; some providers say `stop` for a refusal and for tool calls too."""
        if self.finish_reason != "stop":
            return self.finish_reason
        if self.refused:
            return "content_filter"
        return "tool_calls" if self.tool_calls else "stop"


class ResponseAggregator:
    """Collect the chunks of one answer. `keep_text=False` folds everything but the text, in constant memory."""

    def __init__(self, *, keep_text: bool = True) -> None:
        self._keep_text = keep_text
        self._choices: dict[int, _Open] = {}
        self._usage: TokenUsage | None = None
        self._metadata = ChunkMetadata()

    def add_chunk(self, chunk: CompletionChunk) -> None:
        if chunk.content is not None or chunk.reasoning is not None:
            if self._keep_text:
                choice = self._choice(chunk.index)
                if chunk.content:
                    choice.content.append(chunk.content)
                if chunk.reasoning:
                    choice.reasoning.append(chunk.reasoning)
            elif chunk.index not in self._choices:
                self._choice(chunk.index)
        if chunk.tool_call is not None:
            call = chunk.tool_call
            parts = self._choice(chunk.index).tool_calls.setdefault(call.index, ["", ""])
            parts[0] = parts[0] or call.id or ""
            parts[1] = parts[1] or call.name or ""
            parts.append(call.arguments)
        if chunk.refusal:
            self._choice(chunk.index).refused = True
        if chunk.finish_reason is not None:
            self._choice(chunk.index).finish_reason = chunk.finish_reason
        if chunk.usage is not None:
            self._usage = chunk.usage if self._usage is None else self._usage.merged(chunk.usage)
        if chunk.metadata is not None:
            self._metadata = merged(self._metadata, chunk.metadata)

    @property
    def metadata(self) -> ResponseMetadata:
        return self._metadata

    @property
    def usage(self) -> TokenUsage | None:
        return self._usage

    @property
    def finish_reason(self) -> FinishReason | None:
        """The worst finish reason of all choices, or None while one is still open."""
        seen = {choice.outcome for choice in self._choices.values()}
        if not seen or None in seen:
            return None
        return next(reason for reason in _WORST_FIRST if reason in seen)

    def finalize(self) -> CompletionResponse:
        choices = tuple(
            Choice(
                content="".join(choice.content),
                reasoning="".join(choice.reasoning),
                tool_calls=tuple(_call(parts) for _, parts in sorted(choice.tool_calls.items())),
                finish_reason=choice.outcome,
            )
            for _, choice in sorted(self._choices.items())
        )
        return CompletionResponse(choices, self.finish_reason, self._usage, self._metadata)

    def _choice(self, index: int) -> _Open:
        try:
            return self._choices[index]
        except KeyError:
            return self._choices.setdefault(index, _Open())


def _call(parts: list[str]) -> ToolCall:
    """Join a call's fragments; a tool without arguments may come with none at all."""
    call_id, name, *arguments = parts
    return ToolCall(call_id, name, "".join(arguments) or "{}")


class CallNumbers:
    """Numbers the tool calls of each choice 0, 1, … by first appearance, for wires that name them."""

    def __init__(self) -> None:
        self._known: dict[int, dict[str, int]] = {}

    def numbered(self, chunk: CompletionChunk) -> CompletionChunk:
        """Return `chunk` with the number of its call in the place of the call's key."""
        call = chunk.tool_call
        if call is None or call.key is None:
            return chunk
        known = self._known.setdefault(chunk.index, {})
        if call.key == LAST_CALL:
            return chunk._replace(tool_call=call._replace(index=max(0, len(known) - 1), key=None))
        if call.key not in known and call.id is None:
            return chunk._replace(tool_call=None)  # of something that was never opened: a tool that the server runs
        number = known.setdefault(call.key, len(known))
        return chunk._replace(tool_call=call._replace(index=number, key=None))


def merged(old: ChunkMetadata, new: ChunkMetadata) -> ChunkMetadata:
    """Return `old` with every field that `new` knows taken from `new`."""
    return ChunkMetadata._make([was if now is None else now for was, now in zip(old, new, strict=True)])
