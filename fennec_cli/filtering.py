"""What the filter does with a request: which texts it has, what was found in them, and what goes out instead. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from fennec_cli.errors import Blocked
from fennec_cli.request import CompletionRequest, Message
from fennec_cli.rules.glance import clean
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.rules.engine import Match, RuleSet
    from fennec_cli.rules.table import Rule

Mode = Literal["off", "warn", "mask", "block"]
Change = Callable[[str, str], str]  # where, text -> the text that goes out
_NAMES = {"secrets": "secrets", "pii": "personal data"}


class Modes(NamedTuple):
    """What is done with each class in one direction."""

    secrets: Mode = "off"
    pii: Mode = "off"

    @property
    def active(self) -> bool:
        return self.secrets != "off" or self.pii != "off"

    def of(self, rule: "Rule") -> Mode:
        return self.secrets if rule.kind == "secrets" else self.pii


class FilterPolicy:
    """What is done in both directions, with rules of the user's own before ours. Rules are loaded on first use."""

    def __init__(self, request: Modes = Modes("warn"), response: Modes = Modes(), own: "Sequence[Rule]" = ()) -> None:
        self.request, self.response = request, response
        self._own = tuple(own)
        self._glance = request.pii == "off" and not own

    @property
    def active(self) -> bool:
        return self.request.active or self.response.active

    @cached_property
    def request_rules(self) -> "RuleSet":
        return self._rules(self.request)

    @cached_property
    def response_rules(self) -> "RuleSet":
        return self._rules(self.response)

    def found(self, text: str) -> "list[Match]":
        """Return what of a request's text the rules find."""
        if self._glance and clean(text):
            return []
        return self.request_rules.matches(text)

    def _rules(self, modes: Modes) -> "RuleSet":
        from fennec_cli.rules.engine import RuleSet
        from fennec_cli.rules.table import PERSONAL, SECRETS

        classes = {"secrets": SECRETS, "pii": PERSONAL}
        active = [name for name in classes if getattr(modes, name) != "off"]
        own = [rule for rule in self._own if rule.kind in active]
        return RuleSet([*own, *(rule for name in active for rule in classes[name])])


class Finding(NamedTuple):
    """A match and the text of the request it is in."""

    where: str
    match: "Match"


def inspect(request: CompletionRequest, policy: FilterPolicy) -> list[Finding]:
    """Return what is found in any text of `request`."""
    found: list[Finding] = []

    def look(where: str, text: str) -> str:
        found.extend(Finding(where, match) for match in policy.found(text))
        return text

    rewritten(request, look)
    return found


def refuse(findings: Sequence[Finding], modes: Modes) -> None:
    """Raise `Blocked` if something was found that must not go out."""
    blocking = [finding for finding in findings if modes.of(finding.match.rule) == "block"]
    if blocking:
        error = Blocked(
            f"the request holds {summary(blocking)}; nothing was sent",
            hint="take them out, or let them be masked with --redact mask",
        )
        error.filter_hits = len(findings)
        raise error


def summary(findings: Sequence[Finding]) -> str:
    """Say what was found and where, and never the thing itself."""
    parts = []
    for kind, name in _NAMES.items():
        mine = [finding for finding in findings if finding.match.rule.kind == kind]
        if mine:
            places = [f"{match.rule.name} at character {match.start + 1} of {where}" for where, match in mine[:3]]
            more = f", and {len(mine) - 3} more" if len(mine) > 3 else ""
            parts.append(f"{name} ({', '.join(places)}{more})")
    return " and ".join(parts)


def counts(rules: "Sequence[Rule]") -> str:
    """Say how often each rule applied."""
    return ", ".join(f"{name} {count}" for name, count in Counter(rule.name for rule in rules).items())


def replaced(text: str, matches: "Sequence[Match]", replacement: "Callable[[Rule, str], str]") -> str:
    parts, place = [], 0
    for match in matches:
        parts += [text[place : match.start], replacement(match.rule, text[match.start : match.end])]
        place = match.end
    return "".join([*parts, text[place:]])


def rewritten(request: CompletionRequest, change: Change) -> CompletionRequest:
    """Return `request` with every text in it as `change` gives it back; the same one if nothing changed."""
    messages = tuple(
        _message(message, f"message {number}", change) for number, message in enumerate(request.messages, 1)
    )
    options = _nested(request.options, "the options", change) if request.options else request.options
    tools = request.tools
    if tools:
        tools = tuple(
            tool._replace(
                description=tool.description and change("the tools", tool.description),
                parameters=_nested(tool.parameters, "the tools", change),
            )
            for tool in tools
        )
    schema = _nested(request.schema, "the schema", change) if request.schema else request.schema
    before = (request.messages, request.options, request.tools, request.schema)
    if (messages, options, tools, schema) == before:
        return request
    return request._replace(messages=messages, options=options, tools=tools, schema=schema)


def unreadable(request: CompletionRequest) -> list[str]:
    """Return the media types of the attachments that no text can be read from."""
    found = [
        part.media_type
        for message in request.messages
        for part in message.attachments
        if part.url is None and _text_of(part.media_type, part.data) is None
    ]
    return list(dict.fromkeys(found))


def _message(message: Message, where: str, change: Change) -> Message:
    content = change(where, message.content)
    attachments = message.attachments
    if attachments:
        attachments = tuple(
            part._replace(
                name=change(where, part.name),
                url=part.url and change(where, part.url),
                data=_data(part.media_type, part.data, lambda text: change(f"an attachment of {where}", text)),
            )
            for part in attachments
        )
    calls = message.tool_calls
    if calls:
        calls = tuple(call._replace(arguments=change(where, call.arguments)) for call in calls)
    return message._replace(content=content, attachments=attachments, tool_calls=calls)


def _data(media_type: str, data: bytes, change: Callable[[str], str]) -> bytes:
    text = _text_of(media_type, data)
    return data if text is None else change(text).encode()


def _text_of(media_type: str, data: bytes) -> str | None:
    if not media_type.startswith("text/") and media_type not in ("application/json", "application/xml"):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _nested(value: Any, where: str, change: Change) -> Any:
    if isinstance(value, str):
        return change(where, value)
    if isinstance(value, Mapping):
        return {key: _nested(each, where, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_nested(each, where, change) for each in value]
    return value
