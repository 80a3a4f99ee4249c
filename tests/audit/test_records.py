"""What a record says of an interaction, field by field: dashboards and auditors read these names."""

import hashlib
import hmac
from typing import Any

import orjson
import pytest

from fennec_cli import __version__
from fennec_cli.audit.records import (
    LONGEST,
    LONGEST_TEXT,
    Outcome,
    content_fields,
    digest,
    line,
    mac,
    question,
    request_fields,
    response_fields,
)
from fennec_cli.chunk import ChunkMetadata, TokenUsage
from fennec_cli.errors import Blocked, NetworkError
from fennec_cli.request import CompletionRequest

KEY = b"key"
REQUEST = CompletionRequest.from_text("Hi é", model="m", system="be kind")
METADATA = ChunkMetadata(
    provider="openai",
    model="m-1",
    response_id="resp",
    request_id="req",
    client_request_id="ours",
    attempts=3,
    cache="miss",
    ttft_s=0.1234567,
    cost_usd=0.25,
    address="https://api.openai.com/v1/responses",
    key_slot="next",
    filter_hits=2,
)


def ended(**fields: Any) -> dict[str, Any]:
    return response_fields(REQUEST, "asked", Outcome(**{"duration_s": 1.0, **fields}), {})


def failed(error: NetworkError | Blocked, **fields: Any) -> dict[str, Any]:
    return ended(error=error, **fields)


def test_a_request_says_what_is_known_before() -> None:
    assert request_fields(REQUEST, "openai", {"fennec.prompt": "x"}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "fennec.version": __version__,
        "fennec.prompt": "x",
    }
    assert request_fields(REQUEST._replace(private=True), None, {})["fennec.private"] is True


def test_an_answer_says_all_that_is_known_of_it() -> None:
    outcome = Outcome(2.3456789, "stop", TokenUsage(7, 3), METADATA, bytes_out=11)
    assert response_fields(REQUEST, "asked", outcome, {"fennec.answer": "x"}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.response.id": "resp",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "api.openai.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "http.request.resend_count": 2,
        "fennec.attempt": 3,
        "fennec.cache": "miss",
        "fennec.key_slot": "next",
        "fennec.filter_hits": 2,
        "fennec.ttft_ms": 123.457,
        "fennec.duration_ms": 2345.679,
        "fennec.bytes_out": 11,
        "fennec.partial": False,
        "fennec.cost_usd": 0.25,
        "fennec.request_id": "req",
        "fennec.client_request_id": "ours",
        "fennec.answer": "x",
    }


def test_what_nobody_knows_is_not_said() -> None:
    assert ended() == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "asked",
        "gen_ai.request.model": "m",
        "fennec.attempt": 0,
        "fennec.filter_hits": 0,
        "fennec.duration_ms": 1000.0,
        "fennec.bytes_out": 0,
        "fennec.partial": False,
    }


def test_an_answer_from_the_cache_asked_nobody() -> None:
    kept = ended(metadata=METADATA._replace(cached=True, cache="hit", attempts=None))
    assert kept["fennec.attempt"] == 0
    assert (kept["gen_ai.provider.name"], kept["fennec.cache"]) == ("openai", "hit")
    assert not {"server.address", "server.port", "http.response.status_code", "http.request.resend_count"} & kept.keys()


def test_one_attempt_is_no_repetition() -> None:
    for attempts in (None, 1):
        once = ended(metadata=METADATA._replace(attempts=attempts))
        assert once["fennec.attempt"] == 1
        assert "http.request.resend_count" not in once


def test_a_failure_says_what_is_known_of_it() -> None:
    error = NetworkError("no", provider="p", status=503, request_id="r-err")
    error.attempts, error.address, error.client_request_id = 2, "http://host:8080/v1", "c-err"
    found = failed(error)
    assert {name: found[name] for name in found if name not in ("gen_ai.operation.name", "gen_ai.request.model")} == {
        "gen_ai.provider.name": "p",
        "server.address": "host",
        "server.port": 8080,
        "http.response.status_code": 503,
        "http.request.resend_count": 1,
        "error.type": "unavailable",
        "fennec.attempt": 2,
        "fennec.filter_hits": 0,
        "fennec.duration_ms": 1000.0,
        "fennec.bytes_out": 0,
        "fennec.partial": False,
        "fennec.request_id": "r-err",
        "fennec.client_request_id": "c-err",
    }


