"""`fennec batch`: the providers' own batch endpoints."""

from functools import partial
from typing import Any

import click

from fennec_cli.commands.options import (
    USD,
    Command,
    Duration,
    Whole,
    format_options,
    help_options,
    option,
    settings_options,
)
from fennec_cli.errors import UsageError

SUBMIT_EXAMPLES = """\b
Examples:
  fennec batch submit -m openai/gpt-5.4-mini < rows.ndjson
  jq -c '{id:.sha,prompt:.msg}' commits.json | fennec batch submit -m anthropic/claude-haiku-5-5 -s 'One line.'
"""
STATUS_EXAMPLES = """\b
Examples:
  fennec batch status
  fennec batch status b3f0c8a41d2e9f76 --ndjson | jq .ready
"""
FETCH_EXAMPLES = """\b
Examples:
  fennec batch fetch b3f0c8a41d2e9f76 --wait 24h -o answers.ndjson
  fennec batch fetch b3f0c8a41d2e9f76 | jq -r 'select(.ok) | [.id, .content] | @tsv'
"""
CANCEL_EXAMPLES = """\b
Examples:
  fennec batch cancel b3f0c8a41d2e9f76
  fennec batch cancel b3f0c8a41d2e9f76 --json
"""
REDACT = click.Choice(["off", "warn", "mask", "block"])
table_options = partial(format_options, people="table")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def batch() -> None:
    """Submit many rows to a provider's batch endpoint, at half the price, and fetch the answers within a day."""


@batch.command(cls=Command, add_help_option=False, epilog=SUBMIT_EXAMPLES)
@option("-m", "--model", metavar="[PROVIDER/]MODEL", daily=True, help="Model id or alias.")
@option("--provider", metavar="NAME", help="Provider to ask: OpenAI, Azure or Anthropic.")
@option("-s", "--system", metavar="TEXT|@FILE", daily=True, help="System prompt.")
@option("--max-tokens", type=Whole(1), metavar="N", daily=True, help="Most tokens of an answer.")
@option("-O", "--option", metavar="K=V", multiple=True,
        help="Send K to the provider as it is; V is JSON or text (repeatable).")
@option("--attach-root", metavar="DIR", help="Rows may attach files below this directory.")
@option("--max-cost", type=USD, metavar="USD",
        help="Refuse rows that may cost more than this together.")
@option("--budget", metavar="NAME",
        help="Take what the rows may cost out of a [budget.NAME]; what they did not cost comes back when they are"
        " fetched.")
@option("--redact", type=REDACT,
        help="What to do about secrets and personal data in the rows: nothing, say so, put masks in their place (which"
        " stay in the answers), or leave the row out. By default secrets are said.")
@option("--private", is_flag=True, help="Refused: providers keep the rows and answers of a batch.")
@option("--audit", metavar="FILE", help="Write the audit log here.")
@option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@option("-v", "--verbose", count=True, daily=True, help="Say what is done (-vvv: the HTTP exchange).")
@settings_options
@help_options
@click.pass_obj
def submit(config: Any, /, **given: Any) -> int:
    """Submit the NDJSON rows on standard input, and print the id of the batch.

    The same rows again, after a submit that was stopped, go on where it stopped: no row is sent twice.
    """
    from fennec_cli.jobs.run_submit import SubmitOptions, run_submit

    return run_submit(SubmitOptions(**given), config)


@batch.command(cls=Command, add_help_option=False, epilog=STATUS_EXAMPLES)
@click.argument("batch_id", metavar="[ID]", required=False)
@table_options
@settings_options
@help_options
@click.pass_obj
def status(config: Any, /, batch_id: str | None, output_format: str) -> int:
    """Show how far a batch is, or all of them."""
    from fennec_cli.jobs.run_status import run_status

    return run_status(config, batch_id, output_format)


@batch.command(cls=Command, add_help_option=False, epilog=FETCH_EXAMPLES)
@click.argument("batch_id", metavar="ID")
@option("--wait", type=Duration(), default=0.0, metavar="DUR", daily=True, help="Wait so long for it to be ready.")
@option("-o", "--output", metavar="FILE", daily=True, help="Write here instead, whole or not at all.")
@option("--format", "output_format", type=click.Choice(["json", "ndjson"]), default="json", envvar=(),
        help="One object a row, or the events of each.")
@option("--json", "as_json", is_flag=True, envvar=(), daily=True, help="The same as --format json.")
@option("--ndjson", is_flag=True, envvar=(), daily=True, help="The same as --format ndjson.")
@option("--reasoning", is_flag=True, help="Show the model's reasoning too.")
@option("--cache", type=click.Choice(["use", "off"]), envvar=(),
        help="Whether the answers enter the response cache (as the configuration says).")
@option("--allow-truncated", is_flag=True, help="An answer cut at its token limit is a success.")
@option("--allow-filtered", is_flag=True, help="An answer stopped by a content filter is a success.")
@option("--redact", type=REDACT, help="With mask, secrets in the answers are masked, whatever [filter] says.")
@option("--audit", metavar="FILE", help="Write the audit log here.")
@option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@option("-v", "--verbose", count=True, help="Say what is done (-vvv: the HTTP exchange).")
@settings_options
@help_options
@click.pass_obj
def fetch(config: Any, /, batch_id: str, as_json: bool, ndjson: bool, **given: Any) -> int:
    """Write the answers of a batch that is ready, one for every row, in no order.

    They can be fetched again for as long as the provider keeps them (about 30 days).
    """
    from fennec_cli.jobs.run_fetch import FetchOptions, run_fetch

    if as_json and ndjson:
        raise UsageError("--ndjson and --json exclude each other")
    if as_json or ndjson:
        given["output_format"] = "ndjson" if ndjson else "json"
    return run_fetch(FetchOptions(**given), config, batch_id)


@batch.command(cls=Command, add_help_option=False, epilog=CANCEL_EXAMPLES)
@click.argument("batch_id", metavar="ID")
@table_options
@settings_options
@help_options
@click.pass_obj
def cancel(config: Any, /, batch_id: str, output_format: str) -> int:
    """Cancel a batch. What is answered already can be fetched, and is paid for."""
    from fennec_cli.jobs.run_status import run_cancel

    return run_cancel(config, batch_id, output_format)
