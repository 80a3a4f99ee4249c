"""The provider protocol over HTTP: a request goes out through a provider module, chunks come back.

How the answer's bytes become chunks is in `answer`, how they come in `client`.
"""

import os
import threading
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol

from fennec_cli.chunk import ChunkMetadata, CompletionChunk, ObservedLimits
from fennec_cli.dialects.base import Dialect, Endpoint, Framing, Headers, HTTPCall, ModelInfo, ProviderModule
from fennec_cli.errors import AuthenticationError, ProtocolError, ProviderError
from fennec_cli.keys import MASK, masked_header
from fennec_cli.request import Attachment, CompletionRequest
from fennec_cli.stages import Chunks
from fennec_cli.transport.answer import Fold, chunks_of, new_decoder, read_stream
from fennec_cli.transport.checked import Checked, Credential
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.wire import Event

if TYPE_CHECKING:
    from fennec_cli.transport.arrival import Arrival
    from fennec_cli.transport.client import Exchange, HTTPClient, Link

KeySource = Callable[[], str | None]
Renew = Callable[[str, AuthenticationError, int], bool]  # refused key, why, how many before -> is there another now?
_LIMIT_HEADERS = tuple(
    f"{name}{kind}" for kind in ("requests", "tokens") for name in ("x-ratelimit-remaining-", "x-ratelimit-limit-")
) + ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-tokens-remaining", "x-ratelimit-remaining")
MAX_PAGES = 100


def fetch_document(url: str, deadline: float | None) -> bytes:
    """Fetch a public document over verified TLS."""
    from fennec_cli.transport.fetch import fetch, public_network
    from fennec_cli.transport.tls import tls_context

    context = tls_context()
    return fetch(url, context, deadline=deadline, network=public_network(url, context, os.environ))


class StreamingProvider(Protocol):
    """What the pipeline knows of a provider. Source of the names: the specification's trait."""

    @property
    def provider_name(self) -> str: ...

    @property
    def supports_streaming(self) -> bool: ...

    def stream_completion(self, request: CompletionRequest, /) -> Chunks:
        """Send `request` and yield its chunks. Raises a `FennecError`; closing the generator cancels upstream."""
        ...

    def get_models(self) -> list[ModelInfo]:
        """Ask the provider for its models."""
        ...


class _Own(threading.local):
    """What each thread has for itself: connections, because a pool that threads share is slow, and the key it sent."""

    client: "HTTPClient | None" = None
    sent_key: str | None = None


