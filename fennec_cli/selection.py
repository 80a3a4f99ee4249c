"""Which of several models could answer a request, and in which order they are asked. Pure.

What is not known of a model never speaks against it: a catalogue can be wrong, and the provider has the last word.
"""

from typing import Literal

from fennec_cli.pricing import Price
from fennec_cli.request import CompletionRequest, estimate_tokens
from fennec_cli.tuples import NamedTuple

SelectionStrategy = Literal["manual", "automatic", "fallback", "cost"]

IMAGE_TOKENS = 1000  # of an image of a megapixel, about, with most providers
UNKNOWN_OUTPUT = 500  # tokens of an answer whose length nothing tells


class Needs(NamedTuple):
    """What a request asks of a model. `output_tokens` is None where nothing limits the answer."""

    input_tokens: int = 0
    output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()  # of images, reasoning, schema, tools
    private: bool = False

    @classmethod
    def of(cls, request: CompletionRequest) -> "Needs":
        images = sum(part.is_image for message in request.messages for part in message.attachments)
        wanted = {
            "images": images > 0,
            "tools": bool(request.tools),
            "schema": request.schema is not None,
            "reasoning": request.sampling.reasoning_effort not in (None, "none"),
        }
        definitions = "".join(f"{tool}" for tool in request.tools) + (f"{request.schema}" if request.schema else "")
        return cls(
            sum(estimate_tokens(message.content) for message in request.messages)
            + images * IMAGE_TOKENS
            + estimate_tokens(definitions),
            request.sampling.max_tokens,
            frozenset(name for name, needed in wanted.items() if needed),
            request.private,
        )


class Standing(NamedTuple):
    """What was measured of late, and for how long its circuit is open. None: nothing is known."""

    success_rate: float | None = None
    ttft_s: float | None = None
    output_tokens: float | None = None  # of a mean answer
    circuit_open_s: float = 0.0


class Candidate(NamedTuple):
    """A model that could answer: `capabilities` None where nobody knows them, `unusable` why it cannot be asked.

    `private`: its provider keeps nothing of a private request.
    """

    provider: str
    model: str
    context_window: int | None = None
    capabilities: frozenset[str] | None = None
    price: Price | None = None
    standing: Standing = Standing()
    unusable: str | None = None
    private: bool = True

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


class Choice(NamedTuple):
    """The candidates in the order in which they are asked, each with the reason, and those left out with theirs."""

    order: tuple[tuple[Candidate, str], ...]
    skipped: tuple[tuple[Candidate, str], ...]


def choose(candidates: list[Candidate], strategy: SelectionStrategy, needs: Needs) -> Choice:
    """Order the candidates. Fallback keeps their order, and asks those that lack something if all of them do."""
    if strategy == "manual":
        return Choice(tuple((candidate, "named") for candidate in candidates), ())
    if strategy == "fallback":
        lacking = [(candidate, reason) for candidate in candidates if (reason := missing(candidate, needs))]
        able = [candidate for candidate in candidates if not missing(candidate, needs)]
        return Choice(tuple((each, "named") for each in able or candidates), tuple(lacking) if able else ())
    skipped = [(candidate, reason) for candidate in candidates if (reason := obstacle(candidate, needs))]
    left = [candidate for candidate in candidates if not obstacle(candidate, needs)]
    if strategy == "cost":
        priced = [(cost_usd(candidate, needs), candidate) for candidate in left]
        priced.sort(key=lambda pair: (pair[0] is None, pair[0] or 0.0))  # sorting keeps the order of equals
        return Choice(tuple((candidate, _price_text(cost)) for cost, candidate in priced), tuple(skipped))
    fastest = min((each.standing.ttft_s for each in left if each.standing.ttft_s is not None), default=0.0)
    left.sort(key=lambda candidate: _merit(candidate, fastest))
    return Choice(tuple((candidate, _standing_text(candidate.standing)) for candidate in left), tuple(skipped))


def obstacle(candidate: Candidate, needs: Needs) -> str | None:
    """Why this model cannot answer now, or None."""
    if candidate.unusable:
        return candidate.unusable
    if candidate.standing.circuit_open_s > 0:
        return f"circuit open {candidate.standing.circuit_open_s:.0f} s"
    if needs.private and not candidate.private:
        return "it has no privacy opt-out"
    if reason := missing(candidate, needs):
        return reason
    window = candidate.context_window
    if window is not None and needs.input_tokens + (needs.output_tokens or 0) > window:
        return f"about {needs.input_tokens} tokens do not fit into its context window of {window}"
    return None


def missing(candidate: Candidate, needs: Needs) -> str | None:
    """What the request needs and the model is known to lack, or None."""
    lacks = needs.capabilities - candidate.capabilities if candidate.capabilities is not None else None
    return f"it has no {', '.join(sorted(lacks))}" if lacks else None


def cost_usd(candidate: Candidate, needs: Needs) -> float | None:
    """Estimate what the request costs with this model; None for an unknown price."""
    if candidate.price is None:
        return None
    output = needs.output_tokens or candidate.standing.output_tokens or UNKNOWN_OUTPUT
    return (needs.input_tokens * candidate.price.input + output * candidate.price.output) / 1e6


def _merit(candidate: Candidate, fastest: float) -> tuple[float, float]:
    """Success in steps of 5 %, then time to first token in steps of 100 ms: smaller differences are chance.

    What was never measured counts as good: else it never would be.
    """
    standing = candidate.standing
    rate = 1.0 if standing.success_rate is None else standing.success_rate
    ttft = fastest if standing.ttft_s is None else standing.ttft_s
    return -round(rate * 20), round(ttft * 10)


def _price_text(cost: float | None) -> str:
    return "its price is not known" if cost is None else f"${cost:.6f} estimated"


def _standing_text(standing: Standing) -> str:
    if standing.success_rate is None:
        return "nothing measured yet"
    ttft = "" if standing.ttft_s is None else f", TTFT {standing.ttft_s:.2f} s"
    return f"{standing.success_rate:.0%} success{ttft}"
