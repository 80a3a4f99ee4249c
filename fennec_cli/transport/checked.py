"""An exchange that is known to be an answer: what the provider refuses is raised, and a refused key replaced."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from fennec_cli.dialects.base import Headers, HTTPCall, ProviderModule
from fennec_cli.errors import AuthenticationError, FennecError
from fennec_cli.keys import masked_header
from fennec_cli.transport.patience import Patience
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.transport.client import Exchange, HTTPClient, Link


class Credential(NamedTuple):
    """What an exchange does with the key: send it, ask for another one when it is refused, and say that it worked.

    `met` is told how each answer came.
    """

    headers: Callable[[], Headers]
    renewed: Callable[[AuthenticationError, int], bool]
    worked: Callable[[], None]
    met: "Callable[[Link], None]"


class Checked:
    """An exchange whose status is 200; any other is raised as the error that the provider's table says.

    A refused credential is replaced as long as its source has another one.
    """

    def __init__(
        self,
        client: "HTTPClient",
        call: HTTPCall,
        credential: Credential,
        patience: Patience,
        module: ProviderModule,
        trace: Callable[[str], None],
    ) -> None:
        self._client, self._call, self._credential = client, call, credential
        self._patience, self._module, self._trace = patience, module, trace

    def __enter__(self) -> "Exchange":
        refused = 0
        while True:
            try:
                return self._begin()
            except AuthenticationError as error:
                if not self._credential.renewed(error, refused):
                    raise
                refused += 1

    def __exit__(self, *details: object) -> bool | None:
        return self._manager.__exit__(*details)  # type: ignore[arg-type]

    def _begin(self) -> "Exchange":
        from fennec_cli.transport.client import MAX_ERROR_BODY

        call, secret = self._call, self._credential.headers()
        self._trace(f"> {call.method} {call.url} ({len(call.body)} bytes){_shown({**call.headers, **secret})}")
        self._manager = self._client.exchange(call, secret, self._patience)
        exchange = self._manager.__enter__()
        self._trace(f"< {exchange.status}{_shown(exchange.headers)}")
        self._credential.met(exchange.link)
        if exchange.status == 200:
            self._credential.worked()
            return exchange
        try:
            body = exchange.read(MAX_ERROR_BODY)
        except FennecError:
            body = b""  # the status says enough
        finally:
            self._manager.__exit__(None, None, None)
        raise self._module.decode_error(exchange.status, exchange.headers, body)


def _shown(headers: Headers) -> str:
    """Headers for people, on the line of their message: those of several threads do not mix."""
    shown = ((name, masked_header(name, value)) for name, value in headers.items())
    return "".join(f" | {name}: {value if value.isprintable() else ascii(value)}" for name, value in shown)
