"""`fennec audit`: the log read, checked and shown."""

import os
from collections.abc import Iterator
from typing import Any

import orjson

from fennec_cli.audit.chain import Line, Verdict, numbered, verify
from fennec_cli.audit.log import Head, read_record, rotated
from fennec_cli.errors import ConfigError, InputError, IntegrityError, UsageError
from fennec_cli.private import installation_key

_CSV = (
    "ts",
    "seq",
    "event",
    "id",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "http.response.status_code",
    "error.type",
    "fennec.cache",
    "fennec.filter_hits",
    "fennec.duration_ms",
    "fennec.bytes_out",
    "fennec.cost_usd",
)


def lines_of(path: str) -> Iterator[Line]:
    """Yield every line of the log, those of the files that it was before first. Raises `InputError`."""
    files = [*rotated(path), path]
    if not os.path.exists(path):
        files.pop()
    if not files:
        raise InputError(f"there is no audit log {path}", hint="it begins with the first request; or name another FILE")
    for each in files:
        try:
            with open(each, "rb") as file:
                yield from numbered(each, file)
        except OSError as error:
            raise InputError(f"cannot read {each} ({error.strerror})") from error


def records_of(path: str) -> Iterator[dict[str, Any]]:
    for line in lines_of(path):
        record = read_record(line.data)
        if record is not None:
            yield record


def checked(path: str, key: bytes | None, head: Head | None) -> Verdict:
    """Follow the chain of the log. Raises `IntegrityError` naming the first bad record."""
    verdict = verify(lines_of(path), key=key, head=head)
    if verdict.problem:
        hint = "what was written before it is whole; keep the file as it is"
        if key is not None and not verdict.records:
            hint = "if another installation wrote the log, check it with --chain-only"
        raise IntegrityError(verdict.problem, hint=hint)
    return verdict


def own_key() -> bytes:
    """Return what vouches for the records of this installation. Raises `ConfigError`."""
    try:
        return installation_key("audit")
    except OSError as error:
        reason = f"the key of this installation cannot be read ({error.strerror})"
        raise ConfigError(reason, hint="--chain-only checks numbers and hashes without it") from error


def parsed_head(text: str) -> Head:
    """Read `SEQ:HASH`. Raises `UsageError`."""
    seq, _, digest = text.strip().partition(":")
    if seq.isdigit() and len(digest) == 64 and set(digest) <= set("0123456789abcdef"):
        return Head(int(seq), digest)
    raise UsageError("--head takes SEQ:HASH", hint="as `fennec audit head` prints it")


def last_head(path: str) -> Head:
    """Return the number and the hash of the last record of a whole chain. Raises `InputError`, `IntegrityError`."""
    head = checked(path, None, None).head
    if head is None:
        raise InputError(f"the audit log {path} has no record")
    return head


def rendered(record: dict[str, Any], output_format: str) -> bytes:
    """One record as a line: JSON, comma-separated values, or a text for people."""
    if output_format == "ndjson":
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    if output_format == "csv":
        return (",".join(_cell(record.get(name)) for name in _CSV) + "\n").encode()
    parts = [str(record.get("ts", ""))[:19], f"{record['seq']:>6}", f"{record.get('event', ''):<12}"]
    model = "/".join(str(record[each]) for each in ("gen_ai.provider.name", "gen_ai.request.model") if each in record)
    parts += [model, str(record.get("error.type") or "")]
    if record.get("event") == "response":
        tokens = (record.get("gen_ai.usage.input_tokens", 0), record.get("gen_ai.usage.output_tokens", 0))
        parts.append(f"{tokens[0]} in, {tokens[1]} out, {record.get('fennec.duration_ms', 0):.0f} ms")
    return (" ".join(part for part in parts if part) + "\n").encode()


def csv_header() -> bytes:
    return (",".join(_CSV) + "\n").encode()


def _cell(value: Any) -> str:
    """RFC 4180; a text that a spreadsheet would take for a formula is marked as text."""
    text = "" if value is None else str(value)
    if text[:1] in ("=", "+", "@", "-") and not isinstance(value, int | float):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if set(text) & set('",\r\n') else text
