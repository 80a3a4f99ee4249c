"""The same prompt on every provider: the user changes `-m` and nothing else."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.cases import EXPECTED, read
from tests.e2e.events import read_events
from tests.e2e.peer import Peer, Script, answer, failure, head, send, whole
from tests.e2e.runner import CANARY, Fennec
from tests.e2e.test_settings import configure

Serve = Callable[..., Peer]
NDJSON = "application/x-ndjson"

# provider -> model, recorded stream, content type, where the peer's address goes
STREAMS = {
    "openai": ("gpt-6-luna", "openai-chat-stream.sse", "text/event-stream", ""),
    "anthropic": ("claude-haiku-5-5", "anthropic-messages-text.sse", "text/event-stream", ""),
    "openrouter": ("openrouter/auto", "openrouter-stream.sse", "text/event-stream", ""),
    "azure": ("chat", "azure-stream.sse", "text/event-stream", 'api_version = "2024-10-21"'),
    "ollama": ("llama3.2", "ollama-chat.ndjson", NDJSON, ""),
}


def at(fennec: Fennec, peer: Peer, provider: str, more: str = "") -> None:
    """Configure `provider` to be the peer."""
    address = peer.url.removesuffix("/v1") if provider in ("ollama", "azure") else peer.url
    key = "endpoint" if provider == "azure" else "base_url"
    configure(fennec, f'[provider.{provider}]\n{key} = "{address}"\napi_key = "{CANARY}"\n{more}\n')


def stream(name: str, content_type: str) -> Script:
    return [send(head(200, content_type), read(name))]


@pytest.mark.parametrize("provider", STREAMS)
def test_each_provider_answers_with_the_same_events(fennec: Fennec, serve: Serve, provider: str) -> None:
    model, name, content_type, more = STREAMS[provider]
    peer = serve(stream(name, content_type))
    at(fennec, peer, provider, more)
    result = fennec.complete("-m", f"{provider}/{model}", "--ndjson", stdin="Hi")
    events = read_events(result.stdout)
    assert (result.status, events[0]["type"], events[-1]["type"]) == (0, "start", "end")
    assert "".join(event.get("content", "") for event in events) == EXPECTED[name]["text"]
    assert events[0]["provider"] == provider
    assert events[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("provider", STREAMS)
def test_a_cut_stream_is_broken_on_each_provider(fennec: Fennec, serve: Serve, provider: str) -> None:
    model, name, content_type, more = STREAMS[provider]
    body = read(name)
    peer = serve([send(head(200, content_type), body[: int(len(body) * 0.6)])])
    at(fennec, peer, provider, more)
    result = fennec.complete("-m", f"{provider}/{model}", "--retries", "0", stdin="Hi")
    assert result.status in (7, 9)
    assert EXPECTED[name]["text"].startswith(result.text)


@pytest.mark.parametrize("provider", STREAMS)
def test_a_refused_key_is_auth_on_each_provider(fennec: Fennec, serve: Serve, provider: str) -> None:
    peer = serve(whole(401, b'{"error":{"type":"authentication_error","message":"bad key","code":401}}'))
    at(fennec, peer, provider, STREAMS[provider][3])
    line = fennec.complete("-m", f"{provider}/{STREAMS[provider][0]}", stdin="Hi").failed("auth", 4)
    assert provider in line


@pytest.mark.parametrize(
    ("settings", "args"),
    [("max_tokens = 3", ()), ("", ("-O", "max_output_tokens=3")), ("", ("--max-tokens", "3"))],
    ids=["configured", "option", "flag"],
)
def test_a_limit_that_the_server_hides_is_seen_wherever_it_comes_from(
    fennec: Fennec, serve: Serve, settings: str, args: tuple[str, ...]
) -> None:
    """llama.cpp's server calls a truncated answer completed."""
    end = '{"status":"completed","output":[],"usage":{"input_tokens":7,"output_tokens":3}}'
    events = (
        '{"type":"response.created","response":{"id":"r","model":"m"}}',
        '{"type":"response.output_text.delta","delta":"one two three","item_id":"i"}',
        f'{{"type":"response.completed","response":{end}}}',
    )
    peer = serve([send(head(), "".join(f"data: {event}\n\n" for event in events).encode())])
    at(fennec, peer, "openai", f'api = "responses"\n{settings}')
    fennec.complete("-m", "openai/m", *args, stdin="Hi").failed("truncated", 10, stdout=b"one two three")


def test_openrouter_says_what_the_answer_cost(fennec: Fennec, serve: Serve) -> None:
    peer = serve(stream("openrouter-stream.sse", "text/event-stream"))
    at(fennec, peer, "openrouter", "[provider.openrouter.routing]\nsort = 'price'\nmodels = ['a/b']")
    result = fennec.complete("-m", "openrouter/x/y", "--json", stdin="Hi")
    assert orjson.loads(result.stdout)["metadata"]["cost_usd"] == 0.000548
    sent = peer.requests[0].json
    assert sent["provider"]["sort"] == "price"
    assert "a/b" in sent["models"]
    assert "models" not in sent["provider"]


def test_ollama_host_is_where_ollama_is(fennec: Fennec, serve: Serve) -> None:
    peer = serve(stream("ollama-chat.ndjson", NDJSON))
    result = fennec.complete("-m", "ollama/llama3.2", stdin="Hi", env={"OLLAMA_HOST": f"127.0.0.1:{peer.port}"})
    assert (result.status, result.text) == (0, EXPECTED["ollama-chat.ndjson"]["text"])
    assert peer.requests[0].path == "/api/chat"


