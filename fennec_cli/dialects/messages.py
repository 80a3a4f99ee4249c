"""Messages dialect. Source: Anthropic API reference, version 2026-10-21, "Messages" and its events, read 2026-11.

Spoken by Anthropic and, with fewer fields, by llama.cpp's server. The bodies built here have the form of the current
models; what older ones want otherwise is the provider's business.
"""

from typing import Any

import orjson

from fennec_cli.chunk import TERMINATOR, ChunkMetadata, CompletionChunk, FinishReason, TokenUsage, ToolCallDelta
from fennec_cli.dialects.anthropic_errors import error_from_event
from fennec_cli.dialects.base import Framing
from fennec_cli.dialects.documents import json_object, name_of, text_of, tokens_of
from fennec_cli.errors import ProtocolError, RequestError
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling, Tool, ToolCall
from fennec_cli.wire import Event

FRAMING: Framing = "sse"
PATH = "/messages"
FETCHED: frozenset[str] = frozenset()
# The API insists on a limit. This is the highest one that Anthropic's SDK takes for answers in one piece (ten minutes
# at 128,000 tokens an hour), and no current model offers less.
DEFAULT_MAX_TOKENS = 21_333
EFFORTS = ("low", "medium", "high", "xhigh", "max")

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",  # the provider's own tools want another turn; `detail` says so
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_INSTRUCTIONS = ("system", "developer")
_CHOICE_TYPES = {"auto": "auto", "none": "none", "required": "any"}


def build_body(request: CompletionRequest, sampling: Sampling) -> dict[str, Any]:
    """Return the body. Raises `RequestError` for what Messages has no field for."""
    if sampling.seed is not None:
        raise RequestError("the Messages API has no --seed", hint="leave it out")
    system = "\n\n".join(message.content for message in request.messages if message.role in _INSTRUCTIONS)
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": DEFAULT_MAX_TOKENS if sampling.max_tokens is None else sampling.max_tokens,
    }
    if system:
        body["system"] = system
    body["messages"] = _turns(request.messages)
    optional = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stop_sequences": list(sampling.stop) or None,
    }
    body.update((key, value) for key, value in optional.items() if value is not None)
    body.update(_thinking(request, sampling.reasoning_effort))
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        kind = _CHOICE_TYPES.get(request.tool_choice)
        body["tool_choice"] = {"type": kind} if kind else {"type": "tool", "name": request.tool_choice}
    if request.stream:
        body["stream"] = True
    return body


def decode(event: Event) -> list[CompletionChunk]:
    if not event.data:
        return []
    document = json_object(event.data)
    try:
        return _decoded(document)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the provider sent an event of an unknown shape ({error})") from error


def decode_body(body: bytes) -> list[CompletionChunk]:
    message = json_object(body)
    if message.get("error"):
        raise error_from_event(message)
    try:
        return _whole(message)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the provider sent an answer of an unknown shape ({error})") from error


def _thinking(request: CompletionRequest, effort: str | None) -> dict[str, Any]:
    """An effort asks for thinking, unless a forced tool forbids it; `--reasoning` asks to see it."""
    fields: dict[str, Any] = {}
    output: dict[str, Any] = {}
    if effort == "none":
        fields["thinking"] = {"type": "disabled"}
    elif request.reasoning:
        fields["thinking"] = {"type": "adaptive", "display": "summarized"}
    elif effort is not None and request.tool_choice in (None, "auto", "none"):
        fields["thinking"] = {"type": "adaptive"}
    if effort not in (None, "none"):
        if effort not in EFFORTS:
            raise RequestError(f"the Messages API has no effort {effort}", hint=f"choose none, {', '.join(EFFORTS)}")
        output["effort"] = effort
    if request.schema is not None:
        output["format"] = {"type": "json_schema", "schema": dict(request.schema)}
    if output:
        fields["output_config"] = output
    return fields


