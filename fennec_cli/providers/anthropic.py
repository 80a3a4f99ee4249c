"""Anthropic. Source: Anthropic API reference, "Versions", and the pages of the models, read 2026-11.

Nothing is sent about the use of the data: there is no setting for it in a request.
"""

import re
from typing import Any, Literal

import orjson

from fennec_cli.dialects import messages
from fennec_cli.dialects.anthropic_errors import REQUEST_ID_HEADER as REQUEST_ID_HEADER
from fennec_cli.dialects.anthropic_errors import decode_error as decode_error
from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.dialects.documents import json_object
from fennec_cli.errors import ProtocolError, RequestError
from fennec_cli.hosts import is_loopback
from fennec_cli.providers.base import completion_call, effective_sampling, models_call
from fennec_cli.request import CompletionRequest
from fennec_cli.tuples import NamedTuple

DEFAULT_BASE_URL = "https://api.anthropic.com/v1"
DEFAULT_MODEL = "claude-haiku-5-5"
KEY_VARIABLES = ("ANTHROPIC_API_KEY",)
BASE_URL_VARIABLE = "ANTHROPIC_BASE_URL"
HEADER_VARIABLES: dict[str, str] = {}
API_VERSION = "2026-10-21"
SAMPLING_VERSION = "2023-06-01"  # the last one that knows temperature and its siblings
PAGE_SIZE = 1000  # the most that one page of the models list may have

VERSION_HEADER = "anthropic-version"
_SAMPLING_FIELDS = frozenset({"temperature", "top_p", "top_k"})
_TOKEN_PREFIX = "sk-ant-oat"  # an OAuth access token
_SNAPSHOT = re.compile(r"-\d{8}$")
_LEAST_BUDGET = 1024  # tokens
_BUDGET_SHARE = {
    "low": 0.2,
    "medium": 0.5,
    "high": 0.8,
    "xhigh": 0.9,
    "max": 0.9,
}  # of the output limit: ours to choose
_CAPABILITIES = {"images": "image_input", "reasoning": "thinking", "schema": "structured_outputs"}


class ModelRules(NamedTuple):
    """How a model differs. The default is for a model that is not known here: it is left to the provider to refuse."""

    thinks: Literal["adaptive", "budget"] = "adaptive"  # budget: with a number of tokens, and no effort
    off: Literal["disabled", "between_tools"] | None = "disabled"  # what switches thinking off; None: nothing
    prefill: bool = True  # continues an answer that the conversation ends with
    forced_tools: bool = True


_WITH_BUDGET = ModelRules(thinks="budget")
_CURRENT = ModelRules(prefill=False)
_ALWAYS_THINKS = ModelRules(off=None, prefill=False)
_ALWAYS_FREE = ModelRules(off=None, prefill=False, forced_tools=False)
_RULES = {
    "claude-haiku-4-5": _WITH_BUDGET,
    "claude-sonnet-4-5": _WITH_BUDGET,
    "claude-opus-4-5": _WITH_BUDGET,
    "claude-sonnet-4-6": _CURRENT,
    "claude-opus-4-6": _CURRENT,
    "claude-opus-4-7": _CURRENT,
    "claude-opus-4-8": _CURRENT,
    "claude-opus-5": _CURRENT,
    "claude-sonnet-5": _CURRENT,
    "claude-haiku-5-5": _CURRENT,
    "claude-fable-5": _ALWAYS_THINKS,
    "claude-mythos-5": _ALWAYS_THINKS,
    "claude-fable-5-1": _ALWAYS_FREE,
    "claude-mythos-5-1": _ALWAYS_FREE,
    "claude-opus-5-5": _ALWAYS_FREE,
    "claude-sonnet-5-5": ModelRules(off="between_tools", prefill=False, forced_tools=False),
}


def dialect(_endpoint: Endpoint, _request: CompletionRequest) -> Dialect:
    return messages


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    """Raises `RequestError` for what the model is known to refuse; raw options are sent unchecked."""
    if "n" in request.options:
        raise RequestError("Anthropic gives one answer a request: there is no option n", hint="send the prompt n times")
    rules = _RULES.get(_SNAPSHOT.sub("", request.model), ModelRules())

    def adapt(body: dict[str, Any]) -> None:
        _check_prefill(body, rules)
        _check_tool_choice(body, rules)
        _adapt_thinking(body, rules)

    return completion_call(messages, request, address(endpoint, _version(request, endpoint)), adapt)


def keeps_private(_request: CompletionRequest, endpoint: Endpoint) -> bool:
    """Anthropic has no opt-out that a request could carry: what it keeps is a matter of the contract."""
    return is_loopback(endpoint.base_url)


