"""Descriptors, and files that appear whole or not at all."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fennec_cli import signals
from fennec_cli.errors import IntegrityError, OutputError
from fennec_cli.output.notes import write_quietly
from fennec_cli.output.sink import DescriptorSink, FileSink, ReaderGone, open_appending, open_output, write_parts


def test_a_file_appears_on_commit_only(tmp_path: Path) -> None:
    sink = FileSink(str(tmp_path / "answer"))
    sink.write(b"one ")
    assert not (tmp_path / "answer").exists()
    sink.write(b"two")
    sink.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["answer"]
    assert (tmp_path / "answer").read_bytes() == b"one two"


def test_a_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    sink = FileSink(str(tmp_path / "answer"))
    sink.write(b"one")
    sink.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_checked_is_made_at_its_first_write(tmp_path: Path) -> None:
    sink = open_output(str(tmp_path / "answer"))
    assert list(tmp_path.iterdir()) == []
    sink.write(b"one")
    sink.commit()
    assert (tmp_path / "answer").read_bytes() == b"one"


def test_what_a_killed_run_of_the_same_number_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f".answer.{os.getpid()}.part").touch()
    write_parts((b"one",), str(tmp_path / "answer"))
    assert (tmp_path / "answer").read_bytes() == b"one"


def test_discard_after_commit_does_nothing(tmp_path: Path) -> None:
    sink = FileSink(str(tmp_path / "answer"))
    sink.commit()
    sink.discard()
    assert (tmp_path / "answer").read_bytes() == b""


def test_discard_survives_a_directory_that_is_gone(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    sink = FileSink(str(place / "answer"))
    sink.write(b"one")
    for path in place.iterdir():
        path.unlink()
    place.rmdir()
    sink.discard()


def test_parts_that_end_early_leave_no_file(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield b"one"
        if len(list(tmp_path.iterdir())) == 1:
            raise IntegrityError("the second is torn")

    with pytest.raises(IntegrityError):
        write_parts(parts(), str(tmp_path / "all"))
    assert list(tmp_path.iterdir()) == []
    write_parts((b"one", b"two"), str(tmp_path / "all"))
    assert (tmp_path / "all").read_bytes() == b"onetwo"


def test_a_directory_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Is a directory"):
        open_output(str(tmp_path))


def test_a_full_device_is_an_output_error() -> None:
    sink = open_output("/dev/full")
    with pytest.raises(OutputError, match=r"/dev/full \(No space left"):
        sink.write(b"x")


def test_a_pipe_without_reader_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(ReaderGone):
        DescriptorSink(writing).write(b"x")
    os.close(writing)


def test_a_named_pipe_that_is_added_to_is_not_read_by_us(tmp_path: Path) -> None:
    place = str(tmp_path / "pipe")
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    sink = open_appending(place)
    os.close(reader)
    with pytest.raises(ReaderGone):
        sink.write(b"x")


def test_everything_reaches_a_slow_reader_in_order() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    data = os.urandom(1_000_000)
    got: list[bytes] = []

    def read() -> None:
        while piece := os.read(reading, 50_000):
            got.append(piece)
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    DescriptorSink(writing).write(data)
    os.close(writing)
    reader.join(10)
    os.close(reading)
    assert b"".join(got) == data


def test_a_closed_standard_output_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="is closed"):
        DescriptorSink(1, closed=True).write(b"x")


def test_a_postponed_signal_counts_at_the_end_of_the_block() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    reached = False
    signals.install()
    try:
        with pytest.raises(signals.Interrupted) as stop, signals.postponed:  # noqa: PT012
            os.kill(os.getpid(), signal.SIGTERM)
            reached = True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signals._stopping = False
    assert reached
    assert stop.value.exit_status == 143


def test_a_note_to_a_reader_that_stands_still_does_not_keep_a_run_that_a_signal_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    monkeypatch.setattr(signals, "_stopping", signal.SIGTERM)
    write_quietly(writing, b"a note\n")
    monkeypatch.setattr(signals, "_stopping", 0)
    os.read(reading, 65536)
    write_quietly(writing, b"a note\n")
    os.close(writing)
    rest = b""
    while piece := os.read(reading, 65536):
        rest += piece
    os.close(reading)
    assert rest.endswith(b"a note\n")
    assert rest.count(b"a note") == 1
