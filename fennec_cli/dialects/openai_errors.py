"""The error table of OpenAI and of the many services that copy its error object.

Source: API reference and SDK `_exceptions.py`, read 2026-11. The typed code decides first, then the HTTP status.
"""

import time
from typing import Any

import orjson

from fennec_cli.dialects import content_filter, openrouter_errors
from fennec_cli.dialects.base import Headers
from fennec_cli.errors import (
    AuthenticationError,
    ConfigError,
    ContentFiltered,
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

_BY_CODE: dict[str, type[ProviderError]] = {
    "insufficient_quota": QuotaExhausted,
    "credit_balance_exhausted": QuotaExhausted,
    "organization_spend_limit_exceeded": QuotaExhausted,
    "project_spend_limit_exceeded": QuotaExhausted,
    "organization_usage_limit_exceeded": QuotaExhausted,
    "billing_hard_limit_reached": QuotaExhausted,
    "usage_limit_reached": QuotaExhausted,
    "enforced_spend_limit_reached": QuotaExhausted,
    "context_length_exceeded": ContextLengthError,
    "exceed_context_size_error": ContextLengthError,  # llama.cpp's server
    "model_not_found": ModelUnavailable,
    "DeploymentNotFound": ModelUnavailable,  # Azure
    "content_policy_violation": ContentFiltered,
    "content_filter": ContentFiltered,
    "invalid_api_key": AuthenticationError,
    "rate_limit_exceeded": RateLimitError,
    "rate_limit_error": RateLimitError,
    "slow_down": RateLimitError,
    "server_is_overloaded": Overloaded,
    "service_unavailable_error": Overloaded,
    "server_error": ServerError,
    "vector_store_timeout": ServerError,
    "invalid_prompt": RequestError,
    "data_residency_mismatch": RequestError,
    "bio_policy": ContentFiltered,
    "misalignment_policy_violation": ContentFiltered,
}
_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExhausted,
    403: AuthenticationError,
    407: AuthenticationError,
    408: ServerError,
    409: ServerError,
    429: RateLimitError,
    503: Overloaded,
    529: Overloaded,
}
_HINTS: dict[type[FennecError], str] = {
    AuthenticationError: "check the key and what it may use",
    QuotaExhausted: "add credit or raise the spending limit; waiting does not help",
    ContextLengthError: "shorten the prompt or choose a model with a larger context window",
    ModelUnavailable: "`fennec models list` shows what this key can use",
}
_MESSAGE_LIMIT = 300  # characters of a provider's text that are shown


def decode_error(status: int, headers: Headers, body: bytes, *, request_id_header: str = "x-request-id") -> FennecError:
    """Classify an answer whose HTTP status is not 200. Never raises, whatever the body is."""
    if 300 <= status < 400:
        place = headers.get("location", "another address")
        return ConfigError(f"the server redirects to {place} ({status})", hint="set base_url to the final address")
    fault = _error_object(body)
    if fault is None:
        title = _html_title(body) if body else "empty body"
        error = _build(_by_status(status), title, status, headers)
    else:
        error = _from_object(fault, status, headers)
    error.request_id = headers.get(request_id_header)
    return error


def error_from_event(fault: Any) -> ProviderError:
    """Classify an error object that came inside a stream with status 200."""
    return _from_object(fault, None, {})


def _from_object(fault: Any, status: int | None, headers: Headers) -> ProviderError:
    if not isinstance(fault, dict):
        return _build(_by_status(status or 500), str(fault), status, headers)
    code, kind, typed = fault.get("code"), fault.get("type"), openrouter_errors.typed(fault)
    if status is None:
        status = _http_status(code) or _http_status(fault.get("http_status"))
    filtered = _filtered_by(fault)
    cls = ContentFiltered if filtered else typed.cls
    cls = cls or _BY_CODE.get(str(code)) or _BY_CODE.get(str(kind)) or _by_status(status or 500)
    if cls is RateLimitError and status is not None and status >= 500:
        cls = _by_status(status)
    message = str(fault.get("message") or code or kind or "no reason given")
    parameter = fault.get("param")
    if parameter and code in ("unsupported_parameter", "unsupported_value"):
        message = f"parameter {parameter}: {message}"
    reason = filtered or typed.reason
    return _build(cls, f"{reason}: {message}" if reason else message, status, headers, typed)


def _build(
    cls: type[ProviderError],
    message: str,
    status: int | None,
    headers: Headers,
    typed: openrouter_errors.Typed = openrouter_errors.Typed(),
) -> ProviderError:
    text = " ".join(message.split())
    if len(text) > _MESSAGE_LIMIT:
        text = text[: _MESSAGE_LIMIT - 1] + "…"
    wait = retry_after_s(headers, now=time.time())
    if wait is None:
        wait = typed.retry_after
    if cls is QuotaExhausted and status == 402 and wait is not None:
        cls = RateLimitError
    retryable = cls.default_retryable if typed.retryable is None else typed.retryable
    should_retry = headers.get("x-should-retry")
    if should_retry in ("true", "false") and cls is not QuotaExhausted:
        retryable = should_retry == "true"
    return cls(
        f"{text} ({status})" if status is not None else text,
        hint=typed.hint or _HINTS.get(cls),
        status=status,
        retry_after=wait,
        retryable=retryable,
    )


def _http_status(code: Any) -> int | None:
    """Read an HTTP status that stands in an error object, as a number or (Azure) as text."""
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _filtered_by(fault: dict[str, Any]) -> str | None:
    """What of the prompt Azure's content filter refused."""
    inner = fault.get("innererror")
    if not isinstance(inner, dict) or inner.get("code") != "ResponsibleAIPolicyViolation":
        return None
    return content_filter.category(inner.get("content_filter_result")) or "content filter"


def _by_status(status: int) -> type[ProviderError]:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerError if status >= 500 else RequestError


def _error_object(body: bytes) -> Any:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(document, dict):
        return document.get("error") or document.get("detail") or document.get("message")
    return document if isinstance(document, str) else None


def _html_title(body: bytes) -> str:
    text = body[:4096].decode("utf-8", "replace")
    start = text.lower().find("<title>")
    if start < 0:
        return f"an answer that is not JSON ({len(body)} bytes)"
    return text[start + 7 :].split("<", 1)[0].strip() or "an HTML page"
