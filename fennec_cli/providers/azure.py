"""Azure OpenAI, v1 and dated API. Source: Microsoft's Azure OpenAI reference and lifecycle pages, read 2026-11.

The v1 API is the default; a dated one is spoken when `api_version` names it. The model of a request is the name of a
deployment. Settings of its own (`Endpoint.extra`): `endpoint` or `resource`, `api_version`, `deployments` (a table of
model to deployment, see `settled`), and `regions`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import orjson

from fennec_cli.dialects import chat, responses
from fennec_cli.dialects.azure_errors import REQUEST_ID_HEADER as REQUEST_ID_HEADER
from fennec_cli.dialects.azure_errors import decode_error as decode_error
from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.errors import ConfigError, ProtocolError
from fennec_cli.providers.base import completion_call, models_call
from fennec_cli.providers.openai import needs_chat, store_nothing
from fennec_cli.request import CompletionRequest
from fennec_cli.tuples import NamedTuple

DEFAULT_BASE_URL = ""  # every customer has an address of their own: see base_url()
DEFAULT_MODEL: str | None = None
KEY_VARIABLES = ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_KEY")
BASE_URL_VARIABLE = "AZURE_OPENAI_ENDPOINT"
VERSION_VARIABLE = "OPENAI_API_VERSION"
CLIENT_ID_HEADER = "x-ms-client-request-id"
HEADER_VARIABLES: dict[str, str] = {}

_USAGE_IN_STREAMS_SINCE = "2024-09-01"  # older dated versions refuse `stream_options`


class Cloud(NamedTuple):
    """Where tokens for an endpoint come from. Newer documentation names the first scope, older the second."""

    authority: str
    scopes: tuple[str, ...]


_PUBLIC = Cloud(
    "login.microsoftonline.com", ("https://ai.azure.com/.default", "https://cognitiveservices.azure.com/.default")
)
_SOVEREIGN = {
    ".azure.us": Cloud(
        "login.microsoftonline.us", ("https://cognitiveservices.azure.us/.default", "https://ai.azure.us/.default")
    ),
    ".azure.cn": Cloud(
        "login.chinacloudapi.cn", ("https://cognitiveservices.azure.cn/.default", "https://ai.azure.cn/.default")
    ),
}


def cloud(base_url: str) -> Cloud:
    """Return the cloud that `base_url` lies in: public, US Government or China."""
    host = urlsplit(base_url).hostname or ""
    return next((found for suffix, found in _SOVEREIGN.items() if host.endswith(suffix)), _PUBLIC)


def base_url(extra: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """Return the resource's address: `endpoint`, `resource`, the first of `regions`, or the environment's.

    Raises `ConfigError` when none of them says it.
    """
    if extra.get("endpoint"):
        return str(extra["endpoint"])
    if extra.get("resource"):
        return f"https://{extra['resource']}.openai.azure.com"
    if extra.get("regions"):
        return str(extra["regions"][0]["endpoint"])
    if environ.get(BASE_URL_VARIABLE):
        return environ[BASE_URL_VARIABLE]
    raise ConfigError(
        "azure has no endpoint", hint=f"set endpoint or resource in [provider.azure], or {BASE_URL_VARIABLE}"
    )


def default_model(extra: Mapping[str, Any]) -> str | None:
    """Return the model for those who name none: the configured deployment, or the first region's."""
    if extra.get("deployment") or not extra.get("regions"):
        return extra.get("deployment")
    deployment: str | None = extra["regions"][0].get("deployment")
    return deployment


def settled(extra: Mapping[str, Any], environ: Mapping[str, str], model: str | None) -> dict[str, Any]:
    """Complete the configured settings: the API version of the environment, and which deployment serves `model`."""
    found: dict[str, Any] = {}
    if not extra.get("api_version") and environ.get(VERSION_VARIABLE):
        found["api_version"] = environ[VERSION_VARIABLE]
    if model and extra.get("deployment"):
        found["deployments"] = {model: extra["deployment"]}
    return {**extra, **found}


