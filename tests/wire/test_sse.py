"""The SSE decoder against the published cases, the transcripts, and a slow decoder as judge."""

import base64
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fennec_cli.errors import ProtocolError
from fennec_cli.wire import Event
from fennec_cli.wire.sse import SSEDecoder
from tests.conftest import soak
from tests.wire.slow_sse import slow_sse
from tests.wire.wire_cuts import TRANSCRIPTS, cut, random_cuts, run, single_cuts

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("sse-cases.json").read_bytes())["cases"]
NOT_UTF8 = {  # the standard puts U+FFFD here; we refuse, because an answer is never silently damaged
    "invalid-utf8-byte": "event 1, byte 7 of the stream: not UTF-8",
    "truncated-utf8-in-line": "event 1, byte 7 of the stream: not UTF-8",
    "overlong-and-surrogate": "event 1, byte 6 of the stream: not UTF-8",
}
EXPECTED: dict[str, Any] = json.loads((TRANSCRIPTS / "expected.json").read_bytes())["transcripts"]
STREAMS = sorted(TRANSCRIPTS.glob("*.sse"))
PIECES = [
    *[b"data: ", b"data:", b"data", b"event: x", b"event", b"id: 7", b"id", b"id: \0", b"retry: 5", b"retry: +5"],
    *[b":", b": ping", b" ", b"\t", b"\0", b"x", b'{"a":1}', b"[DONE]", b"Data: n", b"retry: " + b"9" * 19],
    *[
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\r\n\r\n",
        b"\n\r",
        b"data: a\n\n",
        b"data: b\r\n\r\n",
        b"\xef\xbb\xbf",
    ],
    *[
        "é".encode(),
        "🌍".encode(),
        "\u2028".encode(),
        "\x85".encode(),
        b"\x0b\x0c\x1c",
        b"\xff",
        b"\xf0\x9f",
        b"\xc0\xaf",
    ],
    *[b"\xef", b"\xbb", b"\xbf", b"\xed\xa0\x80"],
]


def case_bytes(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["input_b64"]) if "input_b64" in case else str(case["input"]).encode()


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in CASES if c["name"] not in NOT_UTF8])
def test_published_case_gives_its_events(case: dict[str, Any]) -> None:
    events, failure, last_event_id, retry_ms = run(SSEDecoder(), [case_bytes(case)])
    assert failure is None
    assert [{"event": e.type, "data": e.data.decode(), "last_event_id": e.id} for e in events] == case["events"]
    assert (last_event_id, retry_ms) == (case["last_event_id"], case["retry_ms"])


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in CASES if c["name"] in NOT_UTF8])
def test_bytes_that_are_not_utf8_are_refused_with_their_place(case: dict[str, Any]) -> None:
    assert run(SSEDecoder(), [case_bytes(case)]) == ([], NOT_UTF8[case["name"]], "", None)


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in CASES])
def test_published_case_is_the_same_however_it_is_cut(case: dict[str, Any]) -> None:
    stream = case_bytes(case)
    whole = run(SSEDecoder(), [stream])
    ways = single_cuts(stream) if len(stream) < 5000 else random_cuts(stream, 100, seed=1)
    assert all(run(SSEDecoder(), pieces) == whole for pieces in ways)
    assert run(SSEDecoder(), [bytes([byte]) for byte in stream]) == whole


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in STREAMS])
def test_sse_any_chunking_same_events(path: Path) -> None:
    stream = path.read_bytes()
    judged = slow_sse(stream)
    assert run(SSEDecoder(), [stream]) == judged
    assert judged.events
    assert all(run(SSEDecoder(), pieces) == judged for pieces in single_cuts(stream))
    assert all(run(SSEDecoder(), pieces) == judged for pieces in random_cuts(stream, 300, seed=2))


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.startswith("sse-")])
def test_sse_transcript_gives_the_expected_events(name: str) -> None:
    events, failure, _, retry_ms = run(SSEDecoder(), [(TRANSCRIPTS / name).read_bytes()])
    assert failure is None
    expected = EXPECTED[name]
    assert len(events) == len(expected["events"])
    for event, wanted in zip(events, expected["events"], strict=True):
        assert (event.type, event.id) == (wanted["event"], wanted.get("id", ""))
        assert json.loads(event.data) == wanted["json"] if "json" in wanted else event.data.decode() == wanted["data"]
    assert retry_ms == expected.get("retry_ms")


