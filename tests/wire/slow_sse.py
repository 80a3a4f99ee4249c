"""The judge: a slow, obvious SSE decoder that sees the whole stream at once and follows the HTML standard's text.

It differs from the standard where fennec does on purpose: bytes that are not UTF-8 end the stream with a failure, and
nothing of an unfinished event counts.
"""

from fennec_cli.wire import Event
from tests.wire.wire_cuts import Outcome


def slow_sse(stream: bytes) -> Outcome:
    text = stream.decode("utf-8", errors="surrogateescape")  # each bad byte becomes one character, U+DC80 to U+DCFF
    at = 1 if text.startswith("\ufeff") else 0
    events: list[Event] = []
    last_id, retry = "", None
    block: list[tuple[int, str]] = []
    while at < len(text):
        start = at
        while at < len(text) and text[at] not in "\r\n":
            at += 1
        if at == len(text):
            break  # the line, and the event with it, is unfinished
        line = text[start:at]
        at += 2 if text[at : at + 2] == "\r\n" else 1
        if line:
            block.append((start, line))
            continue
        for start, line in block:
            bad = [i for i, character in enumerate(line) if "\udc80" <= character <= "\udcff"]
            if bad and not line.startswith(":"):
                offset = len(text[: start + bad[0]].encode("utf-8", errors="surrogateescape"))
                failure = f"event {len(events) + 1}, byte {offset} of the stream: not UTF-8"
                return Outcome(events, failure, last_id, retry)
        data, kind = "", ""
        for _, line in block:
            if line.startswith(":"):
                continue
            field, value = line, ""
            if ":" in line:
                field, value = line[: line.index(":")], line[line.index(":") + 1 :]
                if value.startswith(" "):
                    value = value[1:]
            if field == "event":
                kind = value
            if field == "data":
                data += value + "\n"
            if field == "id" and "\0" not in value:
                last_id = value
            if field == "retry" and value and set(value) <= set("0123456789") and len(value) <= 18:
                retry = int(value)
        if data:
            events.append(Event(data[:-1].encode(), kind or "message", last_id))
        block = []
    return Outcome(events, None, last_id, retry)
