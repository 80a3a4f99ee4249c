"""The manual pages, as name of the file -> man(7) source."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fennec_cli
from fennec_cli.config.schema import ROOT, Key, Table
from fennec_cli.errors import EXIT_STATUS
from fennec_cli.keys import key_variables
from fennec_cli.providers import PROVIDERS, provider_module
from scripts.docs import fields, keys, prose
from scripts.docs.roff import bold, example, filled, inline, item, literal, section, subsection
from scripts.docs.roff import prose as paragraphs
from scripts.docs.tree import Argument, Command, Option, Value

PACKAGE = Path(fennec_cli.__file__).parent
Lines = list[str]


class MissingText(Exception):
    """Something exists that the manual has no words for."""


def manual(tree: Command) -> dict[str, str]:
    """Return every page. Raises `MissingText` for a key or field without a meaning."""
    pages = {"fennec.1": _program(tree), "fennec-config.5": _config(tree), "fennec-events.7": _events()}
    for command in tree.commands:
        pages["-".join(command.path) + ".1"] = _command(command)
    return {name: "\n".join(lines) + "\n" for name, lines in pages.items()}


# --- fennec(1) and fennec-COMMAND(1)


def _program(tree: Command) -> Lines:
    commands = [line for command in tree.commands for line in item(bold(command.path[-1]), _see(command))]
    return [
        *_head("fennec", 1, tree.summary),
        *section("SYNOPSIS", [_synopsis(tree)]),
        *section("DESCRIPTION", [*paragraphs(*prose.ABOUT), ".PP", *paragraphs(*prose.MESSAGES)]),
        *section("COMMANDS", commands),
        *section("OPTIONS", _options(tree)),
        *section("EXIT STATUS", _exit_status()),
        *section("ENVIRONMENT", _environment()),
        *section("FILES", [line for path, mark, text in prose.FILES if _used(mark) for line in item(bold(path), text)]),
        *section("EXAMPLES", _pipelines(tree)),
        *section("SEE ALSO", _see_also("fennec", tree)),
    ]


def _command(command: Command) -> Lines:
    synopses = [line for each in command.walk() if each.stands_alone for line in (".br", _synopsis(each))][1:]
    examples = [text for each in command.walk() for text in each.examples]
    parts = [line for child in command.commands for each in child.walk() for line in _subcommand(each)]
    return [
        *_head("-".join(command.path), 1, command.summary),
        *section("SYNOPSIS", synopses),
        *section("DESCRIPTION", paragraphs(command.summary, *_description(command))),
        *section("COMMANDS", parts),
        *section("OPTIONS", _options(command)),
        *section("EXIT STATUS", paragraphs("0 for success. fennec(1) has the table of all others.")),
        *section("EXAMPLES", [line for text in examples for line in example(text)]),
        *section("SEE ALSO", _see_also("-".join(command.path), None)),
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


def _see_also(page: str, tree: Command | None) -> Lines:
    pages = ["-".join(command.path) + "(1)" for command in tree.commands] if tree else ["fennec(1)"]
    pages += ["fennec-config(5)", "fennec-events(7)"]
    return paragraphs(", ".join(name for name in pages if not name.startswith(f"{page}(")))


def _head(name: str, number: int, summary: str) -> Lines:
    version = f"fennec {fennec_cli.__version__}"
    one_line = summary.split(". ")[0].rstrip(".")
    if one_line[1:2].islower():
        one_line = one_line[0].lower() + one_line[1:]
    return [
        '.\\" Made by `make docs`; the words are in scripts/docs and in the options themselves.',
        f'.TH "{literal(name.upper())}" "{number}" "{prose.DATE}" "{version}" "fennec manual"',
        ".nh",  # a broken name cannot be searched for or copied
        ".ad l",
        *section("NAME", filled(rf"{literal(name)} \- {inline(one_line)}")),
    ]


# --- fennec-config(5)


def _config(tree: Command) -> Lines:
    meaning = _key_meanings(tree)
    tables = [line for path, table in config_tables(ROOT) for line in _config_table(path, table, meaning)]
    profile = item(bold("[profile.") + r"\fINAME\fR" + bold("]"), "Any of the above, for --profile `NAME`.")
    layers, *files = prose.CONFIG_LAYERS
    return [
        *_head("fennec-config", 5, "Configuration of fennec."),
        *section("DESCRIPTION", paragraphs(*prose.CONFIG_ABOUT)),
        *section("FILES", paragraphs(layers) + _numbered(files) + [".PP"] + paragraphs(*prose.CONFIG_PRECEDENCE)),
        *section("VALUES", paragraphs(*prose.CONFIG_VALUES)),
        *section("THE PROJECT FILE", paragraphs(*prose.CONFIG_PROJECT)),
        *section("KEYS", [*tables, *subsection("Profiles", profile)]),
        *section("EXAMPLES", [
            *paragraphs("Providers, with their own settings:"),
            *example(prose.CONFIG_EXAMPLE),
            ".PP",
            *paragraphs("Another server, a short name for a model, and a profile:"),
            *example(prose.CONFIG_EXAMPLE_SERVER),
        ]),
        *section("SEE ALSO", _see_also("fennec-config", None)),
    ]  # fmt: skip


def _numbered(texts: list[str]) -> Lines:
    return [line for number, text in enumerate(texts, 1) for line in item(f"{number}.", text)]


_PLACEHOLDERS = {"alias": "SHORT", "headers": "HEADER", "prices": '"MODEL"'}


def config_tables(table: Table, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Key]]]:
    """Yield the name and the keys of every table, what a user names written in capitals. Profiles repeat the rest."""
    entries: dict[str, Key | Table] = dict(table.keys)
    if table.each is not None:
        entries[_PLACEHOLDERS.get(path[-1] if path else "", "NAME")] = table.each
    own = {name: entry for name, entry in entries.items() if isinstance(entry, Key)}
    own |= {name: entry.plain for name, entry in entries.items() if isinstance(entry, Table) and entry.plain}
    if own:
        yield ".".join(path), own
    for name, entry in entries.items():
        if isinstance(entry, Table) and (*path, name) != ("profile",):
            yield from config_tables(entry, (*path, name))


def _config_table(path: str, table: dict[str, Key], meaning: Callable[[str, str], str]) -> Lines:
    title = f"[{path}]" if path else "Top level"
    about = paragraphs(keys.TABLES[path]) if path in keys.TABLES else []
    rows = [line for name, key in table.items() for line in _config_key(path, name, key, meaning)]
    return subsection(title, [*about, *rows])


def _config_key(path: str, name: str, key: Key, meaning: Callable[[str, str], str]) -> Lines:
    tag = rf"\fI{name}\fR" if name.isupper() else bold(name)
    mark = "; project" if key.project else ""
    return item(f"{tag} ({inline(_kind(key))}{mark})", meaning(path, name))


def _kind(key: Key) -> str:
    """What the key holds, in the words of the error for anything else."""
    try:
        key.kind(object())
    except ValueError as error:
        return str(error).removeprefix("must be ").split(":")[0]
    raise MissingText("a kind of key takes everything")


def _key_meanings(tree: Command) -> Callable[[str, str], str]:
    """Return what says a key's meaning: our table, or else the option of the same name."""
    helps = {
        (command.path[-1], option.long.lstrip("-").replace("-", "_")): option.help
        for command in tree.commands
        for option in command.options
    }

    def meaning(path: str, name: str) -> str:
        full = f"{path}.{name}".lstrip(".")
        for text in (keys.KEYS.get(full), helps.get((path, name)), keys.KEYS.get(name), helps.get(("complete", name))):
            if text:
                return text
        raise MissingText(f"configuration key {full}: add it to scripts/docs/keys.py")

    return meaning


