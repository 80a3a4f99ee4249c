"""The NDJSON events and the JSON object, built from chunks. Their schemas: `fennec_cli/schemas`."""

import time
from collections.abc import Callable
from typing import Any

import orjson

from fennec_cli.aggregate import CompletionResponse, ResponseAggregator
from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, TokenUsage
from fennec_cli.errors import EXIT_STATUS, FennecError
from fennec_cli.output.sink import Sink
from fennec_cli.output.text import Answer, failure_of
from fennec_cli.request import ToolCall
from fennec_cli.stages import Chunks

Clock = Callable[[], float]
INTERRUPTED = "interrupted"  # the class of an `error` event that a signal caused


class EventWriter:
    """NDJSON: every event is a line at once after each network read."""

    def __init__(self, sink: Sink, *, reasoning: bool = False, clock: Clock = time.monotonic) -> None:
        self._sink = sink
        self._reasoning = reasoning
        self._clock = clock
        self._row: _Row | None = None  # under way

    def answer(self, row_id: str, chunks: Chunks, meta: bytes | None = None) -> Answer:
        """Write one answer. Returns what became of it; raises only what concerns the whole run."""
        row = self._row = _Row(row_id, self._clock, meta)
        fold = ResponseAggregator(keep_text=False)
        fault: FennecError | None = None
        try:
            for chunk in chunks:
                if chunk.content is not None and not chunk.refusal:  # nearly all of them: nothing else to keep
                    row.chunk(fold.metadata, chunk.index, "content", chunk.content)
                elif chunk is PAUSE:
                    self._flush(row)
                else:
                    fold.add_chunk(chunk)
                    fault = chunk.fault or fault
                    self._add(row, chunk, fold.metadata)
        except Exception as caught:
            error = failure_of(caught)
            row.close("error", error_fields(error, started=row.started))
            self._flush(row)
            return Answer(error, fold.usage, fold.metadata)
        except BaseException as signal:
            status = getattr(signal, "exit_status", None)
            if status is not None:  # a signal: readers of the stream still get their closing line
                row.close("error", interrupted_fields(status, row.started))
                self._flush(row)
            raise
        row.start(fold.metadata)
        row.close("end", end_fields(fold.finalize(), fault))
        self._flush(row)
        return Answer(fault, fold.usage, fold.metadata)

    def failure(self, row_id: str, error: FennecError, meta: bytes | None = None) -> None:
        """Write the `error` event of a row that was never sent."""
        row = _Row(row_id, self._clock, meta)
        row.close("error", error_fields(error, started=False))
        self._flush(row)

    def interrupted(self, exit_status: int) -> bytes:
        row = self._row
        if row is None or row.is_closed:
            return b""
        row.close("error", interrupted_fields(exit_status, row.started))
        return row.taken()

    def summary(self, fields: dict[str, Any]) -> None:
        self._sink.write(orjson.dumps({"v": 1, "type": "summary", "id": None, **fields}) + b"\n")

    def _add(self, row: "_Row", chunk: CompletionChunk, metadata: ChunkMetadata) -> None:
        if chunk.content is not None:
            row.chunk(metadata, chunk.index, "content", chunk.content)
        elif chunk.tool_call is not None:
            call = chunk.tool_call
            fields = {"index": call.index, "id": call.id, "name": call.name, "arguments": call.arguments}
            row.chunk(metadata, chunk.index, "tool_call", fields)
        elif chunk.reasoning is not None and self._reasoning:
            row.chunk(metadata, chunk.index, "reasoning", chunk.reasoning)
        elif chunk.retry is not None:
            retry = chunk.retry
            row.add(
                "retry",
                {
                    "attempt": retry.attempt,
                    "class": retry.error_class,
                    "status": retry.status,
                    "wait_s": round(retry.wait_s, 3),
                },
            )

        elif chunk.fallback is not None:
            notice = chunk.fallback
            row.add("fallback", {"from": notice.from_, "to": notice.to, "class": notice.error_class})

    def _flush(self, row: "_Row") -> None:
        if row.lines:
            self._sink.write(row.taken())


