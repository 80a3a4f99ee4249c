"""The click tree as plain data: what the manual and the completions need to know of a command."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import click

from fennec_cli.commands.options import GENERAL, Group

# What a shell can offer for a value. "text" is nothing; "at_file" is a text, or @ and a file's name.
Kind = Literal["choice", "file", "at_file", "directory", "provider", "model", "local_model", "profile", "text"]

_NAMED_KINDS: dict[str, Kind] = {"--provider": "provider", "--profile": "profile"}
_KINDS: dict[str, Kind] = {
    "@FILE": "at_file",
    "FILE": "file",
    "PATH": "file",
    "LEDGER": "file",
    "DIR": "directory",
    "MODEL": "model",
    "PROVIDER": "provider",
    "local/NAME": "local_model",
}


@dataclass(frozen=True, slots=True)
class Value:
    """What an option or argument takes: `shown` in a synopsis, and what a shell can offer for it.

    With a kind other than "choice", `choices` are not the only values.
    """

    shown: str
    kind: Kind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """`value` is None for a flag; `variable` is empty where there is no environment twin."""

    names: tuple[str, ...]
    value: Value | None
    help: str
    group: str
    daily: bool
    variable: str
    default: str
    repeatable: bool

    @property
    def long(self) -> str:
        return max(self.names, key=len)

    @property
    def ends(self) -> bool:
        """Whether nothing is done but showing something: no other option makes sense beside it."""
        return self.long in ("--help", "-h", "--version")


@dataclass(frozen=True, slots=True)
class Argument:
    value: Value
    required: bool
    repeatable: bool


@dataclass(frozen=True, slots=True)
class Command:
    """`path` begins with `fennec`; `summary` is the first paragraph of the help, `description` the others."""

    path: tuple[str, ...]
    summary: str
    description: tuple[str, ...]
    examples: tuple[str, ...]
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple["Command", ...]
    default: str | None  # the command below it that it is where none is named

    @property
    def name(self) -> str:
        return " ".join(self.path)

    @property
    def stands_alone(self) -> bool:
        """Whether it does something without a command below it."""
        return not self.commands or self.default is not None

    @property
    def offered(self) -> tuple[Option, ...]:
        """What may follow its name: its options, and those of its default."""
        default = next((each for each in self.commands if each.path[-1] == self.default), None)
        return (*self.options, *(option for option in (default.options if default else ()) if not option.ends))

    def walk(self) -> Iterator["Command"]:
        yield self
        for command in self.commands:
            yield from command.walk()

    def groups(self) -> dict[str, list[Option]]:
        """Options by group, in the order of `--help`: the general ones last."""
        found: dict[str, list[Option]] = {}
        for option in self.options:
            found.setdefault(option.group, []).append(option)
        found[GENERAL] = found.pop(GENERAL, [])
        return {title: options for title, options in found.items() if options}


def read_tree(
    command: click.Command, path: tuple[str, ...] = ("fennec",), parent: click.Context | None = None
) -> Command:
    """Describe a click command and all that is below it."""
    context = click.Context(command, info_name=path[-1], parent=parent, **command.context_settings)
    parameters = [p for p in command.get_params(context) if not getattr(p, "hidden", False)]
    summary, *description = _paragraphs(command.help)
    children = []
    if isinstance(command, click.Group):
        named = ((name, command.get_command(context, name)) for name in command.list_commands(context))
        children = [read_tree(child, (*path, name), context) for name, child in named if child and not child.hidden]
    return Command(
        path=path,
        summary=summary,
        description=tuple(description),
        examples=_examples(command.epilog),
        options=tuple(_option(p) for p in parameters if isinstance(p, click.Option)),
        arguments=tuple(_argument(p) for p in parameters if isinstance(p, click.Argument)),
        commands=tuple(children),
        default=command.default if isinstance(command, Group) else None,
    )


def _option(parameter: click.Option) -> Option:
    names = tuple(sorted((*parameter.opts, *parameter.secondary_opts), key=len))
    flag = parameter.is_flag or parameter.count
    default = parameter.default
    plain = isinstance(default, str | int | float) and not isinstance(default, bool) and not flag
    return Option(
        names=names,
        value=None if flag else _value(parameter, max(names, key=len)),
        help=" ".join((parameter.help or "").split()),
        group=getattr(parameter, "group", GENERAL),
        daily=getattr(parameter, "daily", False),
        variable=parameter.envvar if isinstance(parameter.envvar, str) else "",
        default=str(default) if plain else "",
        repeatable=parameter.multiple or parameter.count,
    )


def _argument(parameter: click.Argument) -> Argument:
    return Argument(_value(parameter, ""), required=parameter.required, repeatable=parameter.nargs == -1)


def _value(parameter: click.Parameter, long: str) -> Value:
    kind = parameter.type
    if isinstance(kind, click.Choice):
        choices = tuple(str(choice) for choice in kind.choices)
        return Value("|".join(choices), "choice", choices)
    shown = parameter.metavar or _type_name(parameter)
    if isinstance(kind, click.Path | click.File):
        return Value(shown, "file")
    words = tuple(part for part in shown.split("|") if re.fullmatch("[a-z]+", part))
    return Value(shown, _NAMED_KINDS.get(long) or _kind(shown), words)


def _type_name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return (parameter.name or "").upper()
    if isinstance(parameter.type, click.types.IntParamType):
        return "N"
    if isinstance(parameter.type, click.types.FloatParamType):
        return "X"
    return parameter.type.name.upper()


def _kind(shown: str) -> Kind:
    """Read what stands between the bars of a metavar: `TEXT|@FILE`, `[PROVIDER/]MODEL`, `local/NAME`."""
    parts = [re.sub(r"\[.*?\]", "", part) for part in shown.split("|")]
    return next((_KINDS[part] for part in parts if part in _KINDS), "text")


def _paragraphs(text: str | None) -> list[str]:
    cleaned = inspect.cleandoc(text or "").split("\f")[0]
    return [" ".join(part.split()) for part in cleaned.split("\n\n")]


def _examples(epilog: str | None) -> tuple[str, ...]:
    lines = [line.strip() for line in (epilog or "").replace("\b", "").splitlines()]
    return tuple(line for line in lines if line.startswith("fennec") or " fennec " in line)
