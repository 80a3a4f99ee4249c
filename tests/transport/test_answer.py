"""The bytes of an answer become chunks: when it is whole, and for how long more is waited for."""

from contextlib import suppress

import orjson
import pytest

from fennec_cli.chunk import PAUSE, TERMINATOR, CompletionChunk
from fennec_cli.dialects import chat, ollama
from fennec_cli.dialects.base import Dialect
from fennec_cli.errors import NetworkError
from fennec_cli.transport.answer import Fold, read_stream
from fennec_cli.transport.patience import TAIL_S, Limits, Patience
from tests.e2e.peer import DONE, event

IDLE_S = 99.0


def said(index: int, text: str | None = None, finish: str | None = None) -> bytes:
    delta = {"content": text} if text else {}
    return event({"choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def read(
    *pieces: bytes, dialect: Dialect = chat, choices: int = 1, patience: Patience | None = None
) -> list[CompletionChunk]:
    patience = patience or Patience(Limits(idle=IDLE_S))
    chunks = read_stream(iter(pieces), dialect.FRAMING, dialect.decode, patience, Fold(choices))
    return [chunk for chunk in chunks if chunk is not PAUSE]


FIRST = [said(0, "a"), said(0, finish="stop")]
SECOND = [said(1, "b"), said(1, finish="stop")]


def test_an_answer_is_whole_when_all_choices_that_were_asked_for_have_their_finish_reason() -> None:
    assert [chunk.index for chunk in read(*FIRST, *SECOND, choices=2)] == [0, 0, 1, 1]
    for cut in ([], FIRST, [*FIRST, SECOND[0]]):
        with pytest.raises(NetworkError, match="before its finish reason"):
            read(*cut, choices=2)


def test_a_provider_that_gives_one_choice_and_says_so_has_answered() -> None:
    assert len(read(*FIRST, DONE, choices=2)) == 2


def test_the_choices_that_follow_the_first_one_are_waited_for_as_long_as_that() -> None:
    waits = []
    for pieces in (FIRST, [*FIRST, SECOND[0]], [*FIRST, *SECOND]):
        patience = Patience(Limits(idle=IDLE_S))
        with suppress(NetworkError):
            read(*pieces, choices=2, patience=patience)
        waits.append(patience.read_s())
    assert waits == [IDLE_S, IDLE_S, TAIL_S]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_the_last_line_counts_as_any_other_if_its_end_is_missing(end: bytes) -> None:
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("first", "second")]
    line = orjson.dumps({"message": {"tool_calls": calls}, "done": True, "done_reason": "stop"})
    chunks = read(line + end, dialect=ollama)
    found = [(chunk.tool_call.index, chunk.tool_call.name) for chunk in chunks if chunk.tool_call]
    assert found == [(0, "first"), (1, "second")]
    assert not any(chunk is TERMINATOR for chunk in chunks)