class _Row:
    """The lines of one id that were not written yet."""

    def __init__(self, row_id: str, clock: Clock, meta: bytes | None) -> None:
        self._id = row_id
        self._meta = meta
        self._clock = clock
        self._begin = clock()
        self._seq = 0
        self._now: float | None = None  # what came in one network read came at one moment
        self.started = self.is_closed = False
        self.lines: list[bytes] = []

    def start(self, metadata: ChunkMetadata) -> None:
        if not self.started:
            self.started = True
            self.add(
                "start",
                {
                    "provider": metadata.provider,
                    "model": metadata.model,
                    "fingerprint": metadata.fingerprint,
                    "cache": metadata.cache or "off",
                    **({} if metadata.similarity is None else {"similarity": round(metadata.similarity, 4)}),
                },
            )

    def chunk(self, metadata: ChunkMetadata, index: int, kind: str, value: Any) -> None:
        if not self.started:
            self.start(metadata)
        self.add("chunk", {"index": index, kind: value})

    def add(self, event_type: str, fields: dict[str, Any]) -> None:
        if self._now is None:
            self._now = round(self._clock() - self._begin, 6)
        event = {"v": 1, "type": event_type, "id": self._id, "seq": self._seq, "t": self._now, **fields}
        self.lines.append(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
        self._seq += 1

    def close(self, event_type: str, fields: dict[str, Any]) -> None:
        """Add the last event, unless there is one."""
        if not self.is_closed:
            self.is_closed = True
            self.add(event_type, fields if self._meta is None else {**fields, "meta": orjson.Fragment(self._meta)})

    def taken(self) -> bytes:
        """Return the lines that are due, and forget them: a write that fails is not repeated by the closing event."""
        lines = b"".join(self.lines)
        self.lines.clear()
        self._now = None
        return lines


class ObjectWriter:
    """JSON: one object per prompt, written when its answer is over."""

    def __init__(self, sink: Sink, *, reasoning: bool = False, clock: Clock = time.monotonic) -> None:
        self._sink = sink
        self._reasoning = reasoning
        self._clock = clock

    def answer(self, row_id: str, chunks: Chunks, meta: bytes | None = None) -> Answer:
        begin = self._clock()
        fold = ResponseAggregator()
        fault: FennecError | None = None
        try:
            for chunk in chunks:
                fold.add_chunk(chunk)
                fault = chunk.fault or fault
        except Exception as caught:
            error = failure_of(caught)
            fields = {"type": "error", **error_fields(error, started=False)}
            self._write(row_id, begin, {**fields, **self._content(fold.finalize())}, meta)
            return Answer(error, fold.usage, fold.metadata)
        response = fold.finalize()
        self._write(row_id, begin, {"type": "end", **end_fields(response, fault), **self._content(response)}, meta)
        return Answer(fault, fold.usage, fold.metadata)

    def failure(self, row_id: str, error: FennecError, meta: bytes | None = None) -> None:
        empty = self._content(ResponseAggregator().finalize())
        self._write(row_id, self._clock(), {"type": "error", **error_fields(error, started=False), **empty}, meta)

    def interrupted(self, exit_status: int) -> bytes:  # noqa: ARG002
        """An answer that was broken off has no object."""
        return b""

    def summary(self, fields: dict[str, Any]) -> None:
        """One object per prompt and nothing else: a batch has no summary in this format."""

    def _content(self, response: CompletionResponse) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "content": response.content,
            "reasoning": response.reasoning if self._reasoning else "",
            "tool_calls": [tool_call_fields(call) for call in response.tool_calls],
        }
        if len(response.choices) > 1:
            fields["choices"] = [
                {
                    "content": choice.content,
                    "tool_calls": [tool_call_fields(call) for call in choice.tool_calls],
                    "finish_reason": choice.finish_reason,
                }
                for choice in response.choices
            ]
        return fields

    def _write(self, row_id: str, begin: float, fields: dict[str, Any], meta: bytes | None) -> None:
        if meta is not None:
            fields["meta"] = orjson.Fragment(meta)
        event = {"v": 1, "type": fields.pop("type"), "id": row_id, "seq": 0, "t": round(self._clock() - begin, 6)}
        self._sink.write(orjson.dumps({**event, **fields}, option=orjson.OPT_APPEND_NEWLINE))


def usage_fields(usage: TokenUsage | None) -> dict[str, Any]:
    known = usage or TokenUsage(estimated=True)
    return {
        "input_tokens": known.input_tokens,
        "output_tokens": known.output_tokens,
        "cached_tokens": known.cached_tokens,
        "reasoning_tokens": known.reasoning_tokens,
        "total_tokens": known.total_tokens,
        "estimated": known.estimated,
    }


def tool_call_fields(call: ToolCall) -> dict[str, str]:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def end_fields(response: CompletionResponse, fault: FennecError | None) -> dict[str, Any]:
    metadata = response.metadata
    return {
        "finish_reason": response.finish_reason,
        "usage": usage_fields(response.usage),
        "metadata": {
            "provider": metadata.provider,
            "model": metadata.model,
            "response_id": metadata.response_id,
            "request_id": metadata.request_id,
            "attempts": metadata.attempts or 1,
            "ttft_s": _rounded(metadata.ttft_s),
            "total_s": _rounded(metadata.total_s),
            "cached": bool(metadata.cached),
            "cost_usd": metadata.cost_usd,
        },
        "ok": fault is None,
        "exit": fault.exit_status if fault else EXIT_STATUS["ok"],
    }


def error_fields(error: FennecError, *, started: bool) -> dict[str, Any]:
    return {
        "class": error.error_class,
        "exit": error.exit_status,
        "retryable": error.retryable,
        "retry_after_s": _rounded(error.retry_after),
        "status": error.status,
        "message": error.line().split(": ", 1)[1],
        "partial": started and error.partial,
        "attempts": error.attempts,
    }


def interrupted_fields(exit_status: int, started: bool) -> dict[str, Any]:
    return {
        "class": INTERRUPTED,
        "exit": exit_status,
        "retryable": True,
        "retry_after_s": None,
        "status": None,
        "message": "stopped by a signal",
        "partial": started,
        "attempts": 1,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
