"""The ledger: what was kept is there again, whatever happened to the end of the file."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fennec_cli.batch.delivery import FileDelivery, delivery, repeated
from fennec_cli.batch.ledger import Entry, Ledger, content_hash
from fennec_cli.batch.offsets import Offsets
from fennec_cli.errors import FennecError, InputError, IntegrityError, OutputError, UsageError
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import DescriptorSink
from tests.conftest import soak


def entry(row_id: str, lines: str = "", *, finished: bool = True) -> Entry:
    return Entry(row_id, content_hash(row_id.encode()), (lines or f'{{"id":"{row_id}"}}\n').encode(), finished)


@contextmanager
def opened(place: Path) -> Iterator[Ledger]:
    ledger = Ledger(str(place), "ndjson")
    try:
        yield ledger
    finally:
        ledger.close()


def stream(ledger: Ledger, position: int = 0) -> bytes:
    return b"".join(ledger.results(position))


def test_results_are_there_again(tmp_path: Path) -> None:
    with opened(tmp_path / "l") as ledger:
        ledger.append([entry("a"), entry("b", finished=False)])
        ledger.append([entry("c")])
        assert b"".join(ledger.failures()) == b'{"id":"b"}\n'
    with opened(tmp_path / "l") as ledger:
        assert [ledger.content_of(row_id) is not None for row_id in "abcd"] == [True, False, True, False]
        assert ledger.content_of("a") == content_hash(b"a")
        assert stream(ledger) == b'{"id":"a"}\n{"id":"c"}\n'
        assert b"".join(ledger.failures()) == b""  # those of an earlier run are nobody's any more


def test_the_stream_can_be_entered_anywhere(tmp_path: Path) -> None:
    with opened(tmp_path / "l") as ledger:
        ledger.append([entry(str(number), f"{number}" * (number % 7 + 1)) for number in range(3000)])
        whole = stream(ledger)
        for position in random.Random(3).sample(range(len(whole)), 100):
            assert stream(ledger, position) == whole[position:]
            assert ledger.last_bytes(position, 64) == whole[max(0, position - 64) : position]


def test_a_later_answer_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    with opened(tmp_path / "l") as ledger:
        ledger.append([entry("a")])
        ledger.append([Entry("a", content_hash(b"new"), b"{}\n", True)])
    with opened(tmp_path / "l") as ledger:
        assert ledger.content_of("a") == content_hash(b"new")


def test_every_cut_leaves_what_was_whole(tmp_path: Path) -> None:
    place = tmp_path / "l"
    with opened(place) as ledger:
        for row_id in "abc":
            ledger.append([entry(row_id)])
            ledger.mark_delivered()
    data = place.read_bytes()
    for size in range(len(data)):
        place.write_bytes(data[:size])
        with opened(place) as ledger:
            kept = [row_id for row_id in "abc" if ledger.content_of(row_id)]
            assert kept == list("abc"[: len(kept)])
            assert stream(ledger) == b"".join(entry(row_id).lines for row_id in kept)
            ledger.append([entry("z")])
        with opened(place) as ledger:
            assert ledger.damage == 0
            assert ledger.content_of("z")


def test_every_changed_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    place = tmp_path / "l"
    with opened(place) as ledger:
        ledger.append([entry("a"), entry("b")])
        ledger.append([entry("c")])
    data = place.read_bytes()
    for position in range(len(data)):
        place.write_bytes(data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :])
        try:
            with opened(place) as ledger:
                assert stream(ledger) == b"".join(entry(row_id).lines for row_id in "abc"[: ledger.count])
                assert ledger.count < 3
        except FennecError as error:
            assert isinstance(error, InputError | UsageError)  # noqa: PT017 - either is right


def test_damage_far_from_the_end_is_found_when_it_is_read(tmp_path: Path) -> None:
    place = tmp_path / "l"
    with opened(place) as ledger:
        ledger.append([entry("a"), entry("b")])
        at = place.read_bytes().index(b'{"id":"a"}')
        fd = os.open(place, os.O_WRONLY)
        os.pwrite(fd, b"!", at)
        os.close(fd)
        with pytest.raises(IntegrityError):
            stream(ledger)


def test_two_processes_do_not_share_a_ledger(tmp_path: Path) -> None:
    with opened(tmp_path / "l"), pytest.raises(UsageError, match="another process"):
        Ledger(str(tmp_path / "l"), "ndjson")


def test_another_file_and_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("something else\n")
    with pytest.raises(InputError, match="is no ledger"):
        Ledger(str(tmp_path / "x"), "ndjson")
    assert (tmp_path / "x").read_text() == "something else\n"
    with opened(tmp_path / "l"), pytest.raises(UsageError):
        Ledger(str(tmp_path / "l"), "ndjson")
    with pytest.raises(UsageError, match="--format ndjson"):
        Ledger(str(tmp_path / "l"), "text")


@pytest.mark.parametrize("expected", [0, 100, 1500, 100_000])
def test_offsets_are_those_that_were_put(expected: int) -> None:
    rng, keys = random.Random(9), list[bytes]()
    offsets, judge = Offsets(lambda offset: keys[offset - 1], expected), dict[bytes, int]()
    for _ in range(2500):
        key = rng.randbytes(2) + bytes(14) if rng.random() < 0.5 else bytes(4) + rng.randbytes(12)
        assert offsets.get(key) == judge.get(key)
        keys.append(key)
        judge[key] = len(keys)
        offsets.put(key, len(keys))
    assert len(offsets) == len(judge)
    assert all(offsets.get(key) == offset for key, offset in judge.items())


@pytest.mark.parametrize("rows", [100, 5000, 12_000])
def test_a_long_ledger_is_read_into_a_table_of_its_size(tmp_path: Path, rows: int) -> None:
    with opened(tmp_path / "l") as ledger:
        for begin in range(0, rows, 1000):
            ledger.append([entry(f"r{number}") for number in range(begin, min(begin + 1000, rows))])
        ledger.append([entry("lost", finished=False)])
    with opened(tmp_path / "l") as ledger:
        assert (ledger.count, ledger.damage) == (rows, 0)
        assert all(ledger.content_of(f"r{number}") for number in range(0, rows, 97))
        assert ledger.content_of("lost") is None
        ledger.append([entry(f"s{number}") for number in range(rows)])
        assert all(ledger.content_of(f"{name}{number}") for name in "rs" for number in range(0, rows, 97))


class Run:
    """One run into a file or a pipe, which may die anywhere in between."""

    def __init__(self, ledger: Path, out: Path, *, append: bool = True, pipe: bool = False) -> None:
        self.ledger = Ledger(str(ledger), "ndjson")
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
        self.fd = os.open(out, flags, 0o600)
        self.sink = DescriptorSink(self.fd)
        read, self.write_end = os.pipe() if pipe else (-1, -1)
        self.read_end = read
        fd = self.write_end if pipe else self.fd
        self.output = delivery(self.ledger, DescriptorSink(fd), fd, lines=True, notes=Notes(quiet=True))
        self.output.begin()

    def row(self, row_id: str, *, finished: bool = True) -> None:
        self.output.deliver([entry(row_id, finished=finished)])

    def end(self) -> None:
        self.output.end(b'{"summary":1}\n')

    def die(self) -> None:
        self.ledger.close()
        os.close(self.fd)


def ids(out: Path) -> list[str]:
    return out.read_text().splitlines()


A, B, C, S = '{"id":"a"}', '{"id":"b"}', '{"id":"c"}', '{"summary":1}'


def test_what_was_kept_and_not_written_is_written_at_the_next_start(tmp_path: Path) -> None:
    run = Run(tmp_path / "l", tmp_path / "out")
    run.row("a")
    run.ledger.append([entry("b")])
    run.die()
    run = Run(tmp_path / "l", tmp_path / "out")
    run.row("c")
    run.end()
    run.die()
    assert ids(tmp_path / "out") == [A, B, C, S]


def test_failures_and_summary_of_an_earlier_run_give_way(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("head")
    run = Run(tmp_path / "l", out)
    run.row("b", finished=False)
    run.row("a")
    run.end()
    run.die()
    assert ids(out) == ["head", A, B, S]
    run = Run(tmp_path / "l", out)
    run.row("b")
    run.end()
    run.die()
    assert ids(out) == ["head", A, B, S]
    run = Run(tmp_path / "l", out)
    run.end()
    run.die()
    assert ids(out) == ["head", A, B, S]


def test_what_others_wrote_behind_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = Run(tmp_path / "l", out)
    run.row("a")
    run.end()
    run.die()
    with out.open("a") as file:
        file.write("by somebody else\n")
    for _ in range(2):
        run = Run(tmp_path / "l", out)
        run.die()
    run = Run(tmp_path / "l", out)
    run.row("b")
    run.end()
    run.die()
    assert ids(out) == [A, S, "by somebody else", B, S]


def test_an_empty_or_another_file_gets_everything_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = Run(tmp_path / "l", out)
    run.row("a")
    run.row("b")
    run.end()
    run.die()
    Run(tmp_path / "l", out, append=False).die()
    assert ids(out) == [A, B]
    out.write_text("a longer text that is not what the ledger says\n" * 3)
    Run(tmp_path / "l", out).die()
    assert ids(out)[3:] == [A, B]
    Run(tmp_path / "l", tmp_path / "new").die()
    assert ids(tmp_path / "new") == [A, B]


def test_a_pipe_gets_the_rest_and_is_told_what_may_be_repeated(tmp_path: Path) -> None:
    run = Run(tmp_path / "l", tmp_path / "x", pipe=True)
    run.row("a")
    run.ledger.append([entry("b")])
    run.die()
    assert os.read(run.read_end, 1000).decode() == A + "\n"
    run = Run(tmp_path / "l", tmp_path / "x", pipe=True)
    assert os.read(run.read_end, 1000) == b'{"id":"b","replayed":true}\n'
    run.row("c")
    run.end()
    run.die()
    assert os.read(run.read_end, 1000).decode() == f"{C}\n{S}\n"


def test_a_pipe_gets_results_in_the_order_they_are_given(tmp_path: Path) -> None:
    run = Run(tmp_path / "l", tmp_path / "x", pipe=True)
    run.output.deliver([entry("a", finished=False), entry("b"), entry("c", finished=False)])
    run.die()
    assert os.read(run.read_end, 1000).decode() == f"{A}\n{B}\n{C}\n"


def test_an_output_that_cannot_be_made_safe_is_an_error_of_it(tmp_path: Path) -> None:
    run = Run(tmp_path / "l", tmp_path / "out")
    read, write = os.pipe()
    delivered = FileDelivery(run.ledger, run.sink, run.fd, write, lines=True, notes=Notes(quiet=True))
    with pytest.raises(OutputError, match="Invalid argument"):
        delivered.end(b"")
    run.die()
    os.close(read)
    os.close(write)


def test_only_line_feeds_end_lines() -> None:
    assert repeated(b'{"meta":\r1}\n{}\n') == b'{"meta":\r1,"replayed":true}\n{,"replayed":true}\n'


@pytest.mark.soak
def test_every_torn_output_is_made_whole(tmp_path: Path) -> None:
    """The output may have any length up to what was written: a crash of the machine loses its end."""
    run = Run(tmp_path / "l", tmp_path / "out")
    for row_id in "abc":
        run.row(row_id)
    run.row("d", finished=False)
    run.end()
    run.die()
    ledger, out = (tmp_path / "l").read_bytes(), (tmp_path / "out").read_bytes()
    for size in range(0, len(out) + 1, soak(3, 1)):
        (tmp_path / "l").write_bytes(ledger)
        (tmp_path / "out").write_bytes(out[:size])
        run = Run(tmp_path / "l", tmp_path / "out")
        run.row("d")
        run.end()
        run.die()
        assert ids(tmp_path / "out") == [A, B, C, '{"id":"d"}', S]


def test_a_ledger_that_cannot_be_read_keeps_no_lock(tmp_path: Path) -> None:
    place = tmp_path / "ledger"
    place.write_bytes(b"something else\n")
    for _ in range(2):
        with pytest.raises(InputError, match="no ledger"):
            Ledger(str(place), "ndjson")


def test_a_device_is_no_ledger() -> None:
    with pytest.raises(InputError, match="/dev/null is no ledger"):
        Ledger("/dev/null", "ndjson")


@pytest.mark.parametrize("title", [b"fennec ledger 1 \x1b[2Jndjson\n", b"fennec ledger 1 \n", b"fennec ledger 1 n\0\n"])
def test_a_damaged_title_is_no_ledger(tmp_path: Path, title: bytes) -> None:
    place = tmp_path / "ledger"
    place.write_bytes(title + bytes(100))
    with pytest.raises(InputError, match="no ledger"):
        Ledger(str(place), "ndjson")
