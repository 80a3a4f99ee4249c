"""Kept answers as lines for a repository: sorted, the same for the same content, and refused when they were changed.

A line carries a SHA-256 of itself; when it is imported it gets this installation's signature. Its time to live begins
with the import: whoever imports a line vouches for it.
"""

import hmac
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import orjson

from fennec_cli.errors import IntegrityError
from fennec_cli.recording import checked
from fennec_cli.responses import CachedResponse

VERSION = 1
_HEX = frozenset("0123456789abcdef")
_KEYS = {"v", "fingerprint", "timestamp", "ttl", "response", "fields", "sha256"}
_SORTED = orjson.OPT_SORT_KEYS


def line_of(entry: CachedResponse, *, with_prompt: bool = False) -> bytes:
    """Return an entry as a line of JSON, with the prompt's text or without it."""
    document = {
        "v": VERSION,
        "fingerprint": entry.fingerprint,
        "timestamp": entry.timestamp,
        "ttl": entry.ttl,
        "response": entry.response,
        "fields": entry.request.get("fields", {}),
    }
    if with_prompt and entry.request.get("prompt") is not None:
        document["prompt"] = entry.request["prompt"]
    document["sha256"] = _sum(document)
    return orjson.dumps(document, option=_SORTED | orjson.OPT_APPEND_NEWLINE)


def entry_of(line: bytes, number: int) -> CachedResponse:
    """Read a line; `number` counts from 1. Raises `IntegrityError` for one that is not as it was exported."""
    try:
        document = orjson.loads(line)
        _check(document)
        return CachedResponse(
            document["fingerprint"],
            checked(document["response"]),
            {"fields": document["fields"], "prompt": document.get("prompt")},
            float(document["timestamp"]),
            float(document["ttl"]),
        )
    except (ValueError, TypeError) as error:
        reason = "not JSON" if isinstance(error, orjson.JSONDecodeError) else str(error)
        raise IntegrityError(f"line {number} is refused: {reason}", hint="export it again") from None


def entries_of(lines: Iterable[bytes]) -> Iterator[CachedResponse | IntegrityError]:
    """Yield the entry of each line, or what is wrong with it; empty lines are passed over."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield entry_of(line, number)
            except IntegrityError as error:
                yield error


def _check(document: object) -> None:
    if not isinstance(document, dict) or not _KEYS <= document.keys() <= _KEYS | {"prompt"}:
        raise ValueError("not an exported answer")
    if document["v"] != VERSION:
        raise ValueError("of another version")
    told = document["sha256"]
    rest = {key: value for key, value in document.items() if key != "sha256"}
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), _sum(rest).encode()):
        raise ValueError("its check sum is not that of its content")
    name, prompt = document["fingerprint"], document.get("prompt")
    if not isinstance(name, str) or len(name) != 64 or not _HEX.issuperset(name):
        raise ValueError("its fingerprint is none")
    if not all(_is_number(document[key]) for key in ("timestamp", "ttl")) or not isinstance(document["fields"], dict):
        raise ValueError("not an exported answer")
    if prompt is not None and not (isinstance(prompt, list) and all(map(_is_message, prompt))):
        raise ValueError("not an exported answer")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**53


def _is_message(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)


def _sum(document: dict[str, Any]) -> str:
    return sha256(orjson.dumps(document, option=_SORTED)).hexdigest()
