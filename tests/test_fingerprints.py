"""Every field of the requests that providers really get matters, but for those of the deny-list."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from fennec_cli.config import Config, ProviderConfig
from fennec_cli.dialects.base import HTTPCall
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import NOT_IN_FINGERPRINT, Attachment, CompletionRequest, Sampling, Tool, fingerprint
from fennec_cli.store import MemoryStore

PROVIDERS = ("openai", "anthropic", "openrouter", "ollama")
REQUEST = CompletionRequest.from_text(
    "Name three colours.",
    model="some-model",
    system="be brief",
    sampling=Sampling(temperature=0.5, max_tokens=100, stop=("END",)),
    tools=(Tool("look", "Looks.", {"type": "object", "properties": {"a": {"type": "string"}}}),),
    options={"new_field": {"deep": [1, {"x": True}]}},
    attachments=(Attachment("image/png", "a.png", b"\x89PNG"),),
)


def call(name: str, request: CompletionRequest = REQUEST) -> HTTPCall:
    config = Config(providers={name: ProviderConfig(name, name, seed=None)})
    registry = ProviderRegistry(config, environ={}, state=MemoryStore())
    return registry.call(Target(name, "some-model", ""), request)


def changed(value: Any) -> Iterator[Any]:
    """Yield the document with each of its leaves changed in turn, and each key taken away."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {other: each for other, each in value.items() if other != key}
            for new in changed(inner):
                yield {**value, key: new}
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield value[:place] + value[place + 1 :]
            for new in changed(inner):
                yield [*value[:place], new, *value[place + 1 :]]
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield f"{value} "
    else:
        yield 0.123


@pytest.mark.parametrize("name", PROVIDERS)
def test_fingerprint_every_field_matters(name: str) -> None:
    body = orjson.loads(call(name).body)
    relevant = {key: value for key, value in body.items() if key not in NOT_IN_FINGERPRINT}
    whole = fingerprint(name, "u", {}, body)
    seen = [fingerprint(name, "u", {}, new) for new in changed(relevant)]
    assert len(seen) > 20
    assert whole not in seen
    for ignored in NOT_IN_FINGERPRINT:
        assert fingerprint(name, "u", {}, {**body, ignored: "anything"}) == whole


@pytest.mark.parametrize("name", PROVIDERS)
def test_fingerprint_order_irrelevant(name: str) -> None:
    body = orjson.loads(call(name).body)
    turned = dict(reversed(body.items()))
    assert fingerprint(name, "u", {}, turned) == fingerprint(name, "u", {}, body)


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_fingerprint_is_that_of_what_is_sent(name: str) -> None:
    first, streamed = call(name), call(name, REQUEST._replace(stream=False))
    assert first.fingerprint == streamed.fingerprint
    assert first.fingerprint != call(name, REQUEST._replace(sampling=Sampling(temperature=0.6))).fingerprint
    assert first.fingerprint is not None
    assert len({call(each).fingerprint for each in PROVIDERS}) == len(PROVIDERS)
