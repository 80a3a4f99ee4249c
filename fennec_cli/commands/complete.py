"""`fennec complete`: the filter."""

import os
import sys
import time
from typing import Any

import click
from click.core import ParameterSource

from fennec_cli.commands.options import (
    USD,
    Command,
    Duration,
    Number,
    Parsed,
    Whole,
    help_options,
    option,
    settings_of,
    settings_options,
    version_option,
)
from fennec_cli.errors import UsageError

EXAMPLES = """\b
Examples:
  echo 'Name three colours.' | fennec complete
  git diff --staged | fennec complete -s 'Write a commit message'
  fennec complete --ndjson < prompt.txt | jq -rj 'select(.type=="chunk").content // empty'
"""
DURATION = Duration()
AT_LEAST_0, AT_LEAST_1 = Whole(0), Whole(1)
NUMBER, RATE = Number(), Number(0.001)
_STRONGEST = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


@click.command(cls=Command, add_help_option=False, epilog=EXAMPLES)
@click.argument("prompt", required=False)
@option("-m", "--model", metavar="[PROVIDER/]MODEL", group="Model", daily=True, help="Model id or alias.")
@option("--provider", metavar="NAME", group="Model", help="Provider to ask.")
@option("-s", "--system", metavar="TEXT|@FILE", group="Model", daily=True, help="System prompt.")
@option("--temperature", type=NUMBER, metavar="X", group="Model", help="Sampling temperature.")
@option("--top-p", type=NUMBER, metavar="X", group="Model", help="Nucleus sampling.")
@option("--max-tokens", type=AT_LEAST_1, metavar="N", group="Model", daily=True, help="Most tokens of the answer.")
@option("--seed", type=int, metavar="N", group="Model", help="Seed of the sampling.")
@option("--stop", metavar="TEXT", multiple=True, group="Model", help="Stop at this text (repeatable).")
@option("--reasoning-effort", metavar="LEVEL", group="Model", help="How much a reasoning model thinks.")
@option("-O", "--option", metavar="K=V", multiple=True, group="Model",
        help="Send K to the provider as it is; V is JSON or text (repeatable).")
@option("--tools", metavar="FILE", group="Tools", help="Functions the model may call: a JSON array of definitions.")
@option("--tool-choice", metavar="auto|none|required|NAME", group="Tools", help="Whether it must call one, and which.")
@option("--schema", metavar="FILE", group="Tools", help="JSON Schema that the answer must fit (checked here too).")
@option("--input", "input_format", type=click.Choice(["text", "lines", "nul", "ndjson"]), default="text", group="Input",
        daily=True, help="What standard input is: one prompt, or one a line, one up to each NUL, or a JSON object a line.")
@option("-0", "--nul", is_flag=True, envvar=(), group="Input", help="The same as --input nul.")
@option("-f", "--file", metavar="PATH", multiple=True, group="Input", daily=True,
        help="Put this file's text before the prompt (repeatable).")
@option("-a", "--attach", metavar="PATH|URL|-", multiple=True, group="Input",
        help="Send an image or a document along (repeatable).")
@option("--attach-root", metavar="DIR", group="Input", help="Rows may attach the files below this directory.")
@option("--no-stdin", is_flag=True, group="Input", help="Leave standard input alone.")
@option("--encoding-errors", type=click.Choice(["strict", "replace"]), default="strict", group="Input",
        help="What to do with bytes that are not UTF-8.")
@option("--format", "output_format", type=click.Choice(["text", "ndjson", "json"]), default="text", group="Output",
        help="Text, one event a line, or one object a prompt.")
@option("--ndjson", is_flag=True, envvar=(), group="Output", daily=True, help="The same as --format ndjson.")
@option("--json", "as_json", is_flag=True, envvar=(), group="Output", daily=True, help="The same as --format json.")
@option("-o", "--output", metavar="FILE", group="Output", daily=True,
        help="Write here instead, whole or not at all.")
