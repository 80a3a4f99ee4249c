"""fennec(1) and a page for each command."""

import re
from collections.abc import Iterator, Mapping

from fennec_cli.errors import EXIT_STATUS
from fennec_cli.keys import key_variables
from fennec_cli.providers import PROVIDERS, provider_module
from scripts.docs import prose
from scripts.docs.page import PACKAGE, Lines, MissingText, head, see_also
from scripts.docs.roff import bold, example, item, literal, paragraphs, section, subsection
from scripts.docs.tree import Argument, Command, Option, Value


def program_page(tree: Command) -> Lines:
    commands = [line for command in tree.commands for line in item(bold(command.path[-1]), _see(command))]
    return [
        *head("fennec", 1, tree.summary),
        *section("SYNOPSIS", [_synopsis(tree)]),
        *section("DESCRIPTION", [*paragraphs(*prose.ABOUT), ".PP", *paragraphs(*prose.MESSAGES)]),
        *section("COMMANDS", commands),
        *section("OPTIONS", _options(tree)),
        *section("EXIT STATUS", _exit_status()),
        *section("ENVIRONMENT", _environment()),
        *section("FILES", [line for path, mark, text in prose.FILES if _used(mark) for line in item(bold(path), text)]),
        *section("EXAMPLES", _pipelines(tree)),
        *section("SEE ALSO", see_also("fennec(1)", tree)),
    ]


def command_page(command: Command) -> Lines:
    synopses = [line for each in command.walk() if each.stands_alone for line in (".br", _synopsis(each))][1:]
    examples = [text for each in command.walk() for text in each.examples]
    parts = [line for child in command.commands for each in child.walk() for line in _subcommand(each)]
    return [
        *head("-".join(command.path), 1, command.summary),
        *section("SYNOPSIS", synopses),
        *section("DESCRIPTION", paragraphs(command.summary, *_description(command))),
        *section("COMMANDS", parts),
        *section("OPTIONS", _options(command)),
        *section("EXIT STATUS", paragraphs("0 for success. fennec(1) has the table of all others.")),
        *section("EXAMPLES", [line for text in examples for line in example(text)]),
        *section("SEE ALSO", see_also("-".join(command.path) + "(1)")),
    ]


def _subcommand(command: Command) -> Lines:
    body = paragraphs(command.summary, *_description(command))
    return subsection(command.name, [*body, *_option_items(command, command.options)])


def _description(command: Command) -> tuple[str, ...]:
    return (*command.description, *prose.DESCRIPTIONS.get(command.name, ()))


def _synopsis(command: Command) -> str:
    words = [r"[\fIOPTIONS\fR]", *(_argument(argument) for argument in command.arguments)]
    if command.commands and len(command.path) == 1:
        words.append(r"\fICOMMAND\fR [\fIARGUMENTS\fR]")
    return f"{bold(command.name)} {' '.join(words)}"


def _argument(argument: Argument) -> str:
    shown = _shown(argument.value) + ("..." if argument.repeatable else "")
    return shown if argument.required or shown.startswith("[") else f"[{shown}]"


def _shown(value: Value) -> str:
    """A placeholder in italics, and what is typed as it stands in bold."""
    words = re.split(r"([A-Za-z_]+)", value.shown)
    return "".join(
        literal(word) if not odd % 2 else rf"\fI{word}\fR" if word.isupper() else bold(word)
        for odd, word in enumerate(words)
    )


def _options(command: Command) -> Lines:
    groups = command.groups()
    if len(groups) == 1:
        return _option_items(command, command.options)
    lines = [line for title, options in groups.items() for line in subsection(title, _option_items(command, options))]
    return [*paragraphs(f"{prose.TWINS} {prose.DURATIONS}"), *lines]


def _option_items(command: Command, options: list[Option] | tuple[Option, ...]) -> Lines:
    return [line for option in options for line in _option(option, prose.OPTION_NOTES.get(command.name, {}))]


def _option(option: Option, notes: Mapping[str, str]) -> Lines:
    tag = ", ".join(bold(name) for name in option.names)
    if option.value is not None:
        tag += f" {_shown(option.value)}"
    text = f"{option.help} {notes.get(option.long, '')}"
    if option.default:
        text += f" Default: `{option.default}`."
    return item(tag, text, f"Environment: `{option.variable}`") if option.variable else item(tag, text)


def _exit_status() -> Lines:
    lines: Lines = []
    for name, status in EXIT_STATUS.items():
        if name not in prose.EXIT_MEANING:
            raise MissingText(f"exit class {name}: add it to EXIT_MEANING in scripts/docs/prose.py")
        text, again = prose.EXIT_MEANING[name]
        lines += item(rf"{bold(str(status))} {literal(name)}", f"{text} Trying again may help." if again else text)
    for status_text, text in prose.SIGNALS:
        lines += item(bold(status_text), text)
    return lines


def _environment() -> Lines:
    lines = item(
        r"\fBFENNEC_\fR\fINAME\fR",
        "Twin of an option: `FENNEC_MAX_TOKENS` is that of --max-tokens. "
        "A repeatable option takes a JSON array of texts.",
    )
    lines += item(
        r"\fBFENNEC_\fR\fIPROVIDER\fR\fB_API_KEY\fR",
        "Key of a provider; it wins over the configuration and the provider's own variable. "
        "`FENNEC_API_KEY` does not exist and is refused.",
    )
    for name, text in (*_provider_variables(), *prose.VARIABLES.items()):
        if _used(name):
            lines += item(bold(name), text)
    return lines


def _provider_variables() -> Iterator[tuple[str, str]]:
    """What each provider module says that it reads."""
    for name in PROVIDERS:
        module = provider_module(name)
        for variable in key_variables(name, module.KEY_VARIABLES)[1:]:
            yield variable, f"Key of `{name}`."
        if module.BASE_URL_VARIABLE:
            yield module.BASE_URL_VARIABLE, f"Address of `{name}`, unless the configuration has one."
        for variable, header in module.HEADER_VARIABLES.items():
            yield variable, f"Sent to `{name}` in the header `{header}`."


def _used(name: str) -> bool:
    """Whether the package reads this name: the manual promises nothing that no code does."""
    pattern = re.compile(rf"\b{re.escape(name)}\b")
    return any(pattern.search(path.read_text()) for path in PACKAGE.rglob("*.py"))


def _pipelines(tree: Command) -> Lines:
    shown = [(title, text) for title, text in prose.PIPELINES if runs(text, tree)]
    return [line for title, text in shown for line in (".PP", *paragraphs(title), *example(text))]


def runs(pipeline: str, tree: Command) -> bool:
    """Whether every command, option and choice after each `fennec` of a shell line exists."""
    calls = re.findall(r"\bfennec +((?:'[^']*'|[^|&<>;'])*)", pipeline)
    return all(_call_exists(re.findall(r"'[^']*'|\S+", call), tree) for call in calls)


def _call_exists(words: list[str], command: Command) -> bool:
    pending: Option | None = None
    for word in words:
        if pending is not None and pending.value is not None:
            if pending.value.kind == "choice" and word not in pending.value.choices:
                return False
            pending = None
        elif word.startswith("-") and word != "-":
            # `-j16` is `-j 16`
            option = next((o for o in command.options if word in o.names or word[:2] in o.names), None)
            if option is None:
                return False
            pending = option if option.value is not None and word in option.names else None
        elif command.commands:
            child = next((child for child in command.commands if child.path[-1] == word), None)
            if child is None:
                return False
            command = child
    return True


def _see(command: Command) -> str:
    return f"{command.summary} See {'-'.join(command.path)}(1)."
