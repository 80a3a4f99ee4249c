"""Real servers from Debian, started for one test on a free port of this machine; and a proxy that looks inside."""

import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

LONGEST_S = 10.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def daemon(home: Path, port: int, *command: str) -> Iterator[None]:
    """Run a server in the foreground until the test is done. Skips the test, and says so, where it is not installed."""
    path = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{command[0]} is not installed: NOT tested")
    with (
        open(home / f"{command[0]}.log", "wb") as log,
        subprocess.Popen([path, *command[1:]], stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(port, process, home / f"{command[0]}.log")
            yield
        finally:
            process.terminate()
            process.wait(LONGEST_S)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"the server did not start: {log.read_text(errors='replace')[-2000:]}")


@contextmanager
def tinyproxy(home: Path, *lines: str) -> Iterator[int]:
    """An HTTP proxy; `lines` are added to its configuration."""
    port = free_port()
    config = home / "tinyproxy.conf"
    config.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "MaxClients 8", *lines, ""]))
    with daemon(home, port, "tinyproxy", "-d", "-c", str(config)):
        yield port


@contextmanager
def dante(home: Path) -> Iterator[int]:
    """A SOCKS 5 proxy."""
    port = free_port()
    config = home / "danted.conf"
    rule = "pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }"
    config.write_text(
        f"logoutput: stderr\ninternal: 127.0.0.1 port = {port}\nexternal: lo\nclientmethod: none\nsocksmethod: none\n"
        f"client {rule}\nsocks {rule}\n"
    )
    with daemon(home, port, "danted", "-f", str(config), "-p", str(home / "danted.pid")):
        yield port


@contextmanager
def nginx(home: Path, upstream: int) -> Iterator[int]:
    """A reverse proxy before a server on this machine."""
    port = free_port()
    places = "".join(
        f"{name}_temp_path {home}/nginx-{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = home / "nginx.conf"
    config.write_text(
        f"daemon off; pid {home}/nginx.pid; error_log stderr; worker_processes 1;\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + f"events {{}} http {{ access_log off; {places} server {{ listen 127.0.0.1:{port}; location / {{"
        f" proxy_pass http://127.0.0.1:{upstream}; proxy_buffering off; proxy_http_version 1.1; }} }} }}\n"
    )
    with daemon(home, port, "nginx", "-p", str(home), "-c", str(config)):
        yield port


@contextmanager
def stunnel(home: Path, ca: trustme.CA, upstream: int) -> Iterator[int]:
    """TLS before a plain server."""
    port = free_port()
    leaf = ca.issue_cert("127.0.0.1")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(home / "stunnel.pem"))
    os.chmod(home / "stunnel.pem", 0o600)
    config = home / "stunnel.conf"
    config.write_text(
        f"foreground = yes\npid =\ncert = {home}/stunnel.pem\n[fennec]\n"
        f"accept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{upstream}\n"
    )
    with daemon(home, port, "stunnel4", str(config)):
        yield port


class Middle:
    """A proxy that answers CONNECT and then leads everything to `upstream`, or speaks TLS itself and looks inside.

    It keeps the heads of the requests to itself (`asked`) and what it could read of the traffic (`read`).
    """

    def __init__(
        self, upstream: int = 0, *, inside: ssl.SSLContext | None = None, outer: ssl.SSLContext | None = None
    ) -> None:
        self.asked: list[bytes] = []
        self.read = b""
        self._upstream = upstream
        self._inside, self._outer = inside, outer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Middle":
        return self

    def __exit__(self, *_details: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(LONGEST_S)
            if self._outer is not None:
                connection = self._outer.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(4096)
                if not data:
                    return
                head += data
            self.asked.append(head)
            if not head.startswith(b"CONNECT"):
                connection.sendall(b"HTTP/1.1 503 not my trade\r\ncontent-length: 0\r\n\r\n")
                return
            connection.sendall(b"HTTP/1.1 200 connected\r\n\r\n")
            if self._inside is not None:
                with self._inside.wrap_socket(connection, server_side=True) as looking:
                    self.read += looking.recv(65536)
                return
            with socket.create_connection(("127.0.0.1", self._upstream)) as server:
                threading.Thread(target=_pump, args=(server, connection), daemon=True).start()
                _pump(connection, server)
        except OSError:
            return
        finally:
            connection.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
