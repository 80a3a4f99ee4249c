"""The error table of the Messages API.

Source: API reference, "Errors", and SDK `_error_classes.py`, read 2026-11. `details.error_code` decides first, then the
type, then the HTTP status; for two cases nothing but the message tells.
"""

import time
from typing import Any

import orjson

from fennec_cli.dialects import openai_errors
from fennec_cli.dialects.base import Headers
from fennec_cli.errors import (
    AuthenticationError,
    ContextLengthError,
    FennecError,
    ModelUnavailable,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimitError,
    RequestError,
    ServerError,
)
from fennec_cli.hints import retry_after_s

REQUEST_ID_HEADER = "request-id"

_BY_CODE: dict[str, type[ProviderError]] = {
    "enforced_spend_limit_reached": QuotaExhausted,
    "contract_spend_limit_reached": QuotaExhausted,
    "ramp_limit_exceeded": RateLimitError,
    "compaction_unavailable": Overloaded,
}
_BY_TYPE: dict[str, type[ProviderError]] = {
    "invalid_request_error": RequestError,
    "authentication_error": AuthenticationError,
    "billing_error": QuotaExhausted,
    "permission_error": AuthenticationError,
    "not_found_error": RequestError,
    "conflict_error": ServerError,
    "request_too_large": RequestError,
    "rate_limit_error": RateLimitError,
    "api_error": ServerError,
    "timeout_error": ServerError,
    "overloaded_error": Overloaded,
}
_BY_STATUS: dict[int, type[ProviderError]] = {  # for types that are not known here
    401: AuthenticationError,
    402: QuotaExhausted,
    403: AuthenticationError,
    408: ServerError,
    409: ServerError,
    429: RateLimitError,
    503: Overloaded,
    529: Overloaded,
}
_BY_MESSAGE: dict[tuple[str, str], type[ProviderError]] = {  # type and how the message begins
    ("invalid_request_error", "prompt is too long"): ContextLengthError,
    ("invalid_request_error", "input length and max_tokens exceed context limit"): ContextLengthError,
    ("invalid_request_error", "You have reached your specified API usage limits"): QuotaExhausted,
    ("not_found_error", "model: "): ModelUnavailable,
}
_HINTS: dict[type[FennecError], str] = {
    AuthenticationError: "check the key and what it may use",
    QuotaExhausted: "add credit or raise the spending limit; waiting does not help",
    ContextLengthError: "shorten the prompt or choose a model with a larger context window",
    ModelUnavailable: "`fennec models list` shows what this key can use",
}
_MESSAGE_LIMIT = 300  # characters of a provider's text that are shown


def decode_error(status: int, headers: Headers, body: bytes) -> FennecError:
    """Classify an answer whose HTTP status is not 200. Never raises, whatever the body is.

    What is not Anthropic's error object (a proxy's page, a redirect, a compatible server) is read as OpenAI's.
    """
    envelope = _envelope(body)
    if envelope is None or 300 <= status < 400:
        return openai_errors.decode_error(status, headers, body, request_id_header=REQUEST_ID_HEADER)
    return _build(envelope, status, headers)


def error_from_event(envelope: dict[str, Any]) -> ProviderError:
    """Classify an error that came with status 200: the event of a stream, or a whole answer."""
    if isinstance(envelope.get("error"), dict) and envelope.get("type") == "error":
        return _build(envelope, None, {})
    return openai_errors.error_from_event(envelope.get("error") or "an error without a reason")


def _build(envelope: dict[str, Any], status: int | None, headers: Headers) -> ProviderError:
    fault = envelope["error"]
    text = " ".join(str(fault.get("message") or fault.get("type") or "no reason given").split())
    cls, wait = _class(fault, text, status), retry_after_s(headers, now=time.time())
    if cls is QuotaExhausted and status == 402 and wait is not None:
        cls = RateLimitError
    if len(text) > _MESSAGE_LIMIT:
        text = text[: _MESSAGE_LIMIT - 1] + "…"
    retryable = cls.default_retryable
    should_retry = headers.get("x-should-retry")
    if should_retry in ("true", "false") and cls is not QuotaExhausted:
        retryable = should_retry == "true"
    return cls(
        f"{text} ({status})" if status is not None else text,
        hint=_HINTS.get(cls),
        status=status,
        retry_after=wait,
        retryable=retryable,
        request_id=headers.get(REQUEST_ID_HEADER) or _text(envelope.get("request_id")),
    )


def _class(fault: dict[str, Any], message: str, status: int | None) -> type[ProviderError]:
    details = fault.get("details")
    code = _text(details.get("error_code")) if isinstance(details, dict) else None
    if code in _BY_CODE:
        return _BY_CODE[code]
    kind = _text(fault.get("type")) or ""
    plain = message.replace("`", "")
    for (of_type, beginning), cls in _BY_MESSAGE.items():
        if kind == of_type and plain.startswith(beginning):
            return cls
    known = _BY_TYPE.get(kind) or _BY_STATUS.get(status or 500)
    return known or (ServerError if (status or 500) >= 500 else RequestError)


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(document, dict) and document.get("type") == "error" and isinstance(document.get("error"), dict):
        return document
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
