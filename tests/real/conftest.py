"""Tests against the real engine: a scripted model, llama.cpp's HTTP server with it, and the command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.runner import Fennec
from tests.llama_server import LlamaServer
from tests.tiny_gguf import write_scripted_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("xllamacpp", "gguf", "numpy"):
        pytest.importorskip(package, reason=f"NOT TESTED: a real llama.cpp; {package} is not installed")
    return write_scripted_model(tmp_path_factory.mktemp("model") / "scripted.gguf")


@pytest.fixture(scope="session")
def server(model: Path) -> Iterator[LlamaServer]:
    with LlamaServer(model) as running:
        yield running


@pytest.fixture
def fennec(clean_home: Path, model: Path) -> Fennec:  # noqa: ARG001 - without the model nothing here can run
    """The command, in an empty HOME."""
    return Fennec(clean_home)
