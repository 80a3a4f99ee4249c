"""Which models could answer, and in which order they are asked."""

from typing import Any

import pytest

from fennec_cli.pricing import Price
from fennec_cli.request import Attachment, CompletionRequest, Sampling, Tool, estimate_tokens
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


def test_a_request_that_turns_reasoning_off_needs_none() -> None:
    quiet = CompletionRequest.from_text("", model="m", sampling=Sampling(reasoning_effort="none"))
    assert Needs.of(quiet).capabilities == frozenset()


def test_definitions_are_counted_as_they_stand() -> None:
    def tokens(**more: Any) -> int:
        return Needs.of(CompletionRequest.from_text("", model="m", **more)).input_tokens

    tool = Tool("f", "d" * 400)
    assert tokens(schema={"title": "x" * 400}) == pytest.approx(estimate_tokens("x" * 400), abs=10)
    assert tokens(tools=(tool,) * 8) == pytest.approx(8 * tokens(tools=(tool,)), abs=5)


def test_reasons_are_said() -> None:
    known = GOOD._replace(standing=Standing(0.5, 0.256))
    slow = CHEAP._replace(standing=Standing(1.0))
    assert [reason for _, reason in choose([CHEAP], "manual", Needs()).order] == ["named"]
    assert choose([CHEAP], "manual", Needs()).skipped == ()
    assert [reason for _, reason in choose(EVERY, "fallback", Needs()).order] == ["named"] * 3
    assert [reason for _, reason in choose([CHEAP, UNKNOWN], "cost", Needs(10_000_000, 1)).order] == [
        "its price is not known"
    ]
    assert [reason for _, reason in choose([GOOD], "cost", Needs(100, 100)).order] == ["$0.001000 estimated"]
    assert [reason for _, reason in choose([slow, known, UNKNOWN], "automatic", Needs()).order] == [
        "100% success",
        "nothing measured yet",
        "50% success, TTFT 0.26 s",
    ]


def test_cost_says_what_was_left_out() -> None:
    found = choose([CHEAP._replace(unusable="no key"), GOOD], "cost", Needs())
    assert [(each.model, reason) for each, reason in found.skipped] == [("cheap", "no key")]


def test_fallback_says_nothing_was_left_out_where_all_lack_something() -> None:
    assert choose([CHEAP], "fallback", Needs(capabilities=ALL)).skipped == ()


def test_a_window_that_is_just_large_enough_is_one() -> None:
    assert skipped(Needs(8_000)) == {}
    assert skipped(Needs(7_000, 1_000)) == {}
    assert list(skipped(Needs(7_001, 1_000))) == ["cheap"]


def test_a_circuit_that_is_open_for_a_moment_is_open() -> None:
    assert skipped(Needs(), [GOOD._replace(standing=Standing(circuit_open_s=0.5))]) == {"good": "circuit open 0 s"}


def test_a_price_of_nothing_is_lower_than_any_other() -> None:
    free = GOOD._replace(model="free", price=Price(0.0, 0.0))
    assert order("cost", candidates=[GOOD._replace(price=Price(0.5, 0.5)), free]) == ["free", "good"]
    assert cost_usd(GOOD, Needs(10**9, 10**9)) == 10_000.0


def test_what_was_never_measured_is_as_good_as_the_best() -> None:
    best = GOOD._replace(model="best", standing=Standing(1.0, 0.4))
    assert order("automatic", candidates=[best, UNKNOWN]) == ["best", "unknown"]
    assert order("automatic", candidates=[UNKNOWN, best]) == ["unknown", "best"]
    perfect = GOOD._replace(model="perfect", standing=Standing(1.0, None))
    assert order("automatic", candidates=[perfect, UNKNOWN._replace(standing=Standing(None, 0.2))]) == [
        "perfect",
        "unknown",
    ]


def test_small_differences_are_chance() -> None:
    def pair(one: Standing, other: Standing) -> list[str]:
        return order(
            "automatic",
            candidates=[GOOD._replace(model="one", standing=one), GOOD._replace(model="other", standing=other)],
        )

    assert pair(Standing(0.96, 1.0), Standing(0.97, 1.0)) == ["one", "other"]
    assert pair(Standing(0.93, 1.0), Standing(0.98, 1.0)) == ["other", "one"]
    assert pair(Standing(1.0, 1.04), Standing(1.0, 0.96)) == ["one", "other"]
    assert pair(Standing(1.0, 1.06), Standing(1.0, 1.04)) == ["other", "one"]
