"""A server on this machine whose timing is known: it notes when it really received a request and sent each event.

One thread that waits for nothing else, so that nobody is in its way.
"""

import heapq
import os
import socket
import time
from contextlib import suppress
from itertools import count
from selectors import EVENT_READ, DefaultSelector
from typing import Any

import orjson

from fennec_cli.transport.arrival import ROOM, ahead_now, ask_for_moments, moment_in
from fennec_cli.tuples import NamedTuple

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Schedule(NamedTuple):
    """What each answer is: seconds to its first event and between events, and how many of them."""

    ttft_s: float
    gap_s: float
    tokens: int


class Truth(NamedTuple):
    """What happened at the server, on the monotonic clock.

    `received` is when the kernel had the request; each of `sent` the moments right before and after the call that sent
    an event: the true one lies between them.
    """

    received: float
    sent: list[tuple[float, float]]


class Loopback:
    """Serves Chat Completions from a process of its own until `close`, which returns the truth by prompt."""

    def __init__(self, schedule: Schedule) -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            ours.close()
            try:
                server = Server(schedule)
                server.run(listener, theirs)
                theirs.sendall(orjson.dumps({name: list(each) for name, each in server.truth.items()}))
            finally:
                os._exit(0)
        listener.close()
        theirs.close()
        self._link: socket.socket | None = ours

    def close(self) -> dict[str, Truth]:
        if self._link is None:
            return {}
        link, self._link = self._link, None
        with link, suppress(OSError):
            link.shutdown(socket.SHUT_WR)
            data = b"".join(iter(lambda: link.recv(1 << 16), b""))
        os.waitpid(self._pid, 0)
        return {name: Truth(*each) for name, each in orjson.loads(data or b"{}").items()}


class Peer:
    """A connection, and what came of its next request so far."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.data = b""


class Server:
    """Keeps `schedule` for any number of connections, and `truth` by the prompts' first words."""

    def __init__(self, schedule: Schedule) -> None:
        self.truth: dict[str, Truth] = {}
        self._schedule = schedule
        self._due: list[tuple[float, int, Peer, Truth]] = []
        self._order = count()
        self._event = _event({"content": "word "}, None)
        self._end = _end(schedule.tokens)

    def run(self, listener: socket.socket, until: Any) -> None:
        """Serve until there is something to read in `until`."""
        with DefaultSelector() as selector:
            selector.register(listener, EVENT_READ)
            selector.register(until, EVENT_READ)
            while True:
                wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
                for key, _ in selector.select(wait):
                    if isinstance(key.data, Peer):
                        if not self._read(key.data):
                            selector.unregister(key.data.connection)
                            key.data.connection.close()
                    elif key.fileobj is listener:
                        selector.register((peer := _accepted(listener)).connection, EVENT_READ, peer)
                    else:
                        return
                while self._due and self._due[0][0] <= time.monotonic():
                    self._send(*heapq.heappop(self._due)[2:])

    def respond(self, _path: str, body: bytes, received: float, peer: Peer) -> None:
        """Begin the answer to a request that came whole."""
        prompt: str = orjson.loads(body)["messages"][-1]["content"]
        truth = self.truth[prompt.split()[0]] = Truth(received, [])
        peer.connection.sendall(_HEAD)
        self._plan(peer, truth)

    def _read(self, peer: Peer) -> bool:
        try:
            data, said, _, _ = peer.connection.recvmsg(1 << 16, ROOM)
            if not data:
                return False
            received = moment_in(said, ahead_now())
            peer.data += data
            head, separator, body = peer.data.partition(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0] or 0)
            if separator and len(body) >= size:
                peer.data = b""
                path = head.split()[1].decode()
                self.respond(path, body, time.monotonic() if received is None else received, peer)
        except OSError:
            return False
        return True

    def _plan(self, peer: Peer, truth: Truth) -> None:
        schedule = self._schedule
        moment = truth.received + schedule.ttft_s + len(truth.sent) * schedule.gap_s
        heapq.heappush(self._due, (moment, next(self._order), peer, truth))

    def _send(self, peer: Peer, truth: Truth) -> None:
        with suppress(OSError):  # the reader has gone
            before = time.monotonic()
            peer.connection.sendall(self._event)
            truth.sent.append((before, time.monotonic()))
            if len(truth.sent) < self._schedule.tokens:
                self._plan(peer, truth)
            else:
                peer.connection.sendall(self._end)


def _accepted(listener: socket.socket) -> Peer:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ask_for_moments(connection)
    return Peer(connection)


def _end(tokens: int) -> bytes:
    usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
    last = orjson.dumps({"id": "1", "model": "loopback", "choices": [], "usage": usage})
    return _event({}, "stop") + _chunk(b"data: " + last + b"\n\n") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _event(delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _chunk(b"data: " + orjson.dumps({"id": "1", "model": "loopback", "choices": [choice]}) + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
