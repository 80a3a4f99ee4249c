"""Run a decoder over a stream cut into pieces, and the ways to cut it."""

import random
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from fennec_cli.errors import ProtocolError
from fennec_cli.wire import Decoder, Event

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"


class Outcome(NamedTuple):
    events: list[Event]
    failure: str | None = None
    last_event_id: str = ""
    retry_ms: int | None = None


def run(decoder: Decoder, pieces: Iterable[bytes]) -> Outcome:
    """Feed all pieces, then close; a `ProtocolError` ends it, anything else is a bug and gets out."""
    events: list[Event] = []
    failure = None
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.close()
    except ProtocolError as error:
        failure = error.message
    return Outcome(events, failure, getattr(decoder, "last_event_id", ""), getattr(decoder, "retry_ms", None))


def cut(stream: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def single_cuts(stream: bytes) -> Iterator[list[bytes]]:
    """Every way to cut once, and byte by byte."""
    yield [bytes([byte]) for byte in stream]
    for place in range(len(stream) + 1):
        yield cut(stream, [place])


def random_cuts(stream: bytes, times: int, seed: int) -> Iterator[list[bytes]]:
    dice = random.Random(seed)
    for _ in range(times):
        yield cut(stream, [dice.randint(0, len(stream)) for _ in range(dice.randint(2, 12))])
