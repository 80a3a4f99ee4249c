"""What OpenRouter adds to OpenAI's error object. Source: OpenRouter docs, "Errors and Debugging", read 2026-11.

The same fields come in both of its shapes, as answers of their own and inside streams. They decide in this order: the
reason why a model is not available, the typed error, what moderation says. No other service sends them.
"""

from typing import Any

from fennec_cli.dialects.base import Headers
from fennec_cli.errors import (
    AuthenticationError,
    ContentFiltered,
    ContextLengthError,
    ModelUnavailable,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimitError,
    RequestError,
    ServerError,
)
from fennec_cli.tuples import NamedTuple

_BY_AVAILABILITY: dict[str, type[ProviderError]] = {
    "model_not_found": ModelUnavailable,
    "no_endpoints": ModelUnavailable,
    "model_deprecated": ModelUnavailable,
    "privacy_restricted": ModelUnavailable,
    "constraint_filtered": ModelUnavailable,
    "free_variant_ended": ModelUnavailable,
    "model_unavailable_upstream": ModelUnavailable,
    "wrong_endpoint": RequestError,
    "capacity_exhausted": RateLimitError,
    "temporarily_unavailable": Overloaded,
}
_BY_TYPE: dict[str, type[ProviderError]] = {
    "invalid_request": RequestError,
    "invalid_prompt": RequestError,
    "string_too_long": RequestError,
    "max_tokens_exceeded": RequestError,
    "precondition_failed": RequestError,
    "payload_too_large": RequestError,
    "unprocessable": RequestError,
    "context_length_exceeded": ContextLengthError,
    "token_limit_exceeded": QuotaExhausted,  # the key's credit cap, not the model's window
    "payment_required": QuotaExhausted,
    "content_policy_violation": ContentFiltered,
    "refusal": ContentFiltered,
    "authentication": AuthenticationError,
    "permission_denied": AuthenticationError,
    "region_restricted": AuthenticationError,
    "not_found": ModelUnavailable,
    "rate_limit_exceeded": RateLimitError,
    "timeout": ServerError,
    "server": ServerError,
    "unmapped": ServerError,
    "provider_unavailable": Overloaded,
    "provider_overloaded": Overloaded,
}


class Typed(NamedTuple):
    """What the extra fields of an error object say; None where they say nothing."""

    cls: type[ProviderError] | None = None
    retryable: bool | None = None
    retry_after: float | None = None  # seconds
    reason: str | None = None
    hint: str | None = None


def typed(fault: dict[str, Any]) -> Typed:
    """Read the extra fields of an error object."""
    metadata, availability = _table(fault.get("metadata")), _table(fault.get("availability"))
    kind = str(metadata.get("error_type") or fault.get("error_type") or "")
    moderated = kind in ("", "permission_denied") and not metadata.keys().isdisjoint(
        ("reasons", "flagged_input", "patterns")
    )
    cls = ContentFiltered if moderated else _BY_TYPE.get(kind)
    retryable, wait = availability.get("retryable"), availability.get("retry_after")
    return Typed(
        cls=_BY_AVAILABILITY.get(str(availability.get("code"))) or cls,
        retryable=retryable if isinstance(retryable, bool) else None,
        retry_after=float(wait) if isinstance(wait, int | float) and wait >= 0 else None,
        reason=_listed(metadata.get("reasons")) if moderated else None,  # never `flagged_input`: it is the prompt
        hint=_hint(availability),
    )


def reset_wait_s(headers: Headers, now: float) -> float | None:
    """Return the seconds until an exhausted platform limit is reset; the header names Unix milliseconds."""
    if headers.get("x-ratelimit-remaining") != "0":
        return None
    reset = headers.get("x-ratelimit-reset", "")
    return max(0.0, int(reset) / 1000 - now) if reset.isascii() and reset.isdigit() and len(reset) < 16 else None


def _hint(availability: dict[str, Any]) -> str | None:
    if availability.get("code") == "privacy_restricted":
        return "no endpoint of this model keeps to the privacy settings; choose another model"
    models = _listed(availability.get("fallback_models"))
    return f"OpenRouter offers {models} instead" if models else None


def _listed(values: Any) -> str | None:
    return ", ".join(map(str, values)) or None if isinstance(values, list) else None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
