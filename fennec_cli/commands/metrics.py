"""`fennec metrics`: the counters that all processes share."""

from functools import partial
from typing import Any

import click

from fennec_cli import signals
from fennec_cli.commands.options import Command, Group, format_options, help_options, option, settings_options

SHOW_EXAMPLES = """\b
Examples:
  fennec metrics
  fennec metrics show --format prometheus -o /var/lib/node_exporter/fennec.prom
  fennec metrics show --ndjson | jq -r 'select(.error_count > 0).model'
"""
RESET_EXAMPLES = """\b
Examples:
  fennec metrics reset
  fennec metrics show --json > before.json && fennec metrics reset
"""

table_options = partial(format_options, people="table", more=("prometheus",))


@click.group(cls=Group, default="show")
def metrics() -> None:
    """Show or forget what was counted. Without a subcommand: show, with its options."""


@metrics.command(cls=Command, add_help_option=False, epilog=SHOW_EXAMPLES)
@option("-o", "--output", metavar="FILE", daily=True, envvar=(), help="Write here instead, whole or not at all.")
@table_options
@settings_options
@help_options
@click.pass_obj
def show(config: Any, /, output: str | None, output_format: str) -> int:
    """Show requests, errors, times, tokens and cost of each model."""
    from fennec_cli.metrics_report import collect, rendered
    from fennec_cli.output.sink import write_out
    from fennec_cli.registry import ProviderRegistry

    signals.install()
    registry = ProviderRegistry(config)
    write_out(rendered(collect(registry), output_format, registry.state), output)
    return 0


@metrics.command(cls=Command, add_help_option=False, epilog=RESET_EXAMPLES)
@settings_options
@help_options
@click.pass_obj
def reset(config: Any, /) -> int:
    """Forget everything that was counted."""
    from fennec_cli import metrics_report
    from fennec_cli.registry import ProviderRegistry

    metrics_report.reset(ProviderRegistry(config).state)
    return 0
