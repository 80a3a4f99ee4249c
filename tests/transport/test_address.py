"""Addresses: the quick way and httpx give the same."""

import httpx
import pytest

from fennec_cli.errors import ConfigError
from fennec_cli.transport.address import address_of


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/v1/chat/completions",
        "https://api.openai.com/v1/responses",
        "https://api.openai.com",
        "https://API.openai.com:443/v1?api-version=2026-01-01&x=a,b",
        "https://h.example/a:b@c/d!$'()*+;=~-_.",
        "http://h:80/",
        "http://h:65535/x?",
        "http://[::1]:8080/v1",
        "https://bücher.example/ä?q=ö",
        "https://h.example/a b",
        "https://h.example/a%20b",
        "https://h.example/a/../b/./c",
        "https://h.example/a?b#c",
        "https://user:pass@h.example/",
    ],
)
def test_an_address_is_what_httpx_makes_of_it(url: str) -> None:
    judge = httpx.Request("POST", url)
    found = address_of(url)
    assert found.shown.decode() == judge.headers["host"]
    assert (found.scheme, found.host.encode()) == (judge.url.scheme, judge.url.raw_host)
    default = {"http": 80, "https": 443}[found.scheme]
    assert (found.port, found.target) == (judge.url.port or default, judge.url.raw_path)


@pytest.mark.parametrize(
    "url", ["", "h.example/v1", "ftp://h.example/", "http://", "http:///x", "http://h:99999/", "http://h\n/"]
)
def test_an_address_that_cannot_be_used_is_said(url: str) -> None:
    with pytest.raises(ConfigError):
        address_of(url)
