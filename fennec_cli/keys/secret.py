"""A key lives in a `Secret`, which does not show itself."""

from fennec_cli.errors import AuthenticationError
from fennec_cli.hashes import compare_digest
from fennec_cli.redactor import MASK, hide

# Everything else in a header may be a key.
_HARMLESS_HEADERS = {
    "accept",
    "accept-encoding",
    "age",
    "anthropic-beta",
    "anthropic-version",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "http-referer",
    "openai-organization",
    "openai-processing-ms",
    "openai-project",
    "openai-version",
    "referer",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "server",
    "transfer-encoding",
    "user-agent",
    "vary",
    "x-client-request-id",
    "x-request-id",
    "x-title",
}
_HARMLESS_FAMILIES = ("anthropic-ratelimit-", "x-ratelimit-")


class Secret:
    """A text that shows itself only through `reveal()`, and that nothing we say repeats from now on."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        hide(text)

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def checked(text: str, place: str) -> Secret:
    """Return the key in `text`. Raises `AuthenticationError`, which names the place only."""
    key = text.strip()
    if not key:
        raise AuthenticationError(f"the key in {place} is empty")
    bare = key.removeprefix("Bearer ")
    if not bare.isascii() or not bare.isprintable() or " " in bare:
        raise AuthenticationError(f"the key in {place} has characters that no key has", hint="store it again")
    return Secret(key)


def masked_header(name: str, value: str) -> str:
    """A header's value for people: any header that is not known to be harmless may carry a secret."""
    name = name.lower()
    return value if name in _HARMLESS_HEADERS or name.startswith(_HARMLESS_FAMILIES) else MASK
