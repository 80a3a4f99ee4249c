"""Streams that break after they began: `--on-interrupt fail|resume|restart`."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fennec_cli import signals
from fennec_cli.backoff import RetryConfig
from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import StreamBroken
from fennec_cli.providers import openai
from fennec_cli.request import CompletionRequest
from fennec_cli.stages.retry import retry
from fennec_cli.transport import HTTPProvider
from fennec_cli.transport.client import HTTPClient
from fennec_cli.transport.network import Address, Network
from fennec_cli.transport.patience import Limits
from tests.conftest import soak
from tests.e2e.peer import ROLE, Peer, Script, answer, delta, event, failure, head, reset, send, stall, whole
from tests.e2e.runner import Fennec

Serve = Callable[..., Peer]
TEXT = ["One", " wörld", " 🌍", " and", " more", "."]
ID = "resp_68a1"


def events() -> list[bytes]:
    """An answer of the Responses API, an element an event, numbered from 0."""
    response: dict[str, object] = {"id": ID, "model": "m-1", "status": "in_progress", "incomplete_details": None}
    done = {**response, "status": "completed", "output": [], "usage": {"input_tokens": 3, "output_tokens": 6}}
    documents: list[dict[str, object]] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        *({"type": "response.output_text.delta", "item_id": "m", "delta": text} for text in TEXT),
        {"type": "response.completed", "response": done},
    ]
    return [event({**document, "sequence_number": number}) for number, document in enumerate(documents)]


EVENTS = events()


@pytest.fixture
def responses(tmp_path: Path) -> str:
    path = tmp_path / "responses.toml"
    path.write_text('[provider.openai]\napi = "responses"\n[provider.openai.retry]\ninitial_delay = "10ms"\n')
    return str(path)


def begun(count: int, *after: Script) -> Script:
    return [send(head(), *EVENTS[:count]), *(step for script in after for step in script)]


def test_resume_takes_the_answer_up_where_it_broke(fennec: Fennec, serve: Serve, responses: str) -> None:
    peer = serve(begun(4, [reset()]), [send(head(), *EVENTS[4:])])
    result = fennec.complete("-c", responses, "--on-interrupt", "resume")
    result.succeeded("".join(TEXT))
    first, second = peer.requests
    assert (first.json["background"], first.json["store"], first.json["stream"]) == (True, True, True)
    assert (second.method, second.path) == ("GET", f"/v1/responses/{ID}?stream=true&starting_after=3")
    assert second.headers["authorization"].startswith("Bearer ")
    assert second.body == b""


def test_events_that_come_again_are_dropped(fennec: Fennec, serve: Serve, responses: str) -> None:
    serve(begun(5, [reset()]), begun(9))
    fennec.complete("-c", responses, "--on-interrupt", "resume").succeeded("".join(TEXT))


def test_resume_gives_up_after_five_tries_without_anything_new(fennec: Fennec, serve: Serve, responses: str) -> None:
    peer = serve(begun(4, [reset()]), failure(404))
    line = fennec.complete("-c", responses, "--on-interrupt", "resume").failed(
        "stream_broken", 9, stdout="".join(TEXT[:2]).encode()
    )
    assert "broke off" in line
    assert len(peer.requests) == 2  # a 404 says that there is nothing to resume


def test_an_answer_that_the_provider_ended_is_not_resumed(fennec: Fennec, serve: Serve, responses: str) -> None:
    failed = event({"type": "error", "code": "server_error", "message": "no", "sequence_number": 4})
    peer = serve([send(head(), *EVENTS[:4], failed)])
    fennec.complete("-c", responses, "--on-interrupt", "resume").failed(
        "stream_broken", 9, stdout="".join(TEXT[:2]).encode()
    )
    assert len(peer.requests) == 1


@pytest.mark.parametrize("goodbye", [whole(200, b"{}"), failure(500), whole(302, b"", None, "location: /")])
def test_who_leaves_early_stops_the_answer(fennec: Fennec, serve: Serve, responses: str, goodbye: Script) -> None:
    peer = serve(begun(5, [stall()]), goodbye)
    with fennec.start("complete", "hi", "--no-stdin", "-c", responses, "--on-interrupt", "resume") as process:
        assert process.stdout is not None
        assert process.stdout.read(3) == b"One"
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == -signal.SIGINT
    assert [(got.method, got.path) for got in peer.requests[1:]] == [("POST", f"/v1/responses/{ID}/cancel")]


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
def test_resume_needs_a_streamed_answer_of_responses(fennec: Fennec, serve: Serve, options: list[str]) -> None:
    peer = serve(answer("never"))
    result = fennec.complete("--on-interrupt", "resume", *options)
    result.failed("usage" if options else "request", 2 if options else 5)
    assert not peer.requests


def test_restart_needs_an_answer_that_is_held_back(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("never"))
    assert "--atomic" in fennec.complete("--on-interrupt", "restart").failed("usage", 2)
    assert not peer.requests


def test_restart_asks_anew_and_shows_one_answer(fennec: Fennec, serve: Serve) -> None:
    peer = serve([send(head(), ROLE, delta("half")), reset()], answer("whole"))
    fennec.complete("--on-interrupt", "restart", "--atomic").succeeded("whole")
    assert len(peer.requests) == 2


def test_fail_keeps_what_came(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), ROLE, delta("half")), reset()])
    fennec.complete("--on-interrupt", "fail").failed("stream_broken", 9, stdout=b"half")


def texts(
    peer: Peer, limits: Limits = Limits(), *, deadline: float | None = None, lookup_s: float = 0.0
) -> Iterator[str]:
    """What is handed on of an answer that is resumed."""

    def resolver(_host: str, port: int) -> list[Address]:
        time.sleep(lookup_s)
        return [("127.0.0.1", port)]

    endpoint = Endpoint("openai", f"http://api.example:{peer.port}/v1", "responses")
    provider = HTTPProvider(openai, endpoint, lambda: HTTPClient(network=Network(resolver)), limits=limits)
    stage = retry(provider.stream_completion, RetryConfig(max_attempts=4), sleep=lambda _seconds: None)
    for chunk in stage(CompletionRequest.from_text("hi", model="m-1", resume=True, deadline=deadline)):
        if chunk.content:
            yield chunk.content


def test_a_resumed_answer_keeps_to_the_limits() -> None:
    start = time.monotonic()
    with Peer(begun(4, [stall()])) as peer, pytest.raises(StreamBroken, match="not finished within"):
        list(texts(peer, Limits(attempt=0.5)))
    assert time.monotonic() - start < 2.0
    assert len(peer.requests) == 1
    start = time.monotonic()
    with Peer(begun(4, [reset()]), failure(503)) as peer, pytest.raises(StreamBroken, match="503"):
        list(texts(peer, deadline=start + 0.5))
    assert time.monotonic() - start < 2.0


def test_a_provider_says_when_to_resume() -> None:
    with Peer(begun(4, [reset()]), failure(503, "busy", "retry-after: 0.6"), [send(head(), *EVENTS[4:])]) as peer:
        assert list(texts(peer)) == TEXT
    _, refused, taken = peer.requests
    assert taken.at - refused.at >= 0.6
    with Peer(begun(4, [reset()]), failure(503, "busy", "retry-after: 300")) as peer, pytest.raises(StreamBroken):
        list(texts(peer))
    assert len(peer.requests) == 2


def test_a_row_that_is_ended_stops_its_answer() -> None:
    ended: list[BaseException] = []

    def read() -> None:
        try:
            list(texts(peer, lookup_s=0.05))
        except signals.Interrupted as error:
            ended.append(error)

    with Peer(begun(4, [stall()]), whole(200, b"{}")) as peer:
        thread = signals.HaltableThread(target=read, daemon=True)
        thread.start()
        assert peer.seen.wait(5)
        time.sleep(0.3)  # it waits for more
        thread.halt(signals.Interrupted(signal.SIGINT))
        thread.join(5)
        assert ended
    assert [got.path for got in peer.requests[1:]] == [f"/v1/responses/{ID}/cancel"]


@pytest.mark.soak
def test_resume_exact() -> None:
    """Cut at any byte, twice, the answer is whole, and nothing of it comes twice."""
    data = b"".join(EVENTS)
    step = soak(37, 1)
    for cut in range(0, len(data), step):
        again = [send(head(), *EVENTS)]
        short = [send(head(), data[: (cut * 7) % len(data)])]
        with Peer([send(head(), data[:cut])], short, again) as peer:
            assert "".join(texts(peer)) == "".join(TEXT), cut


def test_an_answer_without_a_number_is_not_resumed() -> None:
    bare = [line.replace(b"sequence_number", b"other") for line in EVENTS]
    with Peer([send(head(), *bare[:4])]) as peer:
        got = texts(peer)
        assert [next(got), next(got)] == TEXT[:2]
        with pytest.raises(StreamBroken):
            next(got)
    assert len(peer.requests) == 1
