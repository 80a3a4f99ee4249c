"""What becomes of the rows under way when a signal ends a batch."""

import signal
import threading
import time
from collections.abc import Iterator

import orjson
import pytest

from fennec_cli.batch.runner import Buffer, Piece, Runner
from fennec_cli.output.events import EventWriter
from fennec_cli.prompts import Row
from fennec_cli.signals import Interrupted
from fennec_cli.stages import Chunks


def rows(*names: str) -> Iterator[Row]:
    return (Row(name, "a prompt") for name in names)


@pytest.mark.parametrize("whole", [False, True])
def test_a_row_whose_thread_does_not_end_in_time_gets_its_last_line_all_the_same(whole: bool) -> None:
    begun, free = threading.Semaphore(0), threading.Event()

    def ask(_row: Row) -> Chunks:
        begun.release()
        free.wait(30)  # it sees no signal
        yield from ()

    def interrupted() -> None:
        if begun.acquire(timeout=0.01) and begun.acquire(timeout=5):
            raise Interrupted(signal.SIGTERM)

    written: list[Piece] = []
    runner = Runner(rows("a", "b"), ask, lambda out, _aside: EventWriter(out), jobs=2, whole=whole, broken=True)
    begin = time.monotonic()
    with pytest.raises(Interrupted):
        runner.run(written.extend, idle=interrupted)
    assert time.monotonic() - begin < 3
    free.set()
    events = [orjson.loads(line) for piece in written for line in piece.data.splitlines()]
    assert [(event["id"], event["type"], event["class"], event["exit"]) for event in events] == [
        ("a", "error", "interrupted", 143),
        ("b", "error", "interrupted", 143),
    ]
    assert all(piece.last and piece.answer is None for piece in written)


def test_a_buffer_keeps_what_it_gets_once() -> None:
    buffer = Buffer()
    buffer.write(b"one")
    buffer.write(b"two")
    assert (buffer.taken(), buffer.taken()) == (b"onetwo", b"")
