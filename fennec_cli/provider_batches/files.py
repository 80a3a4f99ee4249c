"""Batches whose rows are uploaded as a file: OpenAI, and Azure with its own addresses and spellings.

Source: OpenAI API reference, "Batch" and "Files"; Microsoft's "How to batch", read 2026-11. Azure writes states in
capitals and times as text in places: both are read.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from fennec_cli.dialects.base import Endpoint, Headers, HTTPCall, ProviderModule
from fennec_cli.dialects.documents import json_object, name_of, text_of
from fennec_cli.errors import ProtocolError, RequestError, ServerError
from fennec_cli.provider_batches import Limits, Part, Remote, Result
from fennec_cli.providers import azure

MARK = "fennec"  # the key of our marker in a batch's metadata
KEPT_S = 2_592_000  # how long an uploaded file is kept: the most that both allow
PAGE = 100
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_FILE_FAILED = frozenset({"error", "failed", "deleted"})
_RESULT_FILES = ("output_file_id", "error_file_id")


class OpenAIBatches:
    """OpenAI's Batch API."""

    LIMITS = Limits(rows=50_000, size=200_000_000)
    _EXPIRY = ("expires_after[anchor]", "expires_after[seconds]")
    _marks = True

    @property
    def files(self) -> "OpenAIBatches":
        return self

    def variant(self, _call: HTTPCall) -> str:
        return ""

    def row(self, custom_id: str, path: str, body: bytes, endpoint: Endpoint) -> bytes:
        row = {"custom_id": custom_id, "method": "POST", "url": self._row_url(endpoint, path)}
        return orjson.dumps({**row, "body": orjson.Fragment(body)})

    def upload_call(self, endpoint: Endpoint, part: Part, rows: bytes) -> HTTPCall:
        """`multipart/form-data` (RFC 7578); the marker is no line of the rows, which are JSON."""
        anchor, seconds = self._EXPIRY
        fields = {"purpose": "batch", anchor: "created_at", seconds: str(KEPT_S)}
        edge = f"--{part.marker}\r\ncontent-disposition: form-data; name="
        head = "".join(f'{edge}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
        head += f'{edge}"file"; filename="{part.marker}.jsonl"\r\ncontent-type: application/jsonl\r\n\r\n'
        body = b"".join((head.encode(), rows, f"\r\n--{part.marker}--\r\n".encode()))
        headers = {**_headers(endpoint), "content-type": f"multipart/form-data; boundary={part.marker}"}
        return HTTPCall("POST", self._url(endpoint, "/files"), headers, body)

    def decode_upload(self, body: bytes) -> str:
        return _text(json_object(body), "id")

    def file_call(self, _endpoint: Endpoint, _part: Part) -> HTTPCall | None:
        return None

    def file_is_ready(self, body: bytes) -> bool:
        document = json_object(body)
        state = str(document.get("status")).lower()
        if state in _FILE_FAILED:
            raise RequestError(f"the file of rows was refused: {document.get('status_details') or state}")
        return state == "processed"

    def create_call(self, endpoint: Endpoint, part: Part, rows: bytes) -> HTTPCall:  # noqa: ARG002 - they are uploaded
        body: dict[str, Any] = {
            "input_file_id": part.file_id,
            "endpoint": self._row_url(endpoint, part.path),
            "completion_window": "24h",
        }
        if self._marks:
            body["metadata"] = {MARK: part.marker}
        headers = {**_headers(endpoint), "content-type": "application/json"}
        return HTTPCall("POST", self._url(endpoint, "/batches"), headers, orjson.dumps(body))

    def list_call(self, endpoint: Endpoint, _part: Part, cursor: str | None) -> HTTPCall:
        after = f"&after={quote(cursor, safe='')}" if cursor else ""
        url = self._url(endpoint, "/batches")
        return HTTPCall("GET", f"{url}{'&' if '?' in url else '?'}limit={PAGE}{after}", _headers(endpoint))

    def decode_list(self, body: bytes) -> tuple[list[Remote], str | None]:
        document = json_object(body)
        rows = [_remote(row) for row in _rows(document)]
        return rows, rows[-1].id if rows and document.get("has_more") else None

    def is_ours(self, remote: Remote, part: Part) -> bool | None:
        """A file is uploaded for one batch only, so that it tells as much as the marker."""
        return remote.marker == part.marker or (part.file_id is not None and remote.file_id == part.file_id)

    def status_call(self, endpoint: Endpoint, _part: Part, batch_id: str) -> HTTPCall:
        return HTTPCall("GET", self._url(endpoint, f"/batches/{quote(batch_id, safe='')}"), _headers(endpoint))

    def cancel_call(self, endpoint: Endpoint, _part: Part, batch_id: str) -> HTTPCall:
        return HTTPCall("POST", self._url(endpoint, f"/batches/{quote(batch_id, safe='')}/cancel"), _headers(endpoint))

    def decode_status(self, body: bytes) -> Remote:
        return _remote(json_object(body))

    def result_call(self, endpoint: Endpoint, _part: Part, place: str) -> HTTPCall:
        return HTTPCall("GET", self._url(endpoint, f"/files/{quote(place, safe='')}/content"), _headers(endpoint))

    def decode_result(self, line: bytes, module: ProviderModule) -> Result:
        document = json_object(line)
        custom_id = _text(document, "custom_id")
        response, error = document.get("response"), document.get("error")
        if isinstance(response, dict):
            status, body = response.get("status_code"), orjson.dumps(response.get("body"))
            request_id = name_of(response.get("request_id"))
            if status == 200:
                return Result(custom_id, body, request_id=request_id)
            fault = module.decode_error(status if isinstance(status, int) else 500, {}, body)
            return Result(custom_id, error=fault, request_id=request_id)
        said = error.get("message") or error.get("code") if isinstance(error, dict) else None
        return Result(custom_id, error=ServerError(str(said or "the row was not answered")))

    def _url(self, endpoint: Endpoint, path: str) -> str:
        return endpoint.base_url.rstrip("/") + path

    def _row_url(self, _endpoint: Endpoint, path: str) -> str:
        return f"/v1{path}"


class AzureBatches(OpenAIBatches):
    """Azure OpenAI's, v1 and dated. The model of every row is the name of a batch deployment."""

    LIMITS = Limits(rows=100_000, size=200_000_000)
    _EXPIRY = ("expires_after.anchor", "expires_after.seconds")
    _marks = False  # its reference has no metadata in what it takes

    def file_call(self, endpoint: Endpoint, part: Part) -> HTTPCall | None:
        return HTTPCall("GET", self._url(endpoint, f"/files/{quote(part.file_id or '', safe='')}"), _headers(endpoint))

    def _url(self, endpoint: Endpoint, path: str) -> str:
        return azure.service_url(endpoint, path)

    def _row_url(self, endpoint: Endpoint, path: str) -> str:
        return path if azure.is_dated(endpoint) else f"/v1{path}"


def _headers(endpoint: Endpoint) -> Headers:
    return {"accept": "application/json", **endpoint.headers}


def _remote(document: dict[str, Any]) -> Remote:
    try:
        return _described(document)
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise ProtocolError(f"the provider described a batch in an unknown way ({error})") from error


def _described(document: dict[str, Any]) -> Remote:
    counts = document.get("request_counts") or {}
    state = _text(document, "status").lower()
    metadata = document.get("metadata") or {}
    return Remote(
        id=_text(document, "id"),
        state=state,
        ended=state in _ENDED,
        total=counts.get("total"),
        done=int(counts.get("completed") or 0),
        failed=int(counts.get("failed") or 0),
        created=moment(document.get("created_at")),
        file_id=document.get("input_file_id"),
        marker=metadata.get(MARK),
        results=tuple(text_of(document[name]) for name in _RESULT_FILES if document.get(name)),
        problem=_problem(document.get("errors")),
    )


def _problem(errors: Any) -> str | None:
    rows = errors.get("data") if isinstance(errors, dict) else None
    if not rows:
        return None
    first = rows[0]
    place = f" (line {first['line']})" if first.get("line") else ""
    more = f", and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{first.get('message') or first.get('code')}{place}{more}"


def moment(value: Any) -> float | None:
    """Seconds since 1970, of a number or of text in ISO 8601."""
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return None


def _rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    rows = document.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolError("the answer is not a list of batches")
    return rows


def _text(document: dict[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise ProtocolError(f"the provider's answer has no {key}")
    return value
