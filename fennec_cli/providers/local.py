"""The embedded engine: Chat Completions of llama.cpp's server, on a unix socket. Source: its README, read 2026-11."""

from fennec_cli.dialects import chat
from fennec_cli.dialects.base import Dialect, Endpoint, HTTPCall
from fennec_cli.errors import RequestError
from fennec_cli.providers.base import completion_call
from fennec_cli.providers.openai import authorization as authorization
from fennec_cli.providers.openai import build_models_request as build_models_request
from fennec_cli.providers.openai import decode_error as decode_error
from fennec_cli.providers.openai import decode_models as decode_models
from fennec_cli.providers.openai import models_cursor as models_cursor
from fennec_cli.request import CompletionRequest

DEFAULT_BASE_URL = "http://localhost/v1"  # the host is only a name: the connection goes to the engine's socket
DEFAULT_MODEL = "smollm2-135m"
KEY_VARIABLES: tuple[str, ...] = ()
BASE_URL_VARIABLE: str | None = None
HEADER_VARIABLES: dict[str, str] = {}
# Re-using a connection after a finished stream failed in half of the tries.
_CLOSE = {"connection": "close"}


def dialect(_endpoint: Endpoint, _request: CompletionRequest) -> Dialect:
    return chat


def keeps_private(_request: CompletionRequest, _endpoint: Endpoint) -> bool:
    return True


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    """Raises `RequestError` for attachments: the engine would say so, too, but as a fault of its own (500)."""
    if any(message.attachments for message in request.messages):
        raise RequestError(
            "the embedded engine runs models for text only", hint="leave the attachment out, or name another provider"
        )
    return completion_call(dialect(endpoint, request), request, endpoint, extra_headers=_CLOSE)
