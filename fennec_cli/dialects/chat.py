"""Chat Completions dialect. Source: OpenAI API reference, "Chat Completions", read 2026-11.

Spoken by OpenAI, Azure, OpenRouter, llama.cpp, vLLM and most compatible servers. Never trust `choices[0]` to exist
(usage chunks, Azure's first chunk) nor `delta` (Azure's filter annotations).
"""

from typing import Any

from fennec_cli.chunk import (
    LAST_CALL,
    TERMINATOR,
    ChunkMetadata,
    CompletionChunk,
    FinishReason,
    TokenUsage,
    ToolCallDelta,
)
from fennec_cli.dialects import content_filter
from fennec_cli.dialects.base import Framing
from fennec_cli.dialects.documents import (
    arguments_of,
    index_of,
    json_object,
    name_of,
    reported_error,
    text_of,
    text_or_none,
    tokens_of,
    usd_of,
)
from fennec_cli.dialects.functions import TOOL_CHOICES, function_fields, schema_fields
from fennec_cli.errors import ProtocolError, RequestError
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling
from fennec_cli.wire import Event

FRAMING: Framing = "sse"
PATH = "/chat/completions"
FETCHED = frozenset({"document"})

# OpenAI's words, then those of compatible servers (TGI, Mistral, Zhipu, and gateways to Anthropic and Google). What is
# not here may stand for an answer that was cut short: `abort` (vLLM), `insufficient_system_resource` (DeepSeek).
_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}


def build_body(request: CompletionRequest, sampling: Sampling) -> dict[str, Any]:
    """Return the body with the widely known field names (`max_tokens`); providers rename what they call otherwise."""
    body: dict[str, Any] = {"model": request.model, "messages": [_message(message) for message in request.messages]}
    optional = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "reasoning_effort": sampling.reasoning_effort,
    }
    body.update((key, value) for key, value in optional.items() if value is not None)
    if request.tools:
        body["tools"] = [{"type": "function", "function": function_fields(tool)} for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = (
            request.tool_choice
            if request.tool_choice in TOOL_CHOICES
            else {"type": "function", "function": {"name": request.tool_choice}}
        )
    if request.schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": schema_fields(request.schema)}
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _message(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.attachments:
        fields["content"] = [{"type": "text", "text": message.content}, *map(_part, message.attachments)]
    if message.tool_calls:
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    return fields


def _part(attachment: Attachment) -> dict[str, Any]:
    if attachment.is_image:
        return {"type": "image_url", "image_url": {"url": attachment.address()}}
    if attachment.url is not None:
        raise RequestError("Chat Completions takes documents as bytes only", hint="download the document first")
    return {"type": "file", "file": {"filename": attachment.name, "file_data": attachment.address()}}


def decode(event: Event) -> list[CompletionChunk]:
    data = event.data
    if not data:
        return []
    if data.startswith(b"[DONE]"):
        return [TERMINATOR]
    return _chunks(json_object(data), "delta")


def decode_body(body: bytes) -> list[CompletionChunk]:
    return _chunks(json_object(body), "message")


def _chunks(document: dict[str, Any], part: str) -> list[CompletionChunk]:
    if document.get("error"):
        raise reported_error(document["error"])
    try:
        return _decoded(document, part)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the provider sent a chunk of an unknown shape ({error})") from error


def _decoded(document: dict[str, Any], part: str) -> list[CompletionChunk]:
    chunks: list[CompletionChunk] = []
    for choice in document.get("choices") or ():
        index = choice.get("index") or 0
        if index:
            index = index_of(index)
        delta = choice.get(part)
        if delta:
            if delta.get("role"):
                chunks.append(_opening(document, index))
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            if reasoning:
                chunks.append(CompletionChunk(reasoning=text_of(reasoning), index=index))
            content = delta.get("content")
            if content:
                chunks.append(CompletionChunk(content=text_of(content), index=index))
            elif delta.get("refusal"):
                chunks.append(CompletionChunk(content=text_of(delta["refusal"]), index=index, refusal=True))
            for position, call in enumerate(delta.get("tool_calls") or ()):
                chunks.append(CompletionChunk(tool_call=_tool_call(call, position, part), index=index))
        finish = choice.get("finish_reason")
        if finish:
            reason = _FINISH.get(finish.lower())
            if reason is None:
                raise ProtocolError(f"the provider ended the answer with finish reason `{finish:.80}`")
            category = content_filter.category(choice.get("content_filter_results"))  # Azure
            metadata = ChunkMetadata(detail=category) if category else None
            chunks.append(CompletionChunk(finish_reason=reason, metadata=metadata, index=index))
    if document.get("usage"):
        cost = usd_of(document["usage"].get("cost"))  # OpenRouter
        price = None if cost is None else ChunkMetadata(cost_usd=cost)
        chunks.append(CompletionChunk(usage=_usage(document["usage"]), metadata=price))
    return chunks


def _opening(document: dict[str, Any], index: int) -> CompletionChunk:
    metadata = ChunkMetadata(model=name_of(document.get("model")), response_id=name_of(document.get("id")))
    return CompletionChunk(role="assistant", metadata=metadata, index=index)


def _tool_call(call: dict[str, Any], position: int, part: str) -> ToolCallDelta:
    """A piece of a call. Some servers leave the index out of a stream: each id begins a call then."""
    function, index, call_id = call.get("function") or {}, call.get("index"), text_or_none(call.get("id"))
    return ToolCallDelta(
        index=position if index is None else index_of(index),
        id=call_id,
        key=call_id or LAST_CALL if index is None and part == "delta" else None,
        name=text_or_none(function.get("name")),
        arguments=arguments_of(function.get("arguments") or ""),
    )


def _usage(usage: dict[str, Any]) -> TokenUsage:
    prompt, completion = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return TokenUsage(
        input_tokens=tokens_of(usage.get("prompt_tokens")),
        output_tokens=tokens_of(usage.get("completion_tokens")),
        cached_tokens=tokens_of(prompt.get("cached_tokens")),
        reasoning_tokens=tokens_of(completion.get("reasoning_tokens")),
    )
