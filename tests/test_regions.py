"""Which regions are tried, in which order, and when the next one is."""

from typing import Any

import pytest

from fennec_cli.chunk import CompletionChunk
from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import (
    AuthenticationError,
    Blocked,
    ContentFiltered,
    ContextLengthError,
    FennecError,
    ModelUnavailable,
    NetworkError,
    Overloaded,
    ProviderTimeout,
    QuotaExhausted,
    RateLimitError,
    RequestError,
    StreamBroken,
    TLSError,
)
from fennec_cli.providers import azure
from fennec_cli.regional import RegionalProvider
from fennec_cli.regions import Region, located, moves_on, regions_in_order
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks
from fennec_cli.types import silent

SWEDEN = {"name": "swedencentral", "endpoint": "https://se.openai.azure.com", "deployment": "luna-se"}
FRANCE = {"name": "francecentral", "endpoint": "https://fr.openai.azure.com"}
BOTH = {"regions": (SWEDEN, FRANCE)}


def names(extra: dict[str, Any], base_url: str = "https://se.openai.azure.com") -> list[str]:
    return [region.name for region in regions_in_order(extra, base_url)]


def test_regions_come_in_the_configured_order() -> None:
    assert names(BOTH) == ["swedencentral", "francecentral"]


def test_a_provider_without_regions_is_one_endpoint() -> None:
    assert regions_in_order({}, "https://r.openai.azure.com") == (Region("", "https://r.openai.azure.com"),)


@pytest.mark.parametrize("allowed", ["francecentral", "France Central", "france-central"])
def test_only_allowed_regions_are_left(allowed: str) -> None:
    assert names({**BOTH, "allowed_regions": [allowed, "westeurope"]}) == ["francecentral"]


@pytest.mark.parametrize(
    "extra",
    [
        {**BOTH, "allowed_regions": ["westeurope"]},
        {**BOTH, "allowed_regions": []},
        {**BOTH, "allowed_regions": ["sweden"]},
        {"allowed_regions": ["swedencentral"]},
        {"allowed_regions": [""]},
    ],
)
def test_a_region_that_is_not_allowed_or_not_known_is_blocked(extra: dict[str, Any]) -> None:
    with pytest.raises(Blocked) as caught:
        names(extra)
    assert (caught.value.exit_status, caught.value.retryable, caught.value.falls_back) == (19, False, False)


def test_a_regional_host_names_its_region() -> None:
    host = "https://westeurope.api.cognitive.microsoft.com"
    assert names({"allowed_regions": ["westeurope"]}, host) == ["westeurope"]
    with pytest.raises(Blocked):
        names({"allowed_regions": ["westeurope"]}, "https://westeurope.api.cognitive.microsoft.com.example.net")


def test_each_region_has_its_address_and_its_name_of_the_deployment() -> None:
    endpoint = Endpoint("azure", "https://se.openai.azure.com", extra=BOTH)
    request = CompletionRequest.from_text("Hi", model="luna")
    sent = []
    for region in regions_in_order(endpoint.extra, endpoint.base_url):
        call = azure.build_request(request, located(endpoint, region, "luna"))
        sent.append((call.url, b'"luna-se"' in call.body, b'"luna"' in call.body))
    assert sent == [
        ("https://se.openai.azure.com/openai/v1/responses", True, False),
        ("https://fr.openai.azure.com/openai/v1/responses", False, True),
    ]
    assert "deployments" not in endpoint.extra


@pytest.mark.parametrize(
    "error",
    [
        NetworkError("m"),
        Overloaded("m"),
        RateLimitError("m"),
        QuotaExhausted("m"),
        ProviderTimeout("m"),
        TLSError("m"),
        ModelUnavailable("m"),
        AuthenticationError("network rules", status=403),
    ],
)
def test_failures_of_one_region_move_on(error: FennecError) -> None:
    assert moves_on(error)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("m", status=401),
        AuthenticationError("no key"),
        RequestError("m"),
        ContextLengthError("m"),
        ContentFiltered("m"),
        StreamBroken("m"),
        Blocked("m"),
    ],
)
def test_failures_that_every_region_would_repeat_do_not(error: FennecError) -> None:
    assert not moves_on(error)


class Thinking:
    """A provider that thinks and answers, and counts what was asked of it."""

    def __init__(self) -> None:
        self.given = 0

    def stream_completion(self, _request: CompletionRequest) -> Chunks:
        for chunk in (CompletionChunk(role="assistant"), CompletionChunk(reasoning="hm"), CompletionChunk(content="a")):
            self.given += 1
            yield chunk


@pytest.mark.parametrize(("shown", "held", "given"), [(True, False, 2), (True, True, 3), (False, False, 3)])
def test_reasoning_commits_to_a_region_where_it_is_shown(shown: bool, held: bool, given: int) -> None:
    thinking = Thinking()
    provider = RegionalProvider([(Region(name, ""), thinking) for name in "ab"], say=silent)  # type: ignore[misc]
    chunks = provider.stream_completion(CompletionRequest.from_text("Hi", model="m", reasoning=shown, held=held))
    assert next(chunks).role == "assistant"
    assert thinking.given == given
    chunks.close()
