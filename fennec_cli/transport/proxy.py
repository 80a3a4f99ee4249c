"""Which proxy a connection goes through. Pure.

The configuration's `proxy` counts for its provider whatever else is set. Else the environment decides: `HTTPS_PROXY` or
`HTTP_PROXY`, then `ALL_PROXY`, but for the hosts of `NO_PROXY` and for this machine.
"""

from collections.abc import Mapping
from typing import Literal

from fennec_cli.errors import ConfigError
from fennec_cli.hosts import is_loopback
from fennec_cli.tuples import NamedTuple

Scheme = Literal["http", "https", "socks5h"]
_PORTS: dict[Scheme, int] = {"http": 80, "https": 443, "socks5h": 1080}
NONE = "none"  # as a provider's `proxy`: no proxy, whatever the environment says


class Proxy(NamedTuple):
    """A proxy, and the setting that names it. `repr` hides the credentials."""

    scheme: Scheme
    host: str
    port: int
    user: str | None
    password: str | None
    setting: str

    def __repr__(self) -> str:
        return f"Proxy({self.shown})"

    @property
    def shown(self) -> str:
        """Its address for people."""
        credentials = "***@" if self.user is not None else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{credentials}{host}:{self.port}"

    @property
    def basic(self) -> str | None:
        """The value of `Proxy-Authorization` (RFC 7617), or None."""
        if self.user is None:
            return None
        from base64 import b64encode

        pair = f"{self.user}:{self.password or ''}"
        return f"Basic {b64encode(pair.encode()).decode()}"


def proxy_for(url: str, configured: str | None, environ: Mapping[str, str], setting: str = "proxy") -> Proxy | None:
    """Return the proxy for requests to `url`, or None. Raises `ConfigError` for an address that is none.

    `configured` is the provider's own `proxy`, which `setting` names.
    """
    if configured:
        return None if configured == NONE else parse_proxy(configured, setting)
    names = _variables("https" if url[:6].lower() == "https:" else "http", environ)
    name = next((name for name in names if environ.get(name)), None)
    if name is None or is_loopback(url):
        return None
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return None if is_excepted(parts.hostname or "", port, exceptions) else parse_proxy(environ[name], name)


def _variables(scheme: str, environ: Mapping[str, str]) -> list[str]:
    """The small ones first, as curl does. In a CGI program HTTP_PROXY is a header that a client has sent."""
    own = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY"]
    if scheme == "http" and "REQUEST_METHOD" in environ:
        own.pop()
    return [*own, "all_proxy", "ALL_PROXY"]


def parse_proxy(text: str, setting: str) -> Proxy:
    """Read `SCHEME://[USER:PASSWORD@]HOST[:PORT]`; without a scheme it is http. Never shows the text."""
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{setting} is not the address of a proxy") from None
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment or not text.isprintable():
        raise ConfigError(f"{setting} is not the address of a proxy", hint="write it as http://host:port")
    scheme = {"socks5": "socks5h"}.get(parts.scheme, parts.scheme)  # names are resolved by the proxy in both
    if scheme not in _PORTS:
        hint = f"known are {', '.join(_PORTS)}"
        raise ConfigError(f"{setting} names a kind of proxy that is not known ({parts.scheme:.20})", hint=hint)
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return Proxy(scheme, host, _PORTS[scheme] if port is None else port, user, password, setting)


def is_excepted(host: str, port: int, exceptions: str) -> bool:
    """Whether NO_PROXY names a host: by name, by domain (`example.org`, `.example.org`), address, network, or `*`."""
    host = host.lower().rstrip(".")
    return any(_covers(entry.strip().lower(), host, port) for entry in exceptions.replace(" ", ",").split(","))


def _covers(entry: str, host: str, port: int) -> bool:
    if entry in ("", "*"):
        return entry == "*"
    if "/" in entry:
        return _in_network(entry, host)
    name, separator, number = entry.rpartition(":")
    if separator and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return False
        entry = name
    entry = entry.removeprefix("*").strip(".").removeprefix("[").removesuffix("]")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _in_network(entry: str, host: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
