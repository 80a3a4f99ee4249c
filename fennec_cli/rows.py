"""NDJSON rows: a line of input to what it asks for.

A row is `{"id"?, "prompt"|"messages", "system"?, "model"?, "options"?, "attachments"?, "meta"?}`, or a row of an
OpenAI batch file: `custom_id` and `body`. Rows are data that anybody may have written: they set no host, header or key,
read no file outside of `--attach-root`, and cannot loosen what the command says about privacy.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined] # typeshed leaves it out
from typing import Any

import orjson

from fennec_cli import prompts
from fennec_cli.dialogue import messages_of
from fennec_cli.errors import FennecError, InputError
from fennec_cli.inputs import tool_from
from fennec_cli.prompts import Row
from fennec_cli.request import EMPTY, Message, Tool
from fennec_cli.tuples import NamedTuple

_KEYS = ("id", "prompt", "messages", "system", "model", "options", "attachments", "meta")
_BATCH_KEYS = ("custom_id", "method", "url", "body", "meta")
_IGNORED = "error"  # what a dead letter says beside its row, so that it can be sent again as it is
_PATHS = ("/v1/chat/completions", "/v1/responses")
# The transport's own business.
_DROPPED = frozenset({"stream", "stream_options"})
# Privacy is the command's: OpenAI would keep the answers.
_PRIVATE = frozenset({"store", "background"})
# What has a place of its own in a row, or chooses who else gets to see the prompt: models, services, places, stores.
_REFUSED = frozenset(
    {"messages", "input", "prompt", "instructions", "system", "model", "tools"}
    | {"models", "fallbacks", "provider", "route", "preset", "inference_geo"}
    | {"plugins", "mcp_servers", "data_sources", "web_search_options"}
    | {"conversation", "previous_response_id", "container"}
)
_SAMPLING = {
    "temperature": float,
    "top_p": float,
    "max_tokens": int,
    "seed": int,
    "stop": tuple,
    "reasoning_effort": str,
}
_RENAMED = {"max_completion_tokens": "max_tokens", "max_output_tokens": "max_tokens"}


class RowFields(NamedTuple):
    """What an NDJSON row says about its request. `sampling` is by the names of `request.Sampling`."""

    messages: tuple[Message, ...] = ()
    system: str | None = None
    model: str | None = None
    sampling: Mapping[str, Any] = EMPTY
    options: Mapping[str, Any] = EMPTY
    attachments: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None


def read_rows(records: Iterable[bytes], *, replace: bool = False) -> Iterator[Row]:
    """Yield a row per record, passing over blank ones; a row that cannot be used carries its fault."""
    for number, record in enumerate(records, 1):
        if record and not record.isspace():
            yield read_row(record, number, replace=replace)


def read_row(record: bytes, number: int, *, replace: bool = False) -> Row:
    """Read one record; `number` is its line, from 1, and its id if it has none."""
    name, row_id = f"line {number}", str(number)
    if number == 1:
        record = record.removeprefix(b"\xef\xbb\xbf")
    try:
        document = _document(record, name, replace=replace)
    except InputError as error:
        return Row(_id_in_spite(record) or row_id, fault=error, source=record)
    try:
        row_id = _id_of(document) or row_id
        row = _batch_row(document) if "body" in document or "custom_id" in document else _row(document)
        meta = _meta(record) if "meta" in document else None
        return row._replace(id=row_id, meta=meta, source=record)
    except FennecError as error:
        return Row(row_id, fault=InputError(f"{name}: {error.message}", hint=error.hint), source=record)


def _meta(record: bytes) -> bytes:
    try:
        return members(record.decode("utf-8", "replace"))["meta"]
    except RecursionError:
        raise InputError("its meta is nested too deeply") from None


def members(record: str) -> dict[str, bytes]:
    """Return the JSON text of each member of an object as it stands there: a number may have more digits than ours.

    Raises `RecursionError` for one that is nested too deeply.
    """
    decoder, place = json.JSONDecoder(), record.index("{") + 1
    found: dict[str, bytes] = {}
    while (quote := record.find('"', place)) >= 0:
        key, place = scanstring(record, quote + 1, True)
        place = _past_space(record, record.index(":", place) + 1)
        _, end = decoder.raw_decode(record, place)
        found[key] = record[place:end].encode()
        place = end
    return found


def _past_space(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place


def _document(record: bytes, name: str, *, replace: bool) -> dict[str, Any]:
    if replace:
        record = record.decode("utf-8", "replace").encode()
    try:
        document = orjson.loads(record)
    except orjson.JSONDecodeError as error:
        prompts.decode_text(record, name)  # says where it is no UTF-8
        raise InputError(f"{name} is not JSON ({error.msg})", hint="write one object a line") from None
    if not isinstance(document, dict):
        raise InputError(f"{name} is not a JSON object", hint="write one object a line")
    return document


def _id_in_spite(record: bytes) -> str | None:
    """The id of a row that is no UTF-8, if all but some text in it can be read."""
    try:
        document = orjson.loads(record.decode("utf-8", "replace"))
        return _id_of(document) if isinstance(document, dict) else None
    except (orjson.JSONDecodeError, InputError):
        return None


def _id_of(document: dict[str, Any]) -> str | None:
    row_id = document.get("custom_id" if "custom_id" in document else "id")
    if row_id is None:
        return None
    if not isinstance(row_id, str) or not row_id:
        raise InputError("its id must be a text, not empty")
    return row_id


def _row(document: dict[str, Any]) -> Row:
    _check_keys(document, _KEYS)
    if ("prompt" in document) == ("messages" in document):
        raise InputError("it needs either prompt or messages")
    prompt = _text(document, "prompt") or ""
    if "prompt" in document:
        if not prompt.strip():
            raise InputError("its prompt is empty")
        prompts.checked_text(prompt, "its prompt")
    sampling, options, tools = _options({} if document.get("options") is None else document["options"], "options")
    attachments = [] if document.get("attachments") is None else document["attachments"]
    if not isinstance(attachments, list) or not all(isinstance(place, str) and place for place in attachments):
        raise InputError("its attachments must be a list of paths and URLs")
    fields = RowFields(
        messages=messages_of(document["messages"]) if "messages" in document else (),
        system=_text(document, "system"),
        model=_text(document, "model"),
        sampling=sampling,
        options=options,
        attachments=tuple(attachments),
        tools=tools,
    )
    return Row("", prompt, given=fields)


def _batch_row(document: dict[str, Any]) -> Row:
    _check_keys(document, _BATCH_KEYS)
    body, url = document.get("body"), document.get("url")
    if not isinstance(body, dict):
        raise InputError("its body must be an object")
    if document.get("method") not in (None, "POST") or not (url is None or url in _PATHS):
        raise InputError("only POST to /v1/chat/completions or /v1/responses is a completion")
    rest = dict(body)
    asked = rest.pop("messages", None)
    given = rest.pop("input", None)
    if (asked is None) == (given is None):
        raise InputError("its body needs either messages or input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    reasoning = rest.get("reasoning")
    if isinstance(reasoning, dict) and set(reasoning) == {"effort"}:
        rest["reasoning_effort"] = rest.pop("reasoning")["effort"]
    fields = RowFields(
        messages=messages_of(given if asked is None else asked),
        system=_text(rest, "instructions"),
        model=_text(rest, "model"),
        tool_choice=_tool_choice(rest.pop("tool_choice", None)),
    )
    for taken in ("instructions", "model"):
        rest.pop(taken, None)
    sampling, options, tools = _options(rest, "body")
    return Row("", given=fields._replace(sampling=sampling, options=options, tools=tools))


def _check_keys(document: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in document:
        if key not in known and key != _IGNORED:
            raise InputError(f"{key!r:.80} is no key of a row", hint=f"known are {', '.join(known)}")


def _text(document: dict[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"its {key} must be a text")
    return value


def _options(given: object, place: str) -> tuple[dict[str, Any], dict[str, Any], tuple[Tool, ...]]:
    """Return sampling, what is sent to the provider as it is, and tools: functions only, no servers."""
    if not isinstance(given, dict):
        raise InputError(f"its {place} must be an object")
    sampling: dict[str, Any] = {}
    options: dict[str, Any] = {}
    tools: tuple[Tool, ...] = ()
    for key, value in given.items():
        name = _RENAMED.get(key, key)
        outer = key.partition(".")[0]  # a dotted name reaches into it
        if outer in _DROPPED or outer in _PRIVATE or value is None:
            continue
        if key == "tools":
            tools = _tools(value, f"its {place}")
        elif outer in _REFUSED:
            raise InputError(
                f"{place}.{key} is not a row's to say", hint="a model stands in `model`, a text in `prompt`"
            )
        elif name in _SAMPLING:
            sampling[name] = _sampled(name, value, f"{place}.{key}")
        else:
            options[key] = value
    return sampling, options, tools


def _sampled(name: str, value: Any, place: str) -> Any:
    kind = _SAMPLING[name]
    if name == "max_tokens" and isinstance(value, int) and value < 1:
        raise InputError(f"{place} must be at least 1")
    if kind is tuple:
        value = [value] if isinstance(value, str) else value
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
    elif kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, kind) and not isinstance(value, bool):
        return value
    raise InputError(f"{place} has the wrong type")


def _tools(given: object, place: str) -> tuple[Tool, ...]:
    if not isinstance(given, list):
        raise InputError("its tools must be a list")
    return tuple(tool_from(each, place) for each in given)


def _tool_choice(given: object) -> str | None:
    function = given.get("function", given) if isinstance(given, dict) else None
    choice = function.get("name") if isinstance(function, dict) else given
    if choice is not None and not isinstance(choice, str):
        raise InputError("its tool_choice must be a word or name a function")
    return choice
