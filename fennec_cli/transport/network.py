"""Sockets on which every single wait obeys the limits of the attempt, and every failure is an error of ours where it
happens.

Names are resolved in a thread, because the resolver knows neither timeouts nor Ctrl-C.
"""

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fennec_cli import signals
from fennec_cli.errors import FennecError, NetworkError, ProviderTimeout, TLSError
from fennec_cli.transport.patience import Patience
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    import ssl

    from fennec_cli.transport.arrival import Arrival
    from fennec_cli.transport.proxy import Proxy
    from fennec_cli.transport.tunnel import NestedTLS

Address = tuple[Any, ...]
Resolver = Callable[[str, int], list[Address]]
_BLANK_LINE = re.compile(rb"\n\r?\n")  # where h11, too, takes a head for ended


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

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the attempt's own clock decides
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> "Stream":
        proxy = self.proxy
        self.opening_since = time.monotonic()
        if proxy is None:
            hint = "check the address and that the server runs"
            return Stream(self._connection(host, port, f"{host}:{port}", hint), self, f"{host}:{port}")
        target = str(self._resolve(host, port, self._clocks())[0][0]) if self._pins else host
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
        patience = self._clocks()
        failure: OSError | None = None
        start = time.monotonic()
        addresses = self._resolve(host, port, patience, resolver)
        resolved = time.monotonic()
        for address in addresses:
            try:
                connection = _connected(address, patience.connect_s())
            except TimeoutError:
                raise _at(patience.overrun, place) from None
            except OSError as error:
                failure = error
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.seen = Seen(str(address[0]), resolved - start, time.monotonic() - resolved)
            return connection if self.arrival is None else self._stamped(connection, self.arrival)
        reason = failure.strerror if failure and failure.strerror else "no address"
        raise NetworkError(f"cannot connect to {place} ({reason})", hint=hint)

    def _stamped(self, connection: socket.socket, arrival: "Arrival") -> socket.socket:
        from fennec_cli.transport.arrival import StampedSocket

        return StampedSocket(connection, self, arrival)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> "Stream":
        self.opened += 1
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._clocks().connect_s())
        try:
            connection.connect(path)
        except OSError as error:
            connection.close()
            raise NetworkError(f"cannot connect to the local engine ({error.strerror or error})") from error
        return Stream(connection, self, "the local engine")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _clocks(self) -> Patience:
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
            raise _at(patience.overrun, f"looking up {host}")
        if isinstance(answer[0], NetworkError):
            raise answer[0]
        return answer[0]


