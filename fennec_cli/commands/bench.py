"""`fennec bench`: measures models."""

import re
from typing import Any

import click

from fennec_cli.commands.options import USD, Command, Duration, Number, Whole, help_options, option, settings_options
from fennec_cli.errors import UsageError

EXAMPLES = """\b
Examples:
  fennec bench -m openai/gpt-5.4-mini -m anthropic/claude-haiku-5-5 -N 100 --report report.html
  fennec bench -m ollama/llama3.2 --rate 8 --sweep --set 512x128 --slo ttft=500ms,tpot=50ms
  fennec bench -m openai/gpt-5.4-mini --json -o base.json
  fennec bench -m openai/gpt-5.4-mini --baseline base.json
  fennec bench --self
"""
DURATION = Duration()
AT_LEAST_0, AT_LEAST_1 = Whole(0), Whole(1)


class Percent(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """`10%` or `10`, as a share."""

    name = "pct"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]+)?) ?%?", str(value))
        if match is None:
            self.fail(f"{value!r:.40} is no percentage: write 10%", param, ctx)
        return float(match[1]) / 100


class Limits(click.ParamType):  # type: ignore[type-arg]
    """`ttft=500ms,tpot=50ms`, as seconds by metric."""

    name = "slo"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        if isinstance(value, dict):
            return value
        from fennec_cli.duration import parse_duration

        limits = {}
        for part in str(value).split(","):
            name, equals, length = part.strip().partition("=")
            try:
                if not equals or name not in ("ttft", "ttfo", "tpot", "e2e"):
                    raise ValueError(f"{part!r:.40} is no limit: write ttft=500ms (ttft, ttfo, tpot, e2e)")
                limits[name] = parse_duration(length)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        return limits


class Forms(click.Choice):  # type: ignore[type-arg]
    """Output forms; `text`, which the environment may say to `fennec complete`, is a table here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert("table" if value == "text" else value, param, ctx)


@click.command(cls=Command, add_help_option=False, epilog=EXAMPLES)
@option("-m", "--model", metavar="[PROVIDER/]MODEL", multiple=True, single=True, group="What", daily=True,
        help="Measure this model (repeatable).")
@option("--models-from", metavar="FILE|-", group="What", help="Read the models from here, one a line.")
@option("--set", "prompt_set", metavar="NAME|INxOUT", group="What", daily=True,
        help="Built-in prompts by tokens in and out: short, chat, long-answer, summary, rag, or 512x128.")
@option("--input", "input_format", type=click.Choice(["text", "lines", "nul", "ndjson"]), default="text", group="What",
        help="What standard input is: one prompt, or one a line, or one up to each NUL, or one row a line.")
@option("-s", "--system", metavar="TEXT|@FILE", group="What", help="System prompt.")
@option("--max-tokens", type=AT_LEAST_1, metavar="N", group="What", help="Most tokens of an answer.")
@option("--temperature", type=Number(), metavar="X", group="What", help="Sampling temperature.")
@option("-O", "--option", metavar="K=V", multiple=True, group="What",
        help="Send K to the provider as it is; V is JSON or text (repeatable).")
@option("--self", "measures_itself", is_flag=True, group="What", daily=True,
        help="Measure fennec itself, on a server of its own whose timing is known.")
@option("-N", "--requests", type=AT_LEAST_1, metavar="N", group="Load", daily=True,
        help="Requests to each model, at each level of load (20, unless --duration is given).")
@option("--duration", type=DURATION, group="Load", daily=True, help="Start no request after this time.")
@option("-j", "--jobs", type=Whole(1, 1024), metavar="N", default=1, group="Load", daily=True,
        help="Closed loop: keep so many requests under way.")
@option("--rate", type=Number(0.001, 10_000), metavar="R", group="Load", daily=True,
        help="Open loop: send R requests a second, whatever comes back.")
@option("--arrival", type=click.Choice(["poisson", "constant"]), default="poisson", group="Load",
        help="How an open loop spaces its requests.")
@option("--sweep", is_flag=True, group="Load", daily=True, help="Measure at lower levels of load too, up to the given one.")
@option("--warmup", type=AT_LEAST_0, metavar="N", default=3, group="Load",
        help="Requests to each model before those that count.")
@option("--seed", type=int, metavar="N", default=1, group="Load", help="Seed of arrivals, order, prompts and resampling.")
@option("--max-cost", type=USD, metavar="USD", group="Load",
        help="Stop before more than this could be spent.")
@option("--slo", type=Limits(), metavar="LIMITS", group="Judgement", daily=True,
        help="Count as good what keeps these limits: ttft=500ms,tpot=50ms (also ttfo, e2e).")
@option("--baseline", metavar="FILE", group="Judgement", daily=True,
        help="Compare with an earlier --json or --ndjson, and fail if it got worse.")
@option("--max-regression", type=Percent(), metavar="PCT", default="10%", group="Judgement",
        help="How much worse than the baseline a figure may be.")
@option("--format", "output_format", type=Forms(["table", "json", "ndjson", "csv"]), default="table", group="Output",
        help="Table for people, one JSON document, or one line a request.")
@option("--ndjson", is_flag=True, envvar=(), group="Output", help="The same as --format ndjson.")
@option("--json", "as_json", is_flag=True, envvar=(), group="Output", daily=True, help="The same as --format json.")
@option("-o", "--output", metavar="FILE", group="Output", help="Write here instead, whole or not at all.")
@option("--report", metavar="FILE", group="Output", daily=True, help="Write a page with plots here (HTML, all in one file).")
@option("--timeout", type=DURATION, group="Time", help="Limit for one attempt as a whole.")
@option("--connect-timeout", type=DURATION, group="Time", help="Limit for connecting (5s).")
@option("--first-token-timeout", type=DURATION, group="Time", help="Limit until the first event (5m).")
@option("--idle-timeout", type=DURATION, group="Time", help="Limit between two pieces of the stream (2m).")
@option("--retries", type=AT_LEAST_0, metavar="N", default=0, envvar=(), group="Time",
        help="Repeat what failed; off unless asked for.")
@option("--breaker", is_flag=True, envvar=(), group="Time", help="Mind the circuits that all processes share; off unless asked for.")
@option("--cache", type=click.Choice(["off", "use", "refresh"]), default="off", envvar=(), group="Time",
        help="Take answers from the response cache, or put them there; off unless asked for.")
@option("--api-key-file", metavar="PATH", help="Read the key from here (also /dev/fd/N).")
@option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@option("-v", "--verbose", count=True, help="Say what is done, and show all levels and definitions.")
@option("--log-file", metavar="FILE", help="Append everything that is said to this file.")
@option("--no-color", is_flag=True, help="No colour on a terminal.")
@settings_options
@help_options
@click.pass_context
def bench(ctx: click.Context, /, **given: Any) -> int:
    """Measure how fast models answer, how steadily, and what that costs.

    The requests go the way of `fennec complete`, with retries and circuits off unless asked for. Prompts come from
    standard input, else from a built-in set.
    """
    from fennec_cli.bench.options import BenchOptions
    from fennec_cli.bench.run import run_bench

    ndjson, as_json = given.pop("ndjson"), given.pop("as_json")
    if ndjson and as_json:
        raise UsageError("--ndjson and --json exclude each other")
    if ndjson or as_json:
        given["output_format"] = "ndjson" if ndjson else "json"
    return run_bench(BenchOptions(**given), ctx.obj)
