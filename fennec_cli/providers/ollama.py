"""Ollama: models on this machine, on another one, or at ollama.com. Source: its docs and `envconfig`, read 2026-11.

Settings of its own (`Endpoint.extra`): `gpu_layers` (layers on the GPU; -1 lets Ollama choose, 0 is none), `num_ctx`
(context window in tokens) and `keep_alive` (how long the model stays loaded: a duration, or seconds).
"""

from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import orjson

from fennec_cli.dialects import ollama as chat
from fennec_cli.dialects.base import Dialect, Endpoint, Headers, HTTPCall, ModelInfo
from fennec_cli.dialects.documents import json_object
from fennec_cli.dialects.ollama_errors import decode_error as decode_error
from fennec_cli.dialects.ollama_errors import error_from_line
from fennec_cli.errors import ProtocolError
from fennec_cli.providers.base import completion_call, models_call
from fennec_cli.request import CompletionRequest
from fennec_cli.tuples import NamedTuple
from fennec_cli.wire import Event

DEFAULT_BASE_URL = "http://127.0.0.1:11434"
DEFAULT_MODEL: str | None = None  # the newest installed one, which only the server knows: see `newest`
KEY_VARIABLES = ("OLLAMA_API_KEY",)
BASE_URL_VARIABLE = "OLLAMA_HOST"  # not a URL: see `base_url_from_host`
HEADER_VARIABLES: dict[str, str] = {}

_CLOUD = "ollama.com"
_CLOUD_MODELS = ("-cloud", ":cloud")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ABILITIES = {"tools": "tools", "thinking": "reasoning", "vision": "images", "embedding": "embedding"}
_SETTINGS = {"num_ctx": "num_ctx", "gpu_layers": "num_gpu"}  # ours -> Ollama's
# Model options that are known by their bare name with -O; the server ignores them at the top of the body.
_OPTIONS = frozenset(
    [
        "draft_num_predict",
        "frequency_penalty",
        "main_gpu",
        "min_p",
        "num_batch",
        "num_ctx",
        "num_gpu",
        "num_keep",
        "num_predict",
        "num_thread",
        "presence_penalty",
        "repeat_last_n",
        "repeat_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
        "use_mmap",
    ]
)


class RunningModel(NamedTuple):
    """A model in memory. Sizes in bytes; what of `size` is not in `size_vram` runs on the CPU."""

    id: str
    provider: str
    size: int
    size_vram: int
    context_window: int | None
    expires_at: str | None  # when it is unloaded, RFC 3339


class ModelFacts(NamedTuple):
    """What the server says of one model; `details` are texts for people, by name."""

    model: ModelInfo
    details: Mapping[str, str]


class PullStep(NamedTuple):
    """One line of a pull's progress. Bytes of the layer `digest`, which is empty for steps that concern no layer."""

    status: str
    digest: str = ""
    completed: int = 0
    total: int = 0


def dialect(_endpoint: Endpoint, _request: CompletionRequest) -> Dialect:
    return chat


def build_request(request: CompletionRequest, endpoint: Endpoint) -> HTTPCall:
    def adapt(body: dict[str, Any]) -> None:
        settings = {_SETTINGS[key]: value for key, value in endpoint.extra.items() if key in _SETTINGS}
        options = {**settings, **body.pop("options", {})}
        if options:
            body["options"] = options
        if "keep_alive" in endpoint.extra:
            body["keep_alive"] = endpoint.extra["keep_alive"]

    raw = {f"options.{name}" if name in _OPTIONS else name: value for name, value in request.options.items()}
    call = completion_call(chat, request._replace(options=raw), endpoint, adapt)
    accept = "application/x-ndjson" if request.stream else "application/json"
    return call._replace(headers={**call.headers, "accept": accept, **endpoint.headers})


def keeps_private(request: CompletionRequest, endpoint: Endpoint) -> bool:
    """An Ollama keeps nothing, but it hands on what goes to models in the cloud."""
    from urllib.parse import urlsplit

    host = urlsplit(endpoint.base_url).hostname or ""
    return not (host == _CLOUD or host.endswith(f".{_CLOUD}") or request.model.endswith(_CLOUD_MODELS))


def authorization(key: str) -> Headers:
    return {"authorization": key if key.startswith("Bearer ") else f"Bearer {key}"}


def base_url_from_host(text: str) -> str:
    """Return the base URL that `OLLAMA_HOST` means: host, host:port, :port, each with or without scheme and path.

    The variable is also what the server listens on, so an address that stands for all addresses becomes loopback. A
    port that is none is the default one. Source: `Host` and `ConnectableHost` in `envconfig/config.go`.
    """
    text = text.strip().strip("\"'").strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = ("https" if text == _CLOUD else "http"), text
    default = "11434" if not separator and text != _CLOUD else _DEFAULT_PORTS.get(scheme, "11434")
    netloc, _, path = rest.partition("/")
    host, port = _host_and_port(netloc)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        port = default
    place = host if port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"
    return f"{scheme}://{place}/{path}".rstrip("/")


