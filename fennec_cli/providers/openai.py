"""OpenAI, and any compatible server through `base_url`. Source: OpenAI API reference, read 2026-11."""

from typing import Any

from fennec_cli.dialects import chat, responses
from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.errors import Blocked, FennecError
from fennec_cli.hosts import is_loopback
from fennec_cli.providers.base import completion_call, effective_sampling, models_call, openai_models
from fennec_cli.request import CompletionRequest

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-5.4-mini"
KEY_VARIABLES = ("OPENAI_API_KEY",)
BASE_URL_VARIABLE = "OPENAI_BASE_URL"
STREAM_OPTIONS: dict[str, dict[str, bool]] = {chat.PATH: {"include_usage": True}, responses.PATH: {}}
CLIENT_ID_HEADER = "x-client-request-id"
HEADER_VARIABLES = {"OPENAI_ORG_ID": "openai-organization", "OPENAI_PROJECT_ID": "openai-project"}


# Raw options that only Chat Completions knows; they choose it where the choice is ours.
_CHAT_ONLY = frozenset(
    {
        "n",
        "seed",
        "stop",
        "logit_bias",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "messages",
        "max_completion_tokens",
        "max_tokens",
        "response_format",
        "prediction",
        "reasoning_effort",
        "verbosity",
        "modalities",
        "audio",
        "functions",
        "function_call",
        "web_search_options",
    }
)
_KEEPING = ("background", "conversation")  # fields that hand the answer to the provider to keep


def dialect(endpoint: Endpoint, request: CompletionRequest) -> Dialect:
    """Responses on OpenAI's own hosts unless an option needs Chat Completions; Chat Completions everywhere else."""
    if endpoint.api == "responses":
        return responses
    if endpoint.api == "chat" or not is_openai_host(endpoint.base_url):
        return chat
    return chat if needs_chat(endpoint, request) else responses


def needs_chat(endpoint: Endpoint, request: CompletionRequest) -> bool:
    """Whether the request has an option that Responses has no field for."""
    sampling = effective_sampling(request, endpoint)
    return sampling.seed is not None or bool(sampling.stop) or not _CHAT_ONLY.isdisjoint(request.options)


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    """OpenAI's own models know `max_completion_tokens` only; compatible servers know the old name.

    Nothing is stored at OpenAI: Responses would keep every answer for 30 days by default.
    """
    chosen = dialect(endpoint, request)

    def adapt(body: dict[str, object]) -> None:
        if not is_openai_host(endpoint.base_url):
            return
        body["store"] = request.resume
        if request.stream:
            body["stream_options"] = {**STREAM_OPTIONS[chosen.PATH], "include_obfuscation": False}
        if "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")

    def enforce(body: dict[str, Any]) -> None:
        if request.private:
            store_nothing(body, said=chosen is responses)

    return completion_call(chosen, request, endpoint, adapt, enforce=enforce)


def store_nothing(body: dict[str, Any], *, said: bool) -> None:
    """Undo what would let the provider keep the answer, whatever an option asks for; `said` says so in any case.

    Raises `Blocked` for the ways to answer that have no other use than being kept.
    """
    for name in _KEEPING:
        if body.get(name):
            raise Blocked(f"with {name} the provider keeps the answer", hint="leave it out, or do without --private")
    if said or "store" in body:
        body["store"] = False


def keeps_private(request: CompletionRequest, endpoint: Endpoint) -> bool:
    """Compatible servers have an opt-out where they speak Responses; what they do with Chat nobody can know."""
    if is_openai_host(endpoint.base_url) or dialect(endpoint, request) is responses:
        return True
    return is_loopback(endpoint.base_url)


def authorization(key: str) -> Headers:
    return {"authorization": f"Bearer {key}"}


def decode_error(status: int, headers: Headers, body: bytes) -> FennecError:
    from fennec_cli.dialects import openai_errors  # an answer that is good does not need it

    return openai_errors.decode_error(status, headers, body)


def build_models_request(endpoint: Endpoint, _cursor: str | None = None) -> HTTPCall:
    return models_call(endpoint)


def models_cursor(_body: bytes) -> None:
    return None


def decode_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    return openai_models(body, endpoint)


def is_openai_host(base_url: str) -> bool:
    """Whether `base_url` is one of OpenAI's own hosts, regional ones included (us, eu, ae, au, in, jp)."""
    host = base_url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0].lower()
    return host == "api.openai.com" or host.endswith(".api.openai.com")