def _tool(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        fields["description"] = tool.description
    fields["input_schema"] = tool.parameters or {"type": "object", "properties": {}}
    if tool.strict is not None:
        fields["strict"] = tool.strict
    return fields


def _turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The results of parallel tool calls belong into one turn, the one behind the calls."""
    turns: list[dict[str, Any]] = []
    answered = False  # whether the last turn is one of tool results
    for message in messages:
        if message.role in _INSTRUCTIONS:
            continue
        if message.tool_call_id is None:
            turns.append({"role": message.role, "content": _content(message)})
        elif answered:
            turns[-1]["content"].append(_tool_result(message))
        else:
            turns.append({"role": "user", "content": [_tool_result(message)]})
        answered = message.tool_call_id is not None
    return turns


def _content(message: Message) -> str | list[dict[str, Any]]:
    """Plain text, or blocks: attachments first, for the models read a question best behind what it is about."""
    if not message.attachments and not message.tool_calls:
        return message.content
    if message.attachments and message.role == "assistant":
        raise RequestError("the Messages API takes no attachments in an assistant's turn")
    text = [{"type": "text", "text": message.content}] if message.content else []  # an empty block is refused
    return [*map(_attachment, message.attachments), *text, *map(_tool_use, message.tool_calls)]


def _attachment(attachment: Attachment) -> dict[str, Any]:
    if attachment.url is not None:
        source = {"type": "url", "url": attachment.url}
    else:
        from base64 import b64encode

        data = b64encode(attachment.data).decode()
        source = {"type": "base64", "media_type": attachment.media_type, "data": data}
    return {"type": "image" if attachment.is_image else "document", "source": source}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise RequestError(f"the arguments of the call of {call.name} are not a JSON object")
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _tool_result(message: Message) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": _content(message)}


def _decoded(event: dict[str, Any]) -> list[CompletionChunk]:
    match event.get("type"):
        case "content_block_delta":
            return _delta(event["delta"], str(event["index"]))
        case "content_block_start":
            return _block(event["content_block"], str(event["index"]))
        case "message_start":
            return [_opening(event["message"])]
        case "message_delta":
            return _ending(event["delta"], event.get("usage"))
        case "message_stop":
            return [TERMINATOR]
        case "error":
            raise error_from_event(event)
        case None if event.get("error"):  # compatible servers leave the type out
            raise error_from_event(event)
    return []


def _delta(delta: dict[str, Any], key: str) -> list[CompletionChunk]:
    match delta.get("type"):
        case "text_delta" if text := text_of(delta["text"]):
            return [CompletionChunk(content=text)]
        case "thinking_delta" if text := text_of(delta["thinking"]):
            return [CompletionChunk(reasoning=text)]
        case "input_json_delta" if text := text_of(delta["partial_json"]):
            return [CompletionChunk(tool_call=ToolCallDelta(0, arguments=text, key=key))]
    return []


def _block(block: dict[str, Any], key: str, no_input: str = "") -> list[CompletionChunk]:
    """A content block, of a whole answer or as it starts in a stream: without its text or its tool's input."""
    match block.get("type"):
        case "text" if text := text_of(block["text"]):
            return [CompletionChunk(content=text)]
        case "thinking" if text := text_of(block["thinking"]):
            return [CompletionChunk(reasoning=text)]
        case "tool_use":
            arguments = orjson.dumps(block["input"]).decode() if block.get("input") else no_input
            call = ToolCallDelta(0, text_of(block["id"]), text_of(block["name"]), arguments, key=key)
            return [CompletionChunk(tool_call=call)]
    return []


def _opening(message: dict[str, Any]) -> CompletionChunk:
    """The usage at the start counts the input; the output that it counts is a guess until the end."""
    metadata = ChunkMetadata(model=name_of(message.get("model")), response_id=name_of(message.get("id")))
    usage = message.get("usage")
    known = _usage({**usage, "output_tokens": 0})._replace(estimated=True) if usage else None
    return CompletionChunk(role="assistant", metadata=metadata, usage=known)


def _ending(delta: dict[str, Any], usage: dict[str, Any] | None) -> list[CompletionChunk]:
    chunks = []
    reason = delta.get("stop_reason")
    if reason is not None:
        if reason not in _FINISH:
            raise ProtocolError(f"the provider stopped for a reason that is not known here ({reason})")
        detail = _detail(reason, delta.get("stop_details") or {})
        metadata = ChunkMetadata(detail=detail) if detail else None
        chunks.append(CompletionChunk(finish_reason=_FINISH[reason], metadata=metadata))
    if usage:
        chunks.append(CompletionChunk(usage=_usage(usage)))
    return chunks


def _detail(reason: str, details: dict[str, Any]) -> str | None:
    if reason == "refusal":
        return ": ".join(str(part) for part in (reason, details.get("category"), details.get("explanation")) if part)
    return reason if reason == "pause_turn" else None


def _whole(message: dict[str, Any]) -> list[CompletionChunk]:
    chunks = [_opening({**message, "usage": None})]
    for position, block in enumerate(message["content"]):
        chunks += _block(block, str(position), no_input="{}")
    return [*chunks, *_ending(message, message.get("usage"))]


def _usage(usage: dict[str, Any]) -> TokenUsage:
    """`input_tokens` on the wire leaves out what was written to the cache or read from it."""
    cached = tokens_of(usage.get("cache_read_input_tokens"))
    written = tokens_of(usage.get("cache_creation_input_tokens"))
    return TokenUsage(
        input_tokens=tokens_of(usage.get("input_tokens")) + written + cached,
        output_tokens=tokens_of(usage.get("output_tokens")),
        cached_tokens=cached,
        reasoning_tokens=tokens_of((usage.get("output_tokens_details") or {}).get("thinking_tokens")),
    )
