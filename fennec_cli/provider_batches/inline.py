"""Anthropic's Message Batches: the rows go with the call that makes the batch.

Source: API reference, "Message Batches", read 2026-11. A batch carries no mark of ours; the ids of its rows do, and
they are seen when it has ended.
"""

from typing import Any
from urllib.parse import quote

import orjson

from fennec_cli.dialects.base import Endpoint, Headers, HTTPCall, ProviderModule
from fennec_cli.dialects.documents import json_object
from fennec_cli.errors import ProtocolError, ServerError
from fennec_cli.provider_batches import Limits, Part, Remote, Result
from fennec_cli.provider_batches.files import moment
from fennec_cli.providers import anthropic

PAGE = 100
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
_STATUS = {  # what the same error has as an answer of its own (API reference, "Errors")
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class AnthropicBatches:
    LIMITS = Limits(rows=100_000, size=256_000_000)
    files = None

    def variant(self, call: HTTPCall) -> str:
        return call.headers[anthropic.VERSION_HEADER]

    def row(self, custom_id: str, _path: str, body: bytes, _endpoint: Endpoint) -> bytes:
        return orjson.dumps({"custom_id": custom_id, "params": orjson.Fragment(body)})

    def create_call(self, endpoint: Endpoint, part: Part, rows: bytes) -> HTTPCall:
        body = b'{"requests":[' + rows.strip().replace(b"\n", b",") + b"]}"
        call = self._call(endpoint, part, "")
        return call._replace(method="POST", headers={**call.headers, "content-type": "application/json"}, body=body)

    def list_call(self, endpoint: Endpoint, part: Part, cursor: str | None) -> HTTPCall:
        after = f"&after_id={quote(cursor, safe='')}" if cursor else ""
        return self._call(endpoint, part, f"?limit={PAGE}{after}")

    def decode_list(self, body: bytes) -> tuple[list[Remote], str | None]:
        document = json_object(body)
        rows = document.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ProtocolError("the answer is not a list of batches")
        found = [_remote(row) for row in rows]
        return found, found[-1].id if found and document.get("has_more") else None

    def is_ours(self, _remote: Remote, _part: Part) -> bool | None:
        return None

    def status_call(self, endpoint: Endpoint, part: Part, batch_id: str) -> HTTPCall:
        return self._call(endpoint, part, f"/{quote(batch_id, safe='')}")

    def cancel_call(self, endpoint: Endpoint, part: Part, batch_id: str) -> HTTPCall:
        return self._call(endpoint, part, f"/{quote(batch_id, safe='')}/cancel")._replace(method="POST")

    def decode_status(self, body: bytes) -> Remote:
        return _remote(json_object(body))

    def result_call(self, endpoint: Endpoint, part: Part, place: str) -> HTTPCall:
        """The address of the results is made here: the one in the answer need not be behind the configured host."""
        return self._call(endpoint, part, f"/{quote(place, safe='')}/results")

    def decode_result(self, line: bytes, module: ProviderModule) -> Result:
        document = json_object(line)
        custom_id, result = document.get("custom_id"), document.get("result")
        if not isinstance(custom_id, str) or not isinstance(result, dict):
            raise ProtocolError("the provider sent a result without an id")
        if result.get("type") == "succeeded":
            return Result(custom_id, orjson.dumps(result.get("message")))
        if result.get("type") == "errored":
            envelope = result.get("error")
            fault = envelope.get("error") if isinstance(envelope, dict) else None
            kind = fault.get("type") if isinstance(fault, dict) else None
            return Result(custom_id, error=module.decode_error(_STATUS.get(str(kind), 500), {}, orjson.dumps(envelope)))
        return Result(custom_id, error=ServerError(f"the row was not answered ({result.get('type')})"))

    def _call(self, endpoint: Endpoint, part: Part, rest: str) -> HTTPCall:
        place = anthropic.address(endpoint, part.variant)
        headers: Headers = {"accept": "application/json", **place.headers, anthropic.VERSION_HEADER: part.variant}
        return HTTPCall("GET", f"{place.base_url}/messages/batches{rest}", headers)


def _remote(document: dict[str, Any]) -> Remote:
    batch_id, state = document.get("id"), document.get("processing_status")
    if not isinstance(batch_id, str) or not isinstance(state, str):
        raise ProtocolError("the provider's answer is not a batch")
    counts = document.get("request_counts") or {}
    try:
        numbers = [int(counts.get(name) or 0) for name in _COUNTS]
    except (AttributeError, TypeError, ValueError) as error:
        raise ProtocolError(f"the provider counted the rows in an unknown way ({error})") from error
    ended = state == "ended"
    return Remote(
        id=batch_id,
        state=state,
        ended=ended,
        total=sum(numbers),
        done=numbers[1],
        failed=sum(numbers[2:]),
        created=moment(document.get("created_at")),
        results=(batch_id,) if ended else (),
    )
