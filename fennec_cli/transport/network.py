"""Connections are opened: names looked up, addresses tried, proxies told. Every wait obeys the limits of the attempt.

Names are resolved in a thread, because the resolver knows neither timeouts nor Ctrl-C.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fennec_cli import signals
from fennec_cli.errors import NetworkError
from fennec_cli.transport.patience import Patience
from fennec_cli.transport.stream import Stream
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    import ssl

    from fennec_cli.transport.arrival import Arrival
    from fennec_cli.transport.proxy import Proxy

Address = tuple[Any, ...]
Resolver = Callable[[str, int], list[Address]]


LEAST_S = 0.5  # for an address, as long as there is time: less is too short for a server on the other side of the world


class Seen(NamedTuple):
    """How the last connection was made: the address, of the proxy if there is one, and the seconds each step took."""

    address: str = ""
    resolve_s: float = 0.0
    connect_s: float = 0.0
    tls_s: float = 0.0


class Network:
    """Opens connections for one client. `patience` is set to the clocks of the attempt under way.

    With a `proxy` they lead through it; `forwards` says that it is asked for plain http pages itself, not for a tunnel.
    `proxy_context` is for a proxy that is spoken to over TLS. With `pins` it is told an address that the resolver
    gave, not the name, which it might resolve in another way.
    """

    def __init__(
        self,
        resolver: Resolver | None = None,
        *,
        proxy: "Proxy | None" = None,
        forwards: bool = False,
        proxy_context: "ssl.SSLContext | None" = None,
        pins: bool = False,
    ) -> None:
        self.patience: Patience | None = None
        self.proxy = proxy
        self.forwards = forwards and proxy is not None and proxy.scheme != "socks5h"
        self.seen = Seen()
        self._pins = pins
        self.opened = 0  # connections that were tried
        self.received = 0  # bytes
        self.opening_since: float | None = None  # moment at which the exchange under way had to open a connection
        self.sent_at: float | None = None  # moment of the first byte of its request
        self.arrival: Arrival | None = None  # where to say when what is read had come
        self._proxy_context = proxy_context
        self._resolver = resolver or _system_addresses

    def connect_tcp(self, host: str, port: int) -> Stream:
        proxy = self.proxy
        self.opening_since = time.monotonic()
        if proxy is None:
            hint = "check the address and that the server runs"
            return Stream(self._connection(host, port, f"{host}:{port}", hint), self, f"{host}:{port}")
        target = str(self._resolve(host, port, self.clocks())[0][0]) if self._pins else host
        place = f"the proxy {proxy.shown}"
        stream = Stream(
            self._connection(proxy.host, proxy.port, place, f"check {proxy.setting}", _system_addresses), self, place
        )
        if proxy.scheme == "https":
            assert self._proxy_context is not None
            stream = stream.start_tls(self._proxy_context, proxy.host)
        if not self.forwards:
            stream.lead_to(proxy, target, port)
        return stream

    def _connection(
        self, host: str, port: int, place: str, hint: str, resolver: Resolver | None = None
    ) -> socket.socket:
        self.opened += 1
        patience = self.clocks()
        failure: OSError | None = None
        start = time.monotonic()
        addresses = self._resolve(host, port, patience, resolver)
        resolved = time.monotonic()
        end = resolved + patience.connect_s()
        slow = addresses
        for _ in range(
            2
        ):  # what the others have left of the time is for those that did not answer in their share of it
            waiting, slow = slow, []
            for number, address in enumerate(waiting):
                now = time.monotonic()
                share = (end - now) / (len(waiting) - number)
                try:
                    connection = _connected(address, min(end, now + max(share, LEAST_S)))
                except TimeoutError:
                    slow.append(address)
                except OSError as error:
                    failure = error
                else:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.seen = Seen(str(address[0]), resolved - start, time.monotonic() - resolved)
                    return connection if self.arrival is None else self._stamped(connection, self.arrival)
        if slow:
            raise patience.overrun_at(place)
        reason = failure.strerror if failure and failure.strerror else "no address"
        raise NetworkError(f"cannot connect to {place} ({reason})", hint=hint)

    def _stamped(self, connection: socket.socket, arrival: "Arrival") -> socket.socket:
        from fennec_cli.transport.arrival import StampedSocket

        return StampedSocket(connection, self, arrival)

    def connect_unix_socket(self, path: str) -> Stream:
        self.opened += 1
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.clocks().connect_s())
        try:
            connection.connect(path)
        except OSError as error:
            connection.close()
            raise NetworkError(f"cannot connect to the local engine ({error.strerror or error})") from error
        return Stream(connection, self, "the local engine")

    def clocks(self) -> Patience:
        """The clocks of the attempt under way."""
        assert self.patience is not None, "no attempt is under way"
        return self.patience

    def _resolve(self, host: str, port: int, patience: Patience, resolver: Resolver | None = None) -> list[Address]:
        resolver = resolver or self._resolver
        if host == "localhost" or host.replace(".", "").isdigit() or ":" in host:
            return _addresses(resolver, host, port)
        answer: list[list[Address] | NetworkError] = []

        def ask() -> None:
            try:
                answer.append(_addresses(resolver, host, port))
            except NetworkError as error:
                answer.append(error)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        end = time.monotonic() + patience.connect_s()
        while thread.is_alive() and time.monotonic() < end:
            thread.join(min(end - time.monotonic(), signals.TICK_S))
            signals.check()
        if not answer:
            raise patience.overrun_at(f"looking up {host}")
        if isinstance(answer[0], NetworkError):
            raise answer[0]
        return answer[0]


def _addresses(resolver: Resolver, host: str, port: int) -> list[Address]:
    try:
        return resolver(host, port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NetworkError(f"cannot resolve {host} ({reason})", hint="check the address and the network") from error


def _system_addresses(host: str, port: int) -> list[Address]:
    name = host.encode() if host.isascii() else host  # a text would load the codec of international names, for nothing
    return [info[4] for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]


def _connected(address: Address, end: float) -> socket.socket:
    """Connect, in waits short enough for a signal to be seen. Raises `TimeoutError` and other `OSError`s."""
    connection = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        connection.settimeout(signals.tick_s(end))
        try:
            connection.connect(address)
        except TimeoutError:  # it goes on being tried
            _await_connection(connection, end)
    except BaseException:
        connection.close()
        raise
    return connection


def _await_connection(connection: socket.socket, end: float) -> None:
    import select

    poll = select.poll()
    poll.register(connection.fileno(), select.POLLOUT)
    while not poll.poll(signals.tick_s(end) * 1000):
        signals.check()
    failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))
