"""Chunks to NDJSON events: a list as sink, a counter as clock."""

import itertools

import orjson
import pytest

from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk
from fennec_cli.errors import Bug, NetworkError, OutputError, StreamBroken
from fennec_cli.output.events import EventWriter, ObjectWriter
from fennec_cli.output.text import TextWriter
from fennec_cli.signals import Interrupted
from fennec_cli.stages import Chunks

OPENING = CompletionChunk(metadata=ChunkMetadata(provider="p", model="m"))


class ListSink:
    """Remembers every write; the writes with these numbers fail."""

    def __init__(self, *failing: int) -> None:
        self.writes: list[bytes] = []
        self._failing = failing
        self._count = itertools.count()

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        if next(self._count) in self._failing:
            raise OutputError("full")

    def commit(self) -> None: ...

    def discard(self) -> None: ...

    @property
    def types(self) -> list[list[str]]:
        """Types of the events of each write."""
        return [[orjson.loads(line)["type"] for line in data.splitlines()] for data in self.writes]


def chunks_of(*steps: CompletionChunk | BaseException) -> Chunks:
    for step in steps:
        if isinstance(step, BaseException):
            raise step
        yield step


def test_each_network_read_is_one_write() -> None:
    sink = ListSink()
    text = CompletionChunk(content="a")
    EventWriter(sink).answer(
        "1", chunks_of(OPENING, text, text, PAUSE, PAUSE, text, CompletionChunk(finish_reason="stop"), PAUSE)
    )
    assert sink.types == [["start", "chunk", "chunk"], ["chunk"], ["end"]]


@pytest.mark.parametrize("steps", [[ZeroDivisionError()], [CompletionChunk(content="a"), ZeroDivisionError()]])
def test_a_bug_of_ours_is_an_error_of_the_one_answer(steps: list[CompletionChunk | BaseException]) -> None:
    for writer in (EventWriter, ObjectWriter):
        sink = ListSink()
        answer = writer(sink).answer("1", chunks_of(*steps))
        assert isinstance(answer.error, Bug)
        last = orjson.loads(sink.writes[-1].splitlines()[-1])
        assert (last["type"], last["class"], last["exit"]) == ("error", "internal", 1)
        assert last["message"].startswith("ZeroDivisionError at test_events.py:")
    assert isinstance(TextWriter(ListSink()).answer("1", chunks_of(*steps)).error, Bug)


def test_an_error_before_any_chunk_has_no_start() -> None:
    sink = ListSink()
    answer = EventWriter(sink).answer("1", chunks_of(OPENING, NetworkError("cut")))
    assert isinstance(answer.error, NetworkError)
    assert sink.types == [["error"]]


def test_an_error_follows_what_was_pending() -> None:
    sink = ListSink()
    broken = StreamBroken("cut")
    broken.partial = True
    EventWriter(sink).answer("1", chunks_of(OPENING, CompletionChunk(content="a"), broken))
    assert sink.types == [["start", "chunk", "error"]]
    assert orjson.loads(sink.writes[0].splitlines()[-1])["partial"] is True


def test_a_signal_closes_the_row_and_goes_on() -> None:
    sink = ListSink()
    with pytest.raises(Interrupted):
        EventWriter(sink).answer("1", chunks_of(OPENING, CompletionChunk(content="a"), PAUSE, Interrupted(2)))
    assert sink.types == [["start", "chunk"], ["error"]]
    assert orjson.loads(sink.writes[1])["exit"] == 130


def test_a_write_that_failed_is_not_written_again() -> None:
    sink = ListSink(0)
    answer = EventWriter(sink).answer("1", chunks_of(OPENING, CompletionChunk(content="a"), PAUSE))
    assert isinstance(answer.error, OutputError)
    assert sink.types == [["start", "chunk"], ["error"]]


def test_every_event_has_version_number_and_time() -> None:
    sink = ListSink()
    moments = iter([10.0, 11.0, 13.5])
    text = CompletionChunk(content="a")
    EventWriter(sink, clock=lambda: next(moments)).answer(
        "row", chunks_of(OPENING, text, text, PAUSE, CompletionChunk(finish_reason="stop"))
    )
    events = [orjson.loads(line) for data in sink.writes for line in data.splitlines()]
    # What one network read brought has one time: the clock is read once for it.
    assert [(each["v"], each["id"], each["seq"], each["t"]) for each in events] == [
        (1, "row", 0, 1.0),
        (1, "row", 1, 1.0),
        (1, "row", 2, 1.0),
        (1, "row", 3, 3.5),
    ]
