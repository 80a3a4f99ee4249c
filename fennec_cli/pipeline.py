"""The whole order of a request, read in one place. Building a pipeline opens nothing.

A request goes in, chunks come out, and everything between is a stage of the same shape, innermost first.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fennec_cli.backoff import RetryConfig
from fennec_cli.chunk import TokenUsage
from fennec_cli.request import CompletionRequest
from fennec_cli.safeguards import Safeguards
from fennec_cli.stages import Stage
from fennec_cli.stages.judge import judge
from fennec_cli.stages.measure import Price, measure
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import Say

if TYPE_CHECKING:
    from fennec_cli.admission import Gate
    from fennec_cli.spending import Spending
    from fennec_cli.stages.budget import Purse
    from fennec_cli.stages.cache import Keeping
    from fennec_cli.stages.route import Route
    from fennec_cli.transport import StreamingProvider


class PipelineSettings(NamedTuple):
    """Which stages are in and how they are set."""

    retry: RetryConfig = RetryConfig()
    atomic: bool = False
    shows_reasoning: bool = False
    extract: bool = False
    conform: bool = False
    allow_truncated: bool = False
    allow_filtered: bool = False


def attempts(
    provider: "StreamingProvider",
    gate: "Gate",
    settings: PipelineSettings,
    money: "tuple[Purse, Spending] | None" = None,
) -> Stage:
    """One provider: send with leave, hold the answer where nothing may be shown before its end, repeat what failed."""
    from fennec_cli.stages.admit import admit  # an answer from the cache needs none of this
    from fennec_cli.stages.retry import retry

    stage = admit(provider.stream_completion, gate)
    if money is not None:
        from fennec_cli.stages.budget import budget

        stage = budget(stage, *money)
    if settings.atomic:
        from fennec_cli.stages.hold import hold  # what is not used is not imported

        stage = hold(stage)
    return retry(stage, settings.retry, shows_reasoning=settings.shows_reasoning, may_retry=gate.may_retry)


def request_pipeline(
    answering: Stage,
    settings: PipelineSettings,
    price: Price,
    keeping: "Keeping | None" = None,
    guards: Safeguards = Safeguards(),
) -> Stage:
    """What happens to a request between the command and who answers it: the `attempts` of one provider, or `routed`.

    `price` is asked once the usage is known; `keeping` is None for no cache; `guards` are the filter and the audit log.
    """
    stage = guards.sending(answering)
    if keeping is not None:
        from fennec_cli.stages.cache import cache

        stage = cache(stage, keeping)  # a hit never opens a socket or a keyring
    stage = guards.filtered(stage)  # no unfiltered prompt reaches the disk
    if settings.extract:
        from fennec_cli.stages.extract import extract

        stage = extract(stage)
    if settings.conform:
        from fennec_cli.stages.conform import conform

        stage = conform(stage)
    stage = judge(stage, allow_truncated=settings.allow_truncated, allow_filtered=settings.allow_filtered)
    stage = measure(stage, price=price)
    return guards.audited(stage)  # outermost: it sees a blocked prompt


def routed(plan: Callable[[CompletionRequest], "Sequence[Route]"], say: Say) -> Stage:
    """Several providers, each with its own `attempts`: one after the other until one answers."""
    from fennec_cli.stages.route import route

    return route(plan, say)


def unpriced(_provider: str, _model: str, _usage: TokenUsage) -> None:
    """The price of everything where nobody asks for it."""
