"""A provider as a job sees it: its batch interface, and calls that are repeated while that is harmless."""

import time
from collections.abc import Callable, Iterator

from fennec_cli import signals
from fennec_cli.dialects.base import Endpoint, HTTPCall, ProviderModule
from fennec_cli.errors import FennecError, ProtocolError
from fennec_cli.provider_batches import BatchInterface, Part, Remote, Result
from fennec_cli.transport import HTTPProvider

TRIES = 3
_LONGEST_S = 30.0
_SILENCE_S = 120.0
_PAGES = 20  # of the list of batches


class Service:
    def __init__(
        self,
        api: BatchInterface,
        module: ProviderModule,
        provider: HTTPProvider,
        *,
        sleep: Callable[[float], None] = signals.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.api, self.module = api, module
        self.sleep, self.clock = sleep, clock
        self._provider = provider

    @property
    def endpoint(self) -> Endpoint:
        return self._provider.endpoint

    def send(self, call: HTTPCall) -> bytes:
        """Make a call once."""
        return self._provider.send(call)

    def ask(self, call: HTTPCall) -> bytes:
        """Make a call that changes nothing, or nothing more the second time: it is repeated when it fails."""
        for number in range(1, TRIES):
            try:
                return self.send(call)
            except FennecError as error:
                if not error.retryable:
                    raise
                self.sleep(min(_LONGEST_S, max(error.retry_after or 0.0, 0.5 * 2**number)))
        return self.send(call)

    def status(self, part: Part, batch_id: str) -> Remote:
        return self.api.decode_status(self.ask(self.api.status_call(self.endpoint, part, batch_id)))

    def cancel(self, part: Part, batch_id: str) -> Remote:
        return self.api.decode_status(self.ask(self.api.cancel_call(self.endpoint, part, batch_id)))

    def since(self, part: Part, moment: float) -> Iterator[Remote]:
        """Yield the batches that were made since `moment`, newest first."""
        cursor: str | None = None
        for _page in range(_PAGES):
            found, cursor = self.api.decode_list(self.ask(self.api.list_call(self.endpoint, part, cursor)))
            for remote in found:
                if remote.created is not None and remote.created < moment:
                    return
                yield remote
            if cursor is None:
                return

    def results(self, part: Part, remote: Remote) -> Iterator[Result]:
        """Yield the results of a batch as they come; a connection that breaks is an error."""
        for place in remote.results:
            call = self.api.result_call(self.endpoint, part, place)
            for event in self._provider.send_streaming(call, "ndjson", silence_s=_SILENCE_S):
                try:
                    result = self.api.decode_result(event.data, self.module)
                except ProtocolError:  # a row without a result that can be read is a row without a result
                    continue
                yield result
