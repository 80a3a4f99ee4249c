"""Checking an answer against a JSON Schema. The validator is imported only when a schema is used."""

from collections.abc import Mapping
from typing import Any

import orjson


def check_schema(schema: Mapping[str, Any]) -> str | None:
    """Return why `schema` is not a usable JSON Schema, or None."""
    import jsonschema_rs

    try:
        _validator(schema)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return _one_line(error)
    return None


def mismatch(text: str, schema: Mapping[str, Any]) -> str | None:
    """Return where and why `text` is not a JSON document that fits `schema`, or None when it fits."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error.msg} at character {error.pos}"
    for fault in _validator(schema).iter_errors(document):
        place = "/".join(str(part) for part in fault.instance_path)
        return f"at /{place}: {_one_line(fault)}"
    return None


def _validator(schema: Mapping[str, Any]) -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(dict(schema), retriever=_refuse)


def _refuse(uri: str) -> Any:
    """A schema is data: it must not make us open connections or files."""
    raise ValueError(f"references to other documents are not followed ({uri})")


def _one_line(error: Exception) -> str:
    text = " ".join(str(getattr(error, "message", None) or error).split())
    return text if len(text) <= 200 else text[:199] + "…"
