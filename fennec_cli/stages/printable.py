"""Keep an answer from driving the terminal that it is shown on."""

import re
from contextlib import closing

from fennec_cli.chunk import CompletionChunk
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage

# ECMA-48, C0 and C1, but for line feed and tab.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(inner: Stage, *, content: bool = True, reasoning: bool = True) -> Stage:
    """Take control characters out of the texts that go to a terminal."""

    def stage(request: CompletionRequest) -> Chunks:
        with closing(inner(request)) as chunks:
            for chunk in chunks:
                yield _cleaned(chunk, content, reasoning)

    return stage


def cleaned(data: bytes) -> bytes:
    """Take control characters out of UTF-8."""
    return _CONTROL.sub("", data.decode(errors="surrogateescape")).encode(errors="surrogateescape")


def _cleaned(chunk: CompletionChunk, content: bool, reasoning: bool) -> CompletionChunk:
    if chunk.content and content and _CONTROL.search(chunk.content):
        return chunk._replace(content=_CONTROL.sub("", chunk.content))
    if chunk.reasoning and reasoning and _CONTROL.search(chunk.reasoning):
        return chunk._replace(reasoning=_CONTROL.sub("", chunk.reasoning))
    call = chunk.tool_call
    if call is not None and content and _CONTROL.search(call.arguments + (call.name or "")):
        cleaned = call._replace(
            name=call.name and _CONTROL.sub("", call.name), arguments=_CONTROL.sub("", call.arguments)
        )
        return chunk._replace(tool_call=cleaned)
    return chunk
