"""What a record says, in the words of OpenTelemetry's GenAI conventions (1.38, read 2026-11). Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import orjson

from fennec_cli import __version__
from fennec_cli.chunk import ChunkMetadata, FinishReason, TokenUsage
from fennec_cli.errors import FennecError
from fennec_cli.hashes import hmac_sha256, sha256
from fennec_cli.request import CompletionRequest
from fennec_cli.tuples import NamedTuple

Fields = dict[str, Any]
Content = Literal["none", "hash", "redacted", "full"]
LONGEST = 64 * 1024  # bytes of a line
LONGEST_TEXT = 12 * 1024  # characters of one text: as JSON it may be six times as long


class Outcome(NamedTuple):
    """How an interaction ended; `interrupted` by a signal or a reader that went away."""

    duration_s: float
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    metadata: ChunkMetadata = ChunkMetadata()
    bytes_out: int = 0
    error: FennecError | None = None
    interrupted: bool = False


def request_fields(request: CompletionRequest, provider: str | None, content: Fields) -> Fields:
    """What is known before anything is sent."""
    return _known(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": request.model,
            "fennec.version": __version__,
            "fennec.private": request.private or None,
            **content,
        }
    )


def response_fields(request: CompletionRequest, provider: str | None, outcome: Outcome, content: Fields) -> Fields:
    """What is known at the end."""
    metadata, usage, error = outcome.metadata, outcome.usage, outcome.error
    asked = not metadata.cached  # an answer that was kept says who gave it, and nobody was asked now
    address, port = _address((metadata.address if asked else None) or (error.address if error else None))
    attempts = (error.attempts if error else None) or metadata.attempts or (1 if metadata.provider and asked else 0)
    return _known(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": metadata.provider or (error and error.provider) or provider,
            "gen_ai.request.model": request.model,
            "gen_ai.response.model": metadata.model,
            "gen_ai.response.id": metadata.response_id,
            "gen_ai.response.finish_reasons": [outcome.finish_reason] if outcome.finish_reason else None,
            "gen_ai.usage.input_tokens": usage and usage.input_tokens,
            "gen_ai.usage.output_tokens": usage and usage.output_tokens,
            "server.address": address,
            "server.port": port,
            "http.response.status_code": error.status if error else 200 if address and metadata.provider else None,
            "http.request.resend_count": attempts - 1 if attempts > 1 else None,
            "error.type": "interrupted" if outcome.interrupted else error.error_class if error else None,
            "fennec.attempt": attempts,
            "fennec.cache": metadata.cache,
            "fennec.key_slot": metadata.key_slot,
            "fennec.filter_hits": getattr(error, "filter_hits", None) or metadata.filter_hits or 0,
            "fennec.ttft_ms": None if metadata.ttft_s is None else round(metadata.ttft_s * 1000, 3),
            "fennec.duration_ms": round(outcome.duration_s * 1000, 3),
            "fennec.bytes_out": outcome.bytes_out,
            "fennec.partial": bool(outcome.bytes_out and (error is not None or outcome.interrupted)),
            "fennec.cost_usd": metadata.cost_usd,
            "fennec.request_id": metadata.request_id or (error and error.request_id),
            "fennec.client_request_id": metadata.client_request_id or (error and error.client_request_id),
            **content,
        }
    )


def question(request: CompletionRequest) -> str:
    """The texts of a request as one JSON text."""
    return _json([{"role": each.role, "content": each.content} for each in request.messages]).decode()


def content_fields(name: str, text: str, kind: Content, key: bytes, redact: Callable[[str], str]) -> Fields:
    """What is kept of a text: nothing, its keyed hash, or it (a long one cut, with its hash)."""
    if kind == "none":
        return {}
    digest = hmac_sha256(key, text.encode("utf-8", "surrogatepass")).hex()
    if kind == "hash":
        return {f"fennec.{name}_hmac": digest}
    kept = redact(text) if kind == "redacted" else text
    if len(kept) <= LONGEST_TEXT:
        return {f"fennec.{name}": kept}
    return {f"fennec.{name}": kept[:LONGEST_TEXT], f"fennec.{name}_hmac": digest, f"fennec.{name}_cut": len(kept)}


def line(fields: Mapping[str, Any], key: bytes | None) -> bytes:
    """Return a record as its line without the line end; with a `key` its last field vouches for the others."""
    body = _json(dict(fields))
    if len(body) > LONGEST - 200:
        body = _json({name: _cut(value) for name, value in fields.items()})
    return body if key is None else body[:-1] + b',"mac":"' + mac(body, key).encode() + b'"}'


def mac(body: bytes, key: bytes) -> str:
    return hmac_sha256(key, body)[:16].hex()


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # an argument may be any bytes; the request that has it is refused later
        import json

        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _known(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _address(url: str | None) -> tuple[str | None, int | None]:
    if not url:
        return None, None
    scheme, _, rest = url.rpartition("://")
    place = rest.partition("/")[0]
    host, colon, port = place.rpartition(":")
    if colon and port.isdigit():
        return host.strip("[]"), int(port)
    return place.strip("[]"), 80 if scheme == "http" else 443


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 1000:
        return f"{value[:1000]}… ({len(value)} characters, SHA-256 {digest(value.encode('utf-8', 'replace'))})"
    return value
