"""A server with an exact schedule, in a process of its own, that remembers when it really sent what.

`python -m tests.bench.known TTFT_S GAP_S TOKENS` says its port on standard output. The prompt's first word is the name
under which `/truth` gives the moments (monotonic clock) of a request: received, and each event. `/stall/S` makes it do
nothing at all for S seconds. It ends with its standard input.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class KnownServer:
    """The server, as the tests see it."""

    def __init__(self, ttft_s: float, gap_s: float, tokens: int) -> None:
        command = [sys.executable, "-m", "tests.bench.known", str(ttft_s), str(gap_s), str(tokens)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"

    def truth(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/truth", timeout=10) as answer:
            document = json.loads(answer.read())
            assert isinstance(document, dict)
            return document

    def stall(self, seconds: float) -> None:
        urllib.request.urlopen(f"{self.url}/stall/{seconds}", timeout=10).read()

    def __enter__(self) -> "KnownServer":
        return self

    def __exit__(self, *_details: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class _Server:
    def __init__(self, ttft_s: float, gap_s: float, tokens: int) -> None:
        self.ttft_s, self.gap_s, self.tokens = ttft_s, gap_s, tokens
        self.truth: dict[str, dict[str, Any]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                received = time.monotonic()
                path = head.split()[1]
                size = int(head.lower().partition("content-length:")[2].partition("\r")[0] or 0)
                body = await reader.readexactly(size)
                if "/stall/" in path:
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    await writer.drain()
                    time.sleep(float(path.rpartition("/")[2]))
                elif path.endswith("/truth"):
                    data = json.dumps(self.truth).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(data), data))
                else:
                    await self._stream(json.loads(body), received, writer)
        writer.close()

    async def _stream(self, request: dict[str, Any], received: float, writer: asyncio.StreamWriter) -> None:
        name = request["messages"][-1]["content"].split()[0]
        sent: list[float] = []
        self.truth[name] = {"received": received, "sent": sent}
        writer.write(HEAD)
        for number in range(self.tokens):
            await _until(received + self.ttft_s + number * self.gap_s)
            choice = {"index": 0, "delta": {"content": "x "}, "finish_reason": None}
            writer.write(_event({"id": "k", "model": "known", "choices": [choice]}))
            sent.append(time.monotonic())
        usage = {"prompt_tokens": 7, "completion_tokens": self.tokens, "total_tokens": 7 + self.tokens}
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        writer.write(
            _event({"id": "k", "model": "known", "choices": [end]})
            + _event({"id": "k", "model": "known", "choices": [], "usage": usage})
            + _chunk(b"data: [DONE]\n\n")
            + b"0\r\n\r\n"
        )


async def _until(moment: float) -> None:
    while (left := moment - time.monotonic()) > 0:
        await asyncio.sleep(left)


def _event(document: dict[str, Any]) -> bytes:
    return _chunk(b"data: " + json.dumps(document).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def main(ttft_s: str, gap_s: str, tokens: str) -> None:
    handler = _Server(float(ttft_s), float(gap_s), int(tokens))
    server = await asyncio.start_server(handler.serve, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
