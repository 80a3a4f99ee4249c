"""Hold an answer back until it is complete, so that nothing is committed before its end."""

from contextlib import closing

from fennec_cli.chunk import PAUSE
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


def hold(inner: Stage) -> Stage:
    """Hand on no chunk of `inner` before its last one has come: even a late failure may then be retried."""

    def stage(request: CompletionRequest) -> Chunks:
        with closing(inner(request)) as chunks:
            held = [chunk for chunk in chunks if chunk is not PAUSE]
        yield from held

    return stage