# --- fennec-events(7)


def _events() -> Lines:
    event, answer = (json.loads((PACKAGE / "schemas" / name).read_text()) for name in ("event.json", "answer.json"))
    shared = event["$defs"]["start"]["properties"].keys() & event["$defs"]["end"]["properties"].keys()
    common = {name: field for name, field in event["$defs"]["end"]["properties"].items() if name in shared}
    types = [line for name, schema in event["$defs"].items() for line in _event(name, schema, set(common))]
    own = {
        name: field
        for schema in answer["$defs"].values()
        for name, field in schema["properties"].items()
        if all(name not in other["properties"] for key, other in event["$defs"].items() if key in ("end", "error"))
    }
    return [
        *_head("fennec-events", 7, "NDJSON events and the JSON object of fennec."),
        *section("DESCRIPTION", paragraphs(*prose.EVENTS_ABOUT)),
        *section("FIELDS OF EVERY EVENT", _field_items("", {**common, "type": {"type": "string"}})),
        *section("EVENTS", types),
        *section("THE JSON OBJECT", [*paragraphs(*prose.EVENTS_OBJECT), *_field_items("answer", own)]),
        *section("EXAMPLES", [
            *paragraphs("The text of an answer as it arrives:"),
            *example("fennec complete --ndjson < prompt.txt |\n"
                     "  jq -rj 'select(.type==\"chunk\").content // empty'"),
            ".PP",
            *paragraphs("Which rows of a batch failed, and why:"),
            *example("fennec complete --input lines --ndjson < prompts.txt |\n"
                     "  jq -r 'select(.type==\"error\") | [.id, .class, .message] | @tsv'"),
        ]),
        *section("SEE ALSO", _see_also("fennec-events", None)),
    ]  # fmt: skip


def _event(name: str, schema: dict[str, Any], common: set[str]) -> Lines:
    if name not in fields.EVENTS:
        raise MissingText(f"event {name}: add it to EVENTS in scripts/docs/fields.py")
    own = {field: value for field, value in schema["properties"].items() if field not in common}
    return subsection(name, [*paragraphs(fields.EVENTS[name]), *_field_items(name, own)])


def _field_items(event: str, properties: Mapping[str, Any], prefix: str = "") -> Lines:
    lines: Lines = []
    for name, schema in properties.items():
        full = f"{prefix}{name}"
        lines += item(f"{bold(full)} ({inline(_type(schema))})", _field_meaning(event, full))
        below = schema.get("items", schema)
        if "properties" in below:
            lines += _field_items(event, below["properties"], f"{full}{'[]' if 'items' in schema else ''}.")
    return lines


def _field_meaning(event: str, name: str) -> str:
    for key in (f"{event}.{name}", name):
        if key in fields.FIELDS:
            return fields.FIELDS[key]
    raise MissingText(f"field {name} of {event}: add it to FIELDS in scripts/docs/fields.py")


def _type(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema and len(schema["enum"]) <= 8:  # a longer list has its own page
        return ", ".join(json.dumps(value) if isinstance(value, str) else str(value) for value in schema["enum"])
    types = schema.get("type", "string")
    return types if isinstance(types, str) else " or ".join(types)
