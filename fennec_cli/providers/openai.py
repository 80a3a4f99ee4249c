"""OpenAI, and any compatible server through `base_url`. Source: OpenAI API reference, read 2026-11."""

from fennec_cli.dialects import chat
from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.dialects.openai_errors import decode_error as decode_error
from fennec_cli.providers.base import completion_call, models_call, openai_models
from fennec_cli.request import CompletionRequest

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-5.4-mini"
KEY_VARIABLES = ("OPENAI_API_KEY",)
BASE_URL_VARIABLE = "OPENAI_BASE_URL"
HEADER_VARIABLES = {"OPENAI_ORG_ID": "openai-organization", "OPENAI_PROJECT_ID": "openai-project"}


def dialect(_endpoint: Endpoint, _request: CompletionRequest) -> Dialect:
    return chat


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    """OpenAI's own models know `max_completion_tokens` only; compatible servers know the old name."""

    def adapt(body: dict[str, object]) -> None:
        if is_openai_host(endpoint.base_url):
            body["store"] = False
            if "max_tokens" in body:
                body["max_completion_tokens"] = body.pop("max_tokens")

    return completion_call(dialect(endpoint, request), request, endpoint, adapt)


def authorization(key: str) -> Headers:
    return {"authorization": f"Bearer {key}"}


def build_models_request(endpoint: Endpoint) -> HTTPCall:
    return models_call(endpoint)


def decode_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    return openai_models(body, endpoint)


def is_openai_host(base_url: str) -> bool:
    """Whether `base_url` is one of OpenAI's own hosts, regional ones included (us, eu, ae, au, in, jp)."""
    host = base_url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0].lower()
    return host == "api.openai.com" or host.endswith(".api.openai.com")
