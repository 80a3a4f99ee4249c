"""The embedded engine: llama.cpp's own HTTP server inside this process, on a unix socket that only this user reaches.

The only module that imports xllamacpp. HTTP over the socket rather than its callback interface: so one dialect, one
decoder and one transport serve it like any other provider. It takes no TCP port.
"""

import os
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fennec_cli.errors import ConfigError

DEFAULT_CONTEXT = 4096  # tokens a request; as Ollama's default. The model's own maximum may need many GB.
_LONGEST_PATH = 107  # bytes of a unix socket's address, without the final NUL: unix(7)
_READY_TIMEOUT_S = 10.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Engine:
    """A loaded model that answers HTTP on `socket_path` to whoever has the `token`."""

    base_url = "http://localhost/v1"

    def __init__(self, server: Any, socket_path: Path, token: str) -> None:
        self._server = server
        self.socket_path = socket_path
        self.token = token

    def close(self) -> None:
        """Stop answering, free the model and remove the socket. A second call does nothing."""
        self.socket_path.unlink(missing_ok=True)
        self._server = None  # its destructor stops the threads, also in the middle of an answer

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_details: object) -> None:
        self.close()


def start_engine(
    path: Path,
    *,
    model_id: str,
    context: int | None = None,
    gpu_layers: int | None = None,
    parallel: int = 1,
    environ: Mapping[str, str] = os.environ,
) -> Engine:
    """Load the model in `path` and answer for it under the name `model_id`.

    `context` is in tokens for each of the `parallel` requests at once. Blocks for seconds with a large file; a signal
    meanwhile ends the process, as nothing was written yet. Raises `ConfigError` if the extra is missing or the
    file cannot be used.
    """
    native = _import_native()
    folder = runtime_directory(environ)
    sweep(folder)
    socket_path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.sock"
    token = secrets.token_urlsafe(32)
    parameters = _parameters(native, path, model_id, token, socket_path, parallel)
    parameters.n_ctx = (context or DEFAULT_CONTEXT) * parallel
    if gpu_layers is not None:
        parameters.n_gpu_layers = gpu_layers
    with _default_signals():
        try:
            server = native.Server(parameters)
        except RuntimeError as error:
            socket_path.unlink(missing_ok=True)
            raise ConfigError(
                f"the embedded engine cannot load {path}",
                hint="the file may be damaged, of a kind this engine does not know, or too large for the memory"
                f" (context {parameters.n_ctx} tokens)",
            ) from error
        _wait_until_ready(socket_path, token)
    socket_path.chmod(0o600)
    return Engine(server, socket_path, token)


def runtime_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Return a directory for sockets that only this user can enter; create it if need be. Raises `ConfigError`."""
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or "-")
    folder = runtime / "fennec"
    if not runtime.is_absolute() or _is_too_long(folder) or not os.access(runtime, os.W_OK | os.X_OK):
        folder = Path(tempfile.gettempdir(), f"fennec-{os.geteuid()}")
        if _is_too_long(folder):
            raise ConfigError(f"{folder} is too long for the path of a socket", hint="set TMPDIR to a shorter one")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made ({error.strerror})", hint="set XDG_RUNTIME_DIR to a private directory"
        ) from error
    if not folder.is_dir() or folder.is_symlink() or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise ConfigError(
            f"{folder} is not a directory of yours alone", hint="remove it, or set XDG_RUNTIME_DIR to a private one"
        )
    return folder


def _is_too_long(folder: Path) -> bool:
    return len(os.fsencode(folder)) + len("/4194304-01234567.sock") > _LONGEST_PATH


def sweep(folder: Path) -> None:
    """Remove the sockets of processes that ended without doing so."""
    for path in folder.glob("*-*.sock"):
        # Both signs: a process of another container has no number here, a new socket does not listen yet.
        if not _is_alive(path.name.partition("-")[0]) and not _listens(path):
            path.unlink(missing_ok=True)


def engine_version() -> str:
    """Return the version of the installed engine without loading it. Raises `ConfigError` if there is none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("xllamacpp")
    except PackageNotFoundError as error:
        raise _not_installed() from error


def _import_native() -> Any:
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        raise _not_installed() from error
    return xllamacpp


def _not_installed() -> ConfigError:
    return ConfigError("the embedded engine is not installed", hint="run `pip install 'fennec-cli[local]'`")


def _parameters(native: Any, path: Path, model_id: str, token: str, socket_path: Path, parallel: int) -> Any:
    p = native.CommonParams()
    p.model.path = str(path)
    p.model_alias = {model_id}  # else the wire's `model` shows the path
    p.hostnames = [str(socket_path)]
    p.api_keys = [token]
    p.n_parallel = parallel
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = _threads()
    p.verbosity = -1  # silent, errors included
    p.fit_params = False
    p.warmup = False
    p.cache_ram_mib = 0
    p.ui = p.endpoint_slots = p.endpoint_props = False
    p.endpoint_metrics = True  # only to see that it is ready
    return p


def _threads() -> int:
    """One core less than we may use: the engine's threads spin while they wait for the slowest of them.

    On a busy machine with two cores, two threads took 12 to 72 ms a token, with stalls above 5 s; one took 15 to 21.
    """
    return max(1, len(os.sched_getaffinity(0)) - 1)


def _wait_until_ready(path: Path, token: str) -> None:
    """Wait for an answer that passed through the engine's queue of tasks.

    An engine that is torn down before its listener and its queue run hangs for ever; `/health` knows of the first only.
    """
    head = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_READY_TIMEOUT_S)
        try:
            connection.connect(str(path))
            connection.sendall(head.encode())
            answer = connection.recv(64)
        except OSError as error:
            answer = str(error).encode()
    if b" 200 " not in answer:
        raise ConfigError(f"the embedded engine does not answer ({answer!r})", hint="try again")


@contextmanager
def _default_signals() -> Iterator[None]:
    """Let signals end the process: Python's own handlers cannot run while the engine loads.

    One that was inherited as ignored stays ignored. Handlers belong to the main thread; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    changed = {number: handler for number, handler in previous.items() if handler not in (signal.SIG_IGN, None)}
    for number in changed:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError, OverflowError):
        return True  # not ours to judge
    return True


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
