"""A connection on which every wait obeys the limits of the attempt, and every failure is an error of ours."""

import re
import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from fennec_cli import signals
from fennec_cli.errors import FennecError, NetworkError

if TYPE_CHECKING:
    import ssl

    from fennec_cli.transport.network import Network
    from fennec_cli.transport.proxy import Proxy
    from fennec_cli.transport.tunnel import NestedTLS

_BLANK_LINE = re.compile(rb"\n\r?\n")  # where h11, too, takes a head for ended


class Stream:
    """One connection. What comes after the head of an answer is kept for the next read: it may have another reader."""

    def __init__(
        self, connection: "socket.socket | NestedTLS", network: "Network", peer: str, *, is_secured: bool = False
    ) -> None:
        self._socket = connection
        self._network = network
        self._peer = peer
        self._is_secured = is_secured
        self.is_at_body = False
        self._head = b""  # what came of it so far
        self._kept = b""

    def read(self, max_bytes: int) -> bytes:
        """Return what has come, at most to the end of a head; nothing at the end of the connection."""
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

    def _receive(self, max_bytes: int) -> bytes:
        patience = self._network.clocks()
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
            raise self._broken(error) from error
        finally:
            patience.waited(time.monotonic() - start)

    def _broken(self, error: OSError) -> FennecError:
        if self._is_secured:
            from fennec_cli.transport.handshake import refuses_certificate, tls_failure

            if refuses_certificate(error):
                return tls_failure(error, self._peer)
        return NetworkError(f"the connection to {self._peer} broke ({error.strerror or error})")

    def write(self, data: bytes) -> None:
        self.is_at_body, self._head = False, b""
        network, patience = self._network, self._network.clocks()
        view = memoryview(data)
        try:
            while view:
                moment = time.monotonic()
                end = moment + patience.write_s()
                view = view[signals.tried(partial(self._socket.send, view), self._socket.settimeout, end) :]
                if network.sent_at is None:
                    network.sent_at = moment
        except TimeoutError:
            raise patience.overrun from None
        except OSError as error:
            # A server may answer (413, 401) and close before it has read everything: its answer is worth more than
            # the broken pipe, and if there is none the read says so.
            if not self._has_left(error):
                raise NetworkError(f"sending to {self._peer} failed ({error.strerror or error})") from error

    def _has_left(self, error: OSError) -> bool:
        if not self._is_secured:
            return isinstance(error, BrokenPipeError | ConnectionResetError)
        from ssl import SSLEOFError  # takes the place of EPIPE there

        return isinstance(error, BrokenPipeError | ConnectionResetError | SSLEOFError)

    def close(self) -> None:
        self._socket.close()

    def lead_to(self, proxy: "Proxy", host: str, port: int) -> None:
        """Have the proxy at the other end connect us to the server."""
        from fennec_cli.transport.tunnel import open_tunnel

        patience = self._network.clocks()
        try:
            open_tunnel(self._socket, proxy, host, port, time.monotonic() + patience.connect_s())
        except TimeoutError:
            self.close()
            raise patience.overrun_at(f"{self._peer} to {host}:{port}") from None
        except FennecError:
            self.close()
            raise
        self._peer = f"{host}:{port}"

    def start_tls(self, context: "ssl.SSLContext", host: str) -> "Stream":
        """Return this connection with TLS on it, to a server whose certificate names `host`."""
        from fennec_cli.transport.handshake import secured, tls_failure

        patience = self._network.clocks()
        start = time.monotonic()
        end = start + patience.connect_s()
        try:
            wrapped = secured(self._socket, context, host, end, by_hand=self._network.arrival is not None)
        except TimeoutError:
            self.close()
            raise patience.overrun_at(f"{self._peer} (TLS)") from None
        except OSError as error:
            self.close()
            raise tls_failure(error, self._peer) from error
        self._network.seen = self._network.seen._replace(tls_s=time.monotonic() - start)
        self._network.sent_at = None  # the handshake is no request
        return Stream(wrapped, self._network, self._peer, is_secured=True)

    @property
    def secured(self) -> "ssl.SSLSocket | NestedTLS | None":
        """What knows the TLS version and the certificate, or None without TLS."""
        return self._socket if self._is_secured else None  # type: ignore[return-value]

    @property
    def is_readable(self) -> bool:
        """Whether the other end has said something, or hung up."""
        import select

        if self._kept or self._socket.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return bool(poll.poll(0))
