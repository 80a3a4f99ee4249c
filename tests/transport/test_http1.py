"""HTTP/1.1 by hand: h11 is the judge, wherever an answer is cut."""

import random
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from fennec_cli.dialects.base import HTTPCall
from fennec_cli.errors import ConfigError, NetworkError
from fennec_cli.transport.client import HTTPClient
from fennec_cli.transport.http1 import request_bytes
from fennec_cli.transport.network import Network
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.transport.proxy import parse_proxy
from tests.conftest import soak
from tests.transport.judge import judged

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = [
    CHUNKED + b"5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n",
    CHUNKED + b"5;x=1\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n0\r\nTrailer: 1\r\n\r\n",
    CHUNKED + b"0\r\n\r\n",
    CHUNKED + b"5\r\nhelloX\r\n0\r\n\r\n",
    CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: 1\r\na:  2\t\r\n\r\nhello",
    b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: (chunked\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 999999999999999999999\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nall of it",
    b"HTTP/1.1 200 OK\r\n\r\nall of it",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 100 Continue\r\nContent-Length: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 102 Processing\r\ntransfer-encoding: gzip\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\nok",
    b"HTTP/1.1 200 A\x0b\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nA: x\x0cy\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\ncontent-length: 1\r\n\r\nx",
    b"HTTP/2 200 OK\r\n\r\nok",
    b"SSH-2.0-OpenSSH_9\r\n\r\n",
]
Heard = tuple[int, bytes] | None


@contextmanager
def peer(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Answer each request of a connection with the next answer, then close it; return the address and the requests."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests: list[bytes] = []
    left = list(answers)

    def serve() -> None:
        while left:
            connection, _ = listener.accept()
            with connection:
                while left and (data := connection.recv(65536)):
                    requests.append(data)
                    answer = left.pop(0)
                    connection.sendall(answer)
                    if not answer or b"close" in answer:
                        break

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x", requests
    finally:
        listener.close()


def ask(client: HTTPClient, url: str, method: str = "POST") -> tuple[int, bytes]:
    with client.exchange(HTTPCall(method, url, {}, b"body"), {}, Patience(Limits(idle=2.0))) as exchange:
        return exchange.status, exchange.read()


@contextmanager
def fed(data: bytes, cuts: list[int]) -> Iterator[str]:
    """A server that says `data` in pieces, and then closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):  # who has read enough hangs up
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(65536)
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                connection.sendall(data[start:end])
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    finally:
        thread.join(5)
        listener.close()


def answered(data: bytes, cuts: list[int]) -> Heard:
    with fed(data, cuts) as url:
        client = HTTPClient()
        try:
            return ask(client, url)
        except NetworkError:
            return None
        finally:
            client.close()


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_is_what_h11_makes_of_it(answer: bytes) -> None:
    assert answered(answer, []) == judged(answer)


@pytest.mark.soak
@pytest.mark.parametrize("answer", ANSWERS)
def test_where_it_is_cut_makes_no_difference(answer: bytes) -> None:
    rng = random.Random(len(answer))
    for _ in range(soak(3, 60)):
        cuts = sorted(rng.sample(range(1, len(answer)), min(4, len(answer) - 1)))
        assert answered(answer, cuts) == judged(answer), cuts


@pytest.mark.soak
@pytest.mark.parametrize("answer", ANSWERS[:12])
def test_every_torn_answer_is_what_h11_makes_of_it(answer: bytes) -> None:
    for size in range(1, len(answer), soak(7, 1)):
        assert answered(answer[:size], []) == judged(answer[:size]), size


def test_a_head_without_an_end_is_refused() -> None:
    with (
        pytest.raises(NetworkError, match="head is too long"),
        fed(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000, []) as url,
    ):
        ask(HTTPClient(), url)


def test_a_long_body_is_sent_whole() -> None:
    body, heard = random.Random(1).randbytes(1_000_000), bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while len(heard.partition(b"\r\n\r\n")[2]) < len(body):
                heard.extend(connection.recv(65536))
            connection.sendall(GOOD)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    call = HTTPCall("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/x", {}, body)
    with HTTPClient().exchange(call, {}, Patience(Limits(idle=5.0))) as exchange:
        assert (exchange.status, exchange.read()) == (200, b"ok")
    thread.join(5)
    listener.close()
    assert heard.partition(b"\r\n\r\n")[2] == body


GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("secure", [False, True])
def test_an_answer_that_comes_before_the_request_was_read_is_heard(secure: bool) -> None:
    authority, theirs, ours = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    heard = threading.Event()

    def serve() -> None:
        raw, _ = listener.accept()
        with theirs.wrap_socket(raw, server_side=True) if secure else raw as connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
            heard.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http{'s' if secure else ''}://127.0.0.1:{listener.getsockname()[1]}/x"
        call = HTTPCall("POST", url, {}, bytes(8_000_000))
        with HTTPClient(ours).exchange(call, {}, Patience(Limits(idle=5.0))) as exchange:
            assert (exchange.status, exchange.read()) == (413, b"no")
        heard.set()
        thread.join(5)


def test_a_connection_is_used_again_where_more_requests_follow() -> None:
    with peer(GOOD, CHUNKED + b"2\r\nok\r\n0\r\n\r\n", GOOD) as (url, requests):
        network_client = HTTPClient(linger_s=0.1)
        assert [ask(network_client, url) for _ in range(3)] == [(200, b"ok")] * 3
        assert network_client._network.opened == 1
        network_client.close()
        assert len(requests) == 3


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h.example:8080/v1/x?y=z", b"http://h.example:8080/v1/x?y=z"),
        ("http://b\xfccher.example/\xfc", b"http://xn--bcher-kva.example/%C3%BC"),
    ],
)
def test_a_proxy_is_asked_for_the_whole_address(url: str, target: bytes) -> None:
    with peer(GOOD) as (proxy_url, requests):
        proxy = parse_proxy(proxy_url.removesuffix("/x"), "HTTP_PROXY")
        assert ask(HTTPClient(network=Network(proxy=proxy, forwards=True)), url) == (200, b"ok")
    assert requests[0].split(b" ")[:2] == [b"POST", target]


def test_a_kept_connection_that_died_is_opened_anew_once() -> None:
    with peer(GOOD, b"", GOOD, b"", b"") as (url, requests):
        client = HTTPClient(linger_s=0.1)
        assert ask(client, url) == (200, b"ok")
        assert ask(client, url) == (200, b"ok")  # the second request found no answer, and was sent once more
        assert (client._network.opened, len(requests)) == (2, 3)
        with pytest.raises(NetworkError):  # a new connection is not tried twice
            ask(client, url)
        client.close()


@pytest.mark.parametrize("status", [b"204 No Content", b"401 No\r\nContent-Length: 0"])
def test_what_comes_behind_an_empty_answer_is_no_answer_to_the_next_request(status: bytes) -> None:
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
    with peer(b"HTTP/1.1 " + status + b"\r\n\r\n" + stray, GOOD) as (url, _):
        client = HTTPClient(linger_s=0.1)
        assert ask(client, url) == (int(status[:3]), b"")
        assert ask(client, url) == (200, b"ok")
        client.close()


def test_what_begins_to_answer_is_not_asked_twice() -> None:
    with peer(GOOD, b"HTTP/1.1 200 OK\r\nclose", GOOD) as (url, requests):
        client = HTTPClient(linger_s=0.1)
        ask(client, url)
        with pytest.raises(NetworkError):
            ask(client, url)
        assert len(requests) == 2
        client.close()


@pytest.mark.parametrize(("name", "value"), [("a b", "x"), ("a", "x\r\nb: y"), ("a", "ä"), ("", "x"), ("a", "x\0")])
def test_a_header_that_would_break_the_request_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="cannot be sent"):
        request_bytes("POST", b"/", b"h", {name: value}, None)


def test_a_header_names_another_host_in_the_place_of_ours() -> None:
    head = request_bytes("GET", b"/x", b"h.example:8080", {"a": "b", "host": "gateway.example"}, 3)
    assert head == b"GET /x HTTP/1.1\r\nhost: gateway.example\r\na: b\r\ncontent-length: 3\r\n\r\n"


@pytest.mark.parametrize("name", ["content-length", "transfer-encoding"])
def test_where_a_request_ends_is_not_for_a_header_to_say(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        request_bytes("POST", b"/", b"h", {name: "3"}, 3)
