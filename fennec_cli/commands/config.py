"""`fennec config`: what the configuration says, where it lies, and what is wrong with it."""

import os
from collections.abc import Callable
from typing import Any

import click

from fennec_cli.commands.options import (
    Command,
    Group,
    Option,
    format_options,
    help_options,
    option,
    say_notes,
    working_directory,
)
from fennec_cli.errors import EXIT_STATUS
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import write_out

SOURCES = {"ENVIRONMENT": "environment", "DEFAULT_MAP": "file"}

CONFIG = option("-c", "--config", metavar="FILE", daily=True, help="This configuration file, and trust it.")
PROFILE = option("--profile", metavar="NAME", daily=True, help="Lay a [profile.NAME] over the rest.")


@click.group(cls=Group, default="show")
def config() -> None:
    """Show and check the configuration. Without a subcommand: show, with its options."""


def _subcommand(*examples: str) -> Callable[[Any], click.Command]:
    lines = "".join(f"  fennec config {example}\n" for example in examples)
    return config.command(cls=Command, add_help_option=False, epilog=f"\b\nExamples:\n{lines}")


@_subcommand("show --profile work", "show --ndjson | jq -r 'select(.source != \"default\").origin'")
@CONFIG
@PROFILE
@format_options
@help_options
def show(config: str | None, profile: str | None, output_format: str) -> int:
    """Show every value in effect and where it comes from; secrets are masked."""
    from fennec_cli.commands.complete import complete
    from fennec_cli.config_report import OptionValue, effective_rows, rendered

    given = {"--config": config, "--profile": profile}
    with complete.make_context("complete", [f"{name}={value}" for name, value in given.items() if value]) as ctx:
        options = []
        for each in complete.params:
            if isinstance(each, Option) and each.envvar and each.name in ctx.params:
                label = SOURCES.get(getattr(ctx.get_parameter_source(each.name), "name", ""), "default")
                options.append(OptionValue(each.key, ctx.params[each.name], label, str(each.envvar)))
        write_out(rendered(effective_rows(ctx.obj, options, profile, os.environ), output_format))
        say_notes(ctx.obj)
    return 0


@_subcommand("path", "path --ndjson | jq -r 'select(.exists).path'")
@CONFIG
@format_options
@help_options
def path(config: str | None, output_format: str) -> int:
    """List the files that are looked for, strongest first."""
    from fennec_cli.config_check import files, rendered_files

    write_out(rendered_files(files(os.environ, working_directory(), config), output_format))
    return 0


@_subcommand("check", "check --config new.toml && mv new.toml ~/.config/fennec/config.toml")
@CONFIG
@PROFILE
@help_options
def check(config: str | None, profile: str | None) -> int:
    """Look for mistakes in all files and for all providers; says nothing when there are none."""
    from fennec_cli.config_check import find_mistakes

    findings, notes = find_mistakes(os.environ, working_directory(), config, profile), Notes()
    for note in findings.notes:
        notes.warn(note)
    for problem in findings.problems:
        notes.error(problem)
    return EXIT_STATUS["config"] if findings.problems else 0


@_subcommand("init", "init --stdout | less")
@CONFIG
@option("--stdout", is_flag=True, envvar=(), daily=True, help="Print it instead.")
@help_options
def init(config: str | None, stdout: bool) -> int:
    """Write a commented file to start from, and print its name."""
    from fennec_cli.config.starter import STARTER
    from fennec_cli.config_check import write_starter

    write_out(STARTER.encode() if stdout else os.fsencode(write_starter(os.environ, config)) + b"\n")
    return 0
