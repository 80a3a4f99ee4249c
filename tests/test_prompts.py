"""Bytes to prompts."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fennec_cli.errors import InputError, ProviderTimeout
from fennec_cli.prompts import compose, decode_text, read_all, read_records, rows, single_row, system_text


@contextmanager
def pipe_with(*pieces: bytes, closes: bool = True, pause: float = 0.0) -> Iterator[int]:
    """The reading end of a pipe into which these pieces come."""
    reading, writing = os.pipe()

    def write() -> None:
        for piece in pieces:
            os.write(writing, piece)
            time.sleep(pause)
        if closes:
            os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reading
    finally:
        thread.join()
        os.close(reading)
        if not closes:
            os.close(writing)


def test_everything_is_read_to_the_end() -> None:
    with pipe_with(b"one ", b"two", pause=0.01) as fd:
        assert read_all(fd, None) == b"one two"


def test_reading_ends_at_the_deadline() -> None:
    with pipe_with(b"one", closes=False) as fd, pytest.raises(ProviderTimeout) as caught:
        read_all(fd, time.monotonic() + 0.05)
    assert not caught.value.retryable


def test_an_input_that_has_ended_is_not_late() -> None:
    with pipe_with(b"a\nb\n") as fd:
        records = read_records(fd, b"\n", time.monotonic() + 0.2)
        assert next(records) == b"a"
        time.sleep(0.3)
        assert list(records) == [b"b"]


def test_what_comes_after_the_deadline_is_late() -> None:
    with pipe_with(b"a") as fd, pytest.raises(ProviderTimeout):
        read_all(fd, time.monotonic() - 1)


@given(st.lists(st.binary(max_size=5).filter(lambda record: b"\n" not in record), max_size=6), st.booleans())
def test_records_are_what_was_joined(records: list[bytes], closed: bool) -> None:
    data = b"\n".join(records) + (b"\n" if closed and records else b"")
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    with pipe_with(data) as fd:
        assert list(read_records(fd, b"\n", None)) == expected


def test_a_record_is_given_before_the_next_one_comes() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\nhalf")
    records = read_records(reading, b"\n", None)
    assert next(records) == b"one"
    os.close(writing)
    assert list(records) == [b"half"]
    os.close(reading)


@pytest.mark.parametrize(
    ("data", "place"), [(b"\xff", 0), (b"abc\xff", 3), ("ä".encode()[:1], 0), (b"\xed\xa0\x80", 0)]
)
def test_what_is_not_utf8_is_refused_with_its_offset(data: bytes, place: int) -> None:
    with pytest.raises(InputError, match=f"at byte {place}$"):
        decode_text(data, "it")


def test_a_nul_is_refused_with_its_offset_also_when_replacing() -> None:
    with pytest.raises(InputError, match="NUL at byte 2"):
        decode_text(b"ab\0", "it", replace=True)


def test_parts_are_joined_by_a_blank_line() -> None:
    assert compose(["a", "", "b\n"]) == "a\n\nb\n"


@pytest.mark.parametrize("stdin", [None, b"", b" \n"])
def test_a_white_stdin_adds_nothing(stdin: bytes | None) -> None:
    assert single_row(["ask"], stdin, replace=False).prompt == "ask"
    with pytest.raises(InputError):
        single_row([], stdin, replace=False)


def test_rows_carry_their_number_and_their_fault() -> None:
    made = list(rows(iter([b"a\r", b" ", b"\xff"]), ["Q"], lines=True, replace=False))
    assert [(row.id, row.prompt, row.fault is None) for row in made] == [
        ("1", "Q\n\na", True),
        ("2", "", False),
        ("3", "", False),
    ]


def test_a_path_has_no_nul() -> None:
    with pytest.raises(InputError, match="no path"):
        system_text("@a\0b")


def test_a_system_prompt_that_begins_with_an_at_is_a_file(tmp_path: object) -> None:
    path = f"{tmp_path}/system"
    with open(path, "w") as file:
        file.write("Be brief")
    assert system_text(f"@{path}") == "Be brief"
    assert system_text("Be brief") == "Be brief"
    assert system_text(None) is None
