"""Ollama's own chat dialect: one JSON object a line. Source: `api/types.go` and docs/api.md of Ollama, read 2026-11.

The native one because its OpenAI-compatible twin cannot set the context window, and cuts a prompt that is too long.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from fennec_cli.chunk import TERMINATOR, ChunkMetadata, CompletionChunk, FinishReason, TokenUsage, ToolCallDelta
from fennec_cli.dialects.base import Framing
from fennec_cli.dialects.documents import arguments_of, json_object, name_of, text_of, tokens_of
from fennec_cli.dialects.functions import function_fields
from fennec_cli.dialects.ollama_errors import error_from_line
from fennec_cli.errors import NetworkError, ProtocolError, RequestError
from fennec_cli.request import Attachment, CompletionRequest, Message, Sampling, ToolCall
from fennec_cli.wire import Event

FRAMING: Framing = "ndjson"
PATH = "/api/chat"
FETCHED = frozenset({"image"})  # no document is taken at all: to fetch one before saying so helps nobody

_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "load": "stop", "unload": "stop"}
_THINK: dict[str, bool | str] = {"none": False, "low": "low", "medium": "medium", "high": "high", "max": "max"}


def build_body(request: CompletionRequest, sampling: Sampling) -> dict[str, Any]:
    """Return the body. Raises `RequestError` for what Ollama has no field for (forced tool choice, documents, URLs).

    `request.reasoning` needs no field: a model that can think does, unless told otherwise, and one that cannot refuses
    to be told to.
    """
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message, names) for message in request.messages],
        "stream": request.stream,  # true is the server's default
        "truncate": False,  # the default drops old messages without a word when the prompt is too long
    }
    options = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "num_predict": sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
    }
    known = {name: value for name, value in options.items() if value is not None}
    if known:
        body["options"] = known
    if sampling.reasoning_effort is not None:
        body["think"] = _think(sampling.reasoning_effort)
    if request.tools and request.tool_choice != "none":  # there is no such choice: what is not offered is not called
        body["tools"] = [{"type": "function", "function": function_fields(tool)} for tool in request.tools]
    if request.tool_choice not in (None, "auto", "none"):
        raise RequestError(
            f"Ollama cannot force the tool choice {request.tool_choice}", hint="use --tool-choice auto or none"
        )
    if request.schema is not None:
        body["format"] = dict(request.schema)
    return body


def _think(effort: str) -> bool | str:
    try:
        return _THINK[effort]
    except KeyError:
        raise RequestError(f"Ollama has no reasoning effort {effort}", hint=f"it knows {', '.join(_THINK)}") from None


def _message(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """`names` are those of the functions that were called, by the call's id: a result names its function too."""
    fields: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.role == "developer":
        fields["role"] = "system"
    if message.attachments:
        fields["images"] = [_image(attachment) for attachment in message.attachments]
    if message.tool_calls:
        fields["tool_calls"] = [_past_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
        if message.tool_call_id in names:
            fields["tool_name"] = names[message.tool_call_id]
    return fields


def _image(attachment: Attachment) -> str:
    if not attachment.is_image:
        raise RequestError(f"Ollama takes images only, not {attachment.name}", hint="put its text before the prompt")
    if attachment.url is not None:
        raise RequestError("Ollama takes images as bytes only, not as a URL", hint="download the image first")
    return b64encode(attachment.data).decode()


def _past_call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json_object(call.arguments.encode())
    except ProtocolError:
        raise RequestError(f"the arguments of the earlier call of {call.name} are not a JSON object") from None
    return {"id": call.id, "function": {"name": call.name, "arguments": arguments}}


def decode(event: Event) -> list[CompletionChunk]:
    document = json_object(event.data)
    chunks = _chunks(document)
    return [*chunks, TERMINATOR] if document.get("done") else chunks


def decode_body(body: bytes) -> list[CompletionChunk]:
    return _chunks(json_object(body))


def _chunks(document: dict[str, Any]) -> list[CompletionChunk]:
    if "error" in document:
        raise error_from_line(document["error"])
    try:
        return _decoded(document)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the provider sent a line of an unknown shape ({error})") from error


def _decoded(document: dict[str, Any]) -> list[CompletionChunk]:
    chunks: list[CompletionChunk] = []
    message = document.get("message")
    if message:
        if message.get("thinking"):
            chunks.append(CompletionChunk(reasoning=text_of(message["thinking"])))
        if message.get("content"):
            chunks.append(CompletionChunk(content=text_of(message["content"])))
        for position, call in enumerate(message.get("tool_calls") or ()):
            # Calls come whole, several in a line or one a line; servers that give no ids number them all 0.
            call_id = text_of(call.get("id") or f"{document.get('created_at')}/{position}")
            chunks.append(CompletionChunk(tool_call=_tool_call(call, call_id)))
    if document.get("done"):
        chunks += _ending(document)
    return chunks


def _tool_call(call: dict[str, Any], call_id: str) -> ToolCallDelta:
    function = call["function"]
    arguments = arguments_of(function.get("arguments") or {})
    return ToolCallDelta(0, call_id, text_of(function["name"]), arguments, key=call_id)


def _ending(document: dict[str, Any]) -> list[CompletionChunk]:
    reason = document.get("done_reason")
    if not reason:
        raise NetworkError("the model's runner ended before the answer did")
    if reason not in _FINISH:
        raise ProtocolError(f"the provider ended the answer with done_reason `{reason!s:.80}`")
    metadata = ChunkMetadata(model=name_of(document.get("model")))
    return [CompletionChunk(finish_reason=_FINISH[reason], usage=_usage(document), metadata=metadata)]


def _usage(document: dict[str, Any]) -> TokenUsage | None:
    """A counter that is zero is left out; a model that was only loaded has none."""
    prompt, answer = document.get("prompt_eval_count"), document.get("eval_count")
    if prompt is None and answer is None:
        return None
    return TokenUsage(input_tokens=tokens_of(prompt), output_tokens=tokens_of(answer))
