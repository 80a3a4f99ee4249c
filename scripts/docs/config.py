"""fennec-config(5), from the table of keys."""

from collections.abc import Callable, Iterator

from fennec_cli.config.schema import ROOT, Key, Table
from scripts.docs import keys, prose
from scripts.docs.page import Lines, MissingText, head, see_also
from scripts.docs.roff import bold, example, inline, item, paragraphs, section, subsection
from scripts.docs.tree import Command


def config_page(tree: Command) -> Lines:
    meaning = _key_meanings(tree)
    tables = [line for path, table in _tables(ROOT) for line in _config_table(path, table, meaning)]
    profile = item(bold("[profile.") + r"\fINAME\fR" + bold("]"), "Any of the above, for --profile `NAME`.")
    layers, *files = prose.CONFIG_LAYERS
    return [
        *head("fennec-config", 5, "Configuration of fennec."),
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
        *section("SEE ALSO", see_also("fennec-config(5)")),
    ]  # fmt: skip


def _numbered(texts: list[str]) -> Lines:
    return [line for number, text in enumerate(texts, 1) for line in item(f"{number}.", text)]


_PLACEHOLDERS = {"alias": "SHORT", "headers": "HEADER", "prices": '"MODEL"'}


def _tables(table: Table, path: tuple[str, ...] = ()) -> Iterator[tuple[str, dict[str, Key]]]:
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
            yield from _tables(entry, (*path, name))


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
