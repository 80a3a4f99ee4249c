"""A file of any size from an address: for whoever checks what it holds."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from urllib.parse import urljoin

from fennec_cli.dialects.base import HTTPCall
from fennec_cli.dialects.openai_errors import decode_error
from fennec_cli.errors import ConfigError, FennecError, NetworkError, ProviderTimeout, TLSError, UsageError
from fennec_cli.transport.client import Exchange, HTTPClient
from fennec_cli.transport.network import Network
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.transport.proxy import proxy_for

_MOST_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)


def download(
    url: str, checked: Callable[[str], str], environ: Mapping[str, str], *, silence_s: float = 30.0
) -> Generator[tuple[bytes, int], None, None]:
    """Yield the bytes behind `url` as they come, each piece with the size of the whole (0 where nobody knows).

    Redirects are followed. Before each request `checked` returns the address as it may be shown, or raises. The server
    may take all the time it likes, but not be silent for more than `silence_s` (pip's own default is 15).
    """
    limits = Limits(
        connect=silence_s, first_event=silence_s, idle=silence_s, idle_reasoning=silence_s, content=silence_s
    )
    place = ""
    for hop in range(1 + _MOST_REDIRECTS):
        try:
            place, patience = checked(url), Patience(limits)
        except UsageError as error:
            if not hop:
                raise
            raise ConfigError(f"{place} redirects to what is no address", hint="use the final address") from error
        try:
            with (
                closing(_client(url, environ)) as client,
                client.exchange(HTTPCall("GET", url, {}), {}, patience) as exchange,
            ):
                onward = exchange.headers.get("location") if exchange.status in _REDIRECTS else None
                if onward is None:
                    yield from _body(exchange, place, patience)
                    return
        except ProviderTimeout as error:
            raise ProviderTimeout(f"{place} was silent for {silence_s:g} s", hint="try again") from error
        except TLSError as error:  # there is no provider to configure
            trust = "certificate" in error.message
            error.hint = "SSL_CERT_FILE names whom to trust" if trust else "its server has to speak TLS 1.3"
            error.hint += "; or give a file"
            raise
        except NetworkError as error:
            if error.status is not None and error.status >= 400:  # it is told already
                raise
            hint = "try again, or give a file"
            raise NetworkError(f"{place} cannot be fetched: {error.message}", hint=hint) from error
        url = urljoin(url, onward)
    raise ConfigError(f"{place} redirects more than {_MOST_REDIRECTS} times", hint="use the final address")


def _client(url: str, environ: Mapping[str, str]) -> HTTPClient:
    proxy, plain = proxy_for(url, None, environ), url[:5].lower() == "http:"
    if plain and proxy is None:
        return HTTPClient()
    from fennec_cli.transport.tls import tls_context

    context = tls_context(environ=environ)
    return HTTPClient(context, network=Network(proxy=proxy, forwards=plain, proxy_context=context))


def _body(exchange: Exchange, place: str, patience: Patience) -> Generator[tuple[bytes, int], None, None]:
    if exchange.status != 200:
        raise _refused(exchange, place)
    total = int(exchange.headers.get("content-length") or 0)
    patience.event_seen()
    patience.content_seen()
    for data in exchange.chunks:
        patience.content_seen()
        yield data, total


def _refused(exchange: Exchange, place: str) -> FennecError:
    """The error of a status as everywhere, in words of our own: nobody knows what a stranger's page says."""
    error = decode_error(exchange.status, exchange.headers, b"")
    error.message = f"{place} cannot be fetched ({exchange.status})"
    error.hint = "check the address" if not error.retryable else "try again, or give a file"
    return error
