"""Say whether a complete answer is one that the user can rely on."""

from contextlib import closing

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.chunk import CompletionChunk, FinishReason
from fennec_cli.errors import ContentFiltered, FennecError, Truncated
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


def judge(inner: Stage, *, allow_truncated: bool = False, allow_filtered: bool = False) -> Stage:
    """Add a last chunk with a `fault` when the answer was cut by a length limit or a content filter."""

    def stage(request: CompletionRequest) -> Chunks:
        fold = ResponseAggregator(keep_text=False)
        with closing(inner(request)) as chunks:
            for chunk in chunks:
                if (
                    chunk.finish_reason is not None
                    or chunk.usage is not None
                    or chunk.refusal
                    or chunk.metadata is not None
                ):
                    fold.add_chunk(chunk)
                yield chunk
        fault = verdict("length" if _hidden_length(fold) else fold.finish_reason, fold.metadata.detail)
        allowed = (allow_truncated and isinstance(fault, Truncated)) or (
            allow_filtered and isinstance(fault, ContentFiltered)
        )
        if fault is not None and not allowed:
            yield CompletionChunk(fault=fault)

    return stage


def _hidden_length(fold: ResponseAggregator) -> bool:
    """Whether a server that does not tell truncated answers from complete ones has used up the limit."""
    limit = fold.metadata.max_tokens
    if not fold.metadata.hides_length or limit is None or fold.usage is None:
        return False
    return fold.finish_reason == "stop" and fold.usage.output_tokens >= limit


def verdict(finish_reason: FinishReason | None, detail: str | None = None) -> FennecError | None:
    """Return what is wrong with an answer that ended so, or None; `detail` is the provider's word on it."""
    said = f" ({detail})" if detail else ""
    if finish_reason == "length":
        return Truncated(
            f"the answer was cut off at the token limit{said}",
            hint="raise --max-tokens or accept it with --allow-truncated",
        )
    if finish_reason == "content_filter":
        return ContentFiltered(
            f"the provider's content filter stopped the answer{said}", hint="accept it with --allow-filtered"
        )
    return None
