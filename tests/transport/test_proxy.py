"""Which proxy is taken, and what is read of its address."""

import pytest

from fennec_cli.errors import ConfigError
from fennec_cli.transport.proxy import Proxy, is_excepted, parse_proxy, proxy_for

HTTPS, HTTP = "https://api.example.org/v1", "http://box.example.org/v1"


def found(url: str, environ: dict[str, str], configured: str | None = None) -> str | None:
    proxy = proxy_for(url, configured, environ)
    return proxy.host if proxy else None


@pytest.mark.parametrize(
    ("environ", "https", "http"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://a"}, "a", None),
        ({"HTTP_PROXY": "http://b"}, None, "b"),
        ({"ALL_PROXY": "socks5h://c"}, "c", "c"),
        ({"HTTPS_PROXY": "http://a", "ALL_PROXY": "http://c"}, "a", "c"),
        ({"https_proxy": "http://small", "HTTPS_PROXY": "http://big"}, "small", None),
        ({"https_proxy": "", "HTTPS_PROXY": "http://big"}, "big", None),
        ({"HTTP_PROXY": "http://evil", "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": "http://good", "REQUEST_METHOD": "GET"}, None, "good"),
        ({"ALL_PROXY": "http://c", "NO_PROXY": "example.org"}, None, None),
        ({"ALL_PROXY": "http://c", "no_proxy": "api.example.org"}, None, "c"),
        ({"ALL_PROXY": "http://c", "NO_PROXY": "*"}, None, None),
    ],
)
def test_the_environment_decides(environ: dict[str, str], https: str | None, http: str | None) -> None:
    assert (found(HTTPS, environ), found(HTTP, environ)) == (https, http)


def test_the_configuration_is_stronger_and_may_say_none() -> None:
    environ = {"ALL_PROXY": "http://c", "NO_PROXY": "*"}
    assert found(HTTPS, environ, "http://own") == "own"
    assert found(HTTPS, {"ALL_PROXY": "http://c"}, "none") is None


@pytest.mark.parametrize("url", ["http://localhost:11434", "http://127.0.0.1:8080/v1", "https://[::1]/v1"])
def test_this_machine_is_not_asked_through_a_proxy_unless_configured(url: str) -> None:
    assert found(url, {"ALL_PROXY": "http://c", "HTTP_PROXY": "http://c", "HTTPS_PROXY": "http://c"}) is None
    assert found(url, {}, "http://own") == "own"


def test_no_proxy() -> None:
    yes = [
        ("example.org", "api.example.org"),
        (".example.org", "api.example.org"),
        (".example.org", "example.org"),
        ("*.example.org", "api.example.org"),
        ("other, example.org", "example.org"),
        ("other example.org", "example.org."),
        ("EXAMPLE.org", "Example.ORG"),
        ("example.org:443", "example.org"),
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("fd00::/8", "fd00::1"),
        ("[fd00::1]:443", "fd00::1"),
        ("fd00::1", "fd00::1"),
        ("*", "anything"),
    ]
    no = [
        ("example.org", "badexample.org"),
        ("example.org:8443", "example.org"),
        ("10.0.0.0/8", "11.1.2.3"),
        ("10.0.0.0/8", "ten.example.org"),
        ("10.0.0.0/nonsense", "10.0.0.1"),
        ("", "example.org"),
        (",,", "example.org"),
        (".", "example.org"),
    ]
    assert [pair for pair in yes if not is_excepted(pair[1], 443, pair[0])] == []
    assert [pair for pair in no if is_excepted(pair[1], 443, pair[0])] == []


def test_an_address_is_read_and_shown_without_its_credentials() -> None:
    proxy = parse_proxy("http://us%65r:p%40ss@proxy.example.org:3128/", "HTTPS_PROXY")
    assert proxy == Proxy("http", "proxy.example.org", 3128, "user", "p@ss", "HTTPS_PROXY")
    assert proxy.shown == "http://***@proxy.example.org:3128"
    assert proxy.basic == "Basic dXNlcjpwQHNz"
    assert "p@ss" not in repr(proxy)
    assert parse_proxy("proxy:3128", "x").shown == "http://proxy:3128"
    assert parse_proxy("socks5://[fd00::1]", "x").shown == "socks5h://[fd00::1]:1080"
    assert parse_proxy("https://proxy", "x").port == 443


@pytest.mark.parametrize(
    "text", ["http://", "ftp://host", "http://host:port", "http://host/path", "http://host?x", "http://[::1", "a\nb"]
)
def test_what_is_no_address_is_named_by_its_setting_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="MY_PROXY") as caught:
        parse_proxy(text.replace("host", "u:canary@host"), "MY_PROXY")
    assert "canary" not in caught.value.line()