def test_what_the_answer_said_stands_before_what_the_error_says() -> None:
    error = NetworkError("no", provider="p", request_id="r-err")
    error.address, error.client_request_id = "http://other/", "c-err"
    found = failed(error, metadata=METADATA)
    assert [found[name] for name in ("gen_ai.provider.name", "server.address", "fennec.request_id")] == [
        "openai",
        "api.openai.com",
        "req",
    ]
    assert found["fennec.client_request_id"] == "ours"
    assert found["fennec.attempt"] == 3


def test_something_shown_before_a_failure_or_a_signal_is_part_of_an_answer() -> None:
    assert failed(NetworkError("no"), bytes_out=1)["fennec.partial"] is True
    assert failed(NetworkError("no"))["fennec.partial"] is False
    stopped = ended(interrupted=True, bytes_out=1)
    assert (stopped["fennec.partial"], stopped["error.type"]) == (True, "interrupted")
    assert ended(interrupted=True)["fennec.partial"] is False


def test_what_a_blocked_prompt_held_is_counted() -> None:
    error = Blocked("no")
    error.filter_hits = 4
    assert failed(error, metadata=METADATA)["fennec.filter_hits"] == 4


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://a.example", "a.example", 443),
        ("http://a.example/x:9/y", "a.example", 80),
        ("https://a.example:8443/v1", "a.example", 8443),
        ("http://[::1]:11434/api", "::1", 11434),
        ("a.example:99", "a.example", 99),
    ],
)
def test_an_address_is_a_host_and_a_port(url: str, host: str, port: int) -> None:
    found = ended(metadata=METADATA._replace(address=url))
    assert (found["server.address"], found["server.port"]) == (host, port)


def test_a_question_is_its_messages_as_json() -> None:
    assert question(REQUEST) == '[{"role":"system","content":"be kind"},{"role":"user","content":"Hi é"}]'


def test_of_a_text_is_kept_what_is_asked_for() -> None:
    def kept(kind: Any, text: str = "geheim") -> dict[str, Any]:
        return content_fields("prompt", text, kind, KEY, lambda text: text.replace("heim", "*"))

    hashed = hmac.new(KEY, b"geheim", hashlib.sha256).hexdigest()
    assert kept("none") == {}
    assert kept("hash") == {"fennec.prompt_hmac": hashed}
    assert kept("redacted") == {"fennec.prompt": "ge*"}
    assert kept("full") == {"fennec.prompt": "geheim"}
    assert kept("full", "x" * LONGEST_TEXT) == {"fennec.prompt": "x" * LONGEST_TEXT}
    long = "x" * (LONGEST_TEXT + 1)
    assert kept("full", long) == {
        "fennec.prompt": "x" * LONGEST_TEXT,
        "fennec.prompt_hmac": hmac.new(KEY, long.encode(), hashlib.sha256).hexdigest(),
        "fennec.prompt_cut": LONGEST_TEXT + 1,
    }
    assert list(kept("hash", "\ud800")) == ["fennec.prompt_hmac"]


def test_a_line_is_json_and_its_last_field_vouches_for_the_others() -> None:
    assert line({"a": 1, "b": "é"}, None) == '{"a":1,"b":"é"}'.encode()
    vouched = line({"a": 1}, KEY)
    assert vouched == b'{"a":1,"mac":"' + mac(b'{"a":1}', KEY).encode() + b'"}'
    # What earlier releases wrote verifies: the first half of HMAC-SHA-256, in hexadecimal digits.
    assert mac(b'{"a":1}', KEY) == hmac.new(KEY, b'{"a":1}', hashlib.sha256).hexdigest()[:32]
    assert digest(b"x") == hashlib.sha256(b"x").hexdigest()


def test_a_line_is_never_longer_than_64_kib() -> None:
    short = {"text": "x" * (LONGEST - 200 - len('{"text":""}'))}
    assert len(line(short, None)) == LONGEST - 200
    assert len(line(short, KEY)) <= LONGEST
    fields = {"a": "é" * 40_000, "kept": "y" * 1000, "b": "z" * 1001, "number": 5}
    cut = orjson.loads(line(fields, KEY))
    assert (cut["kept"], cut["number"]) == ("y" * 1000, 5)
    assert cut["a"] == f"{'é' * 1000}… (40000 characters, SHA-256 {digest(('é' * 40_000).encode())})"
    assert cut["b"].startswith("z" * 1000 + "… (1001 characters, ")


def test_half_a_character_is_written_as_a_question_mark() -> None:
    assert line({"a": "x\ud800", "é": [1]}, None) == '{"a":"x?","é":[1]}'.encode()
