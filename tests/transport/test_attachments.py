"""Attachments that are given as URLs, on dialects that take them as bytes only."""

import orjson
import pytest

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import NetworkError
from fennec_cli.providers import ollama, openai
from fennec_cli.request import Attachment, CompletionRequest
from fennec_cli.transport import HTTPProvider

IMAGE = Attachment("image/png", "a.png", url="https://a.example/a.png")
PAPER = Attachment("application/pdf", "a.pdf", url="https://a.example/a.pdf")


class Refuses:
    """A client that keeps what it is asked to send and then fails."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def exchange(self, call, _secret, _patience):  # type: ignore[no-untyped-def]
        self.bodies.append(call.body)
        raise NetworkError("enough seen")


@pytest.mark.parametrize(
    ("module", "url", "part", "fetched"),
    [
        (openai, "http://127.0.0.1/v1", PAPER, True),
        (openai, "http://127.0.0.1/v1", IMAGE, False),
        (ollama, "http://127.0.0.1:11434", IMAGE, True),
    ],
)
def test_what_is_taken_as_bytes_only_is_fetched_first(module, url: str, part: Attachment, fetched: bool) -> None:  # type: ignore[no-untyped-def]
    asked: list[str] = []
    client = Refuses()

    def fetch(address: str, _deadline: float | None) -> bytes:
        asked.append(address)
        return b"bytes"

    provider = HTTPProvider(module, Endpoint("x", url), lambda: client, fetch=fetch)  # type: ignore[arg-type, return-value]
    with pytest.raises(NetworkError):
        list(provider.stream_completion(CompletionRequest.from_text("Look", model="m", attachments=(part,))))
    assert asked == ([part.url] if fetched else [])
    assert (b"Ynl0ZXM=" in client.bodies[0]) is fetched  # base64 of the bytes
    assert orjson.loads(client.bodies[0])