class HTTPProvider:
    """A provider module, an endpoint and a way to send: together a `StreamingProvider`, for any number of threads.

    `connect` builds a thread's client on its first use, `key` is asked for on first use. `reasons` tells whether a
    model thinks before it answers.
    """

    supports_streaming = True

    def __init__(
        self,
        module: ProviderModule,
        endpoint: Endpoint,
        connect: "Callable[[], HTTPClient]",
        *,
        key: KeySource = lambda: None,
        renew: Renew = lambda _refused, _error, _before: False,
        accepted: Callable[[str], None] = lambda _key: None,
        slot: Callable[[], str | None] = lambda: None,
        limits: Limits = Limits(),
        reasons: Callable[[str], bool] = lambda _model: False,
        fetch: Callable[[str, float | None], bytes] = fetch_document,
        trace: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._module = module
        self._endpoint = endpoint
        self._connect = connect
        self._key = key
        self._renew = renew
        self._accepted = accepted
        self._slot = slot
        self._limits = limits
        self.reasons = reasons
        self._fetch = fetch
        self._trace = trace
        self._own = _Own()
        self._clients: list[HTTPClient] = []
        self.link: Link | None = None  # how the first answer came, a refusal too
        self.issuer: str | None = None  # who signed the server's certificate

    @property
    def provider_name(self) -> str:
        return self._endpoint.name

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    def stream_completion(self, request: CompletionRequest) -> Chunks:
        client_id = None
        try:
            dialect = self._module.dialect(self._endpoint, request)
            if request.resume:
                from fennec_cli.transport.resume import resumable

                resumable(dialect, request)
            request = self._with_bytes(request, dialect.FETCHED)
            call, client_id = self._identified(self._module.build_request(request, self._endpoint))
            patience = Patience(
                self._limits,
                request.deadline,
                reasons=lambda: request.sampling.reasoning_effort not in (None, "none") or self.reasons(request.model),
            )
            answer = self._resumed if request.resume else chunks_of
            with self._exchange(call, patience) as exchange:
                yield self._opening(call, request, exchange, client_id)
                yield from answer(exchange, dialect, patience, request, call)
        except ProviderError as error:
            self._sign(error)
            error.client_request_id = client_id
            raise

    def _resumed(
        self, exchange: "Exchange", dialect: Dialect, patience: Patience, request: CompletionRequest, call: HTTPCall
    ) -> Chunks:
        """Like `chunks_of`, for an answer that is taken up again where its stream breaks."""
        from fennec_cli.transport.resume import Track, resumable, resumed, say_goodbye

        able = resumable(dialect, request)
        track, fold = Track(able, dialect.decode), Fold()
        try:
            yield from resumed(
                track,
                lambda data: read_stream(data, dialect.FRAMING, track.decode, patience, fold),
                exchange.chunks,
                lambda position: self._exchange(able.resume_call(call, position), patience),
                lambda: patience.left_s,
            )
        except ProviderError:
            raise
        except BaseException:  # the reader has gone, or a signal came: the provider would go on for nobody
            if not fold.finish.complete:
                say_goodbye(self._send_only, able, call, track)
            raise

    def _send_only(self, call: HTTPCall, patience: Patience) -> None:
        with self._exchange(call, patience):
            pass

    def get_models(self) -> list[ModelInfo]:
        models: list[ModelInfo] = []
        cursor: str | None = None
        for _page in range(MAX_PAGES):
            body = self.send(self._module.build_models_request(self._endpoint, cursor))
            models += self._module.decode_models(body, self._endpoint)
            cursor = self._module.models_cursor(body)
            if cursor is None:
                return models
        raise ProtocolError(f"the list of models has more than {MAX_PAGES} pages", provider=self.provider_name)

    def send(self, call: HTTPCall, deadline: float | None = None) -> bytes:
        """Make a call that is no completion and return the body of its answer. `deadline` is monotonic."""
        try:
            with self._exchange(call, Patience(self._limits, deadline)) as exchange:
                return exchange.read()
        except ProviderError as error:
            self._sign(error)
            raise

    def send_streaming(self, call: HTTPCall, framing: Framing, *, silence_s: float) -> Generator[Event, None, None]:
        """Make a call whose answer is a stream of events, and yield them as they come.

        It may take as long as it likes, but not be silent for more than `silence_s` seconds.
        """
        decoder = new_decoder(framing)
        waits = {"first_event": silence_s, "idle": silence_s, "content": silence_s}
        patience = Patience(self._limits._replace(**waits, attempt=None))
        try:
            with self._exchange(call, patience) as exchange:
                patience.event_seen()  # the head counts: the first piece may take as long again
                for data in exchange.chunks:
                    patience.content_seen()
                    yield from decoder.feed(data)
                yield from decoder.close()
        except ProviderError as error:
            self._sign(error)
            raise

    def _sign(self, error: ProviderError) -> None:
        """Say whose error it is; some providers repeat the key in their message."""
        error.provider = error.provider or self.provider_name
        error.address = error.address or self._endpoint.base_url
        if self._own.sent_key:
            error.message = error.message.replace(self._own.sent_key.removeprefix("Bearer "), MASK)
        if error.status is not None:  # the provider's words, which may be the prompt's
            from fennec_cli.rules import redact

            error.message = redact(error.message)

    def call(self, request: CompletionRequest) -> HTTPCall:
        """Return the call that `stream_completion` makes, but for the key. Looks for no key and opens nothing."""
        return self._module.build_request(request, self._endpoint)

    def preview(self, request: CompletionRequest) -> HTTPCall:
        """Return the call as it would be sent, but for the key and configured headers that may be secrets."""
        call = self.call(request)
        secret = self._module.authorization(MASK) if self._key() else {}
        configured = {name: masked_header(name, call.headers[name]) for name in self._endpoint.headers}
        return call._replace(headers={**call.headers, **configured, **secret})

    def open(self) -> "HTTPClient":
        """Return this thread's client; built now, so that the first request does not wait for it."""
        own = self._own
        if own.client is None:
            own.client = self._connect()
            self._clients.append(own.client)
        return own.client

    def note(self, arrival: "Arrival") -> None:
        """Have this thread's connections say in `arrival` when what is read had come. To be called before they open."""
        self.open().note(arrival)

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _with_bytes(self, request: CompletionRequest, fetched: frozenset[str]) -> CompletionRequest:
        """Fetch the attachments that are given as URLs and that the dialect takes as bytes only."""

        def resolved(part: Attachment) -> Attachment:
            if part.url is None or part.kind not in fetched:
                return part
            return part._replace(data=self._fetch(part.url, request.deadline), url=None)

        if not any(message.attachments for message in request.messages):
            return request
        messages = [
            message._replace(attachments=tuple(map(resolved, message.attachments))) for message in request.messages
        ]
        return request._replace(messages=tuple(messages))

    def _exchange(self, call: HTTPCall, patience: Patience) -> Checked:
        credential = Credential(self._secret_headers, self._renewed, self._worked, self._met)
        return Checked(self.open(), call, credential, patience, self._module, self._trace)

    def _secret_headers(self) -> Headers:
        key = self._own.sent_key = self._key()
        return self._module.authorization(key) if key else {}

    def _renewed(self, error: AuthenticationError, before: int) -> bool:
        sent = self._own.sent_key
        return sent is not None and self._renew(sent, error, before)

    def _worked(self) -> None:
        if self._own.sent_key is not None:
            self._accepted(self._own.sent_key)

    def _met(self, link: "Link") -> None:
        if self.link is None:
            self.link, self.issuer = link, link.issuer()

    def _identified(self, call: HTTPCall) -> tuple[HTTPCall, str | None]:
        """Give the call an id of our own where the service has a header for it: support finds attempts by that."""
        name = getattr(self._module, "CLIENT_ID_HEADER", None)
        if name is None or name in call.headers:
            return call, call.headers.get(name) if name else None
        client_id = os.urandom(16).hex()
        return call._replace(headers={**call.headers, name: client_id}), client_id

    def _opening(
        self, call: HTTPCall, request: CompletionRequest, exchange: "Exchange", client_id: str | None
    ) -> CompletionChunk:
        return CompletionChunk(
            metadata=ChunkMetadata(
                provider=self.provider_name,
                model=request.model,
                fingerprint=call.fingerprint,
                address=call.url,
                key_slot=self._slot(),
                request_id=exchange.headers.get(getattr(self._module, "REQUEST_ID_HEADER", "x-request-id")),
                client_request_id=client_id,
                max_tokens=call.max_tokens,
                limits=_limits(exchange.headers),
                sent_at=exchange.link.sent_at,
                connect_s=exchange.link.connect_s,
            )
        )


def _limits(headers: Headers) -> ObservedLimits | None:
    """What the answer says about rate limits; most servers say nothing, and are not asked for more than this."""
    if not any(name in headers for name in _LIMIT_HEADERS):
        return None
    from fennec_cli.hints import observed_limits

    return observed_limits(headers, now=time.time())
