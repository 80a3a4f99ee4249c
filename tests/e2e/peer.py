"""A scripted HTTP server, exact to the byte: what it does with a request is a list of steps that the test gives.

Every step and every wait is bounded, so that a test that goes wrong ends all the same.
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType

import orjson

LONGEST_S = 20.0
EVENT_STREAM = "text/event-stream"


@dataclass
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> dict[str, object]:
        document = orjson.loads(self.body)
        assert isinstance(document, dict)
        return document

    @property
    def prompt(self) -> str:
        """The text of the last message."""
        messages = self.json["messages"]
        assert isinstance(messages, list)
        text = messages[-1]["content"]
        assert isinstance(text, str)
        return text


class Gone(Exception):
    """The client closed the connection."""


class Connection:
    """What a step can do with one accepted connection."""

    def __init__(self, peer: "Peer", connection: socket.socket) -> None:
        self.peer = peer
        self.socket = connection
        self.reset_on_close = False
        self.request: Received

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError:
            raise Gone from None
        self.peer.sent += len(data)

    def wait(self, seconds: float, *, until_released: bool = False) -> None:
        """Wait, and notice a client that leaves meanwhile."""
        end = time.monotonic() + seconds
        self.socket.settimeout(0.01)
        while time.monotonic() < end and not (until_released and self.peer.released.is_set()):
            try:
                if not self.socket.recv(65536):
                    raise Gone
            except TimeoutError:
                continue
            except OSError:
                raise Gone from None
        self.socket.settimeout(LONGEST_S)

    def close(self) -> None:
        if self.reset_on_close:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self._drain()
        self.socket.close()

    def _drain(self) -> None:
        """Close in order: what a client still sends must not turn the close into a reset."""
        try:
            self.socket.settimeout(1.0)
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass
        except OSError:
            return


Step = Callable[[Connection], None]


def send(*data: bytes) -> Step:
    return lambda connection: connection.send(b"".join(data))


def send_each(pieces: Iterable[bytes]) -> Step:
    """Send piece after piece, each as its own packet as far as the system lets us."""

    def step(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)

    return step


def sleep(seconds: float) -> Step:
    return lambda connection: connection.wait(seconds)


def stall() -> Step:
    """Say nothing until the client leaves or the test calls `release`."""
    return lambda connection: connection.wait(LONGEST_S, until_released=True)


def reset() -> Step:
    def step(connection: Connection) -> None:
        connection.reset_on_close = True

    return step


Script = list[Step]


class Peer:
    """Answers the first request with the first script, the second with the second, and so on; the last one repeats.

    With `accepts_only` it closes (or resets) every connection before it has read anything.
    """

    def __init__(
        self,
        *scripts: Script,
        context: ssl.SSLContext | None = None,
        accepts_only: bool = False,
        resets: bool = False,
    ) -> None:
        self.scripts = list(scripts)
        self.requests: list[Received] = []
        self.released = threading.Event()
        self.left_at: list[float] = []  # moments at which a client was seen to have left during a script
        self.left = threading.Event()
        self.seen = threading.Event()
        self.sent = 0
        self.connections = 0
        self._context = context
        self._accepts_only = accepts_only
        self._resets = resets
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}/v1"

    def release(self) -> None:
        self.released.set()

    def __enter__(self) -> "Peer":
        self._accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the listener and wait for what is under way. Does nothing the second time."""
        if self._listener.fileno() < 0:
            return
        self.release()
        # Closing a socket does not wake its accept; connecting to it does.
        self._listener.settimeout(0.0)
        with socket.socket() as knock:
            knock.connect_ex(("127.0.0.1", self.port))
        self._accepting.join(2.0)
        self._listener.close()
        for thread in self._threads:
            thread.join(2.0)

    def _accept(self) -> None:
        while not self.released.is_set() or not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def _closing(self) -> bool:
        return self._listener.gettimeout() == 0.0

    def _serve(self, raw: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(LONGEST_S)
        try:
            stream = self._context.wrap_socket(raw, server_side=True) if self._context else raw
        except OSError:
            raw.close()
            return
        connection = Connection(self, stream)
        try:
            if self._accepts_only:
                connection.reset_on_close = self._resets
                return
            received = _read_request(stream)
            if received is None:
                return
            with self._lock:
                script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
                self.requests.append(received)
            connection.request = received
            self.seen.set()
            for step in script:
                step(connection)
        except Gone:
            self.left_at.append(time.monotonic())
            self.left.set()
        finally:
            connection.close()


def _read_request(stream: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            piece = stream.recv(65536)
        except OSError:
            return None
        if not piece or piece[0] < 32:  # nobody there, or somebody who speaks TLS to us
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    parts, missing = [body], int(headers.get("content-length", "0")) - len(body)
    while missing > 0:
        piece = stream.recv(1024 * 1024)
        if not piece:
            return None
        parts.append(piece)
        missing -= len(piece)
    method, path, _ = first.split(" ")
    return Received(method, path, headers, b"".join(parts))


# What servers say.


def head(status: int = 200, content_type: str | None = EVENT_STREAM, *extra: str, length: int | None = None) -> bytes:
    """The head of an answer; without `length` the body ends where the connection does."""
    lines = [f"HTTP/1.1 {status} X"]
    if content_type is not None:
        lines.append(f"content-type: {content_type}")
    if length is not None:
        lines.append(f"content-length: {length}")
    lines += [*extra, "connection: close", "", ""]
    return "\r\n".join(lines).encode()


CHUNKED_HEAD = head(200, EVENT_STREAM, "transfer-encoding: chunked")
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One piece of chunked transfer coding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(status: int, body: bytes, content_type: str | None = "application/json", *extra: str) -> Script:
    """An answer in one piece."""
    return [send(head(status, content_type, *extra, length=len(body)), body)]


def event(document: object) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"


def delta(text: str) -> bytes:
    return event({"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}}]})


def finish(reason: str = "stop") -> bytes:
    return event({"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


ROLE = event({"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
USAGE = event({"id": "c1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
DONE = b"data: [DONE]\n\n"


def body_of(*texts: str, reason: str = "stop") -> bytes:
    """A whole event stream."""
    return b"".join([ROLE, *(delta(text) for text in texts), finish(reason), USAGE, DONE])


def answer(*texts: str, reason: str = "stop") -> Script:
    """A good answer whose end is the end of the connection."""
    return [send(head(), body_of(*texts, reason=reason))]


def failure(status: int, message: str = "no", *extra: str, code: str | None = None) -> Script:
    return whole(status, orjson.dumps({"error": {"message": message, "code": code}}), "application/json", *extra)
