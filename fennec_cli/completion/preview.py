"""`--dry-run`: requests as they would be sent, with an estimate of tokens and cost."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson

from fennec_cli.answering import Answering
from fennec_cli.completion.requests import Requests
from fennec_cli.output.sink import Sink
from fennec_cli.prompts import Row
from fennec_cli.registry import ProviderRegistry
from fennec_cli.request import CompletionRequest, estimate_tokens

if TYPE_CHECKING:
    from fennec_cli.stages.cache import Known

_FORM = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def preview(
    rows: Iterable[Row], requests: Requests, answering: Answering, registry: ProviderRegistry, sink: Sink
) -> None:
    """Write each request to `sink`. Raises the fault of a row that cannot be sent."""
    for row in rows:
        if row.fault is not None:
            raise row.fault
        sink.write(orjson.dumps(_shown(row, requests.build(row), answering, registry), option=_FORM))


def fingerprints(
    rows: Iterable[Row],
    requests: Requests,
    identified: Callable[[CompletionRequest], Iterable["Known"]],
    sink: Sink,
    *,
    as_json: bool,
) -> None:
    """Write the fingerprint of each request, as the model would get it that is asked first. Raises like `preview`."""
    for row in rows:
        if row.fault is not None:
            raise row.fault
        known = next(iter(identified(requests.build(row))))
        if as_json:
            fields = {"id": row.id, "provider": known.provider, "model": known.model, "fingerprint": known.fingerprint}
            sink.write(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
        else:
            sink.write(f"{known.fingerprint}\n".encode())


def _shown(row: Row, request: CompletionRequest, answering: Answering, registry: ProviderRegistry) -> dict[str, Any]:
    target = answering.first(request)
    call = registry.get_provider(target.provider, target.model).preview(request._replace(model=target.model))
    tokens_in = sum(estimate_tokens(message.content) for message in request.messages)
    tokens_out = request.sampling.max_tokens
    price = registry.price(target.provider, target.model)
    cost = None
    if price is not None:
        cost = (tokens_in * price.input + (tokens_out or 0) * price.output) / 1e6
    return {
        "id": row.id,
        "method": call.method,
        "url": call.url,
        "headers": dict(call.headers),
        "body": orjson.loads(call.body),
        "fingerprint": call.fingerprint,
        "estimate": {"input_tokens": tokens_in, "max_output_tokens": tokens_out, "cost_usd": cost},
    }
