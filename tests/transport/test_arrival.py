"""Moments that the kernel tells: they are those of the sender, however late we read."""

import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from fennec_cli.dialects.base import HTTPCall
from fennec_cli.transport.arrival import Arrival, StampedSocket, ahead_now
from fennec_cli.transport.client import HTTPClient
from fennec_cli.transport.network import Network
from fennec_cli.transport.patience import Limits, Patience

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
EXACT_S = 0.002
LATE_S = 0.05
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


@contextmanager
def pair() -> Iterator[tuple[StampedSocket, socket.socket, Network, Arrival]]:
    network, arrival = Network(), Arrival()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = StampedSocket(socket.create_connection(listener.getsockname()), network, arrival)
        theirs, _ = listener.accept()
    with ours, theirs:
        ours.settimeout(5)
        ours.send(b"request")
        for _ in range(200):  # the kernel takes its time to begin
            theirs.send(b"x")
            ours.recv(1)
            if arrival.at is not None:
                break
            time.sleep(0.005)
        yield ours, theirs, network, arrival


def test_a_late_reader_learns_when_it_came() -> None:
    with pair() as (ours, theirs, _, arrival):
        for text in (b"one", b"two"):
            before = time.monotonic()
            theirs.send(text)
            after = time.monotonic()
            time.sleep(LATE_S)
            assert ours.recv(100) == text
            assert arrival.at is not None
            assert before - EXACT_S < arrival.at < after + EXACT_S


def test_of_several_in_one_read_it_is_the_last_one_s() -> None:
    with pair() as (ours, theirs, _, arrival):
        theirs.send(b"one")
        time.sleep(LATE_S)
        before = time.monotonic()
        theirs.send(b"two")
        time.sleep(LATE_S)
        assert ours.recv(100) == b"onetwo"
        assert arrival.at is not None
        assert arrival.at > before - EXACT_S


def test_what_cannot_be_is_not_told() -> None:
    """Somebody sets the clock of the system while an answer is under way."""
    with pair() as (ours, theirs, network, arrival):
        for wrong in (-3600.0, 3600.0):
            ours._ahead = ahead_now() + wrong
            theirs.send(b"x")
            ours.recv(1)
            assert arrival.at is None
        assert network.sent_at is not None


def test_sending_is_noted_once_and_waits_for_a_slow_reader() -> None:
    data = bytes(16 << 20)
    with pair() as (ours, theirs, network, _):
        first = network.sent_at
        assert first is not None

        def read() -> None:
            left = len(b"request" + data)
            while left:
                left -= len(theirs.recv(1 << 20))

        reader = threading.Timer(LATE_S, read)
        reader.start()
        left = memoryview(data)
        while left:
            left = left[ours.send(left) :]
        reader.join(10)
        assert not reader.is_alive()
        assert network.sent_at == first
        assert ours.gettimeout() == 5


@pytest.mark.parametrize("secure", [False, True])
def test_an_exchange_tells_it(secure: bool) -> None:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    sent: list[tuple[float, float]] = []
    asked: list[float] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with theirs.wrap_socket(connection, server_side=True) if secure else connection as peer:
            for _ in range(2):
                peer.recv(65536)
                asked.append(time.monotonic())
                peer.sendall(HEAD)
                for byte in (b"o", b"k"):
                    time.sleep(LATE_S)
                    before = time.monotonic()
                    peer.sendall(byte)
                    sent.append((before, time.monotonic()))

    with pair(), socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        arrival, arrived = Arrival(), list[float]()
        client = HTTPClient(ours if secure else None, linger_s=0.1)
        client.note(arrival)
        url = f"http{'s' if secure else ''}://127.0.0.1:{listener.getsockname()[1]}/"
        for turn in range(2):
            with client.exchange(HTTPCall("POST", url, {}, b"{}"), {}, Patience(Limits())) as exchange:
                for _ in exchange.chunks:
                    assert arrival.at is not None
                    arrived.append(arrival.at)
                assert exchange.link.sent_at is not None
                assert 0 < asked[turn] - exchange.link.sent_at < LATE_S
                assert (exchange.link.tls is not None) == secure
        client.close()
        thread.join(5)
    assert len(arrived) == len(sent) == 4
    for moment, (begin, end) in zip(arrived, sent, strict=True):
        assert begin - EXACT_S < moment < end + EXACT_S


def test_a_unix_socket_does_not_tell() -> None:
    ours, theirs = socket.socketpair()
    arrival = Arrival()
    with StampedSocket(ours, Network(), arrival) as stamped, theirs:
        stamped.settimeout(5)
        stamped.send(b"request")
        theirs.send(b"x")
        assert stamped.recv(1) == b"x"
        assert arrival.at is None
