"""A URL as httpcore wants it. Everything but a plain one is parsed by httpx, which is loaded for that alone."""

import re
from functools import lru_cache
from typing import NamedTuple

import httpcore

from fennec_cli.errors import ConfigError

# Scheme, host (no user), port and the rest, all in characters that stand for themselves. RFC 3986.
_PLAIN = re.compile(
    r"(https?)://([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([0-9]{1,5}))?(/[A-Za-z0-9/._~:@!$&'()*+,;=?-]*)?"
)
_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where a request goes, and what it says in `Host`."""

    url: httpcore.URL
    host: bytes


@lru_cache(maxsize=256)
def address_of(url: str) -> Address:
    """Parse a URL. Raises `ConfigError` for one that cannot be used."""
    plain = _PLAIN.fullmatch(url)
    if plain is None or int(plain[3] or 0) > 65535 or "/." in (plain[4] or ""):
        return _parsed(url)
    scheme, host, port, target = plain[1], plain[2].lower(), plain[3], plain[4] or "/"
    number = int(port) if port and int(port) != _PORTS[scheme] else None
    return _address(scheme.encode(), host.encode(), number, target.encode())


def _parsed(url: str) -> Address:
    import httpx

    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"the address cannot be used ({error})", hint="check base_url") from error
    if found.port is not None and found.port > 65535:
        raise ConfigError(f"the address cannot be used (there is no port {found.port})", hint="check base_url")
    if found.scheme not in _PORTS or not found.host:
        raise ConfigError("the address has no host", hint="base_url must begin with https:// or http://")
    return _address(found.raw_scheme, found.raw_host, found.port, found.raw_path)


def _address(scheme: bytes, host: bytes, port: int | None, target: bytes) -> Address:
    shown = b"[%b]" % host if b":" in host else host
    url = httpcore.URL(scheme=scheme, host=host, port=port, target=target)
    return Address(url, shown if port is None else b"%b:%d" % (shown, port))
