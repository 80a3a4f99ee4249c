"""TLS over a connection, and what its failures mean."""

import socket
import ssl
from typing import TYPE_CHECKING

from fennec_cli import signals
from fennec_cli.errors import NetworkError, TLSError

if TYPE_CHECKING:
    from fennec_cli.transport.tunnel import NestedTLS


def secured(
    connection: "socket.socket | NestedTLS", context: ssl.SSLContext, hostname: str | None, end: float, *, by_hand: bool
) -> "socket.socket | NestedTLS":
    """Speak TLS over `connection`; `by_hand` reads through it, where `ssl` would take its descriptor.

    Raises `TimeoutError` if that has not begun at `end` (monotonic clock), and other `OSError`s.
    """
    wrapped = _wrapped(connection, context, hostname, by_hand=by_hand)
    try:
        signals.tried(wrapped.do_handshake, wrapped.settimeout, end)
        return wrapped
    except BaseException:
        wrapped.close()
        raise


def _wrapped(
    connection: "socket.socket | NestedTLS", context: ssl.SSLContext, hostname: str | None, *, by_hand: bool
) -> "ssl.SSLSocket | NestedTLS":
    if by_hand or isinstance(connection, ssl.SSLSocket) or not isinstance(connection, socket.socket):
        from fennec_cli.transport.tunnel import NestedTLS

        return NestedTLS(connection, context, hostname)
    return context.wrap_socket(connection, server_hostname=hostname, do_handshake_on_connect=False)


def tls_failure(error: OSError, peer: str) -> NetworkError | TLSError:
    """Return what an error of a handshake means, and what helps."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TLSError(
            f"the certificate of {peer} was refused ({error.verify_message})", hint=_certificate_hint(error.verify_code)
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return TLSError(f"no secure connection to {peer} ({reason})", hint=_protocol_hint(reason))
    return NetworkError(f"{peer} closed the connection during the TLS handshake")


def refuses_certificate(error: OSError) -> bool:
    """Whether the other end does not take our certificate: in TLS 1.3 it says so to the first read, not before."""
    reason = error.reason or "" if isinstance(error, ssl.SSLError) else ""
    return "_ALERT_" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason)


def _certificate_hint(code: int) -> str:
    """What helps against a verdict of X509_verify_cert_error_string(3)."""
    if code in (9, 10):
        return "check the clock of this machine, or have the server's certificate renewed"
    if code in (62, 64):
        return "base_url must name the host that the certificate is for"
    if 79 <= code <= 93:  # the checks of X509_V_FLAG_X509_STRICT
        return "the certificate breaks RFC 5280; set x509_strict = false for this provider if it cannot be renewed"
    if code in (66, 67, 68):
        return "the server's certificate needs a stronger key or signature"
    return "name the right CA with ca_bundle or SSL_CERT_FILE"


def _protocol_hint(reason: str) -> str:
    if "certificate required" in reason or "bad certificate" in reason or "unknown ca" in reason:
        return "the server wants a certificate of ours; name it with client_cert"
    if "version" in reason or "protocol" in reason:
        return 'TLS 1.3 is the minimum; set tls_min = "1.2" for an old gateway'
    return "check base_url, and what stands between this machine and the server"
