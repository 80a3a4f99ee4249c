"""What the user asked, in no provider's words, and the stable hash of a request."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

from fennec_cli.chunk import Role
from fennec_cli.hashes import sha256
from fennec_cli.tuples import NamedTuple

FINGERPRINT_FORM = 1
# Fields of an outgoing body that never change the answer's text. A deny-list, so that a
# field that nobody thought of changes the fingerprint.
NOT_IN_FINGERPRINT = frozenset(
    {"stream", "stream_options", "store", "background", "metadata", "user", "safety_identifier", "service_tier"}
)


_SECRET = ("authorization", "cookie", "key", "secret", "token", "password")  # in the names of headers

EMPTY: Mapping[str, Any] = MappingProxyType({})


class Attachment(NamedTuple):
    """An image or a document of a message: its bytes, or a URL that the provider fetches itself."""

    media_type: str
    name: str
    data: bytes = b""
    url: str | None = None

    @property
    def is_image(self) -> bool:
        return self.media_type.startswith("image/")

    @property
    def kind(self) -> str:
        return "image" if self.is_image else "document"

    def address(self) -> str:
        """The URL, or the bytes as a `data:` URL."""
        if self.url is not None:
            return self.url
        from base64 import b64encode

        return f"data:{self.media_type};base64,{b64encode(self.data).decode()}"


class ToolCall(NamedTuple):
    """A whole tool call; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class Message(NamedTuple):
    """One turn of a conversation. `tool_call_id` marks a tool's result, `tool_calls` what the assistant asked for."""

    role: Role
    content: str
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class Tool(NamedTuple):
    """A function that the model may call; `parameters` is a JSON Schema."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] = EMPTY
    strict: bool | None = None


class Sampling(NamedTuple):
    """How the next token is chosen. None leaves the choice to the provider."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None


class CompletionRequest(NamedTuple):
    """One prompt with everything that may shape its answer.

    `model` is the provider's own model id, without the provider's name. `options` are sent to the provider as they
    are and win over everything else. `deadline` is a moment of the monotonic clock, in seconds.
    """

    messages: tuple[Message, ...]
    model: str
    sampling: Sampling = Sampling()
    options: Mapping[str, Any] = EMPTY
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None  # auto, none, required, or a tool's name
    schema: Mapping[str, Any] | None = None  # JSON Schema of the answer
    reasoning: bool = False  # show the model's reasoning, where the provider does so on request only
    stream: bool = True
    private: bool = False  # send what the provider has to keep a request from being stored or trained on
    resume: bool = False  # let the provider keep the answer, so that a broken stream can be taken up again
    held: bool = False  # nothing of the answer is shown before its end
    deadline: float | None = None
    attempt: int = 1  # which attempt at it this is
    provider: str = ""  # who has to answer it, where a row of a batch names another model than the run's

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        wanted = self.options.get("n")
        return wanted if isinstance(wanted, int) and wanted > 0 else 1

    @classmethod
    def from_text(
        cls,
        prompt: str,
        *,
        model: str,
        system: str | None = None,
        attachments: tuple[Attachment, ...] = (),
        **fields: Any,
    ) -> "CompletionRequest":
        """Build the request for a single prompt, with an optional system prompt before it."""
        head = (Message("system", system),) if system is not None else ()
        return cls(messages=(*head, Message("user", prompt, attachments)), model=model, **fields)


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens `text` is: a quarter of its UTF-8 bytes, at least one for a text that is not empty.

    Four bytes a token is what common vocabularies average on English prose; it is an estimate for prices and limits,
    never reported as a measurement.
    """
    return -(-len(text.encode("utf-8", "replace")) // 4)


def fingerprint(provider: str, address: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """Hash every part of an outgoing request that can change the answer: 64 hexadecimal digits.

    `provider` is the name of the service, `address` the full URL, `headers` those that select behaviour (organisation,
    project, beta, version); a configured one that may hold a key is left out. Key order and white space do not matter,
    everything else does.
    """
    relevant = {key: value for key, value in body.items() if key not in NOT_IN_FINGERPRINT}
    selecting = {name: value for name, value in headers.items() if not any(word in name.lower() for word in _SECRET)}
    canonical = orjson.dumps([FINGERPRINT_FORM, provider, address, selecting, relevant], option=orjson.OPT_SORT_KEYS)
    return sha256(canonical).hexdigest()
