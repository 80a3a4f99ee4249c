"""What goes out and what comes back: warned of, masked, blocked, restored."""

import random
from collections.abc import Sequence

import pytest

from fennec_cli.chunk import PAUSE, CompletionChunk, ToolCallDelta
from fennec_cli.errors import Blocked, FennecError, NetworkError
from fennec_cli.filtering import FilterPolicy, Modes
from fennec_cli.request import Attachment, CompletionRequest, Message, Tool
from fennec_cli.rules.table import Rule
from fennec_cli.stages import Chunks
from fennec_cli.stages.filter import filtered
from fennec_cli.stages.printable import printable
from tests.rules import samples

RNG = random.Random(11)
KEY = samples.filled("ghp_{ALNUM:36}", RNG)
MAIL = "jane.doe@example.com"
MASK = FilterPolicy(Modes("mask", "mask"), Modes("mask"))


class Model:
    """Remembers what it was sent, and answers with `pieces`; a {n} in them is the n-th mask of the request."""

    def __init__(self, *pieces: CompletionChunk | str | NetworkError) -> None:
        self.pieces = pieces
        self.sent: list[CompletionRequest] = []

    def __call__(self, request: CompletionRequest) -> Chunks:
        self.sent.append(request)
        masks = [f"[{part.partition(']')[0]}]" for part in request.messages[-1].content.split("[")[1:]]
        for piece in self.pieces:
            if isinstance(piece, NetworkError):
                raise piece
            yield CompletionChunk(content=piece.format(*masks)) if isinstance(piece, str) else piece


def ask(model: Model, prompt: str, policy: FilterPolicy = MASK) -> list[CompletionChunk]:
    return list(filtered(model, policy, key=lambda: b"key")(CompletionRequest.from_text(prompt, model="m")))


def until_error(model: Model, policy: FilterPolicy) -> tuple[list[CompletionChunk], FennecError | None]:
    """What is shown of an answer, and the error that ends it."""
    shown: list[CompletionChunk] = []
    try:
        shown.extend(
            filtered(model, policy, key=lambda: b"")(CompletionRequest.from_text("hi", model="m"))  # as far as it goes
        )
    except FennecError as error:
        return shown, error
    return shown, None


def text(chunks: Sequence[CompletionChunk]) -> str:
    return "".join(chunk.content or "" for chunk in chunks)


def test_a_warning_names_what_was_found_and_not_the_thing() -> None:
    model, said = Model("ok"), []
    stage = filtered(model, FilterPolicy(), key=lambda: b"", warn=said.append)
    assert text(list(stage(CompletionRequest.from_text(f"key: {KEY}", model="m")))) == "ok"
    assert model.sent[0].messages[0].content == f"key: {KEY}"
    assert len(said) == 1
    assert "github-token at character 6 of message 1" in said[0]
    assert KEY[4:] not in said[0]


def test_a_mask_goes_out_and_the_value_comes_back() -> None:
    model = Model("I wrote to {0}.")
    chunks = ask(model, f"Write to {MAIL} with {KEY}")
    sent = model.sent[0].messages[0].content
    assert MAIL not in sent
    assert KEY not in sent
    assert text(chunks) == f"I wrote to {MAIL}."


def test_filter_restore_split_tokens() -> None:
    whole = "To {0} and {1}, not [EMAIL_1_zzzz] nor [EMAIL"
    for step in (1, 2, 3, 5, 11):
        first = Model("x")
        ask(first, f"{MAIL} {KEY}")
        masks = [f"[{part.partition(']')[0]}]" for part in first.sent[0].messages[0].content.split("[")[1:]]
        answer = whole.format(*masks)
        pieces = [CompletionChunk(content=answer[at : at + step]) for at in range(0, len(answer), step)]
        assert text(ask(Model(*pieces), f"{MAIL} {KEY}")) == whole.format(MAIL, KEY)


def test_a_restored_value_is_escaped_inside_a_tool_call() -> None:
    own = Rule("quote", "pii", 'say "[a-z]{3,9}"')
    policy = FilterPolicy(Modes("off", "mask"), Modes(), [own])
    first = Model()
    ask(first, 'please say "hello"', policy)
    mask = first.sent[0].messages[0].content.split()[1]
    call = CompletionChunk(tool_call=ToolCallDelta(0, "1", "f", f'{{"a": "{mask[:5]}'))
    rest = CompletionChunk(tool_call=ToolCallDelta(0, arguments=f'{mask[5:]}"}}'))
    chunks = ask(Model(call, rest), 'please say "hello"', policy)
    arguments = "".join(chunk.tool_call.arguments for chunk in chunks if chunk.tool_call)
    assert arguments == '{"a": "say \\"hello\\""}'


