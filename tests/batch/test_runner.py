"""What becomes of the rows under way when a signal ends a batch."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import orjson
import pytest

from fennec_cli import signals
from fennec_cli.batch.runner import Buffer, Piece, Runner
from fennec_cli.chunk import CompletionChunk
from fennec_cli.errors import Bug, OutputError
from fennec_cli.output.events import EventWriter
from fennec_cli.output.sink import ReaderGone
from fennec_cli.prompts import Row
from fennec_cli.signals import Interrupted
from fennec_cli.stages import Chunks
from tests.conftest import soak


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


def answered(names: list[str]) -> Callable[[Row], Chunks]:
    def ask(row: Row) -> Chunks:
        yield CompletionChunk(finish_reason="stop")
        names.append(row.id)

    return ask


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_signal_while_answers_are_handed_on_loses_none_and_repeats_none(ordered: bool) -> None:
    written: list[Piece] = []

    def deliver(pieces: list[Piece]) -> None:
        with signals.postponed:
            signals.postponed.number = None if written else signal.SIGTERM
        written.extend(pieces)

    ended: list[str] = []
    runner = Runner(rows("a", "b", "c"), answered(ended), lambda out, _aside: EventWriter(out), jobs=2, ordered=ordered)
    with pytest.raises(Interrupted):
        runner.run(deliver)
    assert sorted(piece.row.id for piece in written if piece.answer) == sorted(ended)


SIGNALLED = """
import itertools, os, random, signal, sys, time
from fennec_cli import signals
from fennec_cli.batch.runner import Runner
from fennec_cli.chunk import CompletionChunk
from fennec_cli.output.events import EventWriter
from fennec_cli.prompts import Row

def ask(row):
    time.sleep(0.0005)
    yield CompletionChunk(finish_reason="stop")

def child():
    signals.install()
    rows = (Row(str(number), "x") for number in itertools.count())
    try:
        Runner(rows, ask, lambda out, _aside: EventWriter(out), jobs=4, broken=True).run(lambda _pieces: None)
    except signals.Interrupted:
        os._exit(0)
    finally:
        os._exit(1)

for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        child()
    time.sleep(random.uniform(0.01, 0.03))
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 10
    while (found := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            sys.exit("a run did not hear its signal")
        time.sleep(0.005)
    if found[1] not in (0, signal.SIGTERM):  # that it was killed means that it had not begun yet
        sys.exit(f"a run ended with {found[1]}")
"""


@pytest.mark.soak
def test_a_signal_at_any_moment_ends_the_run() -> None:
    run = subprocess.run([sys.executable, "-c", SIGNALLED, str(soak(30, 2000))], capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")


@pytest.mark.parametrize("reason", [ReaderGone(), OutputError("no space")])
def test_what_is_answered_when_nothing_can_be_written_any_more_is_kept(reason: BaseException) -> None:
    ended: list[str] = []
    kept: list[Piece] = []
    tried: list[Piece] = []

    def deliver(pieces: list[Piece]) -> None:
        tried.extend(pieces)
        wait_until(lambda: len(ended) == 4)
        raise reason

    runner = Runner(rows("a", "b", "c", "d"), answered(ended), lambda out, _aside: EventWriter(out), jobs=4)
    with pytest.raises(type(reason)):
        runner.run(deliver, keep=kept.extend)
    assert sorted(piece.row.id for piece in [*tried, *kept] if piece.answer) == ["a", "b", "c", "d"]


def test_a_bug_of_ours_costs_one_row() -> None:
    def ask(row: Row) -> Chunks:
        if row.id == "a":
            raise ZeroDivisionError
        return answered([])(row)

    written: list[Piece] = []
    Runner(rows("a", "b"), ask, lambda out, _aside: EventWriter(out), jobs=1).run(written.extend)
    answers = {piece.row.id: piece.answer for piece in written if piece.answer}
    assert isinstance(answers["a"].error, Bug)
    assert answers["b"].error is None


def test_a_buffer_keeps_what_it_gets_once() -> None:
    buffer = Buffer()
    buffer.write(b"one")
    buffer.write(b"two")
    assert (buffer.taken(), buffer.taken()) == (b"onetwo", b"")
