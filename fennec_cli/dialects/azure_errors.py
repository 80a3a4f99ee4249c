"""Azure OpenAI's errors where they differ from OpenAI's. Source: Azure troubleshooting and quota pages, read 2026-11.

There is no quota error: a used-up quota is a 429 with a long wait, which only the message tells when headers are
missing. Codes may be the HTTP status as a string.
"""

import re

from fennec_cli.dialects import openai_errors
from fennec_cli.dialects.base import Headers
from fennec_cli.errors import (
    AuthenticationError,
    FennecError,
    ModelUnavailable,
    RateLimitError,
    RequestError,
    ServerError,
)

REQUEST_ID_HEADER = "apim-request-id"
_RETRY_AFTER = re.compile(r"retry after (\d{1,9}) seconds?", re.IGNORECASE)
_FAILED_DEPENDENCY = 424  # a part of Azure behind the endpoint timed out


def decode_error(status: int, headers: Headers, body: bytes) -> FennecError:
    """Classify an answer whose HTTP status is not 200. Never raises, whatever the body is."""
    error = openai_errors.decode_error(status, headers, body, request_id_header=REQUEST_ID_HEADER)
    if status == _FAILED_DEPENDENCY and type(error) is RequestError:
        return ServerError(
            error.message, status=status, retry_after=error.retry_after, request_id=error.request_id, hint=error.hint
        )
    if isinstance(error, RateLimitError) and error.retry_after is None:
        told = _RETRY_AFTER.search(error.message)
        error.retry_after = float(told[1]) if told else None
    error.hint = _hint(error) or error.hint
    return error


def _hint(error: FennecError) -> str | None:
    if isinstance(error, ModelUnavailable):
        return "name a deployment of this resource, not a model; a new one needs about five minutes"
    if isinstance(error, RequestError) and error.status == 404:
        return "check endpoint and api_version"
    if isinstance(error, AuthenticationError) and "data action" in error.message:
        return "give the identity the role `Cognitive Services OpenAI User` on the resource"
    return None
