"""The judge: look at one line after the other of the whole stream."""

import orjson

from fennec_cli.wire import Event
from tests.wire.wire_cuts import Outcome


def slow_ndjson(stream: bytes) -> Outcome:
    events: list[Event] = []
    at = 0
    while (end := stream.find(b"\n", at)) >= 0:
        line = stream[at:end]
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            return Outcome(events, f"event {len(events) + 1}, byte {at + error.start} of the stream: not UTF-8")
        if line.strip():
            events.append(Event(line[:-1] if line.endswith(b"\r") else line))
        at = end + 1
    last = stream[at:]
    try:
        orjson.loads(last)
    except orjson.JSONDecodeError:
        return Outcome(events)
    return Outcome([*events, Event(last[:-1] if last.endswith(b"\r") else last)])
