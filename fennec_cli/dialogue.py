"""Messages as OpenAI's interfaces write them, to ours: texts, images and documents, tool calls and their results."""

import binascii
from base64 import b64decode
from typing import Any, get_args

from fennec_cli import inputs
from fennec_cli.chunk import Role
from fennec_cli.errors import InputError
from fennec_cli.request import Attachment, Message, ToolCall

_ROLES = get_args(Role)
_TEXTS = ("text", "input_text", "output_text")


def messages_of(given: object) -> tuple[Message, ...]:
    """Read a conversation. Raises `InputError`, which names the message by its number, from 1."""
    if not isinstance(given, list) or not given:
        raise InputError("its messages must be a list, not empty")
    messages = tuple(_message(each, f"message {number}") for number, each in enumerate(given, 1))
    if not any(message.content.strip() or message.attachments for message in messages):
        raise InputError("its messages are empty")
    return messages


def _message(given: object, name: str) -> Message:
    if not isinstance(given, dict):
        raise InputError(f"{name} is not an object")
    if given.get("type") == "function_call_output":  # of the Responses interface
        return Message("tool", _string(given.get("output"), name), tool_call_id=_string(given.get("call_id"), name))
    if given.get("type") == "function_call":
        call = ToolCall(*(_string(given.get(key), name) for key in ("call_id", "name", "arguments")))
        return Message("assistant", "", tool_calls=(call,))
    role: Any = given.get("role")
    if role not in _ROLES:
        raise InputError(f"{name} has no role", hint=f"known are {', '.join(_ROLES)}")
    text, attachments = _content(given.get("content"), name)
    calls, call_id = given.get("tool_calls"), given.get("tool_call_id")
    if not isinstance(calls, list | None):
        raise InputError(f"the tool calls of {name} must be a list")
    if call_id is not None:
        call_id = _string(call_id, name)
    return Message(role, text, attachments, tuple(_call(each, name) for each in calls or ()), call_id)


def _content(given: object, name: str) -> tuple[str, tuple[Attachment, ...]]:
    if given is None:
        return "", ()
    if isinstance(given, str):
        return given, ()
    if not isinstance(given, list):
        raise InputError(f"the content of {name} must be a text or a list of parts")
    texts: list[str] = []
    attachments: list[Attachment] = []
    for part in given:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _TEXTS:
            texts.append(_string(part.get("text"), name))
        else:
            attachments.append(_attachment(kind, part, name))
    return "\n\n".join(texts), tuple(attachments)


def _attachment(kind: object, part: Any, name: str) -> Attachment:
    if kind in ("image_url", "input_image"):
        place = part.get("image_url")
        return _from_address(place.get("url") if isinstance(place, dict) else place, name)
    if kind in ("file", "input_file"):
        file = part.get("file") if kind == "file" else part
        if isinstance(file, dict) and "file_data" in file:
            return _from_address(file["file_data"], name)
    raise InputError(f"{name} has a part that is neither text, image nor file data")


def _from_address(address: object, name: str) -> Attachment:
    if not isinstance(address, str):
        raise InputError(f"{name} has a part without its address")
    head, comma, data = address.partition(",")
    if not address.startswith("data:"):
        if "://" not in address:
            raise InputError(f"a part of {name} is neither a URL nor data")
        return inputs.attachment(address)
    try:
        return inputs.from_bytes(b64decode(data if comma and head.endswith(";base64") else "?", validate=True), name)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{name} has a part whose data is not base64") from error


def _call(given: Any, name: str) -> ToolCall:
    function = given.get("function") if isinstance(given, dict) else None
    if not isinstance(function, dict):
        raise InputError(f"{name} has a tool call without its function")
    return ToolCall(
        _string(given.get("id"), name), _string(function.get("name"), name), _string(function.get("arguments"), name)
    )


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} has a field that must be a text")
    return value
