"""curl as referee: what it receives from the same peer is what we make of it."""

import shutil
import subprocess
from collections.abc import Callable

import orjson
import pytest

from tests.e2e.peer import Peer, head, send, send_each
from tests.e2e.runner import Fennec
from tests.e2e.test_transcripts import EXPECTED, STREAMS, recorded
from tests.wire.slow_sse import slow_sse

WHOLE = [name for name in STREAMS if EXPECTED[name].get("finish") == "Stop" and EXPECTED[name].get("text")]


@pytest.mark.parametrize("name", WHOLE)
def test_curl_receives_the_same_text(fennec: Fennec, serve: Callable[..., Peer], name: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the referee was NOT asked")
    stream = recorded(name)
    pieces = [stream[place : place + 37] for place in range(0, len(stream), 37)]
    peer = serve([send(head()), send_each(pieces)], [send(head()), send_each(pieces)])
    ours = fennec.complete()
    asked = ["curl", "-sS", "--no-buffer", "-d", "{}", f"{peer.url}/chat/completions"]
    theirs = subprocess.run(asked, capture_output=True, timeout=20, check=True).stdout
    assert theirs == stream
    text = ""
    for event in slow_sse(theirs).events:
        if event.data != b"[DONE]":
            text += "".join(each["delta"].get("content") or "" for each in orjson.loads(event.data)["choices"])
    assert (ours.status, ours.text) == (0, text)