def authorization(key: str) -> Headers:
    """Tokens travel as bearers, keys in the header that compatible servers know too."""
    if key.startswith(("Bearer ", _TOKEN_PREFIX)):
        return {"authorization": f"Bearer {key.removeprefix('Bearer ')}"}
    return {"x-api-key": key}


def build_models_request(endpoint: Endpoint, cursor: str | None = None) -> HTTPCall:
    from urllib.parse import quote

    after = f"&after_id={quote(cursor, safe='')}" if cursor is not None else ""
    version = endpoint.extra.get("api_version") or API_VERSION
    return models_call(address(endpoint, version), f"/models?limit={PAGE_SIZE}{after}")


def models_cursor(body: bytes) -> str | None:
    page = json_object(body)
    return str(page["last_id"]) if page.get("has_more") and page.get("last_id") else None


def decode_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    try:
        return [_model(row, endpoint.name) for row in orjson.loads(body)["data"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError("the answer is not a list of models") from error


def _model(row: dict[str, Any], provider: str) -> ModelInfo:
    """The list has no flag for tools: every model that has flags at all takes them."""
    flags = row.get("capabilities") or {}
    found = [name for name, flag in _CAPABILITIES.items() if (flags.get(flag) or {}).get("supported")]
    return ModelInfo(
        id=str(row["id"]),
        provider=provider,
        context_window=row.get("max_input_tokens"),
        max_output=row.get("max_tokens"),
        capabilities=(*found, "tools") if flags else (),
        deprecated=(row.get("retires_at") or "")[:10] or None,
    )


def address(endpoint: Endpoint, version: str) -> Endpoint:
    """Anthropic's own tools write the base URL without the `/v1`; both ways mean the same here."""
    base_url = endpoint.base_url.rstrip("/").removesuffix("/v1") + "/v1"
    return endpoint._replace(base_url=base_url, headers={VERSION_HEADER: version, **endpoint.headers})


def _version(request: CompletionRequest, endpoint: Endpoint) -> str:
    """The configured version; else the current one, or for a request with sampling options the last that takes them.

    Newer models refuse those under any version, and say so themselves.
    """
    sampling = effective_sampling(request, endpoint)
    named = [name for name in ("temperature", "top_p") if getattr(sampling, name) is not None]
    configured = endpoint.headers.get(VERSION_HEADER) or endpoint.extra.get("api_version")
    if configured is None:
        return SAMPLING_VERSION if named or _SAMPLING_FIELDS & request.options.keys() else API_VERSION
    if named and configured > SAMPLING_VERSION:
        raise RequestError(
            f"version {configured} of Anthropic's API has no {' and no '.join(named)}",
            hint=f'leave it out, or set api_version = "{SAMPLING_VERSION}" for models up to 4.6',
        )
    return str(configured)


def _check_prefill(body: dict[str, Any], rules: ModelRules) -> None:
    if not rules.prefill and body["messages"] and body["messages"][-1]["role"] == "assistant":
        raise RequestError(
            f"{body['model']} does not continue an answer", hint="end the conversation with a turn of the user"
        )


def _check_tool_choice(body: dict[str, Any], rules: ModelRules) -> None:
    if body.get("tool_choice", {}).get("type") not in ("any", "tool"):
        return
    if not rules.forced_tools:
        raise RequestError(
            f"{body['model']} cannot be made to call a tool", hint="use --tool-choice auto and ask for it in the prompt"
        )
    if body.get("thinking", {}).get("type") == "adaptive":
        raise RequestError(
            "Anthropic's models do not think when they are made to call a tool",
            hint="drop --reasoning, or use --tool-choice auto",
        )


def _adapt_thinking(body: dict[str, Any], rules: ModelRules) -> None:
    thinking = body.get("thinking", {})
    if thinking.get("type") == "disabled":
        if rules.off is None:
            raise RequestError(f"{body['model']} always thinks", hint="use --reasoning-effort low")
        thinking["type"] = rules.off
    if rules.thinks == "budget":
        output = body.get("output_config", {})
        effort = output.pop("effort", "medium")
        if not output:
            body.pop("output_config", None)
        if thinking.get("type") == "adaptive":
            thinking["type"] = "enabled"
            thinking["budget_tokens"] = _budget(body["max_tokens"], effort)


def _budget(max_tokens: int, effort: str) -> int:
    if max_tokens <= _LEAST_BUDGET:
        raise RequestError(f"thinking needs more than {_LEAST_BUDGET} tokens", hint="raise --max-tokens")
    return max(_LEAST_BUDGET, int(max_tokens * _BUDGET_SHARE[effort]))
