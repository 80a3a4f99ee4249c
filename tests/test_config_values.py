import pytest

from fennec_cli.config import check_base_url, expand
from fennec_cli.errors import ConfigError

ENVIRON = {"HOST": "example.org", "EMPTY": "", "NESTED": "${HOST}"}


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("plain $HOST", "plain $HOST"),
        ("https://${HOST}/v1", "https://example.org/v1"),
        ("${HOST}${EMPTY}${HOST}", "example.orgexample.org"),
        ("$${HOST}", "${HOST}"),
        ("${NESTED}", "${HOST}"),
    ],
)
def test_variables_are_replaced_once(value: str, expanded: str) -> None:
    assert expand(value, ENVIRON, "here") == expanded


def test_an_unset_variable_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"provider\.groq\.base_url: variable MISSING is not set"):
        expand("${MISSING}", ENVIRON, "provider.groq.base_url")


@pytest.mark.parametrize("value", ["${", "${}", "${HOST", "${1}", "${A-B}", "${HOST:-x}"])
def test_a_reference_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="here: a "):
        expand(value, ENVIRON, "here")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://[2001:db8::1]:8443",
        "http://localhost:11434",
        "http://LOCALHOST",
        "http://127.0.0.1:8080/v1",
        "http://127.8.9.1",
        "http://[::1]:8080",
    ],
)
def test_https_and_loopback_are_good_addresses(url: str) -> None:
    check_base_url(url, allow_insecure_http=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "http://127.evil.example",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0:80",
        "http://2130706433",
    ],
)
def test_plain_http_to_another_machine_needs_permission(url: str) -> None:
    with pytest.raises(ConfigError, match="plain http to another machine"):
        check_base_url(url, allow_insecure_http=False)
    check_base_url(url, allow_insecure_http=True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", r"http\(s\) URL with a host"),
        ("api.openai.com/v1", r"http\(s\) URL with a host"),
        ("localhost:11434", r"http\(s\) URL with a host"),
        ("ftp://example.org", r"http\(s\) URL with a host"),
        ("https://", r"http\(s\) URL with a host"),
        ("https:///v1", r"http\(s\) URL with a host"),
        ("https://[::1", "is not a URL"),
        ("https://example.org:port", "is not a URL"),
        ("https://example.org:99999", "is not a URL"),
        ("https://me:canary@example.org", "user or password"),
        ("https://canary@example.org", "user or password"),
        ("https://example.org/ v1", "spaces"),
        ("https://exam\nple.org", "spaces"),
        ("http://evil.example\\.localhost", "backslash"),
        ("https://example.org/v1?key=canary", "query"),
        ("https://example.org/#v1", "fragment"),
    ],
)
def test_other_addresses_are_refused_without_repeating_secrets(url: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        check_base_url(url, allow_insecure_http=True, where="OPENAI_BASE_URL")
    assert caught.value.message.startswith("OPENAI_BASE_URL ")
    assert "canary" not in caught.value.line()
