"""The error tree: every failure has one class, one exit status and one rule what to do next.

FennecError
├── Bug (1)
├── UsageError (2)  ConfigError (3)  InputError (17)  OutputError (18)  InvalidOutput (15)
├── Truncated (10)  BudgetExceeded (12)  CacheMiss (13)  PartialBatch (16)
├── Blocked (19)  Regression (21)  IntegrityError (22)
└── ProviderError
    ├── AuthenticationError (4)
    ├── RequestError (5)
    │   ├── ModelUnavailable
    │   └── ContextLengthError
    ├── RateLimitError (6)
    │   ├── QuotaExhausted
    │   └── LimitReached
    ├── NetworkError (7)
    │   ├── ServerError
    │   │   └── Overloaded
    │   └── ProtocolError
    ├── ProviderTimeout (8)
    ├── StreamBroken (9)
    ├── ContentFiltered (11)
    ├── CircuitOpen (14)
    └── TLSError (20)

The class says what to do: `exit_status`, `retryable`, `trips_breaker`, `falls_back`, `ends_retries`. The instance
says what happened: `provider`, `status`, `retry_after` (seconds), `hint`. Stages ask the error; nobody keeps lists of
classes.
"""

from typing import ClassVar

from fennec_cli.redactor import one_line, redacted

EXIT_STATUS: dict[str, int] = {
    "ok": 0,
    "internal": 1,
    "usage": 2,
    "config": 3,
    "auth": 4,
    "request": 5,
    "rate_limit": 6,
    "unavailable": 7,
    "timeout": 8,
    "stream_broken": 9,
    "truncated": 10,
    "filtered": 11,
    "budget": 12,
    "cache_miss": 13,
    "circuit_open": 14,
    "invalid_output": 15,
    "partial_batch": 16,
    "input": 17,
    "output": 18,
    "blocked": 19,
    "tls": 20,
    "regression": 21,
    "integrity": 22,
}


class FennecError(Exception):
    """Anything that ends a request. `str()` is one line: what failed, where; `hint` says what to do."""

    error_class: ClassVar[str] = "internal"
    default_retryable: ClassVar[bool] = False
    trips_breaker: ClassVar[bool] = False
    falls_back: ClassVar[bool] = False
    ends_retries: ClassVar[bool] = False  # worth another try, but not by this process now

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        provider: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.provider = provider
        self.status = status
        self.retry_after = retry_after
        self.retryable = self.default_retryable if retryable is None else retryable
        self.request_id = request_id
        self.client_request_id: str | None = None  # ours, of the attempt
        self.attempts = 0
        self.earlier: tuple[FennecError, ...] = ()  # with which the attempts before it failed
        self.partial = False
        self.address: str | None = None  # the URL of who was asked
        self.budget_exhausted = False  # not retried because all processes together retried too often

    @property
    def exit_status(self) -> int:
        return EXIT_STATUS[self.error_class]

    def line(self, *, advice: bool = True) -> str:
        """One line for stderr, without the program's name and any secret: `CLASS: what failed, where; what to do`.

        Without `advice` it does not say what to do: for a failure that somebody sees to already.
        """
        where = f"{self.provider}: " if self.provider else ""
        hint = f"; {self.hint}" if self.hint and advice else ""
        return one_line(redacted(" ".join(f"{self.error_class}: {where}{self.message}{hint}".split())))


class Bug(FennecError):
    """Something of ours that went wrong. It says where, and nothing of the user's: no message, no values."""

    error_class = "internal"

    def __init__(self, cause: Exception) -> None:
        import traceback

        frames = traceback.extract_tb(cause.__traceback__)
        place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}"
        super().__init__(
            f"{type(cause).__name__} at {place}",
            hint="this is a bug, please report it (the same with -vvv shows where it happened)",
        )
        self.partial = True  # if anything was shown
        self.frames = "".join(traceback.format_list(frames))


class UsageError(FennecError):
    """Options or arguments that do not fit together."""

    error_class = "usage"


class ConfigError(FennecError):
    """A configuration file, provider name, profile or address that cannot be used."""

    error_class = "config"


class InputError(FennecError):
    """A prompt or a named file that cannot be read as text."""

    error_class = "input"


class OutputError(FennecError):
    """Writing the answer failed, for another reason than a reader that went away."""

    error_class = "output"


class InvalidOutput(FennecError):
    """The answer is complete but not what was asked for (no fenced block, schema not met)."""

    error_class = "invalid_output"


class Truncated(FennecError):
    """The answer ended with finish reason `length`."""

    error_class = "truncated"


class PartialBatch(FennecError):
    """Some rows of a batch failed."""

    error_class = "partial_batch"


class Blocked(FennecError):
    """A rule of the user's own (regions, privacy, filters) forbids the request, or what is left of the answer."""

    error_class = "blocked"
    filter_hits = 0


class BudgetExceeded(FennecError):
    """The request would cost more than the user allows, or its price is unknown."""

    error_class = "budget"


class CacheMiss(FennecError):
    """Only the cache may answer, and it does not know the answer."""

    error_class = "cache_miss"


class Regression(FennecError):
    """A benchmark found a model slower than its baseline."""

    error_class = "regression"


class IntegrityError(FennecError):
    """Stored or fetched bytes are not what their check sum promises."""

    error_class = "integrity"


class ProviderError(FennecError):
    """A request to a provider failed."""

    error_class = "unavailable"


class AuthenticationError(ProviderError):
    """No key, or a key the provider refuses (401, 403)."""

    error_class = "auth"
    falls_back = True


class RequestError(ProviderError):
    """The provider refuses the request as it stands (400, 404, 413, 422)."""

    error_class = "request"


class ModelUnavailable(RequestError):
    """The provider does not serve this model to this key."""

    falls_back = True


class ContextLengthError(RequestError):
    """The prompt is longer than the model's context window."""

    falls_back = True


class RateLimitError(ProviderError):
    """The provider asks to slow down (429)."""

    error_class = "rate_limit"
    default_retryable = True
    falls_back = True


class QuotaExhausted(RateLimitError):
    """Credit or a spending limit is used up: waiting does not help."""

    default_retryable = False


class LimitReached(RateLimitError):
    """A rate limit of our own, or one that another process has learnt of: nothing was sent."""

    ends_retries = True


class NetworkError(ProviderError):
    """No usable answer: DNS, connect, cut connection."""

    default_retryable = True
    trips_breaker = True
    falls_back = True


class ServerError(NetworkError):
    """The provider answers with a fault of its own (408, 409, 5xx)."""


class Overloaded(ServerError):
    """The provider says that it is overloaded (503, 529)."""


class ProtocolError(NetworkError):
    """The provider's bytes are not what its protocol promises."""


class ProviderTimeout(ProviderError):
    """A time limit passed before any output."""

    error_class = "timeout"
    default_retryable = True
    trips_breaker = True
    falls_back = True


class StreamBroken(ProviderError):
    """The stream ended without a finish reason after some output was handed on."""

    error_class = "stream_broken"
    default_retryable = True
    trips_breaker = True


class ContentFiltered(ProviderError):
    """The provider's content filter refused the request or stopped the answer."""

    error_class = "filtered"


class CircuitOpen(ProviderError):
    """The provider failed so often of late that nothing is sent to it for a while."""

    error_class = "circuit_open"
    default_retryable = True
    falls_back = True
    ends_retries = True


class TLSError(ProviderError):
    """The peer's certificate or protocol version was refused."""

    error_class = "tls"
    falls_back = True
