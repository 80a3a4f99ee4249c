"""`fennec audit`: the log of what was asked and answered."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import click

from fennec_cli import signals
from fennec_cli.commands.options import Command, format_options, help_options, option, settings_options

VERIFY_EXAMPLES = """\b
Examples:
  fennec audit verify
  fennec audit verify --head "$(cat head.yesterday)"
"""
HEAD_EXAMPLES = """\b
Examples:
  fennec audit head > head.today
  fennec audit head | mail -s 'audit head' security@example.org
"""
TAIL_EXAMPLES = """\b
Examples:
  fennec audit tail
  fennec audit tail -N 100 --ndjson | jq -r 'select(.["error.type"])'
"""
EXPORT_EXAMPLES = """\b
Examples:
  fennec audit export > audit.ndjson
  fennec audit export --format csv -o audit.csv
"""

csv_options = partial(format_options, people="csv", default="ndjson")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def audit() -> None:
    """Check and read the log of what was asked and answered. FILE is another log than the configured one."""


@audit.command(cls=Command, add_help_option=False, epilog=VERIFY_EXAMPLES)
@click.argument("file", required=False)
@option("--head", metavar="SEQ:HASH", envvar=(), daily=True, help="A record that must be there, as `head` printed it.")
@option("--chain-only", is_flag=True, envvar=(), daily=True,
        help="Only numbers and hashes: the log of another installation, whose check values need its key.")
@settings_options
@help_options
@click.pass_obj
def verify(config: Any, /, file: str | None, head: str | None, chain_only: bool) -> int:
    """Check that no record was changed, taken out, put in or moved; name the first one that was.

    A tail that was cut off shows only against a --head that was kept elsewhere.
    """
    from fennec_cli.audit_report import checked, own_key, parsed_head

    path = _path(config, file)
    known = parsed_head(head) if head else None
    verdict = checked(path, None if chain_only else own_key(), known)
    said = f"{verdict.records} records, whole"
    if verdict.head is not None:
        said += f"; the last is {verdict.head.seq}:{verdict.head.hash}"
    _write([f"{said}\n".encode()])
    return 0


@audit.command(cls=Command, add_help_option=False, epilog=HEAD_EXAMPLES)
@click.argument("file", required=False)
@settings_options
@help_options
@click.pass_obj
def head(config: Any, /, file: str | None) -> int:
    """Print number and hash of the last record, to be kept elsewhere for `fennec audit verify`."""
    from fennec_cli.audit_report import last_head

    last = last_head(_path(config, file))
    _write([f"{last.seq}:{last.hash}\n".encode()])
    return 0


@audit.command(cls=Command, add_help_option=False, epilog=TAIL_EXAMPLES)
@click.argument("file", required=False)
@option("-N", "--lines", type=click.IntRange(min=1), default=10, metavar="N", envvar=(), daily=True,
        help="How many records (10).")
@format_options
@settings_options
@help_options
@click.pass_obj
def tail(config: Any, /, file: str | None, lines: int, output_format: str) -> int:
    """Print the last records."""
    from collections import deque

    from fennec_cli.audit_report import records_of, rendered

    last = deque(records_of(_path(config, file)), maxlen=lines)
    if output_format == "json":
        _write([_as_json(list(last))])
    else:
        _write(rendered(record, output_format) for record in last)
    return 0


@audit.command(cls=Command, add_help_option=False, epilog=EXPORT_EXAMPLES)
@click.argument("file", required=False)
@option("-o", "--output", metavar="FILE", daily=True, envvar=(), help="Write here instead, whole or not at all.")
@csv_options
@settings_options
@help_options
@click.pass_obj
def export(config: Any, /, file: str | None, output: str | None, output_format: str) -> int:
    """Write all records, also those of the files that were rotated."""
    from itertools import chain

    from fennec_cli.audit_report import csv_header, records_of, rendered

    records = records_of(_path(config, file))
    if output_format == "json":
        _write([_as_json(list(records))], output)
    else:
        first = [csv_header()] if output_format == "csv" else []
        _write(chain(first, (rendered(record, output_format) for record in records)), output)
    return 0


def _as_json(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _path(config: Any, file: str | None) -> str:
    from fennec_cli.errors import ConfigError
    from fennec_cli.safeguards import audit_path

    path = audit_path(config, file)
    if path is None:
        raise ConfigError("there is no state directory: HOME is not set", hint="name the log's FILE")
    return path


def _write(parts: Iterable[bytes], output: str | None = None) -> None:
    from fennec_cli.output.sink import write_parts

    signals.install()
    write_parts(parts, output)


