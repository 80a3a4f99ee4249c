"""A URL in its parts. Everything but a plain one is parsed by httpx, which is loaded for that alone."""

from functools import lru_cache

from fennec_cli.errors import ConfigError
from fennec_cli.hosts import plain_url
from fennec_cli.tuples import NamedTuple

_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where a request goes; `shown` is what it says in `Host`, `target` what it asks for there."""

    scheme: str
    host: str
    port: int
    target: bytes
    shown: bytes


@lru_cache(maxsize=256)
def address_of(url: str) -> Address:
    """Parse a URL. Raises `ConfigError` for one that cannot be used."""
    plain = plain_url(url)
    if plain is None or "/." in plain.rest:
        return _parsed(url)
    return _address(plain.scheme, plain.host, plain.port, (plain.rest or "/").encode())


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
    return _address(found.scheme, found.raw_host.decode("ascii"), found.port, found.raw_path)


def _address(scheme: str, host: str, port: int | None, target: bytes) -> Address:
    default = _PORTS[scheme]
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != default:
        shown = f"{shown}:{port}"
    return Address(scheme, host, port or default, target, shown.encode())
