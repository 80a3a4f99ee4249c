"""What a dialect (a wire format) and a provider (a service that speaks it) are made of. Types only."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from fennec_cli.chunk import CompletionChunk
from fennec_cli.errors import FennecError
from fennec_cli.request import EMPTY, CompletionRequest, Sampling
from fennec_cli.tuples import NamedTuple
from fennec_cli.wire import Event

Headers = Mapping[str, str]  # names in lower case
Framing = Literal["sse", "ndjson"]


class Endpoint(NamedTuple):
    """Where a named provider is reached and what its configuration adds to every request. Never holds a key."""

    name: str
    base_url: str
    api: str = "auto"
    headers: Headers = EMPTY
    defaults: Sampling = Sampling()
    extra: Mapping[str, Any] = EMPTY  # settings that only this provider knows, by their keys


class HTTPCall(NamedTuple):
    """One HTTP request, ready but for the key. `fingerprint` is None for calls that are not completions."""

    method: Literal["GET", "POST", "DELETE"]
    url: str
    headers: Headers
    body: bytes = b""
    fingerprint: str | None = None
    max_tokens: int | None = None  # the limit in a body of Responses, whose servers may hide that it was reached


class ModelInfo(NamedTuple):
    """A model that a provider offers. None means that the provider does not say."""

    id: str
    provider: str
    context_window: int | None = None
    max_output: int | None = None
    capabilities: tuple[str, ...] = ()
    input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    deprecated: str | None = None  # the announced day of shutdown, ISO 8601
    source: str = "provider"


class Dialect(Protocol):
    """A wire format. A plain module satisfies it."""

    FRAMING: Framing
    PATH: str
    FETCHED: frozenset[str]  # kinds of attachments (image, document) that it takes as bytes only: a URL is fetched here

    def build_body(self, request: CompletionRequest, sampling: Sampling, /) -> dict[str, Any]:
        """Return the body of a completion request, without the request's raw `options`."""
        ...

    def decode(self, event: Event, /) -> list[CompletionChunk]:
        """Turn one event into chunks; `TERMINATOR` is the dialect's end marker.

        Raises a `ProviderError` for an error that the provider reports inside the stream, `ProtocolError` for an event
        that is not what the format promises. Unknown events give no chunks.
        """
        ...

    def decode_body(self, body: bytes, /) -> list[CompletionChunk]:
        """Turn an answer that was not streamed into chunks. Raises like `decode`."""
        ...


class Position(NamedTuple):
    """Where a stream is: the answer's id and the number of its last event, both None before the first one."""

    response_id: str | None = None
    number: int | None = None


class Resumable(Protocol):
    """What a dialect has on top whose streams can be taken up again."""

    def position(self, event: Event, /) -> Position:
        """Return what this event says about the place in the stream."""
        ...

    def resume_call(self, call: HTTPCall, place: Position, /) -> HTTPCall:
        """Return the call for the events behind `place` of the answer that `call` began."""
        ...

    def cancel_call(self, call: HTTPCall, place: Position, /) -> HTTPCall: ...


class ProviderModule(Protocol):
    """A service. A plain module satisfies it; `providers.PROVIDERS` is the table of them."""

    DEFAULT_BASE_URL: str
    DEFAULT_MODEL: str | None
    KEY_VARIABLES: tuple[str, ...]
    BASE_URL_VARIABLE: str | None
    HEADER_VARIABLES: Mapping[str, str]  # environment variable -> header name, lower case

    def dialect(self, endpoint: Endpoint, request: CompletionRequest, /) -> Dialect:
        """Choose the wire format for this request."""
        ...

    def build_request(self, request: CompletionRequest, endpoint: Endpoint, /) -> HTTPCall:
        """Return the completion request, complete but for the key."""
        ...

    def keeps_private(self, request: CompletionRequest, endpoint: Endpoint, /) -> bool:
        """Whether a `private` request is neither stored nor trained on: it carries an opt-out, or needs none."""
        ...

    def authorization(self, key: str, /) -> Headers:
        """Return the headers that carry `key`; one that begins with `Bearer ` is a token."""
        ...

    def decode_error(self, status: int, headers: Headers, body: bytes, /) -> FennecError:
        """Classify a failed answer; never raises, whatever the body is."""
        ...

    def build_models_request(self, endpoint: Endpoint, cursor: str | None = None, /) -> HTTPCall:
        """Return the request for the list of models, or for its page behind `cursor`."""
        ...

    def models_cursor(self, body: bytes, /) -> str | None:
        """Return the cursor of the page that follows this one, or None when it is the last."""
        ...

    def decode_models(self, body: bytes, endpoint: Endpoint, /) -> list[ModelInfo]:
        """Read the list of models. Raises `ProtocolError` if it is not one."""
        ...