@option("-x", "--extract", is_flag=True, group="Output", daily=True, help="Only the first fenced block.")
@option("--reasoning", is_flag=True, group="Output", help="Show the model's reasoning too.")
@option("--atomic", is_flag=True, group="Output", help="Show nothing before the answer is complete.")
@option("--no-stream", is_flag=True, group="Output", help="Ask for the answer in one piece.")
@option("--strategy", type=click.Choice(["manual", "automatic", "fallback", "cost"]), group="Selection",
        help="Who answers: the named model, the best or cheapest of the configured candidates, or the next one"
        " when one fails.")
@option("--fallback", metavar="MODEL", multiple=True, group="Selection",
        help="Ask this model when those before it fail (repeatable, in order).")
@option("--timeout", type=DURATION, group="Time", help="Limit for one attempt as a whole.")
@option("--connect-timeout", type=DURATION, group="Time", help="Limit for connecting (5s).")
@option("--first-token-timeout", type=DURATION, group="Time", help="Limit until the first event (5m).")
@option("--idle-timeout", type=DURATION, group="Time", help="Limit between two pieces of the stream (2m).")
@option("--deadline", type=DURATION, group="Time", daily=True,
        help="Limit for everything, from reading standard input on (30m a prompt; 0: none).")
@option("--retries", type=AT_LEAST_0, metavar="N", group="Time", help="Attempts after the first one.")
@option("--max-wait", type=DURATION, group="Time", help="Longest wait for a rate limit (1m; 0: fail at once).")
@option("--no-breaker", is_flag=True, group="Time", help="Send even if the provider failed again and again of late.")
@option("--on-interrupt", type=click.Choice(["fail", "resume", "restart"]), default="fail", group="Time",
        help="When a stream breaks after it began: end, take it up again (Responses only; the provider keeps the"
        " answer for it), or ask anew (answers that are held back, as with --atomic or -o).")
@option("--allow-truncated", is_flag=True, group="Truth", help="An answer cut at its token limit is a success.")
@option("--allow-filtered", is_flag=True, group="Truth", help="An answer stopped by a content filter is a success.")
@option("--cache", type=click.Choice(["use", "refresh", "off", "only"]), group="Cache",
        help="Answer from the cache if it can, ask anew and keep the answer, leave it alone, or ask nobody else.")
@option("--no-cache", is_flag=True, group="Cache", help="The same as --cache off.")
@option("--offline", is_flag=True, group="Cache", help="The same as --cache only: no socket is opened.")
@option("--cache-ttl", type=DURATION, group="Cache", help="Age from which a kept answer no longer counts (24h).")
@option("--semantic", is_flag=True, group="Cache",
        help="Answer from the cache too what means the same as an earlier prompt (extra `semantic`).")
@option("--semantic-threshold", type=Number(0, 1), metavar="X", group="Cache",
        help="How close such prompts must be, from 0 to 1 (0.97).")
@option("--fingerprint", is_flag=True, group="Cache", help="Print the request's fingerprint, and send nothing.")
@option("--max-cost", type=USD, metavar="USD", group="Money", help="Send nothing that could make this run cost more.")
@option("--budget", metavar="NAME", group="Money", help="Keep to a [budget.NAME], shared with all other processes.")
@option("-u", "--usage", is_flag=True, group="Money", daily=True, help="Say tokens, cost and speed on stderr.")
@option("-j", "--jobs", type=AT_LEAST_1, default=1, metavar="N", group="Batch", daily=True,
        help="How many rows are answered at once (1).")
@option("--ordered", is_flag=True, group="Batch", help="Write answers in the order of their rows, not as they come.")
@option("--allow-row-model", is_flag=True, group="Batch", help="A row may name a model of another provider.")
@option("--resume", metavar="LEDGER", group="Batch",
        help="Keep finished results in this file, and send no row again that is in it.")
@option("--dead-letter", metavar="FILE", group="Batch",
        help="Write the rows that failed here, each with its error, as rows that can be sent again.")
@option("--fail-fast", is_flag=True, group="Batch", help="Begin no more rows once one has failed.")
@option("--max-failures", type=Parsed("fennec_cli.batch.policy:FailurePolicy", "n[%]"), metavar="N[%]", group="Batch",
        help="Begin no more rows once more than N, or more than this part of at least 100, have failed.")