@settings(max_examples=400, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=25), data=st.data())
def test_generated_stream_is_judged_the_same_in_any_pieces(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    judged = slow_sse(stream)
    assert run(SSEDecoder(), [stream]) == judged
    assert run(SSEDecoder(), cut(stream, places)) == judged
    assert run(SSEDecoder(), [bytes([byte]) for byte in stream]) == judged


def mutated(stream: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(stream))
        insert = dice.choice(PIECES) if dice.random() < 0.7 else dice.randbytes(dice.randint(0, 4))
        stream = stream[:at] + insert + stream[at + dice.choice((0, 0, 1, 1, 2, 8)) :]
    return stream


@pytest.mark.soak
def test_sse_fuzz_1e6() -> None:
    """2x10^4 mutations; FENNEC_SOAK=1 makes it 10^6."""
    dice = random.Random(1_000_000)
    corpus = [case_bytes(case) for case in CASES] + [path.read_bytes()[:600] for path in STREAMS]
    corpus = [stream for stream in corpus if len(stream) < 700]
    for _ in range(soak(20_000, 1_000_000)):
        stream = mutated(dice.choice(corpus), dice)
        pieces = cut(stream, [dice.randint(0, len(stream)) for _ in range(dice.randint(0, 5))])
        assert run(SSEDecoder(), pieces) == slow_sse(stream), pieces


def test_events_before_a_bad_one_are_handed_out_first() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n\ndata: \xff\n\ndata: c\n\n") == [Event(b"a")]
    with pytest.raises(ProtocolError, match="event 2, byte 15 "):
        decoder.feed(b"")


def test_failed_decoder_stays_failed() -> None:
    decoder = SSEDecoder()
    for piece in (b"data: \xff\n\n", b"data: a\n\n"):
        with pytest.raises(ProtocolError, match="event 1, byte 6 of the stream: not UTF-8"):
            decoder.feed(piece)
    with pytest.raises(ProtocolError, match="event 1, byte 6 of the stream: not UTF-8"):
        decoder.close()


def test_byte_offset_counts_bom_and_both_bytes_of_crlf() -> None:
    stream = b"\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\rid: \xff\n\n"
    for pieces in single_cuts(stream):
        assert run(SSEDecoder(), pieces).failure == f"event 3, byte {stream.index(0xFF)} of the stream: not UTF-8"


def test_comment_need_not_be_utf8() -> None:
    assert run(SSEDecoder(), [b": \xff\ndata: \xc3\xa9\n\n"]) == ([Event("é".encode())], None, "", None)


@pytest.mark.parametrize("line", [b"id: \xff", b"event: \xff", b"unknown: \xff", b"\xff"])
def test_any_other_line_must_be_utf8(line: bytes) -> None:
    assert run(SSEDecoder(), [b"data: a\n" + line + b"\n\n"]).failure is not None


def test_event_comes_with_its_last_byte_even_when_that_is_a_cr() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\n\r") == [Event(b"a")]
    assert decoder.feed(b"\ndata: b\n\n") == [Event(b"b")]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["lf", "cr", "crlf"])
@pytest.mark.parametrize(("size", "refused"), [(32, False), (33, True)])
def test_limit_holds_for_a_whole_event_in_any_pieces(end: bytes, size: int, refused: bool) -> None:
    stream = b"data: ok" + end * 2 + b"data: " + b"x" * (size - 6) + end * 2
    at = 8 + 2 * len(end)
    for pieces in single_cuts(stream):
        events, failure, _, _ = run(SSEDecoder(max_event=32), pieces)
        assert failure == (f"event 2, byte {at} of the stream: longer than 32 bytes" if refused else None)
        assert len(events) == (1 if refused else 2)


def test_unfinished_line_is_refused_before_it_ends() -> None:
    decoder = SSEDecoder(max_event=1000)
    for _ in range(100):
        decoder.feed(b"0123456789")
    with pytest.raises(ProtocolError, match="event 1, byte 0 of the stream: longer than 1000 bytes"):
        decoder.feed(b"0")


def test_event_of_8_mib_passes_by_default_and_one_byte_more_does_not() -> None:
    event = b"data: " + b"x" * (8 * 1024 * 1024 - 6)
    assert len(SSEDecoder().feed(event + b"\n\n")) == 1
    with pytest.raises(ProtocolError, match="longer than 8388608 bytes"):
        SSEDecoder().feed(event + b"x\n\n")


@pytest.mark.parametrize(
    "piece", [b"x" * 256, b"x" * 240 + b"\r\ndata: ", b"x\ndata: " * 32], ids=["line", "crlf", "lf"]
)
def test_time_for_a_big_event_in_small_feeds_grows_with_its_size_only(piece: bytes) -> None:
    def seconds(feeds: int) -> float:
        decoder = SSEDecoder()
        decoder.feed(b"data: ")
        start = time.process_time()
        for _ in range(feeds):
            decoder.feed(piece)
        assert len(decoder.feed(b"\n\n")) == 1
        return time.process_time() - start

    seconds(500)
    # Eight times the feeds: 8 if linear, 64 if quadratic. A quadratic one needs many seconds here.
    assert seconds(16_000) < 30 * seconds(2_000) + 0.05


def test_retry_of_thousands_of_digits_is_ignored() -> None:
    assert run(SSEDecoder(), [b"retry: " + b"1" * 10_000 + b"\ndata: a\n\n"]) == ([Event(b"a")], None, "", None)
