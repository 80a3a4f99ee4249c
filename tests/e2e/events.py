"""Reads NDJSON output as strictly as the contract promises it."""

from functools import cache
from importlib import resources
from typing import Any

import orjson
from jsonschema import Draft202012Validator

Event = dict[str, Any]


@cache
def schema(name: str) -> Draft202012Validator:
    document = orjson.loads((resources.files("fennec_cli") / "schemas" / f"{name}.json").read_bytes())
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def read_events(stdout: bytes) -> list[Event]:
    """Check every line against the schema, and the order of each id; return the events."""
    assert stdout.endswith(b"\n"), stdout[-200:]
    events = [orjson.loads(line) for line in stdout.split(b"\n")[:-1]]
    by_id: dict[str, list[Event]] = {}
    for event in events:
        schema("event").validate(event)
        if event["type"] != "summary":
            by_id.setdefault(event["id"], []).append(event)
    for row in by_id.values():
        _check_row(row)
    return events


def _check_row(row: list[Event]) -> None:
    types = [event["type"] for event in row]
    assert [event["seq"] for event in row] == list(range(len(row)))
    assert [event["t"] for event in row] == sorted(event["t"] for event in row)
    assert [kind for kind in types if kind in ("end", "error")] == [types[-1]]
    assert types.count("start") == (1 if "chunk" in types or types[-1] == "end" else types.count("start"))
    assert types.count("start") <= 1
    if "start" in types:
        start = types.index("start")
        assert set(types[:start]) <= {"retry", "fallback"}
        assert set(types[start + 1 : -1]) <= {"chunk"}


def read_answer(stdout: bytes) -> Event:
    """Check the one object of JSON output and return it."""
    assert stdout.count(b"\n") == 1
    document = orjson.loads(stdout)
    schema("answer").validate(document)
    assert isinstance(document, dict)
    return document


def text_of(events: list[Event], index: int = 0) -> str:
    return "".join(event["content"] for event in events if event.get("index") == index and "content" in event)