class Stream:
    """One connection. What comes after the head of an answer is kept for the next read: it may have another reader."""

    def __init__(
        self, connection: "socket.socket | NestedTLS", network: Network, peer: str, *, is_secured: bool = False
    ) -> None:
        self._socket = connection
        self._network = network
        self._peer = peer
        self._is_secured = is_secured
        self.is_at_body = False
        self._head = b""  # what came of it so far
        self._kept = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        data, self._kept = self._kept, b""
        data = data or self._receive(max_bytes)
        return data if self.is_at_body else self._up_to_body(data)

    def _up_to_body(self, data: bytes) -> bytes:
        head = self._head + data
        end = _BLANK_LINE.search(head)
        if end is None:
            self._head = head
            return data
        cut = end.end() - len(self._head)
        self.is_at_body = head[9:10] != b"1"  # "HTTP/1.1 1xx" comes before the head that counts
        self._head, self._kept = b"", data[cut:]
        return data[:cut]

    def unread(self, data: bytes) -> None:
        """Give `data` to the next read."""
        self._kept = data + self._kept

    def _receive(self, max_bytes: int) -> bytes:
        patience = self._network._clocks()
        start = time.monotonic()
        end = start + patience.read_s()
        try:
            while True:
                signals.check()
                self._socket.settimeout(max(0.001, min(end - time.monotonic(), signals.TICK_S)))
                try:
                    data = self._socket.recv(max_bytes)
                    self._network.received += len(data)
                    return data
                except TimeoutError:
                    if time.monotonic() < end:
                        continue
                    longer_s = patience.longer_s()
                    if not longer_s:
                        raise patience.overrun from None
                    end += longer_s
        except OSError as error:
            raise NetworkError(f"the connection to {self._peer} broke ({error.strerror or error})") from error
        finally:
            patience.waited(time.monotonic() - start)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self.is_at_body, self._head = False, b""
        network, patience = self._network, self._network._clocks()
        view = memoryview(buffer)
        try:
            while view:
                self._socket.settimeout(patience.write_s())
                moment = time.monotonic()
                view = view[self._socket.send(view) :]
                if network.sent_at is None:
                    network.sent_at = moment
        except TimeoutError:
            raise patience.overrun from None
        except OSError as error:
            # A server may answer (413, 401) and close before it has read everything: its answer is worth more than
            # the broken pipe, and if there is none the read says so.
            if not isinstance(error, BrokenPipeError | ConnectionResetError):
                raise NetworkError(f"sending to {self._peer} failed ({error.strerror or error})") from error

    def close(self) -> None:
        self._socket.close()

    def lead_to(self, proxy: "Proxy", host: str, port: int) -> None:
        """Have the proxy at the other end connect us to the server."""
        from fennec_cli.transport.tunnel import open_tunnel

        patience = self._network._clocks()
        self._socket.settimeout(patience.connect_s())
        try:
            open_tunnel(self._socket, proxy, host, port)
        except TimeoutError:
            self.close()
            raise _at(patience.overrun, f"{self._peer} to {host}:{port}") from None
        except FennecError:
            self.close()
            raise
        self._peer = f"{host}:{port}"

    def start_tls(
        self,
        ssl_context: "ssl.SSLContext",
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> "Stream":
        patience = self._network._clocks()
        self._socket.settimeout(patience.connect_s())
        start = time.monotonic()
        try:
            wrapped = _secured(self._socket, ssl_context, server_hostname, by_hand=self._network.arrival is not None)
        except TimeoutError:
            self.close()
            raise _at(patience.overrun, f"{self._peer} (TLS)") from None
        except OSError as error:
            self.close()
            raise _tls_failure(error, self._peer) from error
        self._network.seen = self._network.seen._replace(tls_s=time.monotonic() - start)
        self._network.sent_at = None  # the handshake is no request
        return Stream(wrapped, self._network, self._peer, is_secured=True)

    def get_extra_info(self, info: str) -> Any:
        if info == "socket":
            return self._socket
        if info == "ssl_object":
            return self._socket if self._is_secured else None
        if info == "is_readable":
            return _is_readable(self._socket)
        return None


def _secured(
    connection: "socket.socket | NestedTLS", context: "ssl.SSLContext", hostname: str | None, *, by_hand: bool
) -> "socket.socket | NestedTLS":
    """Speak TLS over `connection`; `by_hand` reads through it, where `ssl` would take its descriptor."""
    import ssl

    if by_hand or isinstance(connection, ssl.SSLSocket) or not isinstance(connection, socket.socket):
        from fennec_cli.transport.tunnel import NestedTLS

        return NestedTLS(connection, context, hostname)
    end = time.monotonic() + (connection.gettimeout() or 0.0)
    secured = context.wrap_socket(connection, server_hostname=hostname, do_handshake_on_connect=False)
    try:
        while True:
            secured.settimeout(_tick_s(end))
            try:
                secured.do_handshake()
            except TimeoutError:
                signals.check()
            else:
                return secured
    except BaseException:
        secured.close()
        raise


def _tls_failure(error: OSError, peer: str) -> NetworkError | TLSError:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return TLSError(
            f"the certificate of {peer} was refused ({error.verify_message})", hint=_certificate_hint(error.verify_code)
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return TLSError(f"no secure connection to {peer} ({reason})", hint=_protocol_hint(reason))
    return NetworkError(f"{peer} closed the connection during the TLS handshake")


def _certificate_hint(code: int) -> str:
    """What helps against a verdict of X509_verify_cert_error_string(3)."""
    if code in (9, 10):
        return "check the clock of this machine, or have the server's certificate renewed"
    if code in (62, 64):
        return "base_url must name the host that the certificate is for"
    if 79 <= code <= 93:  # the checks of X509_V_FLAG_X509_STRICT
        return "the certificate breaks RFC 5280; set x509_strict = false for this provider if it cannot be renewed"
    if code in (66, 67, 68):
        return "the server's certificate needs a stronger key or signature"
    return "name the right CA with ca_bundle or SSL_CERT_FILE"


def _protocol_hint(reason: str) -> str:
    if "certificate required" in reason or "bad certificate" in reason or "unknown ca" in reason:
        return "the server wants a certificate of ours; name it with client_cert"
    if "version" in reason or "protocol" in reason:
        return 'TLS 1.3 is the minimum; set tls_min = "1.2" for an old gateway'
    return "check base_url, and what stands between this machine and the server"


def _addresses(resolver: Resolver, host: str, port: int) -> list[Address]:
    try:
        return resolver(host, port)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise NetworkError(f"cannot resolve {host} ({reason})", hint="check the address and the network") from error


def _system_addresses(host: str, port: int) -> list[Address]:
    name = host.encode() if host.isascii() else host  # a text would load the codec of international names, for nothing
    return [info[4] for info in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]


def _connected(address: Address, timeout_s: float) -> socket.socket:
    """Connect, in waits short enough for a signal to be seen. Raises `TimeoutError` and other `OSError`s."""
    connection = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    end = time.monotonic() + timeout_s
    try:
        connection.settimeout(min(timeout_s, signals.TICK_S))
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
    while not poll.poll(_tick_s(end) * 1000):
        signals.check()
    failure = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if failure:
        raise OSError(failure, os.strerror(failure))


def _tick_s(end: float) -> float:
    """How long to wait before the next look for signals. Raises `TimeoutError` at the end."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, signals.TICK_S)


def _is_readable(connection: "socket.socket | NestedTLS") -> bool:
    import select

    if connection.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _at(error: ProviderTimeout, place: str) -> ProviderTimeout:
    return ProviderTimeout(f"{error.message}: {place}", hint=error.hint, retryable=error.retryable)
