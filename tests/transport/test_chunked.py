"""The fast way through a chunked body, with h11 as judge of what it must come to."""

import h11
import pytest

from fennec_cli.transport.chunked import Dechunker

CASES = {
    "two chunks": b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "line ends inside": b"6\r\na\r\n\r\nb\r\n2\r\n\r\n\r\n0\r\n\r\n",
    "trailers": b"3\r\nabc\r\n0\r\nx: y\r\n\r\n",
    "extension": b"3\r\nabc\r\n3;name=value\r\ndef\r\n0\r\n\r\n",
    "long extension": b"3\r\nabc\r\n3;" + b"x" * 100 + b"\r\ndef\r\n0\r\n\r\n",
    "capital and zeros": b"00A\r\n0123456789\r\n0\r\n\r\n",
    "nothing": b"0\r\n\r\n",
    "size is no number": b"3\r\nabc\r\n-3\r\ndef\r\n0\r\n\r\n",
    "size with sign": b"3\r\nabc\r\n+3\r\ndef\r\n0\r\n\r\n",
    "too long for its size": b"3\r\nabcdef\r\n0\r\n\r\n",
    "empty line instead of a size": b"3\r\nabc\r\n\r\n3\r\ndef\r\n0\r\n\r\n",
    "cut in a chunk": b"3\r\nabc\r\n8\r\nde",
    "cut behind a chunk": b"3\r\nabc",
    "cut in a line end": b"3\r\nabc\r",
    "cut before the last chunk": b"3\r\nabc\r\n",
}


def by_h11(parts: list[bytes]) -> tuple[bytes, str]:
    """Read a body with h11: what came out, and how it ended."""
    client = h11.Connection(our_role=h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    assert isinstance(client.next_event(), h11.Response)
    body = b""
    try:
        for part in [*parts, b""]:
            client.receive_data(part)
            while (event := client.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.EndOfMessage):
                    return body, "whole"
                assert isinstance(event, h11.Data)
                body += event.data
    except h11.RemoteProtocolError:
        return body, "broken"
    return body, "open"


def by_both(parts: list[bytes]) -> tuple[bytes, str]:
    """Read a body as the transport does: the usual part past h11, the rest through it."""
    dechunker, left, body = Dechunker(), list(parts), b""
    while left and not dechunker.done:
        body += dechunker.feed(left.pop(0))
    tail, end = by_h11([part for part in (dechunker.rest, *left) if part])
    return body + tail, end


@pytest.mark.parametrize("wire", CASES.values(), ids=CASES.keys())
def test_every_cut_gives_what_h11_gives(wire: bytes) -> None:
    expected = by_h11([wire])
    for cut in range(len(wire) + 1):
        assert by_both([part for part in (wire[:cut], wire[cut:]) if part]) == expected, cut


@pytest.mark.parametrize("wire", CASES.values(), ids=CASES.keys())
def test_single_bytes_give_what_h11_gives(wire: bytes) -> None:
    assert by_both([bytes([byte]) for byte in wire]) == by_h11([wire])


def test_chunks_of_one_read_come_in_one_piece() -> None:
    assert Dechunker().feed(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n") == b"abc"


def test_an_unfinished_chunk_is_handed_on_as_far_as_it_came() -> None:
    dechunker = Dechunker()
    assert dechunker.feed(b"9\r\nabc") == b"abc"
    assert dechunker.feed(b"def") == b"def"
