"""What a SOCKS or HTTP proxy may answer, byte by byte."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from fennec_cli.errors import AuthenticationError, FennecError, NetworkError
from fennec_cli.transport.proxy import Proxy
from fennec_cli.transport.tunnel import open_tunnel

SOCKS = Proxy("socks5h", "proxy", 1080, "me", "canary", "ALL_PROXY")
HTTP = Proxy("http", "proxy", 3128, "me", "canary", "HTTPS_PROXY")
BOUND = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"


@contextmanager
def proxy_that_says(*answers: bytes) -> Iterator[tuple[socket.socket, list[bytes]]]:
    """A connection whose other end reads once before each answer, and what it read."""
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []

    def run() -> None:
        with suppress(BrokenPipeError):  # who has heard enough leaves
            answer_all()
        theirs.shutdown(socket.SHUT_WR)

    def answer_all() -> None:
        for answer in answers:
            heard.append(theirs.recv(4096))
            for at in range(len(answer)):
                theirs.sendall(answer[at : at + 1])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ours.settimeout(5)
    try:
        yield ours, heard
        thread.join(5)
    finally:
        ours.close()
        theirs.close()


def test_socks_with_a_user_and_a_name() -> None:
    with proxy_that_says(b"\x05\x02", b"\x01\x00", BOUND) as (connection, heard):
        open_tunnel(connection, SOCKS, "api.example.org", 443)
    assert heard == [b"\x05\x01\x02", b"\x01\x02me\x06canary", b"\x05\x01\x00\x03\x0fapi.example.org\x01\xbb"]


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", b"\x01\x7f\x00\x00\x01"), ("::1", b"\x04" + bytes(15) + b"\x01")]
)
def test_socks_without_a_user_and_addresses(host: str, address: bytes) -> None:
    named = b"\x05\x00\x00\x03\x03box\x12\x34"
    with proxy_that_says(b"\x05\x00", named) as (connection, heard):
        open_tunnel(connection, SOCKS._replace(user=None), host, 80)
    assert heard == [b"\x05\x01\x00", b"\x05\x01\x00" + address + b"\x00\x50"]


@pytest.mark.parametrize("answers", [(b"\x05\xff",), (b"\x05\x02", b"\x01\x01")])
def test_socks_refuses_the_user(answers: tuple[bytes, ...]) -> None:
    with proxy_that_says(*answers) as (connection, _), pytest.raises(AuthenticationError) as caught:
        open_tunnel(connection, SOCKS, "api.example.org", 443)
    assert "ALL_PROXY" in caught.value.line()
    assert "canary" not in caught.value.line()


@pytest.mark.parametrize(("reply", "retryable"), [(1, True), (2, False), (4, True), (5, True), (8, False), (99, True)])
def test_socks_cannot_connect(reply: int, retryable: bool) -> None:
    refused = bytes([5, reply, 0, 1]) + bytes(6)
    with proxy_that_says(b"\x05\x00", refused) as (connection, _), pytest.raises(NetworkError) as caught:
        open_tunnel(connection, SOCKS._replace(user=None), "api.example.org", 443)
    assert caught.value.retryable is retryable
    assert "api.example.org:443" in caught.value.line()


@pytest.mark.parametrize("kind", [SOCKS, HTTP])
@pytest.mark.parametrize(
    "answer", [b"", b"\x04", b"\x04\x5b", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1", b"HTTP/1.1 abc\r\n\r\n"]
)
def test_something_else_is_no_proxy(kind: Proxy, answer: bytes) -> None:
    with proxy_that_says(answer) as (connection, _), pytest.raises(FennecError) as caught:
        open_tunnel(connection, kind, "api.example.org", 443)
    assert caught.value.error_class == "unavailable"


def test_connect_sends_the_credentials_and_takes_any_200() -> None:
    with proxy_that_says(b"HTTP/1.0 200 Connection established\r\nx: y\r\n\r\n") as (connection, heard):
        open_tunnel(connection, HTTP, "::1", 443)
    lines = heard[0].decode().split("\r\n")
    assert lines == ["CONNECT [::1]:443 HTTP/1.1", "Host: [::1]:443", "Proxy-Authorization: Basic bWU6Y2FuYXJ5", "", ""]


@pytest.mark.parametrize(("status", "retryable"), [(403, False), (404, False), (502, True), (503, True)])
def test_connect_is_refused(status: int, retryable: bool) -> None:
    with proxy_that_says(b"HTTP/1.1 %d no\r\n\r\n" % status) as (connection, _), pytest.raises(NetworkError) as caught:
        open_tunnel(connection, HTTP, "api.example.org", 443)
    assert caught.value.retryable is retryable


def test_a_head_without_end_is_cut() -> None:
    with proxy_that_says(b"HTTP/1.1 200 ok\r\n" + b"x: y\r\n" * 12_000) as (connection, _):
        with pytest.raises(NetworkError, match="too long"):
            open_tunnel(connection, HTTP, "api.example.org", 443)
        connection.close()
