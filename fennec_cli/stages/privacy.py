"""Send to a provider only what it keeps private."""

from collections.abc import Callable

from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


def privately(inner: Stage, checked: Callable[[CompletionRequest], CompletionRequest]) -> Stage:
    """Send each request as `checked` gives it back, which raises `Blocked` for one that would not stay private."""

    def stage(request: CompletionRequest) -> Chunks:
        return inner(checked(request))

    return stage
