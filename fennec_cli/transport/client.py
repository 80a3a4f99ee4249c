"""One HTTP exchange in, status, headers and raw bytes out.

By hand, from the socket to the body (`network`, `http1`): a request through httpx costs three times as much, and
importing it half of a short run. The interface is narrow on purpose: another lane stays a change of this file.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from fennec_cli import __version__
from fennec_cli.dialects.base import Headers, HTTPCall
from fennec_cli.errors import FennecError, NetworkError, ProtocolError
from fennec_cli.transport.address import Address, address_of
from fennec_cli.transport.http1 import READ_SIZE, Connection, Head, request_bytes
from fennec_cli.transport.network import Network, Seen
from fennec_cli.transport.patience import Patience
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from ssl import SSLContext

    from fennec_cli.transport.arrival import Arrival

MAX_BODY = 256 * 1024 * 1024  # bytes of one answer, decoded
MAX_ERROR_BODY = 1024 * 1024


class Link(NamedTuple):
    """How an answer came: the TLS version (None for plain http), and seconds from the call to the answer's head.

    `issuer` names who signed the server's certificate, as long as the answer is open. `sent_at` is the moment (of the
    monotonic clock) of the request's first byte, before which opening the connection took `connect_s`.
    """

    tls: str | None = None
    head_s: float = 0.0
    seen: Seen = Seen()
    proxy: str | None = None
    issuer: Callable[[], str | None] = lambda: None
    sent_at: float | None = None
    connect_s: float = 0.0


class Exchange(NamedTuple):
    """A started answer. `chunks` gives the body's bytes as they arrive, decompressed, never re-cut."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    link: Link = Link()

    def read(self, limit: int = MAX_BODY) -> bytes:
        """Read the body to its end. Raises `ProtocolError` above `limit` bytes."""
        parts, size = [], 0
        for data in self.chunks:
            size += len(data)
            if size > limit:
                raise ProtocolError(f"the answer is larger than {limit} bytes")
            parts.append(data)
        return b"".join(parts)


class HTTPClient:
    """Connections of one thread to one endpoint. Opens nothing until the first exchange.

    Without a `context` it is for plain http: no certificate is trusted.
    `linger_s` is how long the end of an answer that is complete already is waited for, so that its connection can be
    used again: nothing where no other request follows.
    """

    def __init__(
        self,
        context: "SSLContext | None" = None,
        *,
        uds: str | None = None,
        network: Network | None = None,
        linger_s: float = 0.0,
    ) -> None:
        self._network = network or Network()
        self._linger_s = linger_s
        self._context, self._uds = context, uds
        self._kept: dict[tuple[str, str, int], Connection] = {}

    def note(self, arrival: "Arrival") -> None:
        """Have connections that are opened from now on say in `arrival` when what is read had come."""
        self._network.arrival = arrival

    @contextmanager
    def exchange(self, call: HTTPCall, secret_headers: Headers, patience: Patience) -> Generator[Exchange, None, None]:
        """Send `call` and hand out the answer; leaving the block closes or returns the connection.

        Raises `NetworkError`, `ProviderTimeout`, `TLSError`, `ProtocolError` and `ConfigError`.
        """
        self._network.patience = patience
        headers = {
            "user-agent": f"fennec/{__version__}",
            "accept-encoding": "identity",
            **call.headers,
            **secret_headers,
        }
        address, proxy = address_of(call.url), self._network.proxy
        target = address.target
        if proxy is not None and self._network.forwards:
            target = b"%b://%b%b" % (address.scheme.encode(), address.shown, target)
            if proxy.basic:
                headers["proxy-authorization"] = proxy.basic
        length = len(call.body) if call.body or call.method == "POST" else None
        start = monotonic()
        request = request_bytes(call.method, target, address.shown, headers, length)
        connection, head, body = self._asked(address, call, request)
        try:
            if head.status == 407 and proxy is not None:
                from fennec_cli.transport.tunnel import refused

                raise refused(proxy)
            sent_at, opening_since = self._network.sent_at, self._network.opening_since
            secured = connection.stream.secured
            link = Link(
                secured.version() if secured else None,
                monotonic() - start,
                self._network.seen,
                proxy.shown if proxy else None,
                partial(_issuer, secured),
                sent_at,
                0.0 if sent_at is None or opening_since is None else sent_at - opening_since,
            )
            chunks = _decoded(body, head.headers)
            yield Exchange(head.status, head.headers, chunks, link)
            if self._linger_s and not connection.is_free:
                patience.linger(self._linger_s)
                _drain(chunks)
                patience.linger(0.0)
        finally:
            if connection.is_free and self._linger_s:
                self._kept[address[:3]] = connection
            else:
                connection.close()

    def _asked(self, address: Address, call: HTTPCall, request: bytes) -> tuple[Connection, Head, Iterator[bytes]]:
        """Send, once more if a connection that was kept turns out to be dead: nobody has seen the request then."""
        self._network.opening_since = self._network.sent_at = None
        kept = self._kept.pop(address[:3], None)
        if kept is not None and not kept.stream.is_readable:  # else it was closed, or says something
            before = self._network.received
            try:
                return self._answered(kept, call, request)
            except NetworkError:
                if self._network.received != before:
                    raise
        elif kept is not None:
            kept.close()
        return self._answered(self._opened(address), call, request)

    @staticmethod
    def _answered(connection: Connection, call: HTTPCall, request: bytes) -> tuple[Connection, Head, Iterator[bytes]]:
        try:
            connection.send(request, call.body)
            return connection, *connection.receive(call.method)
        except BaseException:
            connection.close()
            raise

    def _opened(self, address: Address) -> Connection:
        if self._uds is not None:
            return Connection(self._network.connect_unix_socket(self._uds))
        stream = self._network.connect_tcp(address.host, address.port)
        return Connection(stream.start_tls(self._trust(), address.host) if address.scheme == "https" else stream)

    def _trust(self) -> "SSLContext":
        from fennec_cli.transport.tls import trusts_nobody  # importing ssl is a tenth of a run without it

        return self._context or trusts_nobody()

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()


def _issuer(secured: Any) -> str | None:
    names = (
        {key: value for part in (secured.getpeercert() or {}).get("issuer", ()) for key, value in part}
        if secured
        else {}
    )
    return names.get("organizationName") or names.get("commonName")


def _decoded(body: Iterator[bytes], headers: Mapping[str, str]) -> Iterator[bytes]:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    return body if encoding in ("identity", "") else _inflated(body, encoding)


def _inflated(body: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    from fennec_cli.wire.inflate import Inflater

    inflater = Inflater(encoding)
    for data in body:
        yield from inflater.feed(data)
    inflater.close()


def _drain(body: Iterator[bytes]) -> None:
    """Read the little that comes behind the last event. What goes wrong there harms nobody."""
    size = 0
    with suppress(FennecError):
        for data in body:
            size += len(data)
            if size > READ_SIZE:
                return
