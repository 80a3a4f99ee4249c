"""How our options behave: groups in the help, an environment twin for each, defaults from the configuration."""

import os
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from fennec_cli.errors import ConfigError

GENERAL = "General"


class Option(click.Option):
    """An option with a group, an environment twin `FENNEC_<OPTION>`, and a place in the short help or not.

    `key` is its name in the configuration table of its command. With `single` the environment twin of a repeatable
    option may also be one value as it is.
    """

    def __init__(
        self, *declarations: Any, group: str = GENERAL, daily: bool = False, single: bool = False, **attributes: Any
    ) -> None:
        self.group = group
        self.daily = daily
        self.single = single
        super().__init__(*declarations, **attributes)
        self.key = max(self.opts, key=len).lstrip("-").replace("-", "_")
        if self.envvar is None and self.name is not None:
            self.envvar = f"FENNEC_{self.key.upper()}"

    def get_help_extra(self, ctx: click.Context) -> Any:
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)  # not behind every option: who passes it is told
        return extra

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        # The parser looks for `-m` among the long options first, and for names like it, before it tries the short ones.
        short, long = getattr(parser, "_short_opt", {}), getattr(parser, "_long_opt", {})
        long |= {name: short[name] for name in self.opts if name in short}

    def value_from_envvar(self, ctx: click.Context) -> Any:
        """Read the environment; a repeatable option takes a JSON array of texts."""
        if not self.multiple:
            return super().value_from_envvar(ctx)
        raw = self.resolve_envvar_value(ctx)
        if raw is None:
            return None
        if self.single and not raw.lstrip().startswith("["):
            return (raw,)
        import orjson

        try:
            values = orjson.loads(raw)
        except orjson.JSONDecodeError:
            values = None
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise click.BadParameter(f"{self.envvar} must be a JSON array of texts", ctx=ctx, param=self)
        return tuple(values)


class Command(click.Command):
    """A command whose `-h` shows the daily options and whose `--help` shows all of them, in groups."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:  # noqa: ARG002
        return None  # both help options are ordinary ones, made by `help_options`

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        short = ctx.meta.get("short_help", False)
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Argument):
                continue  # the usage line and the text name them
            record = parameter.get_help_record(ctx)
            if record is None or (short and not getattr(parameter, "daily", False)):
                continue
            groups.setdefault("Options" if short else getattr(parameter, "group", GENERAL), []).append(record)
        general = groups.pop(GENERAL, None)
        if general:
            groups[GENERAL] = general
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


class Group(click.Group):
    """A group that is its subcommand `default` where none is named, with the options of that one."""

    def __init__(self, *, default: str, **attributes: Any) -> None:
        settings = {"help_option_names": ["-h", "--help"]}
        super().__init__(invoke_without_command=True, context_settings=settings, **attributes)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [self.default, *args]
        return super().parse_args(ctx, args)


class Duration(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """A length of time, as seconds."""

    name = "dur"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from fennec_cli.duration import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Parsed(click.ParamType):  # type: ignore[type-arg]
    """A value that a class of ours reads with its `parse`, which raises ValueError; imported when there is one."""

    def __init__(self, place: str, name: str) -> None:
        self.name = name
        self._place = place

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from importlib import import_module

        module, _, name = self._place.partition(":")
        try:
            return getattr(import_module(module), name).parse(str(value)) if isinstance(value, str | int) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Whole(click.IntRange):
    """A whole number with a lowest value."""

    def __init__(self, low: int, high: int | None = None) -> None:
        super().__init__(min=low, max=high)


class Number(click.FloatRange):
    """A number with or without limits. Infinity is none, and neither is nan."""

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        super().__init__(min=low, max=high)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not abs(number) < float("inf"):
            self.fail(f"{value!r:.40} is not a finite number", param, ctx)
        return number


USD = Number(0, 1e9)  # whole nano-dollars have room in 64 bits


def option(*declarations: str, **attributes: Any) -> Callable[[Any], Any]:
    """Declare an option; see `Option`."""
    return click.option(*declarations, cls=Option, **attributes)


def help_options(command: Any) -> Any:
    """Add `-h` and `--help`."""

    def show(ctx: click.Context, _parameter: click.Parameter, wanted: bool, *, short: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            ctx.meta["short_help"] = short
            click.echo(ctx.get_help())
            ctx.exit()

    common: dict[str, Any] = {"is_flag": True, "expose_value": False, "is_eager": True, "allow_from_autoenv": False}
    command = click.option(
        "--help",
        cls=Option,
        envvar=(),
        daily=True,
        help="Show all options, in groups.",
        callback=lambda ctx, parameter, value: show(ctx, parameter, value, short=False),
        **common,
    )(command)
    return click.option(
        "-h",
        "short_help",
        cls=Option,
        envvar=(),
        daily=True,
        help="Show the daily options.",
        callback=lambda ctx, parameter, value: show(ctx, parameter, value, short=True),
        **common,
    )(command)


def format_options(command: Any, *, people: str = "text", more: tuple[str, ...] = (), default: str = "") -> Any:
    """Add `--format` with its shorthands `--json` and `--ndjson`, as the one parameter `output_format`.

    `people` is the name of the form that is for them (and the default, unless another is), `more` are further ones.
    """

    def remember(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.meta["settings.format"] = parameter.name

    def decide(ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
        return str(ctx.meta.get("settings.format", value))

    short: dict[str, Any] = {"is_flag": True, "is_eager": True, "expose_value": False, "callback": remember}
    for name in ("json", "ndjson"):
        command = option(f"--{name}", envvar=(), daily=True, help=f"The same as --format {name}.", **short)(command)
    return option(
        "--format",
        "output_format",
        type=click.Choice([people, "json", "ndjson", *more]),
        default=default or people,
        envvar=(),
        daily=True,
        callback=decide,
        help=f"{people.capitalize()} for people, JSON, one object a line{', or ' if more else ''}{', '.join(more)}.",
    )(command)


def version_option(command: Any) -> Any:
    """Add `--version`."""
    from fennec_cli import __version__

    def show(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            click.echo(f"fennec {__version__}")
            ctx.exit()

    return option(
        "--version",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        envvar=(),
        callback=show,
        help="Show the version.",
    )(command)


def settings_options(command: Any) -> Any:
    """Add `--config` and `--profile`, which load the configuration before any other option looks for its default."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        ctx.meta[f"settings.{parameter.name}"] = value
        if not ctx.resilient_parsing and {"settings.config", "settings.profile"} <= ctx.meta.keys():
            _apply(load_settings(ctx.meta["settings.config"], ctx.meta["settings.profile"]), ctx)

    common: dict[str, Any] = {"is_eager": True, "expose_value": False, "callback": remember}
    command = option("--profile", metavar="NAME", help="Lay a [profile.NAME] of the configuration over it.", **common)(
        command
    )
    return option("-c", "--config", metavar="FILE", help="Read this configuration file, and trust it.", **common)(
        command
    )


