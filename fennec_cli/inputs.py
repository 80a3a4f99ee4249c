"""What goes with a prompt: attachments, tool definitions and the schema of the answer, read from files and checked."""

import os
from collections.abc import Mapping
from typing import Any

import orjson

from fennec_cli.errors import InputError, UsageError
from fennec_cli.request import Attachment, Tool

MAX_ATTACHMENT = 20 * 1024 * 1024  # bytes; the smallest limit among the providers' for one file

# Leading bytes -> media type. What a file says itself is worth more than its name.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_IMAGE_SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
_IMAGE_SUFFIXES |= {".webp": "image/webp"}


def attachment(place: str, stdin: bytes | None = None, *, root: str | None = None) -> Attachment:
    """Return the attachment that `place` names: a path, an https URL, or `-` for the bytes of standard input.

    With `root`, a path is taken from there and must not lead out of it. Raises `InputError`.
    """
    if "\0" in place:
        raise InputError(f"{place!r:.80} is no path")
    if place == "-":
        if not stdin:
            raise InputError("-a - needs the attachment on standard input")
        return from_bytes(stdin, "standard input")
    if "://" in place:
        return _from_url(place)
    return from_bytes(_file_bytes(place if root is None else _below(root, place)), os.path.basename(place))


def from_bytes(data: bytes, name: str) -> Attachment:
    """Recognise an image or a document by its bytes. Raises `InputError` for anything else."""
    if len(data) > MAX_ATTACHMENT:
        raise InputError(f"{name} is larger than {MAX_ATTACHMENT} bytes", hint="attach a smaller file")
    media_type = next((media for magic, media in _MAGIC if data.startswith(magic)), None)
    if media_type is None and data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        media_type = "image/webp"
    if media_type is None:
        raise InputError(
            f"{name} is no image or document that providers take (PNG, JPEG, GIF, WebP, PDF)",
            hint="put a text before the prompt with -f",
        )
    return Attachment(media_type, name, data)


def tools(path: str) -> tuple[Tool, ...]:
    """Read a JSON array of function definitions, bare or in OpenAI's `{"type": "function"}` forms."""
    rows = _json_file(path, "tools")
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path} is not a JSON array of function definitions")
    found = tuple(tool_from(row, path) for row in rows)
    names = [tool.name for tool in found]
    if len(set(names)) < len(names):
        raise InputError(f"{path} defines a function twice")
    return found


def checked_choice(choice: str | None, known: tuple[Tool, ...]) -> str | None:
    """Return `choice` if it is a word or the name of a tool. Raises `UsageError`."""
    if choice is None:
        return None
    if not known:
        raise UsageError("--tool-choice needs --tools")
    names = [tool.name for tool in known]
    if choice not in ("auto", "none", "required", *names):
        raise UsageError(f"--tool-choice {choice} is no tool", hint=f"known: {', '.join(names)}")
    return choice


def schema(path: str) -> Mapping[str, Any]:
    """Read the JSON Schema of the answer. Raises `InputError` if it is none."""
    from fennec_cli.answer_schema import check_schema

    document = _json_file(path, "schema")
    if not isinstance(document, dict):
        raise InputError(f"{path} is not a JSON Schema")
    reason = check_schema(document)
    if reason is not None:
        raise InputError(f"{path} is not a valid JSON Schema ({reason})")
    return document


def tool_from(row: Any, path: str) -> Tool:
    """Read one definition; `path` is where it stands. Raises `InputError`."""
    definition = row.get("function", row) if isinstance(row, dict) else None
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str):
        raise InputError(f"{path} has a definition without a name")
    name = definition["name"]
    if not name or not all(c.isascii() and (c.isalnum() or c in "_-") for c in name) or len(name) > 64:
        raise InputError(f"{path}: {name!r:.80} is no function name (letters, digits, _ and -, at most 64)")
    parameters = definition.get("parameters", definition.get("input_schema", {}))
    description, strict = definition.get("description"), definition.get("strict")
    if (
        not isinstance(parameters, dict)
        or not isinstance(description, str | None)
        or not isinstance(strict, bool | None)
    ):
        raise InputError(f"{path}: the definition of {name} has a field of the wrong type")
    return Tool(name, description, parameters, strict)


def _from_url(url: str) -> Attachment:
    if not url.startswith("https://"):
        raise InputError(f"an attachment's URL must begin with https:// ({url.split('://')[0]}:// is not taken)")
    name = url.split("?", 1)[0].split("#", 1)[0].rsplit("/", 1)[-1]
    media_type = _IMAGE_SUFFIXES.get(os.path.splitext(name)[1].lower())
    if media_type is None:
        media_type = "application/pdf" if name.lower().endswith(".pdf") else "image/*"
    return Attachment(media_type, name or "attachment", url=url)


def _below(root: str, path: str) -> str:
    base = os.path.realpath(root)
    target = os.path.realpath(os.path.join(base, path))
    if os.path.commonpath([base, target]) != base:
        raise InputError(f"{path} lies outside of {root}", hint="attachments of rows must lie below --attach-root")
    return target


def _file_bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_ATTACHMENT + 1)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})") from error


def _json_file(path: str, what: str) -> Any:
    data = _file_bytes(path)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"the {what} file {path} is not JSON (line {error.lineno}: {error.msg})") from error