def dialect(endpoint: Endpoint, request: CompletionRequest) -> Dialect:
    """Responses on v1 unless an option needs Chat Completions, Chat Completions on a dated API; `api` forces one."""
    if endpoint.api == "responses":
        return responses
    if endpoint.api == "chat" or _dated_version(endpoint) or needs_chat(endpoint, request):
        return chat
    return responses


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    """Nothing is stored: Responses would keep every answer for 30 days by default."""
    chosen, version = dialect(endpoint, request), _dated_version(endpoint)
    deployment = (endpoint.extra.get("deployments") or {}).get(request.model, request.model)

    def adapt(body: dict[str, Any]) -> None:
        if chosen is responses:
            body["store"] = request.resume
        if "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if version is not None and version < _USAGE_IN_STREAMS_SINCE:
            body.pop("stream_options", None)

    def enforce(body: dict[str, Any]) -> None:
        if request.private:
            store_nothing(body, said=chosen is responses)

    url = _completion_url(endpoint.base_url, chosen.PATH, version, deployment)
    return completion_call(chosen, request._replace(model=deployment), endpoint, adapt, enforce=enforce, url=url)


def keeps_private(_request: CompletionRequest, _endpoint: Endpoint) -> bool:
    """Chat Completions stores nothing here, and no customer's data is trained on."""
    return True


def authorization(key: str) -> Headers:
    return {"authorization": key} if key.startswith("Bearer ") else {"api-key": key}


def build_models_request(endpoint: Endpoint, _cursor: str | None = None) -> HTTPCall:
    version = _dated_version(endpoint)
    if version is None:
        return models_call(endpoint._replace(base_url=_v1(endpoint.base_url)))
    return models_call(endpoint._replace(base_url=f"{_root(endpoint.base_url)}/openai"), f"/models{_query(version)}")


def service_url(endpoint: Endpoint, path: str) -> str:
    """Return the address of what belongs to no deployment: files and batches."""
    version = _dated_version(endpoint)
    return (
        _v1(endpoint.base_url) + path
        if version is None
        else f"{_root(endpoint.base_url)}/openai{path}{_query(version)}"
    )


def is_dated(endpoint: Endpoint) -> bool:
    return _dated_version(endpoint) is not None


def models_cursor(_body: bytes) -> None:
    return None


def decode_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    """Return the configured deployments, then what could be deployed: keys cannot ask for the deployments."""
    try:
        rows = [_model(row, endpoint.name) for row in orjson.loads(body)["data"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ProtocolError("the answer is not a list of models") from error
    deployed = [ModelInfo(id=name, provider=endpoint.name, source="deployment") for name in _deployments(endpoint)]
    return deployed + rows


def _model(row: dict[str, Any], provider: str) -> ModelInfo:
    end = (row.get("deprecation") or {}).get("inference")
    day = datetime.fromtimestamp(end, UTC).date().isoformat() if end else None
    return ModelInfo(id=str(row["id"]), provider=provider, deprecated=day, source="available to deploy")


def _deployments(endpoint: Endpoint) -> list[str]:
    extra = endpoint.extra
    regional = [region.get("deployment") for region in extra.get("regions") or ()]
    named = [extra.get("deployment"), *(extra.get("deployments") or {}).values(), *regional]
    return list(dict.fromkeys(name for name in named if name))


def _completion_url(base: str, path: str, version: str | None, deployment: str) -> str:
    if version is None:
        return _v1(base) + path
    # A name that is not UTF-8 is refused with the body, which has it too.
    place = f"/deployments/{quote(deployment, safe='', errors='replace')}" if path == chat.PATH else ""
    return f"{_root(base)}/openai{place}{path}{_query(version)}"


def _dated_version(endpoint: Endpoint) -> str | None:
    """The dated API version, or None for the v1 API: without a version, or with an address that names v1."""
    version = endpoint.extra.get("api_version")
    if not version or version == "v1" or endpoint.base_url.rstrip("/").endswith("/v1"):
        return None
    return str(version)


def _query(version: str) -> str:
    if not version.isascii():
        raise ConfigError("the API version is none", hint="it is a date such as 2024-10-21, or v1")
    return f"?api-version={quote(version, safe='')}"


def _v1(base: str) -> str:
    base = base.rstrip("/")
    return base if base.endswith("/v1") else f"{_root(base)}/openai/v1"


def _root(base: str) -> str:
    """The address without the part that begins with the path segment `openai`, which people copy along."""
    return re.sub(r"(?<!/)/openai(/.*)?$", "", base.rstrip("/"))
