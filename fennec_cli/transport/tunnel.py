"""Through a proxy to a server: CONNECT (RFC 9110, 9.3.6), SOCKS 5 (RFC 1928, 1929), and TLS inside of TLS.

By hand, over the socket that `network` has opened, so that every wait obeys the limits of the attempt and every refusal
says which setting to change.
"""

import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from fennec_cli import signals
from fennec_cli.errors import AuthenticationError, FennecError, NetworkError
from fennec_cli.transport.proxy import Proxy

_Result = TypeVar("_Result")
MAX_HEAD = 64 * 1024
_SOCKS_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "too many hops",
    7: "it cannot connect",
    8: "address type not supported",
}
_FORBIDDEN = {2, 7, 8}


def open_tunnel(connection: "socket.socket | NestedTLS", proxy: Proxy, host: str, port: int, end: float) -> None:
    """Make `connection`, one to the proxy, a connection to the server.

    Raises `NetworkError`, `AuthenticationError`, and `TimeoutError` if it is none at `end` (monotonic clock).
    """
    try:
        (_socks if proxy.scheme == "socks5h" else _connect)(_Until(connection, end), proxy, host, port)
    except TimeoutError:
        raise
    except OSError as error:
        raise _broken(proxy, error.strerror or str(error)) from error


class _Until:
    """What reads from a connection and writes to it until `end`, however often it is asked to."""

    def __init__(self, connection: "socket.socket | NestedTLS", end: float) -> None:
        self._connection, self._end = connection, end

    def recv(self, size: int) -> bytes:
        return signals.tried(lambda: self._connection.recv(size), self._connection.settimeout, self._end)

    def sendall(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[signals.tried(partial(self._connection.send, left), self._connection.settimeout, self._end) :]


def refused(proxy: Proxy) -> AuthenticationError:
    """The error for a proxy that wants credentials, or other ones."""
    what = "refuses the user or password" if proxy.user is not None else "asks for a user and a password"
    hint = f"write them into {proxy.setting}: {proxy.scheme}://USER:PASSWORD@{proxy.host}:{proxy.port}"
    return AuthenticationError(f"the proxy {proxy.shown} {what} (407)", hint=hint, status=407)


def _connect(connection: _Until, proxy: Proxy, host: str, port: int) -> None:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.basic:
        lines.append(f"Proxy-Authorization: {proxy.basic}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii", "replace"))
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(4096)
        if not data or len(head) > MAX_HEAD:
            raise _broken(proxy, "it closed the connection" if not data else "its answer is too long")
        head += data
    version, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise _broken(proxy, "it does not speak HTTP")
    if status in ("407", "401"):  # tinyproxy says 401 for wrong ones
        raise refused(proxy)
    if not status.startswith("2"):
        raise _unwilling(proxy, host, port, f"status {status}", retryable=status.startswith("5"))


def _socks(connection: _Until, proxy: Proxy, host: str, port: int) -> None:
    name = host.encode("idna") if not host.isascii() else host.encode()
    user, password = (proxy.user or "").encode(), (proxy.password or "").encode()
    if max(len(name), len(user), len(password)) > 255:
        raise NetworkError(f"a name or password is too long for the proxy {proxy.shown}", retryable=False)
    connection.sendall(b"\x05\x01\x02" if proxy.user is not None else b"\x05\x01\x00")
    version, method = _exactly(connection, 2, proxy)
    if version != 5:
        raise _broken(proxy, "it does not speak SOCKS 5")
    if method == 0xFF or (method == 2 and proxy.user is None):
        raise refused(proxy)
    if method == 2:
        connection.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if _exactly(connection, 2, proxy)[1] != 0:
            raise refused(proxy)
    connection.sendall(b"\x05\x01\x00" + _socks_address(host, name) + port.to_bytes(2, "big"))
    _, reply, _, kind = _exactly(connection, 4, proxy)
    if reply != 0:
        reason = _SOCKS_REPLIES.get(reply, f"reply {reply}")
        raise _unwilling(proxy, host, port, reason, retryable=reply not in _FORBIDDEN)
    length = {1: 4, 4: 16}.get(kind) or _exactly(connection, 1, proxy)[0]
    _exactly(connection, length + 2, proxy)


def _socks_address(host: str, name: bytes) -> bytes:
    """An address as four or sixteen bytes; a name as it is: the proxy resolves it."""
    for kind, family in ((1, socket.AF_INET), (4, socket.AF_INET6)):
        try:
            return bytes([kind]) + socket.inet_pton(family, host)
        except OSError:
            continue
    return bytes([3, len(name)]) + name


def _exactly(connection: _Until, size: int, proxy: Proxy) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise _broken(proxy, "it closed the connection")
        data += piece
    return data


def _unwilling(proxy: Proxy, host: str, port: int, reason: str, *, retryable: bool) -> FennecError:
    hint = f"check {proxy.setting}, or except the host with NO_PROXY"
    return NetworkError(
        f"the proxy {proxy.shown} does not connect to {host}:{port} ({reason})", hint=hint, retryable=retryable
    )


def _broken(proxy: Proxy, reason: str) -> NetworkError:
    return NetworkError(f"the proxy {proxy.shown} cannot be used ({reason})", hint=f"check {proxy.setting}")


class NestedTLS:
    """TLS over whatever reads and writes like a socket, TLS to a proxy for one: `ssl` does it for plain ones only.

    As with an `SSLSocket`, a time limit is one for the whole of a call, and what raised `TimeoutError` can be called
    again with the same arguments to go on.
    """

    def __init__(
        self, outer: "socket.socket | NestedTLS", context: ssl.SSLContext, server_hostname: str | None
    ) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._limit_s = 0.0
        self._taken = 0  # bytes of the data that is being sent
        self._unsent = memoryview(b"")  # what became of them

    def do_handshake(self) -> None:
        end = time.monotonic() + self._limit_s
        self._do(self._tls.do_handshake, end)
        self._flush(end)

    def recv(self, size: int) -> bytes:
        try:
            return self._do(lambda: self._tls.read(size), time.monotonic() + self._limit_s)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):  # as `SSLSocket` does; HTTP says whether anything is missing
            return b""

    def send(self, data: bytes | memoryview) -> int:
        if not self._taken:
            self._taken = self._tls.write(data)
        self._flush(time.monotonic() + self._limit_s)
        taken, self._taken = self._taken, 0
        return taken

    def settimeout(self, seconds: float) -> None:
        self._limit_s = seconds

    def fileno(self) -> int:
        return self._outer.fileno()

    def close(self) -> None:
        self._outer.close()

    def selected_alpn_protocol(self) -> str | None:
        return self._tls.selected_alpn_protocol()

    def version(self) -> str | None:
        return self._tls.version()

    def getpeercert(self) -> Any:
        return self._tls.getpeercert()

    def _do(self, work: Callable[[], _Result], end: float) -> _Result:
        while True:
            try:
                return work()
            except ssl.SSLWantReadError:
                self._flush(end)
                self._outer.settimeout(signals.tick_s(end))
                data = self._outer.recv(64 * 1024)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def _flush(self, end: float) -> None:
        while left := self._unsent or memoryview(self._outgoing.read()):
            self._unsent = left[:0]  # but for a time that is over, what cannot be sent is not tried again
            try:
                self._outer.settimeout(signals.tick_s(end))
                self._unsent = left[self._outer.send(left) :]
            except TimeoutError:
                self._unsent = left
                raise
