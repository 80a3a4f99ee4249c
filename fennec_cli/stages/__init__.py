"""Stages: each takes the next stage and returns a stage of the same shape.

`Stage = Callable[[CompletionRequest], Generator[CompletionChunk, None, None]]`. A stage that looks at chunks opens its
inner with `closing`, because a plain `for ... yield` leaves the socket open when the reader goes away. The type says
Generator, not Iterator, so that mypy refuses what cannot be closed.
"""

from collections.abc import Callable, Generator

from fennec_cli.chunk import CompletionChunk
from fennec_cli.request import CompletionRequest

Chunks = Generator[CompletionChunk, None, None]
Stage = Callable[[CompletionRequest], Chunks]
