"""OpenRouter: Chat Completions in front of many providers. Source: OpenRouter API reference, read 2026-11.

Settings of its own (`Endpoint.extra`): `routing`, a table that is sent as `provider`; `fallback_models`, tried in order
when the model fails. A private request keeps to endpoints that neither store nor train on prompts.
"""

import time
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from fennec_cli.dialects import chat, openai_errors
from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.dialects.openrouter_errors import reset_wait_s
from fennec_cli.errors import Blocked, FennecError, ProtocolError, RateLimitError
from fennec_cli.providers.base import completion_call, models_call
from fennec_cli.request import CompletionRequest

DEFAULT_BASE_URL = "https://openrouter.ai/api/v1"
DEFAULT_MODEL = "openrouter/auto"
KEY_VARIABLES = ("OPENROUTER_API_KEY", "OPENROUTER_KEY")
BASE_URL_VARIABLE: str | None = None
HEADER_VARIABLES: dict[str, str] = {}
REQUEST_ID_HEADER = "x-generation-id"

_ATTRIBUTION = {"x-openrouter-title": "fennec"}  # `headers` of the configuration may say another name, or none
_PRIVATE = {"data_collection": "deny", "zdr": True}
_ABILITIES = {"tools": "tools", "structured_outputs": "schema", "reasoning": "reasoning"}
_PER_MILLION = 1_000_000


def dialect(_endpoint: Endpoint, _request: CompletionRequest) -> Dialect:
    return chat


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    """Usage is always sent, and `max_tokens` is deprecated: neither is asked for in OpenAI's way."""

    def adapt(body: dict[str, Any]) -> None:
        body.pop("stream_options", None)
        if "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        effort = body.pop("reasoning_effort", None)
        if "reasoning_effort" not in request.options:  # both together are refused
            if effort is not None:
                body["reasoning"] = {"effort": effort}
            elif request.reasoning:
                body["reasoning"] = {"enabled": True}
        if endpoint.extra.get("fallback_models"):
            body["models"] = list(endpoint.extra["fallback_models"])
        if endpoint.extra.get("routing"):
            body["provider"] = dict(endpoint.extra["routing"])

    def enforce(body: dict[str, Any]) -> None:
        if request.private:
            _keep_private(body)

    attribution = {name: value for name, value in _ATTRIBUTION.items() if name not in endpoint.headers}
    return completion_call(chat, request, endpoint, adapt, attribution, enforce=enforce)


def _keep_private(body: dict[str, Any]) -> None:
    """Raises `Blocked` for what OpenRouter's own promise leaves out: plugins, its server tools, its web search."""
    tools = body.get("tools")
    server_tools = [tool for tool in tools if not _is_function(tool)] if isinstance(tools, list) else []
    models = [body.get("model"), *(body["models"] if isinstance(body.get("models"), list) else ())]
    if body.get("plugins") or server_tools or any(str(model).endswith(":online") for model in models):
        raise Blocked(
            "OpenRouter's privacy settings do not cover plugins, server tools and :online models",
            hint="leave them out, or do without --private",
        )
    routing = body.get("provider")
    body["provider"] = {**(routing if isinstance(routing, dict) else {}), **_PRIVATE}


def _is_function(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type") == "function"


def keeps_private(_request: CompletionRequest, _endpoint: Endpoint) -> bool:
    return True


def authorization(key: str) -> Headers:
    return {"authorization": key if key.startswith("Bearer ") else f"Bearer {key}"}


def decode_error(status: int, headers: Headers, body: bytes) -> FennecError:
    error = openai_errors.decode_error(status, headers, body, request_id_header=REQUEST_ID_HEADER)
    if isinstance(error, RateLimitError) and error.retry_after is None and status == 429:
        error.retry_after = reset_wait_s(headers, time.time())
    return error


def build_models_request(endpoint: Endpoint, cursor: str | None = None) -> HTTPCall:
    return models_call(endpoint, "/models" if cursor is None else f"/models?offset={cursor}")


def build_key_request(endpoint: Endpoint) -> HTTPCall:
    """Return the request for the limits of the key: the list of models is public and accepts any."""
    return models_call(endpoint, "/key")


def models_cursor(body: bytes) -> str | None:
    """Return the offset that the link to the next page names. The link itself is not followed: it names a host."""
    try:
        link = (orjson.loads(body).get("links") or {}).get("next")
        offset = parse_qs(urlsplit(link or "").query).get("offset", [None])[0]
    except (orjson.JSONDecodeError, AttributeError, ValueError) as error:
        raise ProtocolError("the answer is not a list of models") from error
    return offset if offset and offset.isascii() and offset.isdigit() else None


def decode_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    try:
        return [_model(row, endpoint.name) for row in orjson.loads(body)["data"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError("the answer is not a list of models") from error


def _model(row: dict[str, Any], provider: str) -> ModelInfo:
    best, prices = row.get("top_provider") or {}, row.get("pricing") or {}
    known = [_ABILITIES[name] for name in row.get("supported_parameters") or () if name in _ABILITIES]
    if "image" in ((row.get("architecture") or {}).get("input_modalities") or ()):
        known.append("images")
    return ModelInfo(
        id=str(row["id"]),
        provider=provider,
        context_window=row.get("context_length") or best.get("context_length"),
        max_output=best.get("max_completion_tokens"),
        capabilities=tuple(sorted(known)),
        input_usd_per_mtok=_usd_per_mtok(prices.get("prompt")),
        output_usd_per_mtok=_usd_per_mtok(prices.get("completion")),
        deprecated=row.get("expiration_date"),
    )


def _usd_per_mtok(price: Any) -> float | None:
    """Turn USD per token, a decimal string, into USD per million. Routers name a negative price: it depends."""
    try:
        per_token = Decimal(str(price))
    except InvalidOperation:
        return None
    return float(per_token * _PER_MILLION) if per_token.is_finite() and per_token >= 0 else None
