"""A real redis-server of the tests' own, on a socket in a temporary directory and, with `port`, on loopback."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

MISSING = "redis-server is not installed (apt-get install redis-server)"


class RedisServer:
    """A server that was started; `url` is its address."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self._path = directory / "redis.sock"  # as short as the system demands it of sockets
        self._command = [
            "redis-server",
            *("--unixsocket", str(self._path), "--port", "0", "--save", "", "--dir", str(directory)),
            *options,
        ]
        self.url = f"unix://{self._path}"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not self._answers():
            assert self.process.poll() is None, "redis-server has ended"
            assert time.monotonic() < end, "redis-server does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it: nobody is told."""
        self.process.kill()
        self.process.wait()
        self._path.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self._path))
            except OSError:
                return False
        return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    yield from started()


def started(*options: str) -> Iterator[RedisServer]:
    """Start a server with options of its own, and end it afterwards."""
    pytest.importorskip("redis", reason="the extra `redis` is not installed")
    if shutil.which("redis-server") is None:
        pytest.skip(MISSING)
    directory = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(directory, *options)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
