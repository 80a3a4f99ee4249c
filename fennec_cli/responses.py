"""The response cache: complete answers by fingerprint, with a time to live and a size limit.

It is opened when it is first used, and what is wrong with it never costs an answer: reading fails as a miss, writing
is left out. The methods of those who look after it (`entries`, `find`, `restore`, …) raise what is wrong instead.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from fennec_cli.config import CacheConfig, server_url
from fennec_cli.envelope import Cipher, is_fresh, seal, unseal
from fennec_cli.errors import ConfigError, IntegrityError
from fennec_cli.hashes import blake2b
from fennec_cli.private import home_of, installation_key
from fennec_cli.recording import Record
from fennec_cli.store import BUSY_S, GATHERED, StoreFailed, taken
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.store.shelf import Stored
    from fennec_cli.store.shelves import Shelf

PATIENT_S = 5.0  # for which one that is patient waits for other processes
LARGEST_ANSWER = 16 * 1024 * 1024  # bytes of the record; a larger one is not kept
KEY_BYTES = (16, 64)  # of a key that several machines share
_T = TypeVar("_T")


class CachedResponse(NamedTuple):
    """An answer as it was stored. Times are seconds; `created` moves when it is imported, `timestamp` never does."""

    fingerprint: str
    response: Record
    request: Record  # what `cache explain` compares, and the texts of the prompt
    timestamp: float
    ttl: float
    access_count: int = 0
    created: float = 0.0
    size: int = 0  # bytes on the disk


class ResponseCache:
    """Answers by fingerprint. Opens nothing before it is asked; threads may share it.

    While it `gathers`, what was of use is counted in groups, the last of them by `flush`. One that is `patient` waits
    longer for other processes (`PATIENT_S` seconds, and not beyond `deadline`, a moment of the monotonic clock): for
    those who get the answer here or nowhere.
    """

    def __init__(
        self,
        settings: CacheConfig = CacheConfig(),
        *,
        environ: Mapping[str, str] = os.environ,
        say: Callable[[str], None] = lambda _text: None,
        clock: Callable[[], float] = time.time,
        open_shelf: "Callable[[], Shelf] | None" = None,
        patient: bool = False,
        deadline: float | None = None,
    ) -> None:
        self._settings = settings
        self._patient, self._deadline = patient, deadline
        self._environ = environ
        self._say = say
        self._clock = clock
        self._server = server_url(settings.backend, environ)
        self._open_shelf = open_shelf or (self._on_disk if self._server is None else self._on_server)
        self._shelf: Shelf | None = None
        self._key = b""
        self._encrypt: Cipher | None = None
        self._decrypt: Cipher | None = None
        self._lock = threading.Lock()
        self._touched: deque[str] = deque()
        self.failure: str | None = None  # why it cannot be used
        self.gathers = False

    @property
    def directory(self) -> str:
        """Where it lies. Raises `ConfigError` when there is no place for it."""
        if self._settings.dir is not None:
            return os.path.expanduser(self._settings.dir)
        home = home_of("cache", self._environ)
        if home is None:
            raise ConfigError("there is no cache directory: HOME is not set", hint="set dir in [cache]")
        return os.path.join(home, "responses")

    @property
    def max_size(self) -> int:
        return self._settings.max_size

    def get(self, fingerprint: str, *, ttl: float | None = None) -> CachedResponse | None:
        """Return a fresh answer, or None; `ttl` makes older ones stale for this reader."""
        found = self._try(lambda shelf: self._read(shelf, fingerprint), None)
        return found if found is not None and self.is_fresh(found, ttl) else None

    def put(
        self, fingerprint: str, response: Record, request: Record, *, ttl: float | None = None, missed: bool = False
    ) -> None:
        """Store an answer. `missed`: it was looked for before, in vain."""
        now = self._clock()
        lifetime = self._settings.ttl if ttl is None else ttl
        if lifetime <= 0:
            return
        entry = CachedResponse(fingerprint, response, request, now, lifetime, created=now)
        self._try(lambda shelf: self._write(shelf, entry, missed=missed), None)

    def touch(self, fingerprint: str) -> None:
        """Count that an answer was of use."""
        self._touched.append(fingerprint)
        if not self.gathers or len(self._touched) >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write what was counted."""
        if touched := list(taken(self._touched)):
            self._try(lambda shelf: shelf.touch(touched), None)

    def is_fresh(self, found: CachedResponse, ttl: float | None = None) -> bool:
        return is_fresh(found.created, found.ttl, self._clock(), ttl)

    def restore(self, entries: Sequence[CachedResponse]) -> None:
        """Store answers that come from elsewhere; their time to live begins now. Raises `StoreFailed`."""
        now = self._clock()
        shelf = self._opened()
        for entry in entries:
            self._write(shelf, entry._replace(created=now), missed=False)

    def find(self, fingerprint: str) -> CachedResponse | None:
        """Return an answer, stale or not. Raises `IntegrityError` for one that is not as we wrote it."""
        shelf = self._opened()
        stored = shelf.read(fingerprint)
        if stored is None:
            return None
        found = self._unsealed(fingerprint, stored)
        if found is None:
            shelf.reject(fingerprint)
            raise IntegrityError(f"the entry {fingerprint:.16}… was not written by this installation: dropped")
        return found

    def entries(self) -> Iterator[CachedResponse]:
        """Yield every answer that can be read, stale ones too, sorted by fingerprint. Raises `StoreFailed`."""
        shelf = self._opened()
        for name in sorted(shelf.names()):
            found = self._read(shelf, name)
            if found is not None:
                yield found

    def is_there(self) -> bool:
        """Whether anything was ever stored."""
        return self._server is not None or os.path.exists(os.path.join(self.directory, "cache.db"))

    def names(self) -> list[str]:
        """Return the fingerprints of all entries. Raises `StoreFailed`."""
        return list(self._opened().names())

    def drop(self, fingerprints: Sequence[str]) -> None:
        """Drop entries. Raises `StoreFailed`."""
        self._opened().drop(fingerprints)

    def trim(self, limit: int) -> int:
        """Drop what is stale and what is above `limit` bytes; return how many entries went. Raises `StoreFailed`."""
        return self._opened().trim(limit)

    def volume(self) -> int:
        """Bytes that it takes. Raises `StoreFailed`."""
        return self._opened().volume()

    def counters(self) -> tuple[int, int]:
        """How often something was found, and how often not. Raises `StoreFailed`."""
        return self._opened().counters()

    def tidy(self) -> None:
        """Write what was counted, and now and then throw away what dead processes have left behind."""
        self.flush()
        if self._shelf is not None:
            self._try(lambda shelf: shelf.tidy(), None)

    def close(self) -> None:
        self.flush()
        if self._shelf is not None:
            self._shelf.close()

    def _try(self, work: "Callable[[Shelf], _T]", otherwise: _T) -> _T:
        if self.failure is not None and self._shelf is None:
            return otherwise
        try:
            return work(self._opened())
        except StoreFailed as error:
            if self.failure is None:
                self._say(f"the response cache cannot be used ({error})")
            self.failure = str(error)
            return otherwise

    def _opened(self) -> "Shelf":
        if self._shelf is None:
            with self._lock:
                if self._shelf is None:
                    self._key = self._mac_key()
                    if self._settings.encrypt:
                        self._set_cipher()
                    self._shelf = self._open_shelf()
        return self._shelf

    def _on_disk(self) -> "Shelf":
        from fennec_cli.store.rows import OnNetwork
        from fennec_cli.store.shelf import DiskShelf

        try:
            return DiskShelf(self.directory, limit=self._settings.max_size, busy_s=self._busy_s)
        except OnNetwork:
            runtime = self._environ.get("XDG_RUNTIME_DIR", "")
            if not runtime.startswith("/"):
                raise
            place = os.path.join(runtime, "fennec", "responses")
            return DiskShelf(place, limit=self._settings.max_size, busy_s=self._busy_s)

    def _busy_s(self) -> float:
        if not self._patient:
            return BUSY_S
        return PATIENT_S if self._deadline is None else max(0.0, min(PATIENT_S, self._deadline - time.monotonic()))

    def _on_server(self) -> "Shelf":
        from fennec_cli.store.redis_shelf import RedisShelf

        assert self._server is not None
        return RedisShelf(self._server)

    def _mac_key(self) -> bytes:
        path = self._settings.mac_key_file
        if path is None:
            return self._own_key("cache")
        try:
            with open(os.path.expanduser(path), "rb") as file:
                key = file.read(KEY_BYTES[1] + 2).strip()
        except OSError as error:
            raise ConfigError(f"cache.mac_key_file cannot be read ({error.strerror})") from error
        if not KEY_BYTES[0] <= len(key) <= KEY_BYTES[1]:
            raise ConfigError(f"cache.mac_key_file must hold {KEY_BYTES[0]} to {KEY_BYTES[1]} bytes")
        return key

    def _set_cipher(self) -> None:
        from fennec_cli.encryption import AESGCMCipher

        if self._settings.mac_key_file is None:
            key = self._own_key("cache-encrypt")
        else:  # what machines share they can all read
            key = blake2b(key=self._key, person=b"cache-encrypt", digest_size=32).digest()
        cipher = AESGCMCipher(key)
        self._encrypt, self._decrypt = cipher.encrypt, cipher.decrypt

    def _own_key(self, purpose: str) -> bytes:
        try:
            return installation_key(purpose, self._environ)
        except OSError as error:
            raise StoreFailed(f"{error.strerror or error}: the installation's key") from error

    def _write(self, shelf: "Shelf", entry: CachedResponse, *, missed: bool) -> None:
        document = {"response": entry.response, "request": entry.request, "timestamp": entry.timestamp}
        body = orjson.dumps(document)
        if len(body) > LARGEST_ANSWER:
            return
        data = seal(
            body,
            name=entry.fingerprint,
            key=self._key,
            created=entry.created,
            ttl=entry.ttl,
            encrypt=self._encrypt,
        )
        shelf.write(entry.fingerprint, data, entry.created + entry.ttl - self._clock(), missed=missed)

    def _read(self, shelf: "Shelf", fingerprint: str) -> CachedResponse | None:
        stored = shelf.read(fingerprint)
        if stored is None:
            return None
        found = self._unsealed(fingerprint, stored)
        if found is None:
            shelf.reject(fingerprint)
        return found

    def _unsealed(self, fingerprint: str, stored: "Stored") -> CachedResponse | None:
        sealed = unseal(stored.data, name=fingerprint, key=self._key, decrypt=self._decrypt)
        if sealed is None:
            return None
        document: dict[str, Any] = orjson.loads(sealed.body)
        return CachedResponse(
            fingerprint,
            document["response"],
            document["request"],
            document["timestamp"],
            sealed.ttl,
            stored.reads,
            sealed.created,
            len(stored.data),
        )
