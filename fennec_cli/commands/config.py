"""`fennec config`: what the configuration says, where it lies, and what is wrong with it."""

import os
import sys

import click

from fennec_cli.commands.options import Command, Option, format_options, help_options, option, working_directory
from fennec_cli.errors import EXIT_STATUS
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import DescriptorSink

EXAMPLES = "\b\nExamples:\n  fennec config {}\n  fennec config {}\n"
SHOW = EXAMPLES.format("show --profile work", "show --ndjson | jq -r 'select(.source != \"default\").origin'")
PATH = EXAMPLES.format("path", "path --ndjson | jq -r 'select(.exists).path'")
CHECK = EXAMPLES.format("check", "check --config new.toml && mv new.toml ~/.config/fennec/config.toml")
INIT = EXAMPLES.format("init", "init --stdout | less")
SOURCES = {"ENVIRONMENT": "environment", "DEFAULT_MAP": "file"}

CONFIG = option("-c", "--config", metavar="FILE", daily=True, help="This configuration file, and trust it.")
PROFILE = option("--profile", metavar="NAME", daily=True, help="Lay a [profile.NAME] over the rest.")


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def config(ctx: click.Context, /) -> int:
    """Show and check the configuration. Without a subcommand: show."""
    if ctx.invoked_subcommand:
        return 0
    with show.make_context("show", [], parent=ctx) as inner:
        return int(show.invoke(inner))


@config.command(cls=Command, add_help_option=False, epilog=SHOW)
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
                source = ctx.get_parameter_source(each.name)
                label = SOURCES.get(source.name if source else "", "default")
                options.append(OptionValue(each.key, ctx.params[each.name], label, str(each.envvar)))
        _print(rendered(effective_rows(ctx.obj, options, profile, os.environ), output_format))
    return 0


@config.command(cls=Command, add_help_option=False, epilog=PATH)
@CONFIG
@format_options
@help_options
def path(config: str | None, output_format: str) -> int:
    """List the files that are looked for, strongest first."""
    from fennec_cli.config_check import files, rendered_files

    _print(rendered_files(files(os.environ, working_directory(), config), output_format))
    return 0


@config.command(cls=Command, add_help_option=False, epilog=CHECK)
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


@config.command(cls=Command, add_help_option=False, epilog=INIT)
@CONFIG
@option("--stdout", is_flag=True, envvar=(), daily=True, help="Print it instead.")
@help_options
def init(config: str | None, stdout: bool) -> int:
    """Write a commented file to start from, and print its name."""
    from fennec_cli.config.starter import STARTER
    from fennec_cli.config_check import starter_place, write_starter

    if stdout:
        _print(STARTER.encode())
        return 0
    place = starter_place(os.environ, config)
    write_starter(place)
    _print(os.fsencode(place) + b"\n")
    return 0


def _print(data: bytes) -> None:
    DescriptorSink(1, closed=sys.stdout is None).write(data)
