"""`fennec models list`, `check` and `refresh`: what asks every provider."""

from functools import partial
from typing import Any

import click

from fennec_cli import signals
from fennec_cli.commands.options import Command, format_options, help_options, option, settings_options

LIST_EXAMPLES = """\b
Examples:
  fennec models
  fennec models list --ndjson | jq -r 'select(.input_usd_per_mtok < 0.5).id'
  fennec models list --offline
"""
CHECK_EXAMPLES = """\b
Examples:
  fennec models check
  fennec models check --ndjson | jq -r 'select(.ok | not).provider'
"""
REFRESH_EXAMPLES = """\b
Examples:
  fennec models refresh
  fennec models refresh --provider openrouter -q
"""

table_options = partial(format_options, people="table")


@click.command("list", cls=Command, add_help_option=False, epilog=LIST_EXAMPLES)
@option("--provider", metavar="NAME", daily=True, help="Only this provider's models.")
@option("--offline", is_flag=True, daily=True, help="Ask nobody: show what was kept, and say how old it is.")
@table_options
@settings_options
@help_options
@click.pass_obj
def list_(config: Any, /, provider: str | None, offline: bool, output_format: str) -> int:
    """List the models of every configured provider.

    For one that cannot be asked stands what it answered the last time.
    """
    from fennec_cli.listing import run_list, run_offline_list

    signals.install()
    return (run_offline_list if offline else run_list)(config, provider, output_format)


@click.command(cls=Command, add_help_option=False, epilog=CHECK_EXAMPLES)
@option("--provider", metavar="NAME", daily=True, help="Only this provider.")
@option("--reset", is_flag=True, envvar=(), daily=True, help="Close their circuits first: send to them again.")
@table_options
@settings_options
@help_options
@click.pass_obj
def check(config: Any, /, provider: str | None, reset: bool, output_format: str) -> int:
    """Check that each configured provider answers and accepts the key.

    It asks for the list of models, which costs nothing, and shows the circuits that all processes share.
    """
    from fennec_cli.model_check import run_check

    signals.install()
    return run_check(config, provider, output_format, closes=reset)


@click.command(cls=Command, add_help_option=False, epilog=REFRESH_EXAMPLES)
@option("--provider", metavar="NAME", daily=True, help="Only this provider's models.")
@option("-q", "--quiet", is_flag=True, daily=True, help="Say nothing but errors.")
@settings_options
@help_options
@click.pass_obj
def refresh(config: Any, /, provider: str | None, quiet: bool) -> int:
    """Ask the configured providers for their models and keep the answers.

    `list --offline` shows them, and `list` does where a provider fails.
    """
    from fennec_cli.listing import run_refresh

    signals.install()
    return run_refresh(config, provider, quiet=quiet)
