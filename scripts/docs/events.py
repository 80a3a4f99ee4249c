"""fennec-events(7), from the JSON Schemas."""

import json
from collections.abc import Mapping
from typing import Any

from scripts.docs import fields, prose
from scripts.docs.page import PACKAGE, Lines, MissingText, head, see_also
from scripts.docs.roff import bold, example, inline, item, paragraphs, section, subsection


def events_page() -> Lines:
    event, answer = (json.loads((PACKAGE / "schemas" / name).read_text()) for name in ("event.json", "answer.json"))
    shared = event["$defs"]["start"]["properties"].keys() & event["$defs"]["end"]["properties"].keys()
    common = {name: field for name, field in event["$defs"]["end"]["properties"].items() if name in shared}
    types = [line for name, schema in event["$defs"].items() for line in _event(name, schema, set(common))]
    own = {
        name: field
        for schema in answer["$defs"].values()
        for name, field in schema["properties"].items()
        if all(name not in other["properties"] for key, other in event["$defs"].items() if key in ("end", "error"))
    }
    return [
        *head("fennec-events", 7, "NDJSON events and the JSON object of fennec."),
        *section("DESCRIPTION", paragraphs(*prose.EVENTS_ABOUT)),
        *section("FIELDS OF EVERY EVENT", _field_items("", {**common, "type": {"type": "string"}})),
        *section("EVENTS", types),
        *section("THE JSON OBJECT", [*paragraphs(*prose.EVENTS_OBJECT), *_field_items("answer", own)]),
        *section("EXAMPLES", [
            *paragraphs("The text of an answer as it arrives:"),
            *example("fennec complete --ndjson < prompt.txt |\n"
                     "  jq -rj 'select(.type==\"chunk\").content // empty'"),
            ".PP",
            *paragraphs("Which rows of a batch failed, and why:"),
            *example("fennec complete --input lines --ndjson < prompts.txt |\n"
                     "  jq -r 'select(.type==\"error\") | [.id, .class, .message] | @tsv'"),
        ]),
        *section("SEE ALSO", see_also("fennec-events(7)")),
    ]  # fmt: skip


def _event(name: str, schema: dict[str, Any], common: set[str]) -> Lines:
    if name not in fields.EVENTS:
        raise MissingText(f"event {name}: add it to EVENTS in scripts/docs/fields.py")
    own = {field: value for field, value in schema["properties"].items() if field not in common}
    return subsection(name, [*paragraphs(fields.EVENTS[name]), *_field_items(name, own)])


def _field_items(event: str, properties: Mapping[str, Any], prefix: str = "") -> Lines:
    lines: Lines = []
    for name, schema in properties.items():
        full = f"{prefix}{name}"
        lines += item(f"{bold(full)} ({inline(_type(schema))})", _field_meaning(event, full))
        below = schema.get("items", schema)
        if "properties" in below:
            lines += _field_items(event, below["properties"], f"{full}{'[]' if 'items' in schema else ''}.")
    return lines


def _field_meaning(event: str, name: str) -> str:
    for key in (f"{event}.{name}", name):
        if key in fields.FIELDS:
            return fields.FIELDS[key]
    raise MissingText(f"field {name} of {event}: add it to FIELDS in scripts/docs/fields.py")


def _type(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema and len(schema["enum"]) <= 8:  # a longer list has its own page
        return ", ".join(json.dumps(value) if isinstance(value, str) else str(value) for value in schema["enum"])
    types = schema.get("type", "string")
    return types if isinstance(types, str) else " or ".join(types)
