"""Answers to requests that mean the same: the same text but for case and spaces, or a near one that no guard refuses.

Everything but the last message must match exactly: it is the scope, and no vector reaches beyond it. What is known of
texts and vectors lies in a cache of its own beside the answers, signed and limited like them.
"""

import os
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fennec_cli.errors import FennecError
from fennec_cli.hashes import sha256
from fennec_cli.request import CompletionRequest
from fennec_cli.responses import CachedResponse, ResponseCache
from fennec_cli.similarity import (
    DEFAULT_THRESHOLD,
    LONGEST_TEXT,
    MOST_COMPARED,
    agree,
    cosine,
    is_same,
    normalised,
    traits,
)
from fennec_cli.stages.cache import Known, Similar
from fennec_cli.store import StoreFailed

if TYPE_CHECKING:
    from fennec_cli.config import CacheConfig
    from fennec_cli.embeddings import Embedder

INDEX_SIZE = 32 * 1024 * 1024  # bytes: room for more entries than are compared
_MARK = "?"  # in the place of the message


class SimilarAnswers:
    """Finds and remembers. `embedder` is None where nobody may be asked for a vector: then only equal texts count."""

    def __init__(
        self,
        responses: ResponseCache,
        index: ResponseCache,
        embedder: "Embedder | None",
        fingerprint: Callable[[CompletionRequest, Known], str],
        *,
        threshold: float | None = None,
        ttl: float | None = None,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._responses = responses
        self._index = index
        self._embedder = embedder
        self._fingerprint = fingerprint
        self._threshold = DEFAULT_THRESHOLD if threshold is None else threshold
        self._ttl = ttl
        self._say = say
        self._last: tuple[str, list[float]] | None = None  # the text that was looked for is the one to remember

    def find(self, request: CompletionRequest, known: Known) -> Similar | None:
        """Return the answer to a request that means the same, or None."""
        text = comparable(request)
        if text is None:
            return None
        scope = self._scope(request, known)
        same = self._index.get(_name(scope, normalised(text)), ttl=self._ttl)
        if same is not None and is_same(text, same.response["text"]):
            found = self._responses.get(same.response["fingerprint"], ttl=self._ttl)
            if found is not None:
                return Similar(found, 1.0)
        return self._nearest(text, scope, request.deadline)

    def remember(self, request: CompletionRequest, known: Known) -> None:
        """Note that the answer to a request is kept."""
        text = comparable(request)
        if text is None:
            return
        scope = self._scope(request, known)
        entry = {"text": text, "fingerprint": known.fingerprint}
        self._index.put(_name(scope, normalised(text)), entry, {}, ttl=self._ttl)
        vector = self._embedded(text, request.deadline)
        if vector is not None:
            near = {"text": text, "fingerprint": known.fingerprint, "scope": scope, "vector": _packed(vector)}
            self._index.put(_name(scope, "vector", text), near, {}, ttl=self._ttl)

    def _nearest(self, text: str, scope: str, deadline: float | None) -> Similar | None:
        near = self._near(scope)
        if not near:
            return None
        vector, wanted = self._embedded(text, deadline), traits(text)
        if vector is None:
            return None
        best: tuple[float, CachedResponse] | None = None
        for entry in near:
            closeness = cosine(vector, _unpacked(entry.response["vector"]))
            better = best is None or closeness > best[0]
            if closeness >= self._threshold and better and agree(wanted, traits(entry.response["text"])):
                best = closeness, entry
        if best is None:
            return None
        found = self._responses.get(best[1].response["fingerprint"], ttl=self._ttl)
        return Similar(found, best[0]) if found is not None else None

    def _near(self, scope: str) -> list[CachedResponse]:
        if not self._index.is_there():
            return []
        try:
            entries = [entry for entry in self._index.entries() if entry.response.get("scope") == scope]
        except StoreFailed as error:
            self._say(f"similar requests cannot be looked up ({error})")
            return []
        fresh = [entry for entry in entries if self._index.is_fresh(entry, self._ttl)]
        return sorted(fresh, key=lambda entry: -entry.created)[:MOST_COMPARED]

    def _embedded(self, text: str, deadline: float | None) -> list[float] | None:
        if self._embedder is None:
            return None
        last = self._last
        if last is None or last[0] != text:
            try:
                last = self._last = text, list(self._embedder.embed(text, deadline))
            except FennecError as error:  # without a vector the request is answered all the same
                self._say(f"similar requests cannot be looked up ({error.line()})")
                return None
        return last[1]

    def _scope(self, request: CompletionRequest, known: Known) -> str:
        *before, last = request.messages
        marked = request._replace(messages=(*before, last._replace(content=_MARK)))
        return f"{self._fingerprint(marked, known)}|{self._embedder.name if self._embedder else ''}"


def comparable(request: CompletionRequest) -> str | None:
    """Return the text to compare, or None: several turns, tools, attachments and schemas are compared exactly only."""
    *before, last = request.messages
    if last.role != "user" or any(message.role not in ("system", "developer") for message in before):
        return None
    if request.tools or request.schema is not None or any(message.attachments for message in request.messages):
        return None
    return last.content if len(last.content) <= LONGEST_TEXT else None


def index_of(settings: "CacheConfig", responses: ResponseCache, say: Callable[[str], None]) -> ResponseCache:
    """Return the cache of texts and vectors that belongs to `responses`. Opens nothing."""
    place = os.path.join(responses.directory, "similar")
    return ResponseCache(settings._replace(dir=place, max_size=INDEX_SIZE, backend="disk"), say=say)


def _name(*parts: str) -> str:
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _packed(vector: Sequence[float]) -> str:
    """Half precision moves a closeness by less than 0.001."""
    return b64encode(struct.pack(f"<{len(vector)}e", *vector)).decode()


def _unpacked(text: str) -> tuple[float, ...]:
    data = b64decode(text)
    return struct.unpack(f"<{len(data) // 2}e", data)
