"""Files of any size from an address."""

import ssl
from pathlib import Path

import pytest
import trustme

from fennec_cli.errors import (
    ConfigError,
    FennecError,
    NetworkError,
    ProviderTimeout,
    RateLimitError,
    TLSError,
    UsageError,
)
from fennec_cli.transport.download import download
from tests.e2e.daemons import Middle
from tests.e2e.peer import Peer, Script, failure, head, send, sleep, stall, whole

FILE = b"GGUF" * 50_000


def fetched(url: str, environ: dict[str, str] | None = None, *, silence_s: float = 5.0) -> bytes:
    pieces = list(download(url, lambda _url: "here", environ or {}, silence_s=silence_s))
    assert {total for _, total in pieces} == {len(FILE)}
    return b"".join(data for data, _ in pieces)


def moved(place: str) -> Script:
    return whole(302, b"", None, f"location: {place}")


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "files.fennec.test").configure_cert(context)
    return context


@pytest.fixture
def trusting(ca: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """An environment that trusts the authority and asks for the secrets of its sessions."""
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "SSLKEYLOGFILE": str(tmp_path / "secrets")}


@pytest.mark.parametrize(
    ("status", "error_class"),
    [
        (401, "auth"),
        (403, "auth"),
        (404, "request"),
        (408, "unavailable"),
        (429, "rate_limit"),
        (503, "unavailable"),
        (304, "config"),
    ],
)
def test_a_status_has_the_class_it_has_everywhere(status: int, error_class: str) -> None:
    with Peer(failure(status, "SECRET")) as peer, pytest.raises(FennecError) as caught:
        fetched(peer.url)
    assert caught.value.error_class == error_class
    assert caught.value.message == f"here cannot be fetched ({status})"


def test_a_server_says_how_long_to_wait() -> None:
    with Peer(failure(429, "no", "retry-after: 7")) as peer, pytest.raises(RateLimitError) as caught:
        fetched(peer.url)
    assert caught.value.retry_after == 7


def test_each_address_on_the_way_is_checked() -> None:
    seen: list[str] = []

    def checked(url: str) -> str:
        seen.append(url)
        return "here"

    with Peer(whole(200, FILE)) as last, Peer(moved("/b?c"), moved(f"{last.url}/d")) as first:
        assert b"".join(data for data, _ in download(f"{first.url}/a", checked, {})) == FILE
    assert seen == [f"{first.url}/a", f"{first.url.removesuffix('/v1')}/b?c", f"{last.url}/d"]


def test_a_circle_of_redirects_ends() -> None:
    with Peer(moved("/again")) as peer, pytest.raises(ConfigError, match="redirects more than 10 times"):
        fetched(peer.url)
    assert len(peer.requests) == 11


def test_a_redirect_to_no_address_is_not_the_user_s_mistake() -> None:
    def checked(url: str) -> str:
        if url.endswith("no-host"):
            raise UsageError("--from is not an address")
        return "here"

    with Peer(moved("/no-host")) as peer, pytest.raises(ConfigError, match="here redirects to what is no address"):
        list(download(f"{peer.url}/a", checked, {}))


def test_a_download_that_is_cut_says_of_what() -> None:
    with (
        Peer([send(head(length=9), b"GGUF")]) as peer,
        pytest.raises(NetworkError, match="here cannot be fetched") as cut,
    ):
        fetched(peer.url)
    assert cut.value.hint == "try again, or give a file"


@pytest.mark.parametrize("script", [[stall()], [send(head(length=9), b"GGUF"), stall()]])
def test_silence_ends_it(script: Script) -> None:
    with Peer(script) as peer, pytest.raises(ProviderTimeout, match=r"here was silent for 0\.2 s"):
        fetched(peer.url, silence_s=0.2)


def test_a_slow_server_may_take_longer_than_it_may_be_silent() -> None:
    pieces = [head(length=len(FILE)), FILE[:4], FILE[4:]]
    with Peer([step for piece in pieces for step in (sleep(0.4), send(piece))]) as peer:
        assert fetched(peer.url, silence_s=0.6) == FILE


def test_tls_is_verified_and_its_secrets_are_not_written_down(server: ssl.SSLContext, trusting: dict[str, str]) -> None:
    with Peer(whole(200, FILE), context=server) as peer:
        with pytest.raises(TLSError) as caught:
            fetched(peer.url)
        assert "SSL_CERT_FILE" in caught.value.line()
        assert fetched(peer.url, trusting) == FILE
    assert not Path(trusting["SSLKEYLOGFILE"]).exists()


def test_old_tls_is_refused(server: ssl.SSLContext, trusting: dict[str, str]) -> None:
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    with Peer(whole(200, FILE), context=server) as peer, pytest.raises(TLSError) as caught:
        fetched(peer.url, trusting)
    assert "TLS 1.3" in caught.value.line()
    assert "tls_min" not in caught.value.line()  # it is a provider's


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used(server: ssl.SSLContext, trusting: dict[str, str], variable: str) -> None:
    with Peer(whole(200, FILE), context=server) as peer, Middle(peer.port) as middle:
        environ = {**trusting, variable: f"http://127.0.0.1:{middle.port}"}
        assert fetched("https://files.fennec.test/a.gguf", environ) == FILE
    assert middle.asked[0].startswith(b"CONNECT files.fennec.test:443 ")


def test_this_machine_is_not_reached_through_a_proxy() -> None:
    with Peer(whole(200, FILE)) as peer, Middle() as middle:
        assert fetched(peer.url, {"HTTP_PROXY": f"http://127.0.0.1:{middle.port}"}) == FILE
    assert middle.asked == []
