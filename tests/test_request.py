"""Fingerprints and estimates."""

import pytest

from fennec_cli.request import CompletionRequest, Message, estimate_tokens, fingerprint

URL = "https://api.example/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5, "new_field": [1, {"a": 2}]}


def test_from_text_puts_the_system_prompt_first() -> None:
    request = CompletionRequest.from_text("hi", model="m", system="be brief")
    assert request.messages == (Message("system", "be brief"), Message("user", "hi"))
    assert CompletionRequest.from_text("hi", model="m").messages == (Message("user", "hi"),)


@pytest.mark.parametrize("field", BODY)
def test_fingerprint_every_field_matters(field: str) -> None:
    assert fingerprint("openai", URL, {}, {**BODY, field: "changed"}) != fingerprint("openai", URL, {}, BODY)
    assert fingerprint("openai", URL, {}, {key: value for key, value in BODY.items() if key != field}) != fingerprint(
        "openai", URL, {}, BODY
    )


def test_fingerprint_address_and_headers_matter() -> None:
    assert fingerprint("openai", URL + "/", {}, BODY) != fingerprint("openai", URL, {}, BODY)
    assert fingerprint("openai", URL, {"openai-project": "p"}, BODY) != fingerprint("openai", URL, {}, BODY)
    assert fingerprint("mine", URL, {}, BODY) != fingerprint("openai", URL, {}, BODY)


@pytest.mark.parametrize("name", ["authorization", "X-Api-Key", "x-auth-token", "cookie"])
def test_fingerprint_holds_no_key(name: str) -> None:
    assert fingerprint("openai", URL, {name: "secret"}, BODY) == fingerprint("openai", URL, {}, BODY)


def test_fingerprint_order_irrelevant() -> None:
    assert fingerprint("openai", URL, {}, dict(reversed(BODY.items()))) == fingerprint("openai", URL, {}, BODY)


@pytest.mark.parametrize("field", ["stream", "stream_options", "store", "metadata", "user", "service_tier"])
def test_fingerprint_ignores_what_cannot_change_the_answer(field: str) -> None:
    assert fingerprint("openai", URL, {}, {**BODY, field: True}) == fingerprint("openai", URL, {}, BODY)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("日本", 2)])
def test_tokens_are_estimated_from_bytes(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens
