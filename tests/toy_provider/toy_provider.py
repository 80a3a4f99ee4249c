"""A toy service: Chat Completions with a key header and an error object of its own. See docs/providers.md.

Its errors are `{"fault": {"kind": "asleep", "text": "...", "wait_s": 3}}`.
"""

from typing import Any

import orjson

from fennec_cli.dialects import chat
from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.errors import AuthenticationError, FennecError, Overloaded, ProviderError, RequestError, ServerError
from fennec_cli.providers.base import completion_call, models_call, openai_models
from fennec_cli.request import CompletionRequest

DEFAULT_BASE_URL = "https://api.toy.example/v1"
DEFAULT_MODEL: str | None = "teddy"
KEY_VARIABLES = ("TOY_API_KEY",)
BASE_URL_VARIABLE: str | None = "TOY_BASE_URL"
HEADER_VARIABLES: dict[str, str] = {}

_BY_KIND: dict[str, type[ProviderError]] = {
    "stranger": AuthenticationError,
    "too_hard": RequestError,
    "asleep": Overloaded,
}


def dialect(_endpoint: Endpoint, _request: CompletionRequest) -> Dialect:
    return chat


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    if request.tools:
        raise RequestError("toys call no tools", hint="leave --tools out")

    def adapt(body: dict[str, Any]) -> None:
        body["playful"] = True

    return completion_call(chat, request, endpoint, adapt)


def keeps_private(_request: CompletionRequest, _endpoint: Endpoint) -> bool:
    return False  # toys tell everybody


def authorization(key: str) -> Headers:
    return {"x-toy-key": key}


def decode_error(status: int, _headers: Headers, body: bytes) -> FennecError:
    try:
        fault = orjson.loads(body)["fault"]
        kind, text, wait_s = fault["kind"], str(fault["text"]), fault.get("wait_s")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return ServerError(f"no reason given ({status})", status=status)
    return _BY_KIND.get(kind, ServerError)(f"{text} ({status})", status=status, retry_after=wait_s)


def build_models_request(endpoint: Endpoint, _cursor: str | None = None) -> HTTPCall:
    return models_call(endpoint)


def models_cursor(_body: bytes) -> None:
    return None


def decode_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    return openai_models(body, endpoint)