def _host_and_port(netloc: str) -> tuple[str, str]:
    """Split at the last colon, unless it belongs to an IPv6 address that stands alone."""
    host, port = netloc, ""
    if ":" in netloc and not _is_address(netloc.strip("[]")):
        host, _, port = netloc.rpartition(":")
    host = host.strip("[]")
    if not host:
        return "127.0.0.1", port
    if not _is_address(host):
        return host, port
    address = ip_address(host)
    if address.is_unspecified:
        return ("[::1]" if address.version == 6 else "127.0.0.1"), port
    return (f"[{address}]" if address.version == 6 else str(address)), port


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def build_models_request(endpoint: Endpoint, _cursor: str | None = None) -> HTTPCall:
    return models_call(endpoint, "/api/tags")


def models_cursor(_body: bytes) -> None:
    return None


def decode_models(body: bytes, endpoint: Endpoint) -> list[ModelInfo]:
    try:
        return [_model(row["name"], row, row.get("details") or {}, endpoint) for row in _rows(body)]
    except (KeyError, TypeError, AttributeError) as error:
        raise ProtocolError("the answer is not a list of models") from error


def newest(models_body: bytes) -> str | None:
    """Return the model that was installed or changed last and can complete, from the answer to the models request.

    Models that run at ollama.com are not installed. None where there is none. Raises `ProtocolError`.
    """
    try:
        usable = [row for row in _rows(models_body) if not row.get("remote_host") and _completes(row)]
        newest_row = max(usable, key=lambda row: _seconds(row.get("modified_at")), default=None)
        return None if newest_row is None else str(newest_row["name"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ProtocolError("the answer is not a list of models") from error


def build_show_request(endpoint: Endpoint, model: str) -> HTTPCall:
    return _call("POST", endpoint, "/api/show", {"model": model})


def decode_show(body: bytes, model: str, endpoint: Endpoint) -> ModelFacts:
    answer = json_object(body)
    try:
        details, info = answer.get("details") or {}, answer.get("model_info") or {}
        architecture = info.get("general.architecture")
        window = info.get(f"{architecture}.context_length")
        known = _model(model, answer, {"context_length": window, **details}, endpoint)
        said = {
            "family": details.get("family"),
            "parameter_size": details.get("parameter_size"),
            "quantization": details.get("quantization_level"),
            "parameters": "; ".join(" ".join(line.split()) for line in (answer.get("parameters") or "").splitlines()),
            "license": (answer.get("license") or "").strip().partition("\n")[0],
            "modified_at": answer.get("modified_at"),
        }
        return ModelFacts(known, {name: str(value) for name, value in said.items() if value})
    except (KeyError, TypeError, AttributeError) as error:
        raise ProtocolError("the answer does not describe a model") from error


def build_running_request(endpoint: Endpoint) -> HTTPCall:
    return models_call(endpoint, "/api/ps")


def decode_running(body: bytes, endpoint: Endpoint) -> list[RunningModel]:
    try:
        return [
            RunningModel(
                id=str(row["name"]),
                provider=endpoint.name,
                size=int(row.get("size") or 0),
                size_vram=int(row.get("size_vram") or 0),
                context_window=row.get("context_length"),
                expires_at=row.get("expires_at"),
            )
            for row in _rows(body)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError("the answer is not a list of running models") from error


def build_delete_request(endpoint: Endpoint, model: str) -> HTTPCall:
    return _call("DELETE", endpoint, "/api/delete", {"model": model})


def build_pull_request(endpoint: Endpoint, model: str) -> HTTPCall:
    call = _call("POST", endpoint, "/api/pull", {"model": model, "stream": True})
    return call._replace(headers={**call.headers, "accept": "application/x-ndjson", **endpoint.headers})


def decode_pull(event: Event) -> PullStep:
    """Read one line of a pull. Raises the error that it reports, and `ProtocolError` for a line that is none."""
    line = json_object(event.data)
    if "error" in line:
        raise error_from_line(line["error"])
    try:
        return PullStep(
            str(line.get("status") or ""),
            str(line.get("digest") or ""),
            int(line.get("completed") or 0),
            int(line.get("total") or 0),
        )
    except (TypeError, ValueError) as error:
        raise ProtocolError("the answer is not the progress of a pull") from error


def _call(method: Any, endpoint: Endpoint, path: str, body: dict[str, Any]) -> HTTPCall:
    headers = {"content-type": "application/json", "accept": "application/json", **endpoint.headers}
    return HTTPCall(method, endpoint.base_url.rstrip("/") + path, headers, orjson.dumps(body))


def _rows(body: bytes) -> list[dict[str, Any]]:
    """The rows of `{"models": [...]}`; a server without any says null."""
    rows = json_object(body)["models"] or []
    if not isinstance(rows, list):
        raise TypeError("models are no list")
    return rows


def _model(name: str, row: dict[str, Any], details: dict[str, Any], endpoint: Endpoint) -> ModelInfo:
    said = [_ABILITIES[word] for word in row.get("capabilities") or () if word in _ABILITIES]
    remote = bool(row.get("remote_host"))
    if _completes(row) and not remote:  # a grammar keeps any model to a schema, but not those at ollama.com
        said.append("schema")
    return ModelInfo(
        id=str(name),
        provider=endpoint.name,
        context_window=details.get("context_length"),
        capabilities=tuple(sorted(said)),
        source="provider" if remote else "installed",
    )


def _completes(row: dict[str, Any]) -> bool:
    """Whether a model writes text; older servers do not say what a model can do."""
    return "completion" in (row.get("capabilities") or ("completion",))


def _seconds(moment: Any) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (TypeError, ValueError):
        return 0.0
