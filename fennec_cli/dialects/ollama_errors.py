"""The error table of Ollama. Source: `server/routes.go`, `llm/llama_server.go` and docs/api/errors, read 2026-11.

An error is `{"error": "text"}`, as an answer or as the last line of a stream with status 200. There are no codes: where
the status says too little (or there is none), the text decides.
"""

import re
from typing import Any

from fennec_cli.dialects import openai_errors
from fennec_cli.dialects.base import Headers
from fennec_cli.errors import (
    AuthenticationError,
    ContextLengthError,
    FennecError,
    ModelUnavailable,
    Overloaded,
    ProviderError,
    RateLimitError,
    RequestError,
    ServerError,
)
from fennec_cli.tuples import NamedTuple


class _Rule(NamedTuple):
    """What an error is whose text has one of `phrases`."""

    phrases: tuple[str, ...]  # lower case
    cls: type[ProviderError]
    hint: str
    retryable: bool = False


_RULES = (
    _Rule(
        ("context length", "context size"),
        ContextLengthError,
        "shorten the prompt, or raise num_ctx or OLLAMA_CONTEXT_LENGTH",
    ),
    _Rule(
        ("manifest: file does not exist",),
        ModelUnavailable,
        "check the name; https://ollama.com/library lists the models",
    ),
    _Rule(("unauthorized",), AuthenticationError, "sign in with `ollama signin`, or set OLLAMA_API_KEY"),
    # No repetition gives a machine more memory, nor makes a file one that the runner knows.
    _Rule(
        ("system memory", "out of memory", "insufficient memory", "cudamalloc failed"),
        ServerError,
        "free some memory, lower num_ctx, or choose a smaller model",
    ),
    _Rule(("load model", "loading model", "unsupported model"), ServerError, "the server's log says more"),
)
_MODEL = re.compile(r"""model ['"]([\w./:@-]+)['"] not found""")
_HINTS: dict[type[FennecError], str] = {
    AuthenticationError: "sign in with `ollama signin`, or check the key and what it may use",
}


def decode_error(status: int, headers: Headers, body: bytes) -> FennecError:
    """Classify an answer whose HTTP status is not 200. Never raises, whatever the body is."""
    error = openai_errors.decode_error(status, headers, body)
    return _classified(error) if isinstance(error, ProviderError) else error


def error_from_line(fault: Any) -> ProviderError:
    """Classify the value of `error` in a line of a stream."""
    return _classified(openai_errors.error_from_event(fault))


def _classified(error: ProviderError) -> ProviderError:
    if isinstance(error, RateLimitError | Overloaded):  # the status says it all
        return error
    text = error.message.lower()
    missing = _MODEL.search(error.message)
    if missing:
        return _as(error, ModelUnavailable, f"run `fennec models pull ollama/{missing[1]}`", retryable=False)
    for rule in _RULES:
        if any(phrase in text for phrase in rule.phrases):
            return _as(error, rule.cls, rule.hint, retryable=rule.retryable)
    if error.status == 502:  # a cloud model cannot be reached
        return _as(error, Overloaded, error.hint, retryable=True)
    if error.status == 404 and type(error) is RequestError:
        error.hint = "base_url is the address of the server, without /api and /v1"
    error.hint = _HINTS.get(type(error), error.hint)
    return error


def _as(error: ProviderError, cls: type[ProviderError], hint: str | None, *, retryable: bool) -> ProviderError:
    return cls(
        error.message,
        hint=hint,
        status=error.status,
        retry_after=error.retry_after,
        retryable=retryable,
        request_id=error.request_id,
    )
