"""Keep only the first fenced block of an answer."""

from contextlib import closing

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.chunk import PAUSE, CompletionChunk
from fennec_cli.errors import InvalidOutput
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage


def extract(inner: Stage) -> Stage:
    """Replace the text of `inner` (which is held back until its end) by the contents of its first fenced block.

    Each choice has one. An answer without gets a last chunk whose `fault` is `InvalidOutput`, and no text.
    """

    def stage(request: CompletionRequest) -> Chunks:
        fold = ResponseAggregator()
        with closing(inner(request)) as chunks:
            for chunk in chunks:
                fold.add_chunk(chunk)
                if chunk.refusal:
                    yield chunk._replace(content=None)
                elif chunk.content is None and chunk is not PAUSE:
                    yield chunk
        blocks = [first_block(choice.content) for choice in fold.finalize().choices]
        for index, block in enumerate(blocks):
            if block:
                yield CompletionChunk(content=block, index=index)
        if not blocks or None in blocks:
            yield CompletionChunk(fault=InvalidOutput("the answer has no fenced block", hint="ask for one, or drop -x"))

    return stage


def first_block(text: str) -> str | None:
    """Return the contents of the first fenced block of Markdown `text`, or None.

    A fence is three or more backticks or tildes, indented by at most three spaces, and is closed by at least as many
    of the same (CommonMark 0.31, section 4.5). A block that is never closed is none: its end was not seen.
    """
    fence = ""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        stripped = line.strip()
        if len(line) - len(line.lstrip(" ")) > 3:
            stripped = ""
        if not fence:
            mark = _fence(stripped)
            if mark and (mark[0] == "~" or "`" not in stripped[len(mark) :]):
                fence = mark
        elif _fence(stripped) == stripped and stripped.startswith(fence):
            return "".join(lines)
        else:
            lines.append(line)
    return None


def _fence(line: str) -> str:
    for mark in "`~":
        run = len(line) - len(line.lstrip(mark))
        if run >= 3:
            return mark * run
    return ""
