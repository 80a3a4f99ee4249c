"""Nesting is refused before a parser meets it."""

import json
import time

import pytest

from fennec_cli.errors import ProtocolError
from fennec_cli.wire import check_depth


@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_depth_64_passes_and_65_does_not(pair: str) -> None:
    opening, closing = ("[", "]") if pair == "[]" else ('{"a":', "}")
    check_depth((opening * 64 + "1" + closing * 64).encode())
    check_depth((opening * 63 + "[],[]" + closing * 63).encode())
    with pytest.raises(ProtocolError, match="nested deeper than 64 levels"):
        check_depth((opening * 65 + "1" + closing * 65).encode())


def test_many_brackets_side_by_side_pass() -> None:
    check_depth(json.dumps([[{"a": []}]] * 1000).encode())


@pytest.mark.parametrize(
    "text", ["[" * 500, '"' + "{" * 500, "\\" + '"' + "[" * 500, "\\" * 2 + "[" * 500, "é[\n" * 200]
)
def test_brackets_in_strings_do_not_count(text: str) -> None:
    check_depth(json.dumps([[text], {text: text}], ensure_ascii=False).encode())


def test_brackets_behind_a_string_with_escapes_count() -> None:
    with pytest.raises(ProtocolError):
        check_depth(rb'["\\",' + b"[" * 64)


def test_hostile_8_mib_take_seconds_at_most() -> None:
    start = time.process_time()
    check_depth(b"[]" * 65 + b'"' + rb"\"" * (4 * 1024 * 1024))
    with pytest.raises(ProtocolError):
        check_depth(b"[" * (2 * 1024 * 1024))
    assert time.process_time() - start < 5
