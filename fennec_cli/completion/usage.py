"""`--usage`: one line of tokens, cost and speed."""

from fennec_cli.batch.tally import Tally
from fennec_cli.output.events import usage_fields
from fennec_cli.output.text import Answer


def usage_line(answer: Answer, *, streamed: bool = True) -> str:
    """One line: tokens, cost, time to first token, and if it was `streamed` tokens per second."""
    fields, metadata = usage_fields(answer.usage), answer.metadata
    parts = [f"{fields['input_tokens']} tokens in", f"{fields['output_tokens']} tokens out"]
    if fields["estimated"]:
        parts.append("estimated")
    parts.append("unknown cost" if metadata.cost_usd is None else f"${metadata.cost_usd:.6f}")
    if metadata.ttft_s is not None:
        parts.append(f"TTFT {metadata.ttft_s:.3f} s")
        streaming_s = (metadata.total_s or 0.0) - metadata.ttft_s
        if streamed and streaming_s > 0 and not metadata.cached and fields["output_tokens"] > 1:
            parts.append(f"{(fields['output_tokens'] - 1) / streaming_s:.1f} tokens/s")
    if metadata.cached:
        parts.append("from the cache")
    return "usage: " + ", ".join(parts)


def total_line(tally: Tally) -> str:
    """One line for all rows of a batch."""
    fields = usage_fields(tally.usage)
    cost = "unknown cost" if tally.cost_usd is None else f"${tally.cost_usd:.6f}"
    cached = f" ({tally.cached} from the cache)" if tally.cached else ""
    tokens = f"{fields['input_tokens']} tokens in, {fields['output_tokens']} tokens out"
    return f"usage: {tally.rows} rows{cached}, {tokens}, {cost}"
