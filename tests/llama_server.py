"""A real llama.cpp HTTP server with a model file, in a process of its own.

`python -m tests.llama_server MODEL CONTEXT PORT [KEY]` says its address on standard output and ends with its standard
input, so that it never outlives the tests.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
SLOTS = 2


class LlamaServer:
    """Starts the server and waits until it answers. `context` is in tokens for each of its two slots."""

    def __init__(self, model: Path, *, key: str = "", context: int = 16384, port: int = 0) -> None:
        command = [sys.executable, "-m", "tests.llama_server", str(model), str(context), str(port), key]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT)
        assert self._process.stdout is not None
        address = self._process.stdout.readline().decode().strip()
        assert address.startswith("http://127.0.0.1:"), f"the server did not start: {address!r}"
        self.url = f"{address}/v1"
        self.port = int(address.rpartition(":")[2])

    def kill(self) -> None:
        """End it with nothing put in order, as a crash does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> "LlamaServer":
        return self

    def __exit__(self, *_details: object) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def main(model: str, context: str, port: str, key: str) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"scripted"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(port)
    parameters.n_parallel = SLOTS
    parameters.n_ctx = int(context) * SLOTS
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    parameters.verbosity = -1
    parameters.warmup = parameters.fit_params = False
    if key:
        parameters.api_keys = [key]
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # tearing it down may wait for an answer that nobody reads


if __name__ == "__main__":
    main(*sys.argv[1:])
