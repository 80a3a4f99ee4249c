"""A provider in several regions: the next one answers where one fails before its first visible chunk."""

from itertools import pairwise
from typing import TYPE_CHECKING

from fennec_cli.dialects.base import HTTPCall, ModelInfo
from fennec_cli.errors import ProviderError
from fennec_cli.regions import Region, moves_on
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks
from fennec_cli.stages.retry import primed
from fennec_cli.transport import HTTPProvider
from fennec_cli.types import Say

if TYPE_CHECKING:
    from fennec_cli.transport.arrival import Arrival


class RegionalProvider:
    """The same deployment behind several endpoints, in order of fallback. A `StreamingProvider`."""

    supports_streaming = True

    def __init__(self, places: list[tuple[Region, HTTPProvider]], *, say: Say) -> None:
        self._places = places
        self._say = say

    @property
    def provider_name(self) -> str:
        return self.first.provider_name

    def stream_completion(self, request: CompletionRequest) -> Chunks:
        for (region, provider), (following, _) in pairwise(self._places):
            try:
                chunks = primed(provider.stream_completion(request), request.reasoning and not request.held)
            except ProviderError as error:
                if not moves_on(error):
                    raise
                self._say(1, f"{error.line()}: region {region.name} failed, going on with {following.name}")
            else:
                yield from chunks
                return
        yield from self._places[-1][1].stream_completion(request)

    def get_models(self) -> list[ModelInfo]:
        return self.first.get_models()

    def send(self, call: HTTPCall) -> bytes:
        return self.first.send(call)

    def call(self, request: CompletionRequest) -> HTTPCall:
        return self.first.call(request)

    def preview(self, request: CompletionRequest) -> HTTPCall:
        return self.first.preview(request)

    def open(self) -> None:
        """Build the clients now, so that the first request does not wait for them."""
        for _, provider in self._places:
            provider.open()

    def note(self, arrival: "Arrival") -> None:
        for _, provider in self._places:
            provider.note(arrival)

    def close(self) -> None:
        for _, provider in self._places:
            provider.close()

    @property
    def first(self) -> HTTPProvider:
        """The provider in the region that is asked first."""
        return self._places[0][1]
