"""Certificates that are refused: class `tls`, and the key is never sent."""

import shlex
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.peer import Peer, answer, whole
from tests.e2e.runner import Fennec

Serve = Callable[..., Peer]
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")

CA_EXTENSIONS = """basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
LEAF_EXTENSIONS = """basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


def openssl(directory: Path, command: str) -> None:
    words = ["openssl", *shlex.split(command)]
    subprocess.run(words, cwd=directory, check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a CA of our own: `ca.pem`, `ca.key`."""
    place = tmp_path_factory.mktemp("ca")
    (place / "ca.ext").write_text("[x]\n" + CA_EXTENSIONS)
    make_key(place, "ca")
    openssl(place, "req -new -key ca.key -subj '/CN=Test CA' -out ca.csr")
    openssl(place, "x509 -req -in ca.csr -key ca.key -days 2 -extfile ca.ext -extensions x -out ca.pem")
    return place


def make_key(place: Path, name: str) -> None:
    openssl(place, f"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key")


def server_context(place: Path, name: str, *, names: str = "IP:127.0.0.1", days: int = 2) -> ssl.SSLContext:
    """Issue a certificate and return the context of a server that shows it."""
    (place / f"{name}.ext").write_text("[x]\n" + LEAF_EXTENSIONS.format(names=names))
    make_key(place, name)
    openssl(place, f"req -new -key {name}.key -subj /CN={name} -out {name}.csr")
    issuer = "-CA ca.pem -CAkey ca.key -CAcreateserial"
    openssl(place, f"x509 -req -in {name}.csr {issuer} -days {days} -extfile {name}.ext -extensions x -out {name}.pem")
    return context_of(place, name)


def context_of(place: Path, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place / f"{name}.pem", place / f"{name}.key")
    return context


def test_a_certificate_of_an_own_ca_is_accepted_when_that_is_named(
    fennec: Fennec, serve: Serve, authority: Path
) -> None:
    peer = serve(answer("Hello"), context=server_context(authority, "good"))
    fennec.complete(env={"SSL_CERT_FILE": str(authority / "ca.pem")}).succeeded("Hello")
    (fennec.home / "c.toml").write_text(f'[provider.openai]\nca_bundle = "{authority}/ca.pem"\n')
    fennec.complete("-c", "c.toml").succeeded("Hello")
    assert len(peer.requests) == 2


def test_directories_of_certificates_are_listed_as_for_openssl(
    fennec: Fennec, serve: Serve, authority: Path, tmp_path: Path
) -> None:
    serve(answer("Hello"), context=server_context(authority, "listed"))
    (tmp_path / "empty").mkdir()
    shutil.copy(authority / "ca.pem", tmp_path)
    openssl(tmp_path, "rehash .")
    for listed in (f"{tmp_path}", f"/nowhere:{tmp_path}/empty:{tmp_path}"):
        fennec.complete(env={"SSL_CERT_DIR": listed}).succeeded("Hello")
    assert "/nowhere" in fennec.complete(env={"SSL_CERT_DIR": "/nowhere:/nothing"}).failed("config", 3)


def test_the_check_of_providers_says_the_version(fennec: Fennec, serve: Serve, authority: Path) -> None:
    peer = serve(whole(200, b'{"data": []}'), context=server_context(authority, "checked"))
    trust: dict[str, str | None] = {"SSL_CERT_FILE": str(authority / "ca.pem")}
    result = fennec("models", "check", "--provider", "openai", "--json", env=trust)
    assert '"tls": "TLSv1.3"' in result.text
    assert (len(peer.requests), result.status) == (1, 0)


def test_an_unknown_issuer_is_refused(fennec: Fennec, serve: Serve, authority: Path) -> None:
    peer = serve(answer("never"), context=server_context(authority, "unknown"))
    assert "SSL_CERT_FILE" in fennec.complete().failed("tls", 20)
    assert (peer.requests, peer.connections) == ([], 1)


@pytest.mark.parametrize(
    ("name", "names", "days"),
    [("wrong-name", "DNS:other.example", 2), ("wrong-address", "IP:127.0.0.2", 2), ("expired", "IP:127.0.0.1", -1)],
)
def test_a_certificate_that_does_not_fit_is_refused(
    fennec: Fennec, serve: Serve, authority: Path, name: str, names: str, days: int
) -> None:
    try:
        context = server_context(authority, name, names=names, days=days)
    except subprocess.CalledProcessError:
        pytest.skip("this openssl makes no expired certificates")
    peer = serve(answer("never"), context=context)
    fennec.complete(env={"SSL_CERT_FILE": str(authority / "ca.pem")}).failed("tls", 20)
    assert peer.requests == []


def test_a_self_signed_certificate_is_refused(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    make_key(tmp_path, "self")
    openssl(
        tmp_path, "req -x509 -key self.key -days 2 -subj /CN=self -addext subjectAltName=IP:127.0.0.1 -out self.pem"
    )
    serve(answer("never"), context=context_of(tmp_path, "self"))
    fennec.complete().failed("tls", 20)


def test_tls_1_2_is_refused_unless_the_configuration_allows_it(fennec: Fennec, serve: Serve, authority: Path) -> None:
    context = server_context(authority, "old")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    serve(answer("Hello"), context=context)
    trust: dict[str, str | None] = {"SSL_CERT_FILE": str(authority / "ca.pem")}
    assert "tls_min" in fennec.complete(env=trust).failed("tls", 20)
    (fennec.home / "c.toml").write_text('[provider.openai]\ntls_min = "1.2"\n')
    result = fennec.complete("-c", "c.toml", env=trust)
    assert (result.stdout, result.status) == (b"Hello", 0)


def test_plain_http_behind_an_https_address_is_refused(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("never"))
    fennec.base_url = peer.url.replace("http:", "https:")
    assert fennec.complete("--retries", "0").status in (7, 20)
    assert peer.requests == []
