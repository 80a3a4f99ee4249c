"""`fennec cache`: the answers that are kept."""

import time
from typing import Any

import click

from fennec_cli import signals
from fennec_cli.commands.complete import complete, settle_fallback
from fennec_cli.commands.options import (
    Command,
    Duration,
    Group,
    Option,
    Parsed,
    format_options,
    help_options,
    option,
    settings_of,
    settings_options,
)
from fennec_cli.errors import InputError

STATS_EXAMPLES = """\b
Examples:
  fennec cache
  fennec cache stats --ndjson | jq .hit_rate
"""
GET_EXAMPLES = """\b
Examples:
  fennec cache get 3f6c2a9d
  echo hi | fennec complete --fingerprint | xargs fennec cache get --json
"""
EXPLAIN_EXAMPLES = """\b
Examples:
  fennec cache explain < prompt.txt
  fennec cache explain -m openai/gpt-5.4-mini 'Name three colours.'
"""
EXPORT_EXAMPLES = """\b
Examples:
  fennec cache export > cache.ndjson
  fennec cache export --with-prompts -o review.ndjson
"""
IMPORT_EXAMPLES = """\b
Examples:
  fennec cache import < cache.ndjson
  fennec cache import cache.ndjson
"""
PRUNE_EXAMPLES = """\b
Examples:
  fennec cache prune --older-than 7d
  fennec cache prune --max-size 100MiB
"""
CLEAR_EXAMPLES = """\b
Examples:
  fennec cache clear
  fennec cache export > kept.ndjson && fennec cache clear
"""
# What makes a request, and with it a fingerprint; the other options of `complete` do not.
_OF_A_REQUEST = ("Model", "Tools", "Input", "Selection")
_NOT_HERE = ("--input", "--nul", "--attach-root", "--allow-row-model")
SIZE = Parsed("fennec_cli.size:Size", "size")


@click.group(cls=Group, default="stats")
def cache() -> None:
    """Show, move and drop the answers that are kept. Without a subcommand: stats, with its options."""


@cache.command(cls=Command, add_help_option=False, epilog=STATS_EXAMPLES)
@format_options
@settings_options
@help_options
@click.pass_obj
def stats(config: Any, /, output_format: str) -> int:
    """Show how many answers are kept, how often they were of use, and what that saved."""
    from fennec_cli.cache_care import collect, open_cache, rendered, usable
    from fennec_cli.registry import ProviderRegistry

    with usable():
        return _write(rendered(collect(open_cache(config), ProviderRegistry(config)), output_format))


@cache.command(cls=Command, add_help_option=False, epilog=GET_EXAMPLES)
@click.argument("fingerprint")
@format_options
@settings_options
@help_options
@click.pass_obj
def get(config: Any, /, fingerprint: str, output_format: str) -> int:
    """Print a kept answer.

    FINGERPRINT may be shortened to its first digits, eight at least.
    """
    from fennec_cli.cache_care import get, open_cache, shown_entry, usable

    with usable():
        return _write(shown_entry(get(open_cache(config), fingerprint.lower()), output_format))


def _request_options(command: Any) -> Any:
    """Add the options of `complete` that a request is made of."""
    chosen = [
        parameter
        for parameter in complete.params
        if isinstance(parameter, click.Argument)
        or (isinstance(parameter, Option) and parameter.group in _OF_A_REQUEST and parameter.opts[-1] not in _NOT_HERE)
    ]
    command.params[:0] = chosen
    return command


@_request_options
@cache.command(cls=Command, add_help_option=False, epilog=EXPLAIN_EXAMPLES)
@option("--reasoning", is_flag=True, group="Output", help="Explain it with the model's reasoning shown.")
@option("--cache-ttl", type=Duration(), group="Cache", help="Age from which a kept answer no longer counts (24h).")
@format_options
@settings_options
@help_options
@click.pass_context
def explain(ctx: click.Context, /, output_format: str, **given: Any) -> int:
    """Say whether a prompt would be answered from the cache, and if not, in what it differs.

    It takes a prompt as `fennec complete` does, or the fingerprint of one. Nothing is sent. Texts are not shown, only
    their lengths and hashes.
    """
    from fennec_cli.completion.explain import run_explain
    from fennec_cli.completion.options import CompleteOptions

    signals.install()
    settings = settings_of(ctx, given)
    settle_fallback(ctx, given)
    return run_explain(CompleteOptions(**given), settings, output_format, start=time.monotonic())


