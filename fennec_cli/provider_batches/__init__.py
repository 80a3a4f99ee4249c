"""The providers' own batch interfaces: many requests at once, answered within a day, at half the price.

A batch at a provider is a `Part`: rows for one address, one model and one version, no more of them than the provider
takes. Source: the providers' API references, "Batch", read 2026-11.
"""

from typing import Protocol

from fennec_cli.dialects import chat, messages, responses
from fennec_cli.dialects.base import Dialect, Endpoint, HTTPCall, ProviderModule
from fennec_cli.errors import FennecError, UsageError
from fennec_cli.tuples import NamedTuple

PRICE_FACTOR = 0.5
TYPES = ("openai", "azure", "anthropic")  # of providers that have such an interface


class Limits(NamedTuple):
    """The most that one batch may hold; `size` in bytes of what is sent."""

    rows: int
    size: int


class Part(NamedTuple):
    """What makes one batch: what its rows have in common, and `marker`, by which we know it again."""

    path: str  # of the dialect, as `/responses`
    variant: str  # the version that its rows are written for, where that is a header's matter
    marker: str
    file_id: str | None = None  # of the uploaded file


class Remote(NamedTuple):
    """A batch as the provider describes it. `created` in seconds since 1970, `results` are what holds its answers."""

    id: str
    state: str
    ended: bool
    total: int | None = None
    done: int = 0
    failed: int = 0
    created: float | None = None
    file_id: str | None = None
    marker: str | None = None
    results: tuple[str, ...] = ()
    problem: str | None = None


class Result(NamedTuple):
    """The answer to a row: a body that the part's dialect reads, or an error."""

    custom_id: str
    body: bytes = b""
    error: FennecError | None = None
    request_id: str | None = None


class FileInterface(Protocol):
    """How rows are uploaded first, where a provider wants it so."""

    def upload_call(self, endpoint: Endpoint, part: Part, rows: bytes, /) -> HTTPCall: ...

    def decode_upload(self, body: bytes, /) -> str:
        """Return the id of the uploaded file."""
        ...

    def file_call(self, endpoint: Endpoint, part: Part, /) -> HTTPCall | None:
        """Return the call that tells whether the file can be used yet; None where that need not be asked."""
        ...

    def file_is_ready(self, body: bytes, /) -> bool:
        """Raises `RequestError` for a file that never will be."""
        ...


class BatchInterface(Protocol):
    """How a provider's batches are asked for. What reads an answer raises `ProtocolError` for a strange one."""

    LIMITS: Limits

    @property
    def files(self) -> FileInterface | None:
        """How the rows are uploaded; None where they go with the call that makes the batch."""
        ...

    def variant(self, call: HTTPCall, /) -> str:
        """Which version the completion request `call` is written for."""
        ...

    def row(self, custom_id: str, path: str, body: bytes, endpoint: Endpoint, /) -> bytes:
        """Return a row of the batch: one line, without its end."""
        ...

    def create_call(self, endpoint: Endpoint, part: Part, rows: bytes, /) -> HTTPCall:
        """`rows` is b"" where they were uploaded."""
        ...

    def list_call(self, endpoint: Endpoint, part: Part, cursor: str | None, /) -> HTTPCall: ...

    def decode_list(self, body: bytes, /) -> tuple[list[Remote], str | None]:
        """Return a page of batches, newest first, and the cursor of the next one."""
        ...

    def is_ours(self, remote: Remote, part: Part, /) -> bool | None:
        """Whether a batch was made of this part; None where only its results will tell."""
        ...

    def status_call(self, endpoint: Endpoint, part: Part, batch_id: str, /) -> HTTPCall: ...

    def cancel_call(self, endpoint: Endpoint, part: Part, batch_id: str, /) -> HTTPCall: ...

    def decode_status(self, body: bytes, /) -> Remote: ...

    def result_call(self, endpoint: Endpoint, part: Part, place: str, /) -> HTTPCall:
        """Return the call for one of `Remote.results`."""
        ...

    def decode_result(self, line: bytes, module: ProviderModule, /) -> Result: ...


def interface(provider_type: str, name: str) -> BatchInterface:
    """Return the batch interface of a type of provider. Raises `UsageError` where there is none."""
    if provider_type == "anthropic":
        from fennec_cli.provider_batches.inline import AnthropicBatches

        return AnthropicBatches()
    if provider_type in ("openai", "azure"):
        from fennec_cli.provider_batches.files import AzureBatches, OpenAIBatches

        return OpenAIBatches() if provider_type == "openai" else AzureBatches()
    raise UsageError(f"{name} has no batch interface", hint=f"it is there for {', '.join(TYPES)}; see --input ndjson")


_DIALECTS: dict[str, Dialect] = {chat.PATH: chat, responses.PATH: responses, messages.PATH: messages}


def path_of(call: HTTPCall) -> str:
    """Which dialect's path a completion request goes to."""
    address = call.url.partition("?")[0]
    return next(path for path in _DIALECTS if address.endswith(path))


def dialect_of(path: str) -> Dialect:
    return _DIALECTS[path]
