"""One HTTP exchange in, status, headers and raw bytes out.

This is httpx without its upper half: the pool and the protocol are httpcore's, with our own sockets below them. A
request through httpx itself costs twice the time, and importing it half of a short run. The interface is narrow on
purpose: another lane stays a change of this file.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from ssl import SSLContext
from time import monotonic
from typing import Any, NamedTuple

import httpcore

from fennec_cli import __version__
from fennec_cli.dialects.base import Headers, HTTPCall
from fennec_cli.errors import ConfigError, FennecError, NetworkError, ProtocolError
from fennec_cli.transport.address import address_of
from fennec_cli.transport.chunked import Dechunker
from fennec_cli.transport.network import Network, Seen, Stream
from fennec_cli.transport.patience import Patience

MAX_BODY = 256 * 1024 * 1024  # bytes of one answer, decoded
MAX_ERROR_BODY = 1024 * 1024
READ_SIZE = 64 * 1024


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

    `linger_s` is how long the end of an answer that is complete already is waited for, so that its connection can be
    used again: nothing where no other request follows.
    """

    def __init__(
        self,
        context: SSLContext,
        *,
        uds: str | None = None,
        network: Network | None = None,
        linger_s: float = 0.0,
    ) -> None:
        self._network = network or Network()
        self._linger_s = linger_s
        self._pool = httpcore.ConnectionPool(ssl_context=context, network_backend=self._network, uds=uds)

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
        network = self._network
        proxy, extensions = network.proxy, dict[str, Any]()
        if proxy is not None and self._network.forwards:
            extensions["target"] = call.url.encode("ascii")
            if proxy.basic:
                headers["proxy-authorization"] = proxy.basic
        start = monotonic()
        with _errors():
            response = self._sent(_request(call, headers, extensions))
        try:
            sent_at, opening_since = network.sent_at, network.opening_since
            if response.status == 407 and proxy is not None:
                from fennec_cli.transport.tunnel import refused

                raise refused(proxy)
            seen = self._network.seen
            link = Link(
                _tls_version(response),
                monotonic() - start,
                seen,
                proxy.shown if proxy else None,
                partial(_issuer, response),
                sent_at,
                0.0 if sent_at is None or opening_since is None else sent_at - opening_since,
            )
            answered = _headers(response)
            body = _body(response, answered)
            yield Exchange(response.status, answered, body, link)
            if self._linger_s:
                patience.over(self._linger_s)
                _drain(body)
        finally:
            response.close()

    def _sent(self, request: httpcore.Request) -> httpcore.Response:
        """Send, once more if a connection that was kept turns out to be dead: nobody has seen the request then."""
        network = self._network
        before = (network.opened, network.received)
        network.opening_since = network.sent_at = None
        try:
            return self._pool.handle_request(request)
        except (NetworkError, httpcore.RemoteProtocolError):
            if not network.opened or (network.opened, network.received) != before:
                raise
        network.opening_since = network.sent_at = None
        return self._pool.handle_request(request)

    def close(self) -> None:
        self._pool.close()


def _request(call: HTTPCall, headers: Headers, extensions: dict[str, Any]) -> httpcore.Request:
    url, host = address_of(call.url)
    length = {"content-length": str(len(call.body))} if call.body or call.method == "POST" else {}
    try:
        given = [(name.encode("ascii"), value.encode("ascii")) for name, value in {**length, **headers}.items()]
    except UnicodeEncodeError as error:
        raise ConfigError("a header has a character that is not ASCII", hint="check configured headers") from error
    return httpcore.Request(
        call.method, url, headers=[(b"host", host), *given], content=call.body, extensions=extensions
    )


def _headers(response: httpcore.Response) -> dict[str, str]:
    """Names in lower case; what comes several times is joined, as RFC 9110 section 5.3 allows."""
    headers: dict[str, str] = {}
    for raw, data in response.headers:
        name, value = raw.decode("latin-1").lower(), data.decode("utf-8", "replace")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _tls_version(response: httpcore.Response) -> str | None:
    secured = response.extensions["network_stream"].get_extra_info("ssl_object")
    return secured.version() if secured else None


def _issuer(response: httpcore.Response) -> str | None:
    secured = response.extensions["network_stream"].get_extra_info("ssl_object")
    names = (
        {key: value for part in (secured.getpeercert() or {}).get("issuer", ()) for key, value in part}
        if secured
        else {}
    )
    return names.get("organizationName") or names.get("commonName")


def _body(response: httpcore.Response, headers: Mapping[str, str]) -> Iterator[bytes]:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    with _errors():
        raw = response.iter_stream()
        stream = response.extensions["network_stream"]
        if isinstance(stream, Stream) and stream.is_at_body and response.status == 200 and _is_chunked(headers):
            raw = _dechunked(stream, raw)
        if encoding in ("identity", ""):
            yield from raw
            return
        from fennec_cli.wire.inflate import Inflater

        inflater = Inflater(encoding)
        for data in raw:
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


def _is_chunked(headers: Mapping[str, str]) -> bool:
    return headers.get("transfer-encoding", "").lower() == "chunked"


def _dechunked(stream: Stream, by_h11: Iterator[bytes]) -> Iterator[bytes]:
    """Read the usual part of a chunked body past h11, which has seen the head of the answer only."""
    dechunker = Dechunker()
    while not dechunker.done and (data := stream.read(READ_SIZE)):
        body = dechunker.feed(data)
        if body:
            yield body
    stream.unread(dechunker.rest)
    yield from by_h11


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except httpcore.LocalProtocolError as error:
        raise ConfigError(f"the request cannot be sent ({error})", hint="check configured headers") from error
    except (httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise ProtocolError(f"the server's answer is not whole HTTP ({error})") from error