def _apply(config: Any, ctx: click.Context) -> None:
    """Hand the configuration to the command, and what it says about the command's options to click."""
    name = getattr(ctx.command, "config_table", ctx.command.name)
    table = dict(config.commands.get(name or "", {}))
    if name == "complete":
        top = {"format": config.format, "strategy": config.strategy, "fallback": config.fallback}
        table = {name: value for name, value in top.items() if value} | table
    # A default, unlike the option --provider, gives way to a provider that stands before the model's name.
    ctx.obj = config._replace(provider=table.pop("provider", config.provider))
    if config.notes and name not in ("complete", "bench"):  # these two say them with the rest, and log them
        ctx.call_on_close(lambda: say_notes(config, quiet=bool(ctx.params.get("quiet"))))
    options = [parameter for parameter in ctx.command.params if isinstance(parameter, Option)]
    ctx.default_map = {option.name: table[option.key] for option in options if option.name and option.key in table}


def say_notes(config: Any, *, quiet: bool = False) -> None:
    """Say what is wrong with the configuration's files."""
    from fennec_cli.output.notes import Notes

    notes = Notes(quiet=quiet)
    for note in config.notes:
        notes.warn(note)


def settings_of(ctx: click.Context, given: dict[str, Any]) -> Any:
    """Return the configuration with a provider that the environment names taken out of `given`, and put there.

    It is a default: `-m other/model` on the command line is stronger.
    """
    if given["provider"] and ctx.get_parameter_source("provider") is not ParameterSource.COMMANDLINE:
        return ctx.obj._replace(provider=given.pop("provider"))
    return ctx.obj


def load_settings(path: str | None, profile: str | None) -> Any:
    """Load the configuration for the directory we are in."""
    from fennec_cli.config import load_config

    return load_config(environ=os.environ, cwd=working_directory(), explicit=path, profile=profile or None)


def working_directory() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise ConfigError(f"the working directory cannot be used ({error.strerror})") from error
