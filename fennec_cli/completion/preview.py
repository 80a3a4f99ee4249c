"""`--dry-run`: requests as they would be sent, with an estimate of tokens and cost."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson

from fennec_cli.answering import Answering
from fennec_cli.completion.requests import Requests
from fennec_cli.errors import BudgetExceeded, FennecError
from fennec_cli.output.events import error_fields
from fennec_cli.output.sink import Sink
from fennec_cli.prompts import Row
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import CompletionRequest, estimate_tokens
from fennec_cli.safeguards import Safeguards
from fennec_cli.spending import Spending
from fennec_cli.stages.budget import EXPECTED_TOKENS, estimate

if TYPE_CHECKING:
    from fennec_cli.stages.cache import Known

_FORM = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


class Total:
    """What all rows of an input would be."""

    def __init__(self) -> None:
        self.rows = self.failed = self.input_tokens = self.output_tokens = 0
        self.cost_usd: float | None = 0.0
        self.unpriced = ""  # a model without a known price

    def fields(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "failed": self.failed,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
        }


def fingerprints(
    rows: Iterable[Row],
    requests: Requests,
    identified: Callable[[CompletionRequest], Iterable["Known"]],
    sink: Sink,
    guards: Safeguards = Safeguards(),
    *,
    as_json: bool,
) -> None:
    """Write the fingerprint of each request, as the model would get it that is asked first. Raises like `preview`."""
    for row in rows:
        if row.fault is not None:
            raise row.fault
        known = next(iter(identified(guards.outgoing(requests.build(row))[0])))
        if as_json:
            fields = {"id": row.id, "provider": known.provider, "model": known.model, "fingerprint": known.fingerprint}
            sink.write(orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE))
        else:
            sink.write(f"{known.fingerprint}\n".encode())


class Preview:
    """Writes each request to `sink`, and adds up what they would cost."""

    def __init__(
        self,
        requests: Requests,
        answering: Answering,
        registry: ProviderRegistry,
        sink: Sink,
        guards: Safeguards = Safeguards(),
    ) -> None:
        self._requests, self._answering, self._registry, self._sink = requests, answering, registry, sink
        self._guards = guards
        self.total = Total()

    def single(self, row: Row) -> None:
        """Show the one request of text input. Raises what makes it impossible."""
        self._write(self._shown(row))

    def batch(self, rows: Iterable[Row]) -> None:
        """Show every row, those too that cannot be sent, and the total."""
        for row in rows:
            try:
                if row.fault is not None:
                    raise row.fault
                shown = self._shown(row)
            except FennecError as error:
                self.total.rows += 1
                self.total.failed += 1
                shown = {"id": row.id, "error": error_fields(error, started=False)}
            self._write(shown)
        self._write({"total": self.total.fields()})

    def check(self, spending: Spending) -> None:
        """Raise `BudgetExceeded` if the total is more than is left."""
        strict, left = spending.refuses_unknown, spending.left_usd()
        if self.total.unpriced and strict is not None:
            raise BudgetExceeded(
                f"the price of {self.total.unpriced} is not known, and {strict.name} needs it",
                hint="configure it, or allow unknown prices in a [budget.NAME]",
            )
        if (self.total.cost_usd or 0.0) > left:
            raise BudgetExceeded(
                f"the input would cost about ${self.total.cost_usd:.6f}, and ${left:.6f} is left",
                hint="raise the budget, or lower --max-tokens",
            )

    def _write(self, document: dict[str, Any]) -> None:
        self._sink.write(orjson.dumps(document, option=_FORM))

    def _shown(self, row: Row) -> dict[str, Any]:
        request, masks = self._guards.outgoing(self._requests.build(row))
        target = self._answering.first(request)
        request = self._registry.privately(target.provider, request._replace(model=target.model))
        call = self._registry.get_provider(target.provider, target.model).preview(request)
        return {
            "id": row.id,
            "method": call.method,
            "url": call.url,
            "headers": dict(call.headers),
            "body": orjson.loads(call.body),
            "fingerprint": call.fingerprint,
            "estimate": self._estimated(request, target),
            **({} if masks is None else {"masked": masks}),
        }

    def _estimated(self, request: CompletionRequest, target: Target) -> dict[str, Any]:
        purse, total = self._answering.purse(target), self.total
        tokens_in = sum(estimate_tokens(message.content) for message in request.messages)
        most = request.sampling.max_tokens or purse.most
        tokens_out = most or purse.mean() or EXPECTED_TOKENS
        cost = None if purse.price is None else estimate(request, purse.price, tokens_out)
        total.rows += 1
        total.input_tokens += tokens_in
        total.output_tokens += round(tokens_out)
        if cost is None:
            total.cost_usd, total.unpriced = None, purse.model
        elif total.cost_usd is not None:
            total.cost_usd += cost
        expected = {} if most else {"expected_output_tokens": round(tokens_out)}
        return {"input_tokens": tokens_in, "max_output_tokens": most, **expected, "cost_usd": cost}
