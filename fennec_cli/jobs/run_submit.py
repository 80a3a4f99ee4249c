"""`fennec batch submit`: rows of standard input to batches."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fennec_cli.batch.intake import taken_in
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.requests import Requests
from fennec_cli.completion.row_models import RowModels
from fennec_cli.config import Config
from fennec_cli.errors import Blocked, FennecError
from fennec_cli.jobs.desk import Desk
from fennec_cli.jobs.spool import Records
from fennec_cli.jobs.submit import Prepared
from fennec_cli.output.sink import write_out
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import CompletionRequest
from fennec_cli.safeguards import Safeguards
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Say

if TYPE_CHECKING:
    from fennec_cli.jobs.money import Money


class SubmitOptions(NamedTuple):
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    max_tokens: int | None = None
    option: tuple[str, ...] = ()
    attach_root: str | None = None
    max_cost: float | None = None
    budget: str | None = None
    redact: str | None = None
    private: bool = False
    audit: str | None = None
    quiet: bool = False
    verbose: int = 0


def run_submit(options: SubmitOptions, config: Config) -> int:
    """Submit the rows on standard input, and write the job's id."""
    desk = Desk(config, options.verbose, quiet=options.quiet)
    target = desk.registry.choose(options.model or config.model, options.provider)
    _refuse_private(options, desk, target.provider)
    guards = desk.guards(options.redact, options.audit, target.provider)
    service = desk.service(target.provider)
    complete = CompleteOptions(
        model=target.model,
        system=options.system,
        max_tokens=options.max_tokens,
        option=options.option,
        attach_root=options.attach_root,
        input_format="ndjson",
        output_format="json",
        no_stream=True,
    )
    models = RowModels(desk.registry, target, any_provider=False)
    requests = Requests(complete, config, target.model, start=time.monotonic(), named=models.target)
    money = desk.money(options.max_cost, options.budget, target.provider)
    submission = desk.submission(service, guards, money)
    try:
        rows = _prepared(requests, desk.registry, target.provider, guards, money)
        job = submission.submit(rows, target.provider, target.model)
    finally:
        guards.close()
    desk.notes.say(1, f"{job.rows} rows in {job.parts} batches at {target.provider}")
    write_out(f"{job.id}\n".encode())
    return 0


def _refuse_private(options: SubmitOptions, desk: Desk, provider: str) -> None:
    """Raise `Blocked` where requests have to be private: no batch is."""
    if options.private or desk.said("private") or desk.registry.requires_private(provider):
        raise Blocked(
            f"{provider} keeps the rows and answers of a batch for weeks, and private requests are asked for",
            hint="use `fennec complete --input ndjson`",
        )


def _prepared(
    requests: Requests, registry: ProviderRegistry, provider: str, guards: Safeguards, money: "Money | None"
) -> Iterator[Prepared]:
    """Every row of standard input as the request that `fennec complete` would send, or as what is wrong with it."""
    masked = 0
    for row in taken_in(requests.rows(), named=True):
        if row.fault is not None:
            yield Prepared(row.id, row.meta, "", row.fault)
            continue
        try:
            request = requests.build(row)
        except FennecError as error:
            yield Prepared(row.id, row.meta, "", error)
            continue
        try:
            sent, masks = guards._replace(say=_of_row(row.id, guards)).outgoing(request)
            call = registry.call(Target(provider, sent.model, "named"), sent)
        except FennecError as error:
            yield Prepared(row.id, row.meta, "", error, _records(guards, request, error))
        else:
            masked += masks is not None
            usd = money.of(sent) if money is not None else 0.0
            yield Prepared(row.id, row.meta, request.model, call, _records(guards, request), usd)
    if masked:
        guards.say(0, f"{masked} rows go out with masks, which stay in their answers: what they stand for is not kept")


def _of_row(row_id: str, guards: Safeguards) -> Say:
    return lambda level, text: guards.say(level, f"row {row_id}: {text}")


def _records(guards: Safeguards, request: CompletionRequest, fault: FennecError | None = None) -> Records:
    """What the audit log says of a row: that it is sent, or what came of it if it is not."""
    if guards.trail is None:
        return ()
    asked = ("request", guards.trail.question(request, guards.provider))
    if fault is None:
        return (asked,)
    from fennec_cli.audit.records import Outcome, response_fields

    return (asked, ("response", response_fields(request, guards.provider, Outcome(0.0, error=fault), {})))
