"""The one factory of TLS contexts. There is no switch that turns verification off."""

import os
import ssl
import sys
from collections.abc import Mapping, Sequence

from fennec_cli.errors import ConfigError

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def tls_context(
    *,
    ca_bundle: str | None = None,
    client_cert: Sequence[str] = (),
    tls_min: str = "1.3",
    x509_strict: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> ssl.SSLContext:
    """Return a verifying client context. Raises `ConfigError` for files that cannot be used.

    Trust, first that is set: `ca_bundle` (a file or a hashed directory), `SSL_CERT_FILE` and `SSL_CERT_DIR`, the
    system's hashed directory (read on demand: 0.2 ms instead of 25 for parsing the whole bundle), the system's
    bundle, certifi's; on macOS and Windows the system's own store. `client_cert` is a file with certificate and key,
    or one of each. `SSLKEYLOGFILE`, which would write down what decrypts the traffic, is ignored.
    """
    given = [ca_bundle] if ca_bundle else [environ.get("SSL_CERT_FILE"), *_directories(environ.get("SSL_CERT_DIR"))]
    chosen = [os.path.expanduser(place) for place in given if place]
    context = _bare_context(own_trust=bool(chosen))
    context.minimum_version = _VERSIONS[tls_min]
    strict = ssl.VERIFY_X509_STRICT if x509_strict else ssl.VerifyFlags(0)
    context.verify_flags |= strict | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    if client_cert:
        _identify(context, [os.path.expanduser(path) for path in client_cert])
    for place in chosen:
        _trust(context, place)
    if not chosen and type(context) is ssl.SSLContext:
        _trust_system(context)
    return context


def _directories(listed: str | None) -> list[str]:
    """Those that there are of a list as OpenSSL takes it, or all."""
    places = (listed or "").split(os.pathsep)
    return [place for place in places if os.path.exists(os.path.expanduser(place))] or places


def trusts_nobody() -> ssl.SSLContext:
    """A context for where only plain http was expected: https through it fails closed."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _bare_context(*, own_trust: bool) -> ssl.SSLContext:
    if sys.platform not in ("darwin", "win32") or own_trust:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    import truststore  # asks the system to verify: its certificates are in no file there

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trust_system(context: ssl.SSLContext) -> None:
    paths = ssl.get_default_verify_paths()
    if paths.capath and _is_hashed(paths.capath):
        context.load_verify_locations(capath=paths.capath)
    elif paths.cafile:
        context.load_verify_locations(cafile=paths.cafile)
    else:
        import certifi

        context.load_verify_locations(cafile=certifi.where())


def _trust(context: ssl.SSLContext, place: str) -> None:
    try:
        if os.path.isdir(place):
            context.load_verify_locations(capath=place)
        else:
            context.load_verify_locations(cafile=place)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot read CA certificates from {place} ({error})") from error


def _identify(context: ssl.SSLContext, paths: list[str]) -> None:
    """Load our own certificate. The file with the key must be for its owner only."""
    try:
        if os.stat(paths[-1]).st_mode & 0o077:
            raise ConfigError(f"others can read the key in {paths[-1]}", hint=f"chmod 600 {paths[-1]}")
        # Without a callback OpenSSL would ask for a passphrase on the terminal.
        context.load_cert_chain(paths[0], paths[-1], password=_no_passphrase)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot use the client certificate {paths[0]} ({error})") from error


def _no_passphrase() -> str:
    raise ConfigError("the key of the client certificate has a passphrase", hint="store it without one, mode 0600")


def _is_hashed(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(entry.name.endswith(".0") for entry in entries)
    except OSError:
        return False
