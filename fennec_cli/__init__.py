"""fennec: prompts in on stdin, answers out on stdout, through any language-model provider.

As a library: `complete(prompt)` returns a whole answer, `stream_completion(request)` yields its chunks. Both are
imported on first use, so that `import fennec_cli` costs nothing.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fennec_cli.aggregate import CompletionResponse as CompletionResponse
    from fennec_cli.api import complete as complete
    from fennec_cli.api import stream_completion as stream_completion
    from fennec_cli.chunk import CompletionChunk as CompletionChunk
    from fennec_cli.errors import FennecError as FennecError
    from fennec_cli.request import CompletionRequest as CompletionRequest
    from fennec_cli.request import Message as Message

_HOMES = {
    "CompletionChunk": "chunk",
    "CompletionRequest": "request",
    "CompletionResponse": "aggregate",
    "FennecError": "errors",
    "Message": "request",
    "complete": "api",
    "stream_completion": "api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