def test_ollama_settings_reach_the_server(fennec: Fennec, serve: Serve) -> None:
    peer = serve(stream("ollama-chat.ndjson", NDJSON))
    at(fennec, peer, "ollama", 'gpu_layers = 35\nnum_ctx = 2048\nkeep_alive = "10m"')
    fennec.complete("-m", "ollama/codellama", stdin="Hi")
    sent = peer.requests[0].json
    assert (sent["options"]["num_gpu"], sent["options"]["num_ctx"], sent["keep_alive"]) == (35, 2048, "10m")


def test_the_newest_installed_model_is_ollamas_default(fennec: Fennec, serve: Serve) -> None:
    tags = orjson.dumps(
        {
            "models": [
                {"name": "old:latest", "model": "old:latest", "modified_at": "2026-01-01T00:00:00Z"},
                {"name": "new:latest", "model": "new:latest", "modified_at": "2026-11-01T00:00:00Z"},
            ]
        }
    )
    peer = serve(whole(200, tags), stream("ollama-chat.ndjson", NDJSON))
    fennec.complete(
        "--provider", "ollama", stdin="Hi", env={"OLLAMA_HOST": f"127.0.0.1:{peer.port}", "FENNEC_MODEL": None}
    )
    assert peer.requests[-1].json["model"] == "new:latest"


def test_azure_takes_its_settings_from_the_environment(fennec: Fennec, serve: Serve) -> None:
    peer = serve(stream("azure-stream.sse", "text/event-stream"))
    environment = {
        "AZURE_OPENAI_ENDPOINT": peer.url.removesuffix("/v1"),
        "AZURE_OPENAI_API_KEY": CANARY,
        "OPENAI_API_VERSION": "2024-10-21",
    }
    result = fennec.complete("-m", "azure/chat", stdin="Hi", env=environment)
    assert (result.status, result.text) == (0, "Hello wörld")
    assert peer.requests[0].path.startswith("/openai/deployments/chat/chat/completions?api-version=2024-10-21")
    assert peer.requests[0].headers["api-key"] == CANARY


def test_azure_without_an_endpoint_or_a_model_says_what_to_do(fennec: Fennec) -> None:
    line = fennec("complete", "-m", "azure/chat", "hi", env={"AZURE_OPENAI_API_KEY": CANARY}).failed("config", 3)
    assert "AZURE_OPENAI_ENDPOINT" in line
    configure(fennec, '[provider.azure]\nresource = "r"\n')
    line = fennec("complete", "--provider", "azure", "hi").failed("config", 3)
    assert "azure/MODEL" in line


def test_the_next_region_answers_where_one_fails(fennec: Fennec, serve: Serve) -> None:
    first = serve(failure(503, "down"))
    second = serve(stream("azure-stream.sse", "text/event-stream"))
    regions = "".join(
        f'[[provider.azure.regions]]\nname = "{name}"\nendpoint = "{peer.url.removesuffix("/v1")}"\n'
        f'deployment = "{name}-chat"\n'
        for name, peer in (("westeurope", first), ("swedencentral", second))
    )
    configure(fennec, f'[provider.azure]\napi_key = "{CANARY}"\napi_version = "2024-10-21"\n{regions}')
    result = fennec("complete", "--provider", "azure", "-v", stdin="Hi")
    assert (result.status, result.text) == (0, "Hello wörld")
    assert "westeurope failed, going on with swedencentral" in result.stderr
    assert second.requests[0].path.startswith("/openai/deployments/swedencentral-chat/")


def test_a_region_that_is_not_allowed_is_never_asked(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("no"))
    configure(
        fennec,
        f'[provider.azure]\napi_key = "{CANARY}"\nallowed_regions = ["swedencentral"]\n'
        f'[[provider.azure.regions]]\nname = "eastus"\nendpoint = "{peer.url.removesuffix("/v1")}"\n',
    )
    line = fennec("complete", "-m", "azure/chat", "hi").failed("blocked", 19)
    assert "eastus" in line
    assert peer.requests == []


def test_a_token_command_is_asked_again_when_its_token_is_refused(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    counter = tmp_path / "count"
    script = tmp_path / "token"
    script.write_text(f'#!/bin/sh\necho x >> {counter}\nprintf "token-$(wc -l < {counter} | tr -d " ")"\n')
    script.chmod(0o755)
    peer = serve(
        whole(401, b'{"error":{"code":"401","message":"expired"}}'), stream("azure-stream.sse", "text/event-stream")
    )
    at(fennec, peer, "azure", f'api_version = "2024-10-21"\ntoken_command = ["{script}"]')
    result = fennec("complete", "-m", "azure/chat", stdin="Hi")
    assert (result.status, result.text) == (0, "Hello wörld")
    assert [request.headers["authorization"] for request in peer.requests] == ["Bearer token-1", "Bearer token-2"]


def test_what_a_provider_cannot_do_is_said_before_anything_is_sent(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("no"))
    at(fennec, peer, "anthropic")
    fennec.complete("-m", "anthropic/claude-haiku-5-5", "--seed", "1", stdin="Hi").failed("request", 5)
    assert peer.requests == []
