"""The NDJSON decoder: lines, the last line, limits."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fennec_cli.errors import ProtocolError
from fennec_cli.wire import Event
from fennec_cli.wire.ndjson import NDJSONDecoder
from tests.wire.slow_ndjson import slow_ndjson
from tests.wire.wire_cuts import TRANSCRIPTS, Outcome, cut, random_cuts, run, single_cuts

PIECES = [b"\n", b"\r\n", b"\r", b" ", b"{}", b'{"a":1}', b'{"a":', b"1", b"[", b"]", b"\0", b"\xff", b"\xc3"]
PIECES += ["é".encode(), "\u2028".encode(), "\x85".encode(), b"\x0c"]


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in sorted(TRANSCRIPTS.glob("*.ndjson"))])
def test_ndjson_any_chunking_same_events(path: Path) -> None:
    stream = path.read_bytes()
    judged = slow_ndjson(stream)
    assert run(NDJSONDecoder(), [stream]) == judged
    assert judged.events
    assert all(run(NDJSONDecoder(), pieces) == judged for pieces in single_cuts(stream))
    assert all(run(NDJSONDecoder(), pieces) == judged for pieces in random_cuts(stream, 300, seed=3))


@settings(max_examples=300, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=20), data=st.data())
def test_generated_lines_are_judged_the_same_in_any_pieces(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    judged = slow_ndjson(stream)
    assert run(NDJSONDecoder(), [stream]) == judged
    assert run(NDJSONDecoder(), cut(stream, places)) == judged


@pytest.mark.parametrize(
    ("stream", "lines"),
    [
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\r\n\r\n\n \n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
        ('{"a":"x\u2028\x85y"}\n'.encode(), ['{"a":"x\u2028\x85y"}'.encode()]),
        (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n{"b":2}\r', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1}\n{"b":', [b'{"a":1}']),
        (b'{"a":1}\n"\xff"', [b'{"a":1}']),
        (b"\n\r\n", []),
        (b"", []),
    ],
    ids=["lf", "crlf-and-blank", "unicode-kept", "last-whole", "last-cr", "last-cut", "last-bad", "blank", "empty"],
)
def test_lines_become_events(stream: bytes, lines: list[bytes]) -> None:
    for pieces in single_cuts(stream):
        assert run(NDJSONDecoder(), pieces) == Outcome([Event(line) for line in lines])


def test_line_that_is_not_utf8_is_refused_after_the_lines_before_it() -> None:
    decoder = NDJSONDecoder()
    assert decoder.feed(b'{"a":1}\n{"b":"\xff"}\n') == [Event(b'{"a":1}')]
    with pytest.raises(ProtocolError, match="event 2, byte 14 of the stream: not UTF-8"):
        decoder.close()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("size", "refused"), [(20, False), (21, True)])
def test_limit_holds_for_a_line_in_any_pieces(end: bytes, size: int, refused: bool) -> None:
    stream = b"1" + end + b"2" * size + end
    for pieces in single_cuts(stream):
        events, failure, _, _ = run(NDJSONDecoder(max_event=20), pieces)
        assert (failure is not None, len(events)) == ((True, 1) if refused else (False, 2))


def test_unfinished_line_is_refused_before_it_ends() -> None:
    decoder = NDJSONDecoder(max_event=100)
    for _ in range(10):
        decoder.feed(b"0123456789")
    with pytest.raises(ProtocolError, match="event 1, byte 0 of the stream: longer than 100 bytes"):
        decoder.feed(b"0")
