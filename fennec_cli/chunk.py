"""What stages pass to each other: one `CompletionChunk` per piece of an answer.

Records are NamedTuples here and on the whole live path: making a frozen, slotted dataclass of ten fields takes 1.6 ms
at import, a NamedTuple 0.12, and there are thirty of them.

Two marker chunks carry no data and are compared by identity: `PAUSE` (the wire has nothing more at the moment, so
whoever writes should flush now) and `TERMINATOR` (the dialect's end marker, seen by the transport only).
"""

from collections.abc import Callable
from typing import Literal

from fennec_cli.errors import FennecError
from fennec_cli.tuples import NamedTuple

Role = Literal["system", "developer", "user", "assistant", "tool"]
CacheState = Literal["hit", "semantic", "miss", "off"]
FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


class TokenUsage(NamedTuple):
    """Token counts as the provider reports them; `estimated` is true where it reported none, or not to the end."""

    input_tokens: int = 0  # all input, cached included
    output_tokens: int = 0  # all output, reasoning included
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def merged(self, later: "TokenUsage") -> "TokenUsage":
        """Join two reports of one answer: counts only grow, and a report leaves out what it does not know."""
        return TokenUsage(
            max(self.input_tokens, later.input_tokens),
            max(self.output_tokens, later.output_tokens),
            max(self.cached_tokens, later.cached_tokens),
            max(self.reasoning_tokens, later.reasoning_tokens),
            self.estimated and later.estimated,
        )

    def at_least(self, characters_out: int) -> "TokenUsage":
        """Count an answer of so many characters where the provider has not counted its output to the end."""
        if not self.estimated:
            return self
        return self._replace(output_tokens=max(self.output_tokens, -(-characters_out // 4)))


LAST_CALL = ""


class ToolCallDelta(NamedTuple):
    """A piece of a tool call; `arguments` is a fragment of JSON text, `id` and `name` come with the first piece.

    `index` counts the calls of a choice from 0. A wire that names calls instead gives the name in `key`; whoever folds
    the stream turns it into a number (`aggregate.CallNumbers`); `LAST_CALL` is the one that was begun last.
    """

    index: int  # type: ignore[assignment] # a record, not a sequence: it hides tuple.index
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    key: str | None = None


class RetryNotice(NamedTuple):
    """An attempt failed and another one follows after `wait_s` seconds."""

    attempt: int
    error_class: str
    status: int | None
    wait_s: float


class FallbackNotice(NamedTuple):
    """One model failed, and another one is asked."""

    from_: str
    to: str
    error_class: str


class ObservedLimits(NamedTuple):
    """What a provider says about its limits: how many a minute, how many are left, and seconds until there are more."""

    requests: float | None = None
    requests_left: float | None = None
    requests_reset_s: float | None = None
    tokens: float | None = None
    tokens_left: float | None = None
    tokens_reset_s: float | None = None


class ChunkMetadata(NamedTuple):
    """Facts about the answer; a field that is None says nothing and overrides nothing."""

    provider: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    response_id: str | None = None
    request_id: str | None = None  # the provider's, of the answer
    client_request_id: str | None = None  # ours, of the attempt
    attempts: int | None = None
    cached: bool | None = None
    cache: CacheState | None = None
    similarity: float | None = None  # of the request that a semantic hit was stored for, 0 to 1
    ttft_s: float | None = None
    total_s: float | None = None
    cost_usd: float | None = None
    detail: str | None = None  # more about the finish reason, in the provider's words
    limits: ObservedLimits | None = None
    address: str | None = None  # the URL of who was asked
    key_slot: str | None = None
    filter_hits: int | None = None  # secrets and personal data that the filter saw, in both directions
    sent_at: float | None = None  # moment (monotonic clock) of the request's first byte on the wire
    connect_s: float | None = None  # how long opening the connection took before it
    max_tokens: int | None = None  # the limit that was sent to a server that may hide length
    first_at: float | None = None  # moment (monotonic clock) of the first token, of an answer that was held back
    hides_length: bool | None = None  # the server says `stop` also for an answer that it cut at the token limit
    settle: Callable[[bool], None] | None = None  # to be called once the answer is written, with whether it is good


class CompletionChunk(NamedTuple):
    """One piece of an answer. `index` is the choice it belongs to; None fields say nothing."""

    content: str | None = None
    role: Role | None = None
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    metadata: ChunkMetadata | None = None
    reasoning: str | None = None
    tool_call: ToolCallDelta | None = None
    index: int = 0  # type: ignore[assignment]
    refusal: bool = False  # `content` is the model's refusal to answer
    retry: RetryNotice | None = None
    fallback: FallbackNotice | None = None
    fault: FennecError | None = None  # the answer is complete, but not one to rely on

    @property
    def characters(self) -> int:
        """How much of the answer it is: text, reasoning, or arguments of a tool call."""
        return len(self.content or self.reasoning or (self.tool_call.arguments if self.tool_call is not None else ""))


PAUSE = CompletionChunk()
TERMINATOR = CompletionChunk()
