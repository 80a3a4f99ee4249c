"""Addresses: the plain ones read without a library, and one strict check which are this machine's own."""

from functools import lru_cache

from fennec_cli.tuples import NamedTuple


class PlainURL(NamedTuple):
    """The parts of a URL; `rest` is its path and query, or nothing."""

    scheme: str
    host: str
    port: int | None
    rest: str


@lru_cache(maxsize=256)
def plain_url(url: str) -> PlainURL | None:
    """Read an http(s) URL without a user in which all characters stand for themselves (RFC 3986), or return None."""
    import re  # here, because most modules want no address

    found = re.fullmatch(
        r"(https?)://([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([0-9]{1,5}))?(/[A-Za-z0-9/._~:@!$&'()*+,;=?-]*)?",
        url,
    )
    if found is None or int(found[3] or 0) > 65535:
        return None
    return PlainURL(found[1], found[2].lower(), int(found[3]) if found[3] else None, found[4] or "")


def is_loopback(url: str) -> bool:
    """Whether `url` leads to this machine. A name like `127.evil.example` does not."""
    plain = plain_url(url)
    if plain is not None and plain.host in ("localhost", "127.0.0.1"):
        return True
    from ipaddress import ip_address  # most addresses are https, and nobody asks
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