explain.config_table = "complete"  # a default there is part of the request here


@cache.command(cls=Command, add_help_option=False, epilog=EXPORT_EXAMPLES)
@option("-o", "--output", metavar="FILE", envvar=(), daily=True, help="Write here instead, whole or not at all.")
@option("--with-prompts", is_flag=True, envvar=(), daily=True, help="Write the texts of the prompts too.")
@settings_options
@help_options
@click.pass_obj
def export(config: Any, /, output: str | None, with_prompts: bool) -> int:
    """Write the answers that count as lines of JSON, sorted: a file to review and to keep in a repository."""
    from fennec_cli.cache_care import exported, open_cache, usable
    from fennec_cli.output.sink import write_parts

    signals.install()
    with usable():
        write_parts(exported(open_cache(config), with_prompts=with_prompts), output)
    return 0


@cache.command("import", cls=Command, add_help_option=False, epilog=IMPORT_EXAMPLES)
@click.argument("file", required=False, type=click.Path(), metavar="FILE")
@option("-q", "--quiet", is_flag=True, envvar=(), daily=True, help="Say nothing but errors.")
@settings_options
@help_options
@click.pass_obj
def import_(config: Any, /, file: str | None, quiet: bool) -> int:
    """Keep the answers of exported lines, from FILE or standard input; their time begins now.

    A line that was changed is refused, the others are kept, and the exit status says so.
    """
    from fennec_cli.cache_care import import_, open_cache, usable
    from fennec_cli.output.notes import Notes
    from fennec_cli.safeguards import Safeguards, audit_trail

    signals.install()
    notes = Notes(quiet=quiet)
    guards = Safeguards(trail=audit_trail(config, say=notes.loud))
    try:
        with open(file, "rb") if file else open(0, "rb", closefd=False) as lines, usable():
            import_(open_cache(config), lines, notes, guards.record)
    except OSError as error:
        raise InputError(f"cannot read {file or 'standard input'} ({error.strerror})") from error
    finally:
        guards.close()
    return 0


@cache.command(cls=Command, add_help_option=False, epilog=PRUNE_EXAMPLES)
@option("--older-than", type=Duration(), envvar=(), daily=True, help="Drop answers of this age and more, too.")
@option("--max-size", type=SIZE, metavar="SIZE", envvar=(), daily=True, help="Leave at most this much (`[cache] max_size`).")
@option("-q", "--quiet", is_flag=True, envvar=(), daily=True, help="Say nothing but errors.")
@settings_options
@help_options
@click.pass_obj
def prune(config: Any, /, older_than: float | None, max_size: Any, quiet: bool) -> int:
    """Drop answers that no longer count, and the least recently read of those that are too many."""
    from fennec_cli.cache_care import open_cache, prune, usable

    with usable():
        return _dropped(prune(open_cache(config), older_than_s=older_than, max_size=max_size), quiet)


@cache.command(cls=Command, add_help_option=False, epilog=CLEAR_EXAMPLES)
@option("-q", "--quiet", is_flag=True, envvar=(), daily=True, help="Say nothing but errors.")
@settings_options
@help_options
@click.pass_obj
def clear(config: Any, /, quiet: bool) -> int:
    """Drop all answers."""
    from fennec_cli.cache_care import clear, open_cache, open_index, usable

    cache = open_cache(config)
    with usable():
        return _dropped(clear(cache, open_index(config, cache)), quiet)


def _dropped(count: int, quiet: bool) -> int:
    from fennec_cli.output.notes import Notes

    Notes(quiet=quiet).warn(f"dropped {count} answer{'' if count == 1 else 's'}")
    return 0


def _write(data: bytes) -> int:
    from fennec_cli.output.sink import write_out

    signals.install()
    write_out(data)
    return 0
