"""Fetching an attachment for a provider that takes bytes only.

The URL may come from data that somebody else wrote: https only, no private address (and the address that was checked is
the one that is connected to), no redirects, at most 20 MiB.
"""

import ipaddress
import socket
from collections.abc import Mapping
from ssl import SSLContext

from fennec_cli.dialects.base import HTTPCall
from fennec_cli.errors import FennecError, InputError
from fennec_cli.transport.client import HTTPClient
from fennec_cli.transport.network import Address, Network
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.transport.proxy import proxy_for

MAX_FETCH = 20 * 1024 * 1024
# IPv4-compatible, mapped (RFC 4291, 2.5.5) and translated (RFC 2765, 2.1) addresses, and those of NAT64 (RFC 6052, 2.1)
_AROUND_IPV4 = [ipaddress.ip_network(f"{prefix}/96") for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::")]
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215
_LIMITS = Limits(first_event=30.0, idle=30.0, attempt=120.0)


def fetch(url: str, context: SSLContext, *, deadline: float | None = None, network: Network | None = None) -> bytes:
    """Return the bytes behind an https URL. Raises `InputError` for whatever keeps it from being fetched."""
    if not url.startswith("https://"):
        raise InputError(f"only https:// attachments are fetched, not {url.split('/')[0]}//")
    client = HTTPClient(context, network=network or Network(public_addresses))
    try:
        with client.exchange(HTTPCall("GET", url, {}), {}, Patience(_LIMITS, deadline)) as exchange:
            if exchange.status != 200:
                raise InputError(f"the attachment {_shown(url)} cannot be fetched (status {exchange.status})")
            return exchange.read(MAX_FETCH)
    except InputError:
        raise
    except FennecError as error:
        raise InputError(f"the attachment {_shown(url)} cannot be fetched: {error.message}") from error
    finally:
        client.close()


def public_network(url: str, context: SSLContext, environ: Mapping[str, str]) -> Network:
    """Return what connects to public addresses only; a proxy of the environment is told the address, not the name.

    Raises `InputError` for a URL that is none.
    """
    try:
        proxy = proxy_for(url, None, environ)
    except ValueError as error:
        raise InputError(f"the attachment {_shown(url)} cannot be fetched: {error}") from error
    return Network(public_addresses, proxy=proxy, proxy_context=context, pins=True)


def public_addresses(host: str, port: int) -> list[Address]:
    """Resolve a name to its addresses on the open internet. Raises `OSError` when it has none."""
    found = [info[4] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    public = [address for address in found if is_public(str(address[0]))]
    if not public:
        raise OSError(f"{host} is a private address")
    return public


def is_public(address: str) -> bool:
    """Whether an address is on the open internet; an IPv4 address inside an IPv6 one counts as itself."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False
        ip = _inner(ip) or ip
    return ip.is_global and not ip.is_multicast


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if any(ip in network for network in _AROUND_IPV4):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.sixtofour


def _shown(url: str) -> str:
    """The URL without what may be secret in it."""
    return url.split("?", 1)[0].split("#", 1)[0]