@option("--shard", type=Parsed("fennec_cli.batch.shard:Shard", "i/n"), metavar="I/N", group="Batch",
        help="Only part I, from 1, of N parts of the rows, by a hash of their ids.")
@option("--rpm", type=RATE, metavar="N", group="Batch", help="Most requests a minute, of all processes together.")
@option("--tpm", type=RATE, metavar="N", group="Batch", help="Most tokens a minute, of all processes together.")
@option("--redact", type=click.Choice(["off", "warn", "mask", "block"]), group="Privacy",
        help="What to do about secrets and personal data in the request: nothing, say so, put masks in their place (which"
        " the answer gives back), or send nothing. By default secrets are said.")
@option("--private", is_flag=True, group="Privacy",
        help="Keep nothing of prompt and answer here, and ask the provider not to either, where it offers that.")
@option("--audit", metavar="FILE", group="Privacy", help="Write the audit log here.")
@option("--api-key-file", metavar="PATH", group="Privacy", help="Read the key from here (also /dev/fd/N).")
@option("-n", "--dry-run", is_flag=True, help="Print the request that would be sent, and send nothing.")
@option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@option("-v", "--verbose", count=True, daily=True, help="Say what is done (-vvv: the HTTP exchange).")
@option("--log-file", metavar="FILE", help="Append everything that is said to this file.")
@option("--metrics-file", metavar="FILE", help="After the run, write the counters here for Prometheus' node exporter.")
@option("--no-color", is_flag=True, help="No colour on a terminal.")
@settings_options
@version_option
@help_options
@click.pass_context
def complete(ctx: click.Context, /, **given: Any) -> int:
    """Complete the prompt on standard input.

    The prompt is the files of -f, PROMPT, and standard input, whichever of them there are, with a blank line between them.
    """
    start = time.monotonic()
    if _asks_for_nothing(given):
        ctx.meta["short_help"] = True
        click.echo(ctx.get_help(), err=True)
        raise UsageError("no prompt", hint="give one as an argument, or pipe a text in")
    from fennec_cli.completion.options import CompleteOptions
    from fennec_cli.completion.run import run_completion

    settings = settings_of(ctx, given)
    given["cache"] = _cache_mode(ctx, given)
    settle_fallback(ctx, given)
    options = CompleteOptions(**_without_shorthands(given))
    return run_completion(options, settings, start=start)


def _asks_for_nothing(given: dict[str, Any]) -> bool:
    terminal = sys.stdin is not None and os.isatty(0)
    return terminal and not given["prompt"] and not given["file"]


def _cache_mode(ctx: click.Context, given: dict[str, Any]) -> str | None:
    """Fold `--no-cache` and `--offline` into `--cache`; what is said on the command line is stronger than a variable."""
    wanted = {"cache": given["cache"], "no_cache": "off" if given.pop("no_cache") else None}
    wanted["offline"] = "only" if given.pop("offline") else None
    for source in _STRONGEST:
        said = {mode for name, mode in wanted.items() if mode and ctx.get_parameter_source(name) is source}
        if len(said) > 1:
            raise UsageError("--cache, --no-cache and --offline exclude each other here", hint="give one of them")
        if said:
            return str(said.pop())
    return None


def settle_fallback(ctx: click.Context, given: dict[str, Any]) -> None:
    """Let the stronger of `--strategy manual` and `--fallback` count; two that are equally strong exclude each other."""
    if given["strategy"] != "manual" or not given["fallback"]:
        return
    strategy, fallback = (_STRONGEST.index(ctx.get_parameter_source(name)) for name in ("strategy", "fallback"))
    if strategy < fallback:
        given["fallback"] = ()
    elif fallback < strategy:
        given["strategy"] = None


def _without_shorthands(given: dict[str, Any]) -> dict[str, Any]:
    """Fold `-0`, `--ndjson` and `--json` into the options that they stand for."""
    nul, ndjson, as_json = given.pop("nul"), given.pop("ndjson"), given.pop("as_json")
    if ndjson and as_json:
        raise UsageError("--ndjson and --json exclude each other")
    if nul:
        given["input_format"] = "nul"
    if ndjson or as_json:
        given["output_format"] = "ndjson" if ndjson else "json"
    return given
