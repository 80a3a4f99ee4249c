"""Embedded engines in processes of their own: so that their work is not ours, and all workers reach the same one."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from fennec_cli.engine import Engine
from fennec_cli.errors import ConfigError, FennecError
from fennec_cli.registry import ProviderRegistry


class HostedEngines:
    """Starts an engine for each model it is asked for; `close` ends them all."""

    def __init__(self) -> None:
        self.engines: dict[str, Engine] = {}
        self._hosts: list[tuple[int, int]] = []  # process, and the pipe that keeps it alive

    def start(self, registry: ProviderRegistry, provider: str, model: str, parallel: int) -> None:
        """Load a model for so many requests at once. Raises `ConfigError` if it cannot be."""
        alive, word = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            for _, earlier in self._hosts:
                os.close(earlier)  # or that host would live as long as this one
            _host(registry, provider, model, parallel, alive, word)
        os.close(alive[0])
        os.close(word[1])
        self._hosts.append((pid, alive[1]))
        with open(word[0], "rb") as answer:
            said: dict[str, Any] = orjson.loads(answer.read() or b"{}")
        if "token" not in said:
            raise ConfigError(said.get("message", "the embedded engine ended"), hint=said.get("hint"))
        self.engines[model] = Engine(None, Path(said["socket"]), said["token"])

    def close(self) -> None:
        for pid, alive in self._hosts:
            os.close(alive)
            os.waitpid(pid, 0)
        self._hosts.clear()


def _host(
    registry: ProviderRegistry, provider: str, model: str, parallel: int, alive: tuple[int, int], word: tuple[int, int]
) -> None:
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # whoever started us ends us, and the socket with us
        os.close(alive[1])
        os.close(word[0])
        with suppress(BrokenPipeError):
            engine = _started(registry, provider, model, parallel, word[1])
            if engine is not None:
                os.read(alive[0], 1)
                engine.close()
    finally:
        os._exit(0)


def _started(registry: ProviderRegistry, provider: str, model: str, parallel: int, word: int) -> Engine | None:
    engine = None
    try:
        engine = registry.start_engine(provider, model, parallel=parallel)
        said = {"socket": str(engine.socket_path), "token": engine.token}
    except FennecError as error:
        said = {"message": error.message, "hint": error.hint or ""}
    os.write(word, orjson.dumps(said))
    os.close(word)
    return engine
