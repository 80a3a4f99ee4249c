"""Which of a host's addresses is connected to, and for how long one is tried."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fennec_cli.errors import NetworkError, ProviderTimeout
from fennec_cli.transport.network import Network
from fennec_cli.transport.patience import Limits, Patience

GOOD, SILENT, CLOSED = "127.0.0.1", "127.0.0.2", "127.0.0.3"


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which GOOD listens, SILENT takes no connection and says nothing, and CLOSED refuses."""
    with socket.create_server((GOOD, 0)) as good, socket.socket() as silent, ExitStack() as queue:
        number: int = good.getsockname()[1]
        silent.bind((SILENT, number))
        silent.listen(0)
        for _ in range(4):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((SILENT, number))
        yield number


def network(*hosts: str, port: int, connect: float) -> Network:
    made = Network(lambda _host, _port: [(host, port) for host in hosts])
    made.patience = Patience(Limits(connect=connect))
    return made


@pytest.mark.parametrize("hosts", [(SILENT, GOOD), (CLOSED, GOOD), (CLOSED, SILENT, GOOD)])
def test_an_address_that_does_not_answer_leaves_time_for_the_next_one(port: int, hosts: tuple[str, ...]) -> None:
    tried = network(*hosts, port=port, connect=1.5)
    tried.connect_tcp("many.example", port).close()
    assert tried.seen.address == GOOD


def test_a_short_limit_is_not_cut_into_pieces_that_are_too_short(port: int) -> None:
    tried = network(*[SILENT] * 8, GOOD, port=port, connect=0.7)
    start = time.monotonic()
    with pytest.raises(ProviderTimeout, match="could not connect within"):
        tried.connect_tcp("many.example", port)
    assert 0.7 <= time.monotonic() - start < 2.0


def test_why_there_is_no_connection(port: int) -> None:
    with pytest.raises(NetworkError, match="refused"):
        network(CLOSED, CLOSED, port=port, connect=1.2).connect_tcp("many.example", port)
    for hosts in ((SILENT, CLOSED), (CLOSED, SILENT)):
        start = time.monotonic()
        with pytest.raises(ProviderTimeout):
            network(*hosts, port=port, connect=1.2).connect_tcp("many.example", port)
        assert time.monotonic() - start >= 1.2  # the one that may still answer has all of the time
