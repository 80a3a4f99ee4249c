"""Engines in processes of their own: when they end."""

import threading
from pathlib import Path
from typing import Any, cast

from fennec_cli.bench.hosting import HostedEngines
from fennec_cli.registry import ProviderRegistry


class Engine:
    socket_path = Path("/nowhere")
    token = "t"

    def close(self) -> None:
        pass


class Registry:
    def start_engine(self, *_names: str, **_more: Any) -> Engine:
        return Engine()


def test_all_hosts_end_however_many_there_are() -> None:
    hosted = HostedEngines()
    for model in ("a", "b", "c"):
        hosted.start(cast(ProviderRegistry, Registry()), "local", model, 1)
    closing = threading.Thread(target=hosted.close, daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
