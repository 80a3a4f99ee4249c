"""HTTP/1.1 over one connection. The plain case is read here; whatever is unusual is left to h11, which judges it.

Source: RFC 9112. h11 takes 150 us for the heads of an exchange, this 25.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from fennec_cli.errors import ConfigError, ProtocolError
from fennec_cli.transport.chunked import Dechunker
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    import h11

    from fennec_cli.transport.stream import Stream

READ_SIZE = 64 * 1024
MAX_HEAD = 100 * 1024  # bytes; h11's limit
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_LINE = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0\v\f]*\r\n"
_HEAD = re.compile(rb"HTTP/1\.([01]) ([2-5][0-9]{2})(?: [^\r\n\0\v\f]*)?\r\n((?:" + _LINE + rb")*)\r\n")
_BODILESS = rb"(?!(?i:content-length|transfer-encoding):)" + _LINE
_INTERIM = re.compile(rb"HTTP/1\.1 1(?!01)[0-9]{2}(?: [^\r\n\0\v\f]*)?\r\n(?:" + _BODILESS + rb")*\r\n")
_LENGTH = re.compile(r"[0-9]{1,20}")
_FRAMING = {"content-length", "transfer-encoding"}
_LAST = b"0\r\n\r\n"  # the last chunk, without trailers


class Head(NamedTuple):
    """The beginning of an answer; names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]


def request_bytes(method: str, target: bytes, host: bytes, headers: Mapping[str, str], length: int | None) -> bytes:
    """Write the head of a request to `host`, unless a header names another one.

    Raises `ConfigError` for a header that cannot be sent, or that would say where the request ends.
    """
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), target)]
    for name, value in {"host": host.decode("ascii"), **headers}.items():
        if name in _FRAMING:
            raise ConfigError(f"the header {name} is fennec's own", hint="take it out of the configured headers")
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise ConfigError(
                f"the request cannot be sent (the header {name!r:.40} has a character that HTTP does not take)",
                hint="check configured headers",
            )
        lines.append(f"{name}: {value}".encode("ascii"))
    if length is not None:
        lines.append(b"content-length: %d" % length)
    return b"\r\n".join([*lines, b"", b""])


class Connection:
    """One connection, for one exchange after the other. It can be used again when `is_free`."""

    def __init__(self, stream: "Stream") -> None:
        self.stream = stream
        self.is_free = True
        self._keeps = False  # open after this answer

    def send(self, head: bytes, body: bytes) -> None:
        self.is_free = False
        if len(body) < READ_SIZE:
            self.stream.write(head + body)
        else:
            self.stream.write(head)
            self.stream.write(body)

    def receive(self, method: str) -> tuple[Head, Iterator[bytes]]:
        """Read the head of the answer; return it and what reads the body. Raises `ProtocolError`."""
        data = self._head()
        found = _HEAD.fullmatch(data)
        if found is None:
            return self._by_h11(method, data)
        status, headers = int(found[2]), _fields(found[3])
        self._keeps = found[1] == b"1" and "close" not in headers.get("connection", "").lower()
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        chunked = coding is not None and coding.lower() == "chunked" and length is None and found[1] == b"1"
        if (coding is not None and not chunked) or (length is not None and not _LENGTH.fullmatch(length)):
            return self._by_h11(method, data)
        if method == "HEAD" or status in (204, 304):
            body = self._sized(0)
        elif chunked:
            body = self._chunked()
        else:
            body = self._sized(int(length)) if length is not None else self._endless()
        return Head(status, headers), body

    def close(self) -> None:
        self.stream.close()

    def _head(self) -> bytes:
        head = b""
        while not self.stream.is_at_body:
            data = self.stream.read(READ_SIZE)
            if not data:
                what = "the server disconnected without an answer" if not head else "it ends in its head"
                raise _not_whole(what)
            head += data
            if len(head) > MAX_HEAD:
                raise _not_whole("its head is too long")
            interim = _INTERIM.match(head)
            if interim is not None:
                head = head[interim.end() :]
        return head

    def _sized(self, left: int) -> Iterator[bytes]:
        wanted = left
        while left:
            data = self.stream.read(READ_SIZE)
            if not data:
                raise _not_whole(f"it ends after {wanted - left} of {wanted} bytes")
            if len(data) > left:
                self._keeps = False  # nobody asked for what follows
                data = data[:left]
            left -= len(data)
            if not left:
                self._ended()
            yield data
        if not wanted:
            self._ended()

    def _endless(self) -> Iterator[bytes]:
        self._keeps = False
        while data := self.stream.read(READ_SIZE):
            yield data

    def _chunked(self) -> Iterator[bytes]:
        dechunker = Dechunker()
        ended = False
        while not dechunker.done:
            data = self.stream.read(READ_SIZE)
            if not data:
                ended = True
                break
            body = dechunker.feed(data)
            if body:
                yield body
        rest = dechunker.rest
        while not ended and len(rest) < len(_LAST) and _LAST.startswith(rest):
            data = self.stream.read(READ_SIZE)
            ended = not data
            rest += data
        if rest == _LAST:
            self._ended()
            return
        import h11

        judge = _waiting("GET", h11.Connection(h11.CLIENT))
        judge.receive_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + rest)
        with _Judged():
            judge.next_event()  # the head
            yield from self._rest(judge, ended=ended)

    def _ended(self) -> None:
        self.is_free = self._keeps

    def _by_h11(self, method: str, data: bytes) -> tuple[Head, Iterator[bytes]]:
        import h11

        self._keeps = False
        with _Judged():
            judge = _waiting(method, h11.Connection(h11.CLIENT))
            judge.receive_data(data)
            while True:
                event = judge.next_event()
                if isinstance(event, h11.Response):
                    fields = b"".join(b"%b:%b\r\n" % pair for pair in event.headers.raw_items())
                    return Head(event.status_code, _fields(fields)), self._judged(judge)
                if not isinstance(event, h11.InformationalResponse):
                    raise _not_whole("it has no head")

    def _judged(self, judge: "h11.Connection") -> Iterator[bytes]:
        with _Judged():
            yield from self._rest(judge, ended=False)

    def _rest(self, judge: "h11.Connection", *, ended: bool) -> Iterator[bytes]:
        import h11

        self._keeps = False
        while True:
            event = judge.next_event()
            if event is h11.NEED_DATA:
                judge.receive_data(b"" if ended else self.stream.read(READ_SIZE))
            elif isinstance(event, h11.Data):
                yield bytes(event.data)
            else:
                return


class _Judged:
    """Turns h11's verdict into ours."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        import h11

        if isinstance(error, h11.ProtocolError):
            raise _not_whole(str(error)) from error


def _waiting(method: str, judge: "h11.Connection") -> "h11.Connection":
    """A judge that has seen a request like ours."""
    import h11

    judge.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    judge.send(h11.EndOfMessage())
    return judge


def _fields(data: bytes) -> dict[str, str]:
    """Read header lines; what comes several times is joined, as RFC 9110 section 5.3 allows."""
    headers: dict[str, str] = {}
    for line in data.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _not_whole(reason: str) -> ProtocolError:
    return ProtocolError(f"the server's answer is not whole HTTP ({reason})")
