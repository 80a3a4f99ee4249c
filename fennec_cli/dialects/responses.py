"""Responses dialect. Source: OpenAI API reference, "Responses" and its streaming events, read 2026-11.

The end is a terminal event (`response.completed`, `.incomplete`, `.failed`, or `error`), which also carries the usage.
"""

from typing import Any

from fennec_cli.chunk import TERMINATOR, ChunkMetadata, CompletionChunk, FinishReason, TokenUsage, ToolCallDelta
from fennec_cli.dialects.base import Framing, HTTPCall, Position
from fennec_cli.dialects.documents import arguments_of, json_object, name_of, reported_error, text_of, tokens_of
from fennec_cli.dialects.functions import TOOL_CHOICES, function_fields, schema_fields
from fennec_cli.errors import ProtocolError, RequestError
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling
from fennec_cli.wire import Event

FRAMING: Framing = "sse"
PATH = "/responses"
FETCHED: frozenset[str] = frozenset()

_INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "content_filter",
}


def build_body(request: CompletionRequest, sampling: Sampling) -> dict[str, Any]:
    """Return the body. Raises `RequestError` for what Responses has no field for (seed, stop texts)."""
    for name, value in (("--seed", sampling.seed), ("--stop", sampling.stop or None)):
        if value is not None:
            raise RequestError(f"the Responses API has no {name}", hint='set api = "chat" for this provider')
    instructions = "\n\n".join(message.content for message in request.messages if message.role == "system")
    body: dict[str, Any] = {"model": request.model}
    if instructions:
        body["instructions"] = instructions
    body["input"] = [item for message in request.messages if message.role != "system" for item in _items(message)]
    optional = {
        "max_output_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    body.update((key, value) for key, value in optional.items() if value is not None)
    reasoning = {"effort": sampling.reasoning_effort, "summary": "auto" if request.reasoning else None}
    if any(reasoning.values()):
        body["reasoning"] = {key: value for key, value in reasoning.items() if value}
    if request.tools:
        body["tools"] = [{"type": "function", **function_fields(tool)} for tool in request.tools]
    if request.tool_choice is not None:
        named = request.tool_choice not in TOOL_CHOICES
        body["tool_choice"] = {"type": "function", "name": request.tool_choice} if named else request.tool_choice
    if request.schema is not None:
        body["text"] = {"format": {"type": "json_schema", **schema_fields(request.schema)}}
    if request.stream:
        body["stream"] = True
    if request.resume:
        body |= {"background": True, "store": True}
    return body


def decode(event: Event) -> list[CompletionChunk]:
    data = event.data
    if not data:
        return []
    if data.startswith(b"[DONE]"):
        return [TERMINATOR]
    document = json_object(data)
    try:
        return _decoded(document)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the provider sent an event of an unknown shape ({error})") from error


def decode_body(body: bytes) -> list[CompletionChunk]:
    response = json_object(body)
    try:
        return _whole(response)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the provider sent an answer of an unknown shape ({error})") from error


def position(event: Event) -> Position:
    """Return the number of an event, and the answer's id where the event says it."""
    if not event.data or event.data.startswith(b"[DONE]"):
        return Position()
    document = json_object(event.data)
    response, number = document.get("response"), document.get("sequence_number")
    identity = response.get("id") if isinstance(response, dict) else None
    return Position(identity if isinstance(identity, str) else None, number if isinstance(number, int) else None)


def resume_call(call: HTTPCall, place: Position) -> HTTPCall:
    """Source: OpenAI guide "Background mode", read 2026-11."""
    headers = {name: value for name, value in call.headers.items() if name != "content-type"}
    return HTTPCall("GET", _below(call.url, place, "", f"stream=true&starting_after={place.number}"), headers)


def cancel_call(call: HTTPCall, place: Position) -> HTTPCall:
    return HTTPCall("POST", _below(call.url, place, "/cancel", ""), {**call.headers, "accept": "application/json"})


def _below(url: str, place: Position, path: str, query: str) -> str:
    from urllib.parse import quote

    base, _, given = url.partition("?")
    whole = "&".join(part for part in (given, query) if part)
    return f"{base}/{quote(place.response_id or '', safe='')}{path}" + (f"?{whole}" if whole else "")


def _decoded(event: dict[str, Any]) -> list[CompletionChunk]:
    match event.get("type"):
        case "response.output_text.delta":
            return [CompletionChunk(content=text_of(event["delta"]))]
        case "response.refusal.delta":
            return [CompletionChunk(content=text_of(event["delta"]), refusal=True)]
        case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
            return [CompletionChunk(reasoning=text_of(event["delta"]))]
        case "response.reasoning_summary_part.added" if event.get("summary_index"):
            return [CompletionChunk(reasoning="\n\n")]
        case "response.function_call_arguments.delta":
            piece = ToolCallDelta(0, arguments=text_of(event["delta"]), key=str(event["item_id"]))
            return [CompletionChunk(tool_call=piece)]
        case "response.output_item.added" if event["item"].get("type") == "function_call":
            return [CompletionChunk(tool_call=_tool_call(event["item"]))]
        case "response.created":
            return [_opening(event["response"])]
        case "response.completed" | "response.incomplete" | "response.failed":
            return [*_ending(event["response"]), TERMINATOR]
        case "error":
            raise reported_error(event.get("error") or {**event, "type": None})
    return []


def _whole(response: dict[str, Any]) -> list[CompletionChunk]:
    chunks = [_opening(response)]
    for item in response.get("output") or ():
        match item.get("type"):
            case "message":
                for part in item["content"]:
                    refusal = part.get("type") == "refusal"
                    text = part.get("refusal" if refusal else "text")
                    if text:
                        chunks.append(CompletionChunk(content=text_of(text), refusal=refusal))
            case "reasoning":
                text = "\n\n".join(part["text"] for part in item.get("summary") or ())
                if text:
                    chunks.append(CompletionChunk(reasoning=text))
            case "function_call":
                chunks.append(CompletionChunk(tool_call=_tool_call(item)))
    return [*chunks, *_ending(response)]


def _tool_call(item: dict[str, Any]) -> ToolCallDelta:
    """Calls are told apart by the item's id: compatible servers (llama.cpp) send no `output_index`."""
    arguments = arguments_of(item.get("arguments") or "")
    return ToolCallDelta(0, text_of(item["call_id"]), text_of(item["name"]), arguments, key=str(item["id"]))


def _opening(response: dict[str, Any]) -> CompletionChunk:
    metadata = ChunkMetadata(model=name_of(response.get("model")), response_id=name_of(response.get("id")))
    return CompletionChunk(role="assistant", metadata=metadata)


def _ending(response: dict[str, Any]) -> list[CompletionChunk]:
    if response.get("error"):
        raise reported_error(response["error"])
    status = response.get("status")
    if status == "completed":
        calls = any(item.get("type") == "function_call" for item in response.get("output") or ())
        finish: FinishReason = "tool_calls" if calls else "stop"
    elif status == "incomplete":
        reason = (response.get("incomplete_details") or {}).get("reason")
        if reason not in _INCOMPLETE:
            raise ProtocolError(f"the provider left the answer incomplete ({reason or 'no reason given'})")
        finish = _INCOMPLETE[reason]
    else:
        raise ProtocolError(f"the provider ended the answer with status {status}")
    # llama.cpp's server knows no incomplete answers: it lacks the field, and calls a cut one completed too.
    metadata = None if "incomplete_details" in response else ChunkMetadata(hides_length=True)
    chunks = [CompletionChunk(finish_reason=finish, metadata=metadata)]
    if response.get("usage"):
        chunks.append(CompletionChunk(usage=_usage(response["usage"])))
    return chunks


def _usage(usage: dict[str, Any]) -> TokenUsage:
    return TokenUsage(
        input_tokens=tokens_of(usage.get("input_tokens")),
        output_tokens=tokens_of(usage.get("output_tokens")),
        cached_tokens=tokens_of((usage.get("input_tokens_details") or {}).get("cached_tokens")),
        reasoning_tokens=tokens_of((usage.get("output_tokens_details") or {}).get("reasoning_tokens")),
    )


def _items(message: Message) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if message.attachments:
        parts = [{"type": "input_text", "text": message.content}, *map(_part, message.attachments)]
    if message.tool_call_id is not None:
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": parts or message.content}]
    items: list[dict[str, Any]] = []
    if parts:
        items.append({"role": message.role, "content": parts})
    elif message.content or not message.tool_calls:
        kind = {"type": "message"} if message.role == "assistant" else {}  # llama.cpp refuses such a turn without it
        items.append({**kind, "role": message.role, "content": message.content})
    items += [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        for call in message.tool_calls
    ]
    return items


def _part(attachment: Attachment) -> dict[str, Any]:
    if attachment.is_image:
        return {"type": "input_image", "image_url": attachment.address()}
    if attachment.url is not None:
        return {"type": "input_file", "file_url": attachment.url}
    return {"type": "input_file", "filename": attachment.name, "file_data": attachment.address()}
