"""Look at what goes out and what comes back: warn of secrets and personal data, mask them, or block."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from fennec_cli.chunk import PAUSE, ChunkMetadata, CompletionChunk, ToolCallDelta
from fennec_cli.errors import Blocked, FennecError
from fennec_cli.filtering import FilterPolicy, counts, inspect, refuse, replaced, rewritten, summary, unreadable
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage

if TYPE_CHECKING:
    from fennec_cli.masking import Masks
    from fennec_cli.rules.scanner import Piece, Scanner
    from fennec_cli.rules.table import Rule

Say = Callable[[str], None]
_NOTHING = (CompletionChunk(content=""), CompletionChunk(reasoning=""))  # all of it is held back
_Key = tuple[str, int, int]  # content, reasoning or call; index of the choice; index of the call


def filtered(
    inner: Stage,
    policy: FilterPolicy,
    *,
    key: Callable[[], bytes],
    warn: Say = lambda _text: None,
    say: Say = lambda _text: None,
) -> Stage:
    """Let no request out and no answer in that `policy` forbids; restore in the answer what was masked for it.

    `key` gives the secret that masks are made with, and is asked when the first is. Raises `Blocked`.
    """

    def stage(request: CompletionRequest) -> Chunks:
        sent, masks, hits = outgoing(request, policy, key, warn, say)
        if not hits and not policy.response.active:
            return inner(sent)
        return _incoming(inner, sent, _Answer(policy, masks, hits), warn, say)

    return stage


def outgoing(
    request: CompletionRequest, policy: FilterPolicy, key: Callable[[], bytes], warn: Say, say: Say
) -> "tuple[CompletionRequest, Masks | None, int]":
    """Return the request as it may be sent, the masks in it, and how much was found. Raises `Blocked`."""
    modes = policy.request
    if not modes.active:
        return request, None, 0
    findings = inspect(request, policy)
    refuse(findings, modes)
    if unread := unreadable(request):
        # Who asked that nothing gets out is told; by default secrets are only said, and this need not be.
        told = warn if {"mask", "block"}.intersection(modes) else say
        told(f"{', '.join(unread)}: sent without a look into it, the filter reads texts only")
    if not findings:
        return request, None, 0
    only_said = [finding for finding in findings if modes.of(finding.match.rule) == "warn"]
    if only_said:
        warn(f"the request holds {summary(only_said)}: sent as it is; --redact mask hides such things")
    if len(only_said) == len(findings):
        return request, None, len(findings)
    say(f"masked in the request: {counts([finding.match.rule for finding in findings if finding not in only_said])}")
    sent, masks = masked(request, policy, key())
    return sent, masks, len(findings)


def masked(request: CompletionRequest, policy: FilterPolicy, key: bytes) -> "tuple[CompletionRequest, Masks]":
    """Return the request with masks in it."""
    from fennec_cli.masking import Masks

    texts: list[str] = []

    def keep(_where: str, text: str) -> str:
        texts.append(text)
        return text

    rewritten(request, keep)
    masks = Masks(texts, key)

    def change(_where: str, text: str) -> str:
        found = policy.request_rules.matches(text)
        return replaced(text, [each for each in found if policy.request.of(each.rule) == "mask"], masks.mask)

    return rewritten(request, change), masks


def _incoming(inner: Stage, sent: CompletionRequest, answer: "_Answer", warn: Say, say: Say) -> Chunks:
    with closing(inner(sent)) as chunks:
        try:
            for chunk in chunks:
                yield from answer.see(chunk)
        except FennecError:
            yield from answer.rest()
            raise
    yield from answer.rest()
    if answer.only_said:
        warn(f"the answer holds {counts(answer.only_said)}: shown as it is")
    if answer.masked:
        say(f"masked in the answer: {counts(answer.masked)}")
    yield CompletionChunk(metadata=ChunkMetadata(filter_hits=answer.hits))


class _Answer:
    """The streams of one answer, each looked at by itself."""

    def __init__(self, policy: FilterPolicy, masks: "Masks | None", hits: int) -> None:
        self._policy = policy
        self._known = masks.values if masks else {}
        self._streams: dict[_Key, tuple[Scanner, CompletionChunk]] = {}
        self._new: dict[str, int] = {}  # values that the answer brought, numbered
        self.hits = hits
        self.only_said: list[Rule] = []
        self.masked: list[Rule] = []

    def see(self, chunk: CompletionChunk) -> Iterator[CompletionChunk]:
        """Yield what of a chunk is decided."""
        if chunk is PAUSE:
            yield chunk
            return
        index, call = chunk.index, chunk.tool_call
        if chunk.content is not None:
            yield from self._rest_of("reasoning", index)
            chunk = chunk._replace(content=self._scan(("content", index, 0), chunk, chunk.content))
        if chunk.reasoning is not None:
            chunk = chunk._replace(reasoning=self._scan(("reasoning", index, 0), chunk, chunk.reasoning))
        if call is not None:
            arguments = self._scan(("call", index, call.index), chunk, call.arguments)
            chunk = chunk._replace(tool_call=call._replace(arguments=arguments))
        if chunk.finish_reason is not None:
            yield from self._rest_of("", index)
        if chunk._replace(index=0, refusal=False) not in _NOTHING:
            yield chunk

    def rest(self) -> Iterator[CompletionChunk]:
        """Yield what was held back: nothing more comes."""
        for index in {key[1] for key in self._streams}:
            yield from self._rest_of("", index)

    def _rest_of(self, kind: str, index: int) -> Iterator[CompletionChunk]:
        for key in [key for key in self._streams if key[1] == index and key[0].startswith(kind)]:
            scanner, last = self._streams.pop(key)
            text = self._text(key, scanner.close())
            if not text:
                continue
            if key[0] == "call":
                yield CompletionChunk(tool_call=ToolCallDelta(key[2], arguments=text), index=index)
            elif key[0] == "content":
                yield CompletionChunk(content=text, index=index, refusal=last.refusal)
            else:
                yield CompletionChunk(reasoning=text, index=index)

    def _scan(self, key: _Key, chunk: CompletionChunk, text: str) -> str:
        if key not in self._streams:
            from fennec_cli.rules.scanner import Scanner

            self._streams[key] = Scanner(self._policy.response_rules, self._known), chunk
        return self._text(key, self._streams[key][0].feed(text))

    def _text(self, key: _Key, pieces: "list[Piece]") -> str:
        return "".join(piece.text if piece.rule is None else self._instead(key, piece, piece.rule) for piece in pieces)

    def _instead(self, key: _Key, piece: "Piece", rule: "Rule") -> str:
        if piece.known:
            value = self._known[piece.text]
            if key[0] != "call":
                return value
            from fennec_cli.masking import as_json

            return as_json(value)
        self.hits += 1
        mode = self._policy.response.of(rule)
        if mode == "block":
            error = Blocked(f"the answer holds {rule.name}; it was stopped there")
            error.partial, error.filter_hits = True, self.hits
            self._streams.clear()  # what is held back stays so
            raise error
        if mode == "warn":
            self.only_said.append(rule)
            return piece.text
        self.masked.append(rule)
        number = self._new.setdefault(piece.text, len(self._new) + 1)
        return f"[{rule.label}_{number}]"
