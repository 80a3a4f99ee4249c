"""A server on this machine whose timing is known: it notes when it really received a request and sent each event."""

import asyncio
import os
import socket
import time
from contextlib import suppress
from typing import Any

import orjson

from fennec_cli.tuples import NamedTuple

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Schedule(NamedTuple):
    """What each answer is: seconds to its first event and between events, and how many of them."""

    ttft_s: float
    gap_s: float
    tokens: int


class Truth(NamedTuple):
    """What happened at the server, on the monotonic clock."""

    received: float
    sent: list[float]


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
                asyncio.run(_Server(schedule).run(listener, theirs))
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


class _Server:
    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._truth: dict[str, Truth] = {}

    async def run(self, listener: socket.socket, link: socket.socket) -> None:
        await asyncio.start_server(self._serve, sock=listener)
        reader, writer = await asyncio.open_connection(sock=link)
        await reader.read()
        writer.write(orjson.dumps({name: list(each) for name, each in self._truth.items()}))
        await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                received = time.monotonic()
                size = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
                await self._answer(orjson.loads(await reader.readexactly(size)), received, writer)
        writer.close()

    async def _answer(self, request: Any, received: float, writer: asyncio.StreamWriter) -> None:
        schedule, sent = self._schedule, [0.0] * self._schedule.tokens
        self._truth[request["messages"][-1]["content"]] = Truth(received, sent)
        writer.write(_HEAD)
        event = _event({"content": "word "}, None)
        for number in range(schedule.tokens):
            moment = received + schedule.ttft_s + number * schedule.gap_s
            while (left := moment - time.monotonic()) > 0:
                await asyncio.sleep(left)
            writer.write(event)
            sent[number] = time.monotonic()
        usage = {"prompt_tokens": 1, "completion_tokens": schedule.tokens, "total_tokens": schedule.tokens + 1}
        last = orjson.dumps({"id": "1", "model": "loopback", "choices": [], "usage": usage})
        end = _chunk(b"data: " + last + b"\n\n") + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
        writer.write(_event({}, "stop") + end)
        await writer.drain()


def _event(delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _chunk(b"data: " + orjson.dumps({"id": "1", "model": "loopback", "choices": [choice]}) + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
