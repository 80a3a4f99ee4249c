"""What provider modules have in common: putting a call together, and OpenAI's list of models."""

from collections.abc import Callable
from typing import Any

import orjson

from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.errors import InputError, ProtocolError
from fennec_cli.request import CompletionRequest, Sampling, fingerprint


def completion_call(
    dialect: Dialect,
    request: CompletionRequest,
    endpoint: Endpoint,
    adapt: Callable[[dict[str, Any]], None] = lambda _body: None,
    extra_headers: Headers | None = None,
    *,
    enforce: Callable[[dict[str, Any]], None] = lambda _body: None,
    url: str | None = None,
) -> HTTPCall:
    """Build a completion call: the dialect's body, the provider's changes (`adapt`), the user's raw options.

    `enforce` comes after the options, for what no option may undo (privacy). `url` is the whole address of a service
    that does not put the dialect's path behind its base URL.
    """
    body = dialect.build_body(request, effective_sampling(request, endpoint))
    adapt(body)
    merge_options(body, request.options)
    enforce(body)
    url = url or endpoint.base_url.rstrip("/") + dialect.PATH
    selecting = {**endpoint.headers, **(extra_headers or {})}
    headers = {
        "content-type": "application/json",
        "accept": "text/event-stream" if request.stream else "application/json",
        **selecting,
    }
    try:
        encoded = orjson.dumps(body)
    except orjson.JSONEncodeError as error:  # the shell hands on arguments of any bytes
        raise InputError(f"the request cannot be sent ({error})", hint="write options and arguments in UTF-8") from None
    limit = body.get("max_output_tokens")
    return HTTPCall(
        "POST",
        url,
        headers,
        encoded,
        fingerprint(endpoint.name, url, selecting, body),
        limit if isinstance(limit, int) else None,
    )


def effective_sampling(request: CompletionRequest, endpoint: Endpoint) -> Sampling:
    """The request's own values, and the configuration's where the request says nothing."""
    asked, defaults = request.sampling._asdict(), endpoint.defaults._asdict()
    return Sampling(**{key: defaults[key] if value in (None, ()) else value for key, value in asked.items()})


def merge_options(body: dict[str, Any], options: Any) -> None:
    """Lay raw options over `body`; a dotted name (`provider.sort`) reaches into nested objects."""
    for name, value in options.items():
        target = body
        *parents, last = name.split(".")
        for parent in parents:
            inner = target.get(parent)
            if not isinstance(inner, dict):
                inner = target[parent] = {}
            target = inner
        target[last] = value


def models_call(endpoint: Endpoint, path: str = "/models") -> HTTPCall:
    return HTTPCall("GET", endpoint.base_url.rstrip("/") + path, {"accept": "application/json", **endpoint.headers})


def openai_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    """Read `{"data": [{"id", "shutdown_date"}]}`."""
    try:
        rows = orjson.loads(body)["data"]
        return [
            ModelInfo(id=str(row["id"]), provider=endpoint.name, deprecated=row.get("shutdown_date")) for row in rows
        ]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError("the answer is not a list of models") from error
