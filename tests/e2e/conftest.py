"""The command and its scripted peer, as fixtures."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.peer import Peer, Script
from tests.e2e.runner import Fennec


@pytest.fixture
def fennec(clean_home: Path) -> Fennec:
    """The command, in an empty HOME."""
    return Fennec(clean_home)


@pytest.fixture
def serve(fennec: Fennec) -> Iterator[Callable[..., Peer]]:
    """Start a peer with these scripts, and point the command at it."""
    with ExitStack() as stack:

        def start(*scripts: Script, **options: object) -> Peer:
            peer = stack.enter_context(Peer(*scripts, **options))  # type: ignore[arg-type]
            fennec.base_url = peer.url
            return peer

        yield start
