"""A server with an exact schedule, in a process of its own, that remembers when it really received and sent what.

`python -m tests.bench.known TTFT_S GAP_S TOKENS` says its port on standard output. The prompt's first word is the name
under which `/truth` gives the moments of a request. One whose second word is `stall=S` makes it do nothing at all for S
seconds. It ends with its standard input.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fennec_cli.bench.loopback import Peer, Schedule, Server, Truth

ROOT = Path(__file__).parents[2]


class KnownServer:
    """The server, as the tests see it."""

    def __init__(self, ttft_s: float, gap_s: float, tokens: int) -> None:
        command = [sys.executable, "-m", "tests.bench.known", str(ttft_s), str(gap_s), str(tokens)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"

    def truth(self) -> dict[str, Truth]:
        with urllib.request.urlopen(f"{self.url}/truth", timeout=10) as answer:
            return {name: Truth(*each) for name, each in json.loads(answer.read()).items()}

    def __enter__(self) -> "KnownServer":
        return self

    def __exit__(self, *_details: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@contextmanager
def before_others() -> Iterator[bool]:
    """Let this process and those that it starts go before all others; says whether the system allows it.

    Who else uses the processors is not what is tested: beside a busy neighbour a process may stand still for a tenth of
    a second, and nobody's clock sees what comes meanwhile.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class _Server(Server):
    def respond(self, path: str, body: bytes, received: float, peer: Peer) -> None:
        if path.endswith("/truth"):
            _whole(peer, self.truth)
            return
        if path.endswith("/models"):
            ids = ("gpt-6-luna", "gpt-6-sol")  # the catalogue knows their prices
            _whole(peer, {"data": [{"id": name} for name in ids]})
            return
        _, separator, seconds = json.loads(body)["messages"][-1]["content"].partition(" stall=")
        if separator:
            time.sleep(float(seconds))
        super().respond(path, body, received, peer)


def _whole(peer: Peer, document: object) -> None:
    data = json.dumps(document).encode()
    peer.connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(data), data))


def main(ttft_s: str, gap_s: str, tokens: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, before_others():
        print(listener.getsockname()[1], flush=True)
        _Server(Schedule(float(ttft_s), float(gap_s), int(tokens))).run(listener, sys.stdin)


if __name__ == "__main__":
    main(*sys.argv[1:])
