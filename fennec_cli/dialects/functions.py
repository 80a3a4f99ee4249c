"""Tools and answer schemas as OpenAI's two dialects write them."""

from collections.abc import Mapping
from typing import Any

from fennec_cli.request import Tool

TOOL_CHOICES = ("auto", "none", "required")


def function_fields(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        fields["description"] = tool.description
    fields["parameters"] = tool.parameters or {"type": "object", "properties": {}}
    if tool.strict is not None:
        fields["strict"] = tool.strict
    return fields


def schema_fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Name the schema, and ask for strict adherence where the schema is one that strict mode accepts."""
    title = str(schema.get("title") or "answer")
    name = "".join(character if character.isascii() and character.isalnum() else "_" for character in title)[:64]
    return {"name": name, "schema": dict(schema), "strict": is_strict(schema)}


def is_strict(schema: Any) -> bool:
    """Whether every object in `schema` forbids additional properties and requires all that it has."""
    if isinstance(schema, list):
        return all(is_strict(part) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required") or ()) != set(properties or ()):
            return False
    inner = [value for key, value in schema.items() if key not in ("enum", "const", "default", "properties")]
    return all(is_strict(part) for part in (*inner, *(properties or {}).values()))
