"""Attachments that we fetch ourselves."""

import socket
import ssl
from typing import Any

import pytest
import trustme

from fennec_cli.errors import InputError
from fennec_cli.transport import fetch_document
from fennec_cli.transport.fetch import fetch, is_public, public_addresses, public_network
from fennec_cli.transport.network import Network
from fennec_cli.transport.proxy import parse_proxy
from tests.e2e.daemons import Middle
from tests.e2e.peer import Peer, whole


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("2002:5db8:d822::", True),
        ("fec0::2", False),
        ("::127.0.0.1", False),
        ("::ffff:0:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::93.184.216.34", True),
        ("64:ff9b:1::5db8:d822", False),
        ("ff0e::1", False),
    ],
)
def test_private_addresses_are_told_from_public_ones(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_private_address_is_not_fetched_from() -> None:
    """The name is checked when it is resolved for the connection itself, so it cannot change in between."""
    with pytest.raises(InputError, match="private address"):
        fetch("https://127.0.0.1:1/x.pdf", ssl.create_default_context())


def test_only_https_is_fetched() -> None:
    with pytest.raises(InputError, match="only https"):
        fetch("http://a.example/x.pdf", ssl.create_default_context())


@pytest.mark.parametrize("url", ["https://a.example:99999/x.png", "https://[::1/x.png"])
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_an_address_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None) -> None:
    if proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch_document(url, None)


def test_private_addresses_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(_host: str, port: int, **_options: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in ("10.0.0.1", "93.184.216.34")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert public_addresses("a.example", 443) == [("93.184.216.34", 443)]


def test_a_proxy_is_told_the_address_that_was_checked() -> None:
    """The proxy might know another address for the name."""
    ca = trustme.CA()
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("files.fennec.test").configure_cert(inside)
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    with Peer(whole(200, b"%PDF", "application/pdf"), context=inside) as peer, Middle(peer.port) as middle:
        proxy = parse_proxy(f"http://127.0.0.1:{middle.port}", "HTTPS_PROXY")
        network = Network(lambda _host, port: [("203.0.113.7", port)], proxy=proxy, pins=True)
        assert fetch("https://files.fennec.test/a.pdf", trusting, network=network) == b"%PDF"
        assert middle.asked[0].startswith(b"CONNECT 203.0.113.7:443 HTTP/1.1")
        checked = public_network("https://10.0.0.1/a.pdf", trusting, {"HTTPS_PROXY": f"http://127.0.0.1:{middle.port}"})
        with pytest.raises(InputError, match="private address"):
            fetch("https://10.0.0.1/a.pdf", trusting, network=checked)
        assert len(middle.asked) == 1