def test_a_blocked_request_is_not_sent() -> None:
    model = Model("never")
    with pytest.raises(Blocked, match="github-token") as caught:
        ask(model, f"key: {KEY}", FilterPolicy(Modes("block")))
    assert model.sent == []
    assert KEY not in caught.value.line()
    assert caught.value.filter_hits == 1


def test_every_text_of_a_request_is_looked_at() -> None:
    tool = Tool("f", f"by {MAIL}", {"properties": {"a": {"description": MAIL}}})
    request = CompletionRequest(
        (
            Message("system", f"You serve {MAIL}"),
            Message("user", "hi", (Attachment("text/plain", "a.txt", MAIL.encode()),)),
        ),
        "m",
        options={"messages": [{"content": MAIL}]},
        tools=(tool,),
        schema={"const": MAIL},
    )
    model = Model("ok")
    list(filtered(model, MASK, key=lambda: b"key")(request))
    assert MAIL not in repr(model.sent[0])
    assert repr(model.sent[0]).count("[EMAIL_1_") == 6


@pytest.mark.parametrize(
    ("modes", "loud"), [(Modes(pii="mask"), True), (Modes("block"), True), (Modes("warn"), False), (Modes(), None)]
)
def test_what_no_text_can_be_read_from_is_said(modes: Modes, loud: bool | None) -> None:
    said: list[tuple[bool, str]] = []
    parts = tuple(Attachment(media, "a", b"\x89") for media in ("image/png", "image/png", "application/pdf"))
    request = CompletionRequest((Message("user", "hi", parts),), "m")
    policy = FilterPolicy(modes)
    stage = filtered(
        Model("ok"),
        policy,
        key=lambda: b"key",
        warn=lambda text: said.append((True, text)),
        say=lambda text: said.append((False, text)),
    )
    list(stage(request))
    note = "image/png, application/pdf: sent without a look into it, the filter reads texts only"
    assert said == ([] if loud is None else [(loud, note)])


def test_a_new_secret_in_the_answer_is_masked_however_it_is_cut() -> None:
    for step in (1, 4, 7):
        pieces = [f"use {KEY} now"[at : at + step] for at in range(0, 60, step)]
        assert text(ask(Model(*pieces), "hi")) == "use [GITHUB_TOKEN_1] now"


def test_an_answer_is_stopped_before_what_is_blocked() -> None:
    policy = FilterPolicy(Modes(), Modes("block"))
    shown, error = until_error(Model("use ", f"{KEY} now"), policy)
    assert text(shown) == "use "
    assert isinstance(error, Blocked)
    assert error.partial


def test_what_is_held_back_comes_before_the_finish_reason_and_before_an_error() -> None:
    chunks = ask(Model("a gh", CompletionChunk(finish_reason="stop")), "hi")
    assert [chunk.content or chunk.finish_reason for chunk in chunks][:3] == ["a ", "gh", "stop"]
    shown, error = until_error(Model("a gh", NetworkError("cut")), MASK)
    assert text(shown) == "a gh"
    assert isinstance(error, NetworkError)


def test_reasoning_is_filtered_too_and_pauses_stay() -> None:
    chunks = ask(Model(CompletionChunk(reasoning=f"with {KEY} "), PAUSE, "done"), "hi")
    assert "".join(chunk.reasoning or "" for chunk in chunks) == "with [GITHUB_TOKEN_1] "
    assert PAUSE in chunks
    assert text(chunks) == "done"


def test_a_rule_of_the_user_comes_before_ours() -> None:
    own = Rule("employee", "pii", "EMP-[0-9]{6}")
    model = Model("ok")
    ask(model, "EMP-123456 asks", FilterPolicy(Modes("off", "mask"), Modes(), [own]))
    assert model.sent[0].messages[0].content.startswith("[EMPLOYEE_1_")


def test_the_number_of_findings_is_told_at_the_end() -> None:
    chunks = ask(Model(f"{KEY} "), f"{MAIL} {MAIL}")
    assert chunks[-1].metadata is not None
    assert chunks[-1].metadata.filter_hits == 3


def test_without_a_finding_and_a_response_rule_nothing_is_put_in_the_way() -> None:
    model = Model("ok")
    stage = filtered(model, FilterPolicy(), key=lambda: b"")
    assert stage(CompletionRequest.from_text("hi", model="m")).gi_code is Model.__call__.__code__


def test_control_characters_are_taken_out_for_a_terminal() -> None:
    chunk = CompletionChunk(content="\x1b]0;t\x07a\tb\n\x9bc\r")
    assert text(list(printable(lambda _request: iter_of(chunk))(CompletionRequest((), "m")))) == "]0;ta\tb\nc"


def iter_of(*chunks: CompletionChunk) -> Chunks:
    yield from chunks
