"""Which models could answer, and in which order they are asked."""

import pytest

from fennec_cli.pricing import Price
from fennec_cli.request import Attachment, CompletionRequest, Sampling, Tool
from fennec_cli.selection import Candidate, Needs, Standing, choose, cost_usd

ALL = frozenset({"images", "reasoning", "schema", "tools"})
CHEAP = Candidate("a", "cheap", 8_000, frozenset({"tools"}), Price(0.1, 0.2))
GOOD = Candidate("b", "good", 200_000, ALL, Price(2.0, 8.0))
UNKNOWN = Candidate("c", "unknown")
EVERY = [UNKNOWN, GOOD, CHEAP]


def order(strategy: str, needs: Needs = Needs(100), candidates: list[Candidate] = EVERY) -> list[str]:
    return [each.model for each, _ in choose(candidates, strategy, needs).order]  # type: ignore[arg-type]


def skipped(needs: Needs, candidates: list[Candidate] = EVERY) -> dict[str, str]:
    return {each.model: reason for each, reason in choose(candidates, "automatic", needs).skipped}


def test_what_a_request_needs() -> None:
    image = Attachment("image/png", "a.png", b"x")
    request = CompletionRequest.from_text(
        "x" * 400,
        model="m",
        attachments=(image,),
        tools=(Tool("f"),),
        schema={},
        sampling=Sampling(max_tokens=50, reasoning_effort="low"),
    )
    needs = Needs.of(request)
    assert needs[1:] == (50, ALL, False)
    assert 1100 < needs.input_tokens < 1200  # the text, an image, and the definitions
    assert Needs.of(CompletionRequest.from_text("", model="m")) == (0, None, frozenset(), False)
    assert Needs.of(CompletionRequest.from_text("", model="m", private=True)).private


def test_fallback_keeps_the_order_and_skips_what_lacks_something() -> None:
    assert order("fallback", Needs(10**9)) == ["unknown", "good", "cheap"]
    found = choose([CHEAP, *EVERY], "fallback", Needs(capabilities=ALL))
    assert [each.model for each, _ in found.order] == ["unknown", "good"]
    assert {reason for _, reason in found.skipped} == {"it has no images, reasoning, schema"}


def test_a_wrong_capability_never_blocks_all_that_was_asked_for() -> None:
    assert order("fallback", Needs(capabilities=ALL), [CHEAP]) == ["cheap"]
    assert order("manual", Needs(capabilities=ALL), [CHEAP]) == ["cheap"]


def test_a_private_request_goes_to_nobody_who_may_keep_it() -> None:
    talks = GOOD._replace(model="talks", private=False)
    assert skipped(Needs(private=True), [talks, CHEAP]) == {"talks": "it has no privacy opt-out"}
    assert skipped(Needs(), [talks, CHEAP]) == {}


@pytest.mark.parametrize(
    ("needs", "out"),
    [
        (Needs(100, None, frozenset({"images"})), {"cheap": "it has no images"}),
        (Needs(100, None, frozenset({"schema", "tools"})), {"cheap": "it has no schema"}),
        (Needs(9_000), {"cheap": "about 9000 tokens do not fit into its context window of 8000"}),
        (Needs(7_900, 200), {"cheap": "about 7900 tokens do not fit into its context window of 8000"}),
        (Needs(100, None, frozenset({"tools"})), {}),
    ],
)
def test_what_cannot_answer_is_left_out_and_what_is_unknown_is_not(needs: Needs, out: dict[str, str]) -> None:
    assert skipped(needs) == out


def test_an_open_circuit_and_a_missing_key_are_obstacles() -> None:
    broken = GOOD._replace(standing=Standing(circuit_open_s=11.6))
    assert skipped(Needs(), [broken, CHEAP._replace(unusable="no key")]) == {
        "good": "circuit open 12 s",
        "cheap": "no key",
    }


def test_cost_takes_the_lowest_estimate_and_unknown_prices_last() -> None:
    assert order("cost") == ["cheap", "good", "unknown"]
    assert cost_usd(GOOD, Needs(1_000, 100)) == pytest.approx(0.0028)
    measured = GOOD._replace(standing=Standing(output_tokens=1_000.0))
    assert cost_usd(measured, Needs(0)) == pytest.approx(0.008)


def test_cost_counts_long_answers() -> None:
    talkative = Candidate("d", "talkative", price=Price(0.01, 50.0))
    assert order("cost", Needs(1_000, 10), [talkative, GOOD]) == ["talkative", "good"]
    assert order("cost", Needs(1_000, 10_000), [talkative, GOOD]) == ["good", "talkative"]


def test_automatic_takes_success_then_speed_then_the_given_order() -> None:
    failing = GOOD._replace(model="failing", standing=Standing(0.5, 0.1))
    slow = GOOD._replace(model="slow", standing=Standing(1.0, 2.0))
    fast = GOOD._replace(model="fast", standing=Standing(0.99, 0.4))
    assert order("automatic", candidates=[failing, slow, fast]) == ["fast", "slow", "failing"]
    assert order("automatic", candidates=[slow, UNKNOWN, fast]) == ["unknown", "fast", "slow"]
    assert order("automatic") == ["unknown", "good", "cheap"]
