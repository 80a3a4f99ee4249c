"""What a SOCKS or HTTP proxy may answer, byte by byte."""

import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from fennec_cli import signals
from fennec_cli.errors import AuthenticationError, FennecError, NetworkError, ProviderTimeout
from fennec_cli.transport import tunnel
from fennec_cli.transport.handshake import secured
from fennec_cli.transport.network import Network
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.transport.proxy import Proxy

SOCKS = Proxy("socks5h", "proxy", 1080, "me", "canary", "ALL_PROXY")
HTTP = Proxy("http", "proxy", 3128, "me", "canary", "HTTPS_PROXY")
LONGEST_S = 5.0
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
    try:
        yield ours, heard
        thread.join(LONGEST_S)
    finally:
        ours.close()
        theirs.close()


def open_tunnel(connection: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    tunnel.open_tunnel(connection, proxy, host, port, time.monotonic() + LONGEST_S)


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


@contextmanager
def dawdling(said: bytes) -> Iterator[socket.socket]:
    """A listener whose connections are told `said`, a byte at a time, and then nothing."""
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):  # who has heard enough leaves
            connection, _ = listener.accept()
            with connection:
                for at in range(len(said)):
                    connection.sendall(said[at : at + 1])
                    if over.wait(0.05):
                        return
                over.wait(LONGEST_S)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener
        over.set()
    thread.join(LONGEST_S)


@pytest.mark.parametrize(
    ("proxy", "said"),
    [(SOCKS, b"\x05\x02\x01\x00" + BOUND), (HTTP, b"HTTP/1.1 200 yes\r\n\r\n")],
    ids=["socks", "http"],
)
@pytest.mark.parametrize(("connect", "in_s"), [(0.3, 60.0), (60.0, 0.3)])
def test_a_proxy_that_dawdles_gets_no_more_time_than_others(
    proxy: Proxy, said: bytes, connect: float, in_s: float
) -> None:
    with dawdling(said) as listener:
        network = Network(proxy=proxy._replace(host="127.0.0.1", port=listener.getsockname()[1]))
        start = time.monotonic()
        network.patience = Patience(Limits(connect=connect), deadline=start + in_s)
        what = "could not connect within 0.3 s" if connect < in_s else "the deadline passed"
        with pytest.raises(ProviderTimeout, match=what):
            network.connect_tcp("api.example.org", 443)
        assert 0.25 < time.monotonic() - start < 0.95


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_handshake_that_dawdles_ends(by_hand: bool) -> None:
    with dawdling(b"\x16\x03\x03\x40\x00" + bytes(100)) as listener:
        start = time.monotonic()
        connection = socket.create_connection(listener.getsockname())
        with connection, pytest.raises(TimeoutError):
            secured(connection, ssl.create_default_context(), "a.example", start + 0.3, by_hand=by_hand)
        assert 0.25 < time.monotonic() - start < 0.95


def test_tls_inside_of_tls_goes_on_where_its_time_was_over() -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("a.example").configure_cert(theirs)
    authority.configure_trust(ours)
    data, heard = random.Random(1).randbytes(3_000_000), bytearray()

    def serve(raw: socket.socket) -> None:
        with theirs.wrap_socket(raw, server_side=True) as connection:
            while len(heard) < len(data):
                if len(heard) % 7 == 0:
                    time.sleep(0.02)
                heard.extend(connection.recv(65536))
            connection.sendall(b"ok")

    near, far = socket.socketpair()
    thread = threading.Thread(target=serve, args=(far,), daemon=True)
    thread.start()
    connection = secured(near, ours, "a.example", time.monotonic() + LONGEST_S, by_hand=True)
    with near:
        connection.settimeout(0.005)
        left, late = memoryview(data), 0
        while left:
            try:
                left = left[connection.send(left) :]
            except TimeoutError:
                late += 1
        connection.settimeout(LONGEST_S)
        assert connection.recv(10) == b"ok"
        thread.join(LONGEST_S)
    assert late
    assert heard == data


def test_who_is_to_stop_does_not_wait_for_a_proxy() -> None:
    over: list[BaseException] = []

    def connect() -> None:
        try:
            network.connect_tcp("api.example.org", 443)
        except signals.Halted as error:
            over.append(error)

    with dawdling(b"") as listener:
        network = Network(proxy=HTTP._replace(host="127.0.0.1", port=listener.getsockname()[1]))
        network.patience = Patience(Limits(connect=LONGEST_S))
        thread = signals.HaltableThread(target=connect, daemon=True)
        thread.start()
        thread.halt(KeyError())
        thread.join(LONGEST_S / 2)
        assert over
