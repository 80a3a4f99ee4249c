"""Certificates, proxies and redirects, with real peers: what is refused gets no key."""

import datetime
import ipaddress
import json
import os
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.e2e.daemons import Middle, dante, nginx, stunnel, tinyproxy
from tests.e2e.peer import Peer, Script, answer, body_of, delta, failure, finish, head, send, sleep, whole
from tests.e2e.runner import CANARY, Fennec

Serve = Callable[..., Peer]
NAME = "127.0.0.1"
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(fennec: Fennec, ca: trustme.CA) -> Fennec:
    """The command, which trusts `ca`."""
    ca.cert_pem.write_to_path(str(fennec.home / "ca.pem"))
    fennec.env["SSL_CERT_FILE"] = str(fennec.home / "ca.pem")
    return fennec


def server(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def configure(fennec: Fennec, *lines: str) -> None:
    place = fennec.home / ".config/fennec/config.toml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n".join(["[provider.openai]", *lines, ""]))


def self_made(ca: trustme.CA, home: Path, *, bits: int | None = None, key_id: bool = True) -> ssl.SSLContext:
    """A server with a certificate that trustme would not make: of a weak key, or without the issuer's key id."""
    signer = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    key = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(NAME))]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    )
    if key_id:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())  # type: ignore[arg-type]
        builder = builder.add_extension(identifier, False)
    certificate = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    form = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (home / "made.pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(home / "made.pem")
    return context


def contexts(ca: trustme.CA, home: Path) -> dict[str, ssl.SSLContext]:
    middle = ca.create_child_ca()
    chainless = server(middle.issue_cert(NAME))
    leaf = middle.issue_cert(NAME)
    leaf.private_key_pem.write_to_path(str(home / "leaf.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(home / "leaf.pem"), append=True)
    chainless = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chainless.load_cert_chain(home / "leaf.pem")
    old = server(ca.issue_cert(NAME))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    return {
        "expired": server(ca.issue_cert(NAME, not_before=NOW - 2 * DAY, not_after=NOW - DAY)),
        "not yet valid": server(ca.issue_cert(NAME, not_before=NOW + DAY, not_after=NOW + 2 * DAY)),
        "wrong name": server(ca.issue_cert("other.example.org")),
        "wrong address": server(ca.issue_cert("127.0.0.2")),
        "unknown root": server(trustme.CA().issue_cert(NAME)),
        "missing intermediate": chainless,
        "TLS 1.2 only": old,
        "weak key": self_made(ca, home, bits=1024),
        "no key id": self_made(ca, home, key_id=False),
    }


HINTS = {
    "expired": "clock",
    "not yet valid": "clock",
    "wrong name": "base_url",
    "wrong address": "base_url",
    "unknown root": "ca_bundle",
    "missing intermediate": "ca_bundle",
    "TLS 1.2 only": "tls_min",
    "weak key": "stronger",
    "no key id": "x509_strict",
}


@pytest.mark.parametrize("flaw", HINTS)
def test_tls_matrix(trusting: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path, flaw: str) -> None:
    """Class `tls`, the right hint, and not a byte of a request."""
    peer = serve(answer("never"), context=contexts(ca, tmp_path)[flaw])
    assert HINTS[flaw] in trusting.complete().failed("tls", 20)
    assert (peer.requests, peer.connections) == ([], 1)


def test_a_good_certificate_is_accepted(trusting: Fennec, serve: Serve, ca: trustme.CA) -> None:
    serve(answer("Hello"), context=server(ca.issue_cert(NAME)))
    trusting.complete().succeeded("Hello")


def test_tls12_opt_in(trusting: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path) -> None:
    serve(answer("Hello"), context=contexts(ca, tmp_path)["TLS 1.2 only"])
    trusting.complete().failed("tls", 20)
    configure(trusting, 'tls_min = "1.2"')
    result = trusting.complete()
    assert (result.stdout, result.status) == (b"Hello", 0)
    assert "TLS 1.2 is allowed" in result.stderr


def test_strictness_can_be_relaxed_for_one_provider(
    trusting: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path
) -> None:
    serve(answer("Hello"), context=self_made(ca, tmp_path, key_id=False))
    configure(trusting, "x509_strict = false")
    trusting.complete().succeeded("Hello")
    configure(trusting, "[network]", "x509_strict = false")
    trusting.complete().succeeded("Hello")


def test_tls_custom_ca(fennec: Fennec, serve: Serve, ca: trustme.CA) -> None:
    """It replaces the system's certificates and those of the environment."""
    peer = serve(answer("Hello"), context=server(ca.issue_cert(NAME)))
    ca.cert_pem.write_to_path(str(fennec.home / "ca.pem"))
    configure(fennec, 'ca_bundle = "~/ca.pem"')
    fennec.complete(env={"SSL_CERT_FILE": "/nowhere"}).succeeded("Hello")
    trustme.CA().cert_pem.write_to_path(str(fennec.home / "ca.pem"))
    fennec.complete().failed("tls", 20)
    (fennec.home / "ca.pem").write_text("no certificate")
    assert "ca.pem" in fennec.complete().failed("config", 3)
    assert len(peer.requests) == 1


def test_nothing_turns_verification_off(fennec: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path) -> None:
    peer = serve(answer("never"), context=server(ca.issue_cert(NAME)))
    log = tmp_path / "keys.log"
    off: dict[str, str | None] = {
        "PYTHONHTTPSVERIFY": "0",
        "CURL_INSECURE": "1",
        "REQUESTS_CA_BUNDLE": "",
        "SSLKEYLOGFILE": str(log),
    }
    fennec.complete(env=off).failed("tls", 20)
    assert peer.requests == []
    ca.cert_pem.write_to_path(str(fennec.home / "ca.pem"))
    fennec.complete(env={**off, "SSL_CERT_FILE": str(fennec.home / "ca.pem")}).succeeded("never")
    assert not log.exists()  # it would hold what decrypts the traffic


def test_tls_mtls(trusting: Fennec, serve: Serve, ca: trustme.CA) -> None:
    context = server(ca.issue_cert(NAME))
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    peer = serve(answer("Hello"), context=context)
    assert "client_cert" in trusting.complete().failed("tls", 20)
    assert peer.requests == []
    leaf = ca.issue_cert("me@example.org")
    both, key, cert = (trusting.home / name for name in ("both.pem", "key.pem", "cert.pem"))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(both))
    leaf.private_key_pem.write_to_path(str(key))
    leaf.cert_chain_pems[0].write_to_path(str(cert))
    for setting, secret in ((f'"{both}"', both), (f'["{cert}", "{key}"]', key)):
        configure(trusting, f"client_cert = {setting}")
        secret.chmod(0o644)
        assert "chmod 600" in trusting.complete().failed("config", 3)
        secret.chmod(0o600)
        trusting.complete().succeeded("Hello")
    configure(trusting, 'client_cert = "/nowhere.pem"')
    trusting.complete().failed("config", 3)
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600


def test_redirect_not_followed_with_key(trusting: Fennec, serve: Serve, ca: trustme.CA) -> None:
    with Peer(answer("never")) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            script: Script = whole(status, b"", None, f"location: {elsewhere.url}/chat/completions")
            peer = serve(script, context=server(ca.issue_cert(NAME)))
            trusting.complete().failed("config", 3)
            assert len(peer.requests) == 1
        assert (elsewhere.requests, elsewhere.connections) == ([], 0)


def test_proxy_http_auth_tinyproxy(trusting: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path) -> None:
    peer = serve(answer("Hello"), context=server(ca.issue_cert(NAME)))
    with tinyproxy(tmp_path, "BasicAuth user proxycanary") as port:
        configure(trusting, f'proxy = "http://user:proxycanary@127.0.0.1:{port}"')
        trusting.complete().succeeded("Hello")
        said = trusting.complete("-vvv").stderr
        assert "proxycanary" not in said
        for wrong in ("", "user:wrongcanary@"):
            configure(trusting, f'proxy = "http://{wrong}127.0.0.1:{port}"')
            line = trusting.complete().failed("auth", 4)
            assert "407" in line
            assert "provider.openai.proxy" in line
            assert "wrongcanary" not in line
        assert len(peer.requests) == 2
        plain = serve(answer("Plain"))  # no tunnel: the proxy is asked for the page
        configure(trusting, f'proxy = "http://user:proxycanary@127.0.0.1:{port}"')
        trusting.complete().succeeded("Plain")
        assert "via" in plain.requests[0].headers
        assert "proxy-authorization" not in plain.requests[0].headers
        configure(trusting, f'proxy = "http://127.0.0.1:{port}"')
        assert "407" in trusting.complete().failed("auth", 4)


def test_a_proxy_that_cannot_reach_the_server_is_named(trusting: Fennec, tmp_path: Path) -> None:
    with tinyproxy(tmp_path) as port:
        configure(trusting, f'proxy = "http://127.0.0.1:{port}"')
        trusting.base_url = "https://127.0.0.1:9/v1"
        line = trusting.complete("--retries", "0").failed("unavailable", 7)
        assert f"the proxy http://127.0.0.1:{port} does not connect to 127.0.0.1:9" in line
    line = trusting.complete("--retries", "0").failed("unavailable", 7)
    assert "cannot connect to the proxy" in line
    assert "provider.openai.proxy" in line


def test_proxy_socks_dante(trusting: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path) -> None:
    peer = serve(answer("Hello"), context=server(ca.issue_cert(NAME, "localhost")))
    with dante(tmp_path) as port:
        configure(trusting, f'proxy = "socks5h://127.0.0.1:{port}"')
        trusting.complete().succeeded("Hello")
        trusting.base_url = peer.url.replace(NAME, "localhost")  # a name that the proxy resolves
        trusting.complete().succeeded("Hello")
        plain = serve(answer("Plain"))
        trusting.complete().succeeded("Plain")
        trusting.base_url = "https://127.0.0.1:9/v1"
        line = trusting.complete("--retries", "0").failed("unavailable", 7)
        assert "does not connect to 127.0.0.1:9" in line
    assert (len(peer.requests), len(plain.requests)) == (2, 1)


def test_no_proxy(trusting: Fennec, serve: Serve, ca: trustme.CA) -> None:
    """A name that only the proxy knows: with NO_PROXY nobody does."""
    peer = serve(answer("Hello"), context=server(ca.issue_cert("api.fennec.test")))
    trusting.base_url = f"https://api.fennec.test:{peer.port}/v1"
    with Middle(peer.port) as middle:
        proxy: dict[str, str | None] = {"HTTPS_PROXY": f"http://127.0.0.1:{middle.port}"}
        trusting.complete(env=proxy).succeeded("Hello")
        assert middle.asked[0].startswith(b"CONNECT api.fennec.test:%d HTTP/1.1\r\n" % peer.port)
        assert CANARY.encode() not in middle.asked[0]
        trusting.complete("--retries", "0", env={**proxy, "NO_PROXY": "fennec.test"}).failed("unavailable", 7)
        trusting.base_url = peer.url  # this machine is not asked through a proxy
        trusting.complete(env=proxy)
        assert len(middle.asked) == 1


def test_a_proxy_that_is_spoken_to_over_tls(trusting: Fennec, serve: Serve, ca: trustme.CA) -> None:
    peer = serve(answer("Hello " * 20_000), context=server(ca.issue_cert(NAME)))
    with Middle(peer.port, outer=server(ca.issue_cert("localhost"))) as middle:
        configure(trusting, f'proxy = "https://me:secretcanary@localhost:{middle.port}"')
        # Middle pumps what it has decrypted: TLS inside of TLS.
        trusting.complete().succeeded("Hello " * 20_000)
        assert b"Proxy-Authorization: Basic " in middle.asked[0]
    with Middle(peer.port, outer=server(trustme.CA().issue_cert("localhost"))) as middle:
        configure(trusting, f'proxy = "https://me:secretcanary@localhost:{middle.port}"')
        assert "secretcanary" not in trusting.complete().failed("tls", 20)
        assert middle.asked == []


def test_a_measurement_hears_the_kernel_through_tls(trusting: Fennec, serve: Serve, ca: trustme.CA) -> None:
    """Through TLS, and through TLS inside of TLS, with the same verdict on certificates as everywhere."""
    peer = serve(answer("Hello"), context=server(ca.issue_cert(NAME)))
    ask = ("bench", "-m", "openai/m", "-N", "3", "--warmup", "1", "--set", "8x8", "--json")
    with Middle(peer.port, outer=server(ca.issue_cert("localhost"))) as middle:
        for proxy in ("", f'proxy = "https://localhost:{middle.port}"'):
            configure(trusting, f'base_url = "{peer.url}"', 'api_key = "sk-canary"', proxy)
            run = trusting(*ask)
            assert run.status == 0, run.stderr
            document = json.loads(run.stdout)
            assert document["checks"][0]["clocks"] == {"kernel": 3}
            assert all(row["ttft_s"] > 0 for row in document["requests"])
    assert len(middle.asked) > 0
    stranger = serve(answer("Hello"), context=server(trustme.CA().issue_cert(NAME)))
    configure(trusting, f'base_url = "{stranger.url}"', 'api_key = "sk-canary"')
    assert trusting(*ask).status == 20


def test_mitmproxy_rejected_without_ca(trusting: Fennec) -> None:
    """A proxy that makes its own certificates reads nothing until its CA is trusted."""
    other = trustme.CA()
    trusting.base_url = "https://api.fennec.test/v1"
    with Middle(inside=server(other.issue_cert("api.fennec.test"))) as middle:
        proxy: dict[str, str | None] = {"HTTPS_PROXY": f"http://127.0.0.1:{middle.port}"}
        assert "ca_bundle" in trusting.complete(env=proxy).failed("tls", 20)
        assert (len(middle.asked), middle.read) == (1, b"")
        other.cert_pem.write_to_path(str(trusting.home / "other.pem"))
        trusting.complete("--retries", "0", env={**proxy, "SSL_CERT_FILE": str(trusting.home / "other.pem")})
        assert CANARY.encode() in middle.read


@pytest.mark.parametrize(
    ("value", "said"), [("ftp://host", "kind of proxy"), ("http://h:x", "address"), ("http://u:canary@", "address")]
)
def test_an_address_of_a_proxy_that_is_none(fennec: Fennec, value: str, said: str) -> None:
    configure(fennec, f'proxy = "{value}"')
    line = fennec.complete().failed("config", 3)
    assert said in line
    assert "canary" not in line


def test_credentials_of_a_proxy_can_stay_in_the_environment(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    serve(answer("Hello"))
    with tinyproxy(tmp_path, "BasicAuth user proxycanary") as port:
        configure(fennec, f'proxy = "http://${{WHO}}@127.0.0.1:{port}"')
        fennec.complete(env={"WHO": "user:proxycanary"}).succeeded("Hello")
        assert "proxycanary" not in fennec("config", "show", env={"WHO": "user:proxycanary"}).text


def test_nginx_stunnel_stream(trusting: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path) -> None:
    """Through a TLS terminator and a reverse proxy pieces still come as they are sent."""
    pause = 0.6
    peer = serve(
        [send(head(), body_of("Hel")[: body_of("Hel").index(finish())]), sleep(pause), send(delta("lo"), finish())]
    )
    with nginx(tmp_path, peer.port) as inner, stunnel(tmp_path, ca, inner) as outer:
        trusting.base_url = f"https://127.0.0.1:{outer}/v1"
        with trusting.start("complete", "--no-stdin", "hi") as process:
            assert process.stdout is not None
            first = os.read(process.stdout.fileno(), 100)
            begin = time.monotonic()
            rest = process.stdout.read()
            assert (first, rest) == (b"Hel", b"lo")
            assert time.monotonic() - begin > pause / 2
            assert process.wait(10) == 0
    assert peer.requests[0].headers["authorization"] == f"Bearer {CANARY}"


@pytest.mark.parametrize(("permission", "key_sent"), [((), None), (("send_key_insecure = true",), f"Bearer {CANARY}")])
def test_plain_http_to_another_machine_needs_permission_and_the_key_another(
    fennec: Fennec, serve: Serve, permission: tuple[str, ...], key_sent: str | None
) -> None:
    peer = serve(answer("Hello"))
    fennec.base_url = f"http://box.fennec.test:{peer.port}/v1"
    assert "allow_insecure_http" in fennec.complete().failed("config", 3)
    with Middle(peer.port) as middle:
        # The only way to a name that does not exist: SOCKS would do as well, a tunnel is what Middle knows.
        configure(fennec, "allow_insecure_http = true", f'proxy = "http://127.0.0.1:{middle.port}"', *permission)
        fennec.complete("--retries", "0")
        assert middle.asked[0].startswith(b"POST http://box.fennec.test")
        sent = [line for line in middle.asked[0].decode().split("\r\n") if line.lower().startswith("authorization")]
        assert [line.partition(": ")[2] for line in sent] == ([key_sent] if key_sent else [])


def test_the_check_of_providers_sees_each_step(trusting: Fennec, serve: Serve, ca: trustme.CA, tmp_path: Path) -> None:
    """DNS, connection, TLS version and issuer, proxy, key, latency."""
    models = whole(200, b'{"data": [{"id": "m-1"}]}')
    peer = serve(models, context=server(ca.issue_cert(NAME)))
    with tinyproxy(tmp_path, "BasicAuth user proxycanary") as port:
        configure(trusting, f'proxy = "http://user:proxycanary@127.0.0.1:{port}"')
        (row,) = orjson.loads(trusting("models", "check", "--provider", "openai", "--json").stdout)
        steps = [row.pop(step) for step in ("dns_ms", "connect_ms", "tls_ms", "latency_ms")]
        assert 0 <= sum(steps[:3]) <= steps[3] < 20_000
        assert row == {
            "provider": "openai",
            "ok": True,
            "url": peer.url,
            "proxy": f"http://***@127.0.0.1:{port}",
            "address": "127.0.0.1",
            "tls": "TLSv1.3",
            "issuer": row["issuer"],
            "key": "OPENAI_API_KEY",
            "key_accepted": True,
            "models": 1,
            "circuits": [],
            "class": "ok",
            "message": "",
        }
        assert row["issuer"].startswith("trustme")
    configure(trusting)
    serve(failure(401), context=server(ca.issue_cert(NAME)))
    result = trusting("models", "check", "--provider", "openai", "--json")
    (row,) = orjson.loads(result.stdout)
    assert (row["key_accepted"], row["tls"], row["class"], result.status) == (False, "TLSv1.3", "auth", 4)
    assert "OPENAI_API_KEY REFUSED" in trusting("models", "check", "--provider", "openai").text
