"""The completion for zsh: an `_arguments` call for each command."""

from scripts.docs.names import CONFIG_FILES, LOCAL_MODELS, MODEL_ID, MODEL_LISTS, PROVIDER_NAMES, TABLE_PATTERN, quoted
from scripts.docs.tree import Argument, Command, Option, Value

_TEMPLATE = r"""#compdef fennec
# zsh completion for fennec. Made by `make docs`; do not edit.
# Completing starts no Python: names from the user's own files are read with sed.

# Names NAME of the tables [$1.NAME] in the configuration.
_fennec_configured() {
    sed -n "@PATTERN@" @CONFIG_FILES@ 2>/dev/null
}

_fennec_provider() {
    compadd -- @PROVIDERS@ ${(fu)"$(_fennec_configured provider)"}
}

_fennec_profile() {
    compadd -- ${(fu)"$(_fennec_configured profile)"}
}

_fennec_installed() {
    local -a files=(${XDG_DATA_HOME:-$HOME/.local/share}/fennec/models/*.gguf(N:t:r))
    compadd -- local/$^files
}

_fennec_local_model() {
    compadd -- @LOCAL@
    _fennec_installed
}

# Models of the lists that `fennec models refresh` keeps.
_fennec_listed() {
    local file
    for file in @MODEL_LISTS@/*.json(N); do
        grep -o '@MODEL_ID@' "$file" | sed "s|^\"id\":\"\(.*\)\"\$|${file:t:r}/\1|"
    done
}

# Providers up to the slash, then what is known of their models; installed models.
_fennec_model() {
    if [[ $PREFIX == */* ]]; then
        compadd -- ${(f)"$(_fennec_listed)"}
    else
        local -a names=(@PROVIDERS@ ${(fu)"$(_fennec_configured provider)"})
        compadd -S '' -- $^names/
    fi
    _fennec_installed
}

_fennec_at_file() {
    compset -P @ && _files
}

@COMMANDS@

_fennec "$@"
"""

_ACTIONS = {
    "file": "_files",
    "at_file": "_fennec_at_file",
    "directory": "_files -/",
    "provider": "_fennec_provider",
    "profile": "_fennec_profile",
    "model": "_fennec_model",
    "local_model": "_fennec_local_model",
}


def script(tree: Command) -> str:
    """Return the completion function, to be found as `_fennec` in fpath."""
    text = _TEMPLATE.replace("@COMMANDS@", "\n\n".join(_function(command) for command in reversed([*tree.walk()])))
    text = text.replace("@PATTERN@", TABLE_PATTERN).replace("@CONFIG_FILES@", CONFIG_FILES)
    text = text.replace("@MODEL_LISTS@", MODEL_LISTS).replace("@MODEL_ID@", MODEL_ID)
    return text.replace("@PROVIDERS@", " ".join(PROVIDER_NAMES)).replace("@LOCAL@", " ".join(LOCAL_MODELS))


def _name(command: Command) -> str:
    # Two underscores between words: `_fennec_model` is a helper, `_fennec__models` a command.
    return "_" + "__".join(command.path)


def _function(command: Command) -> str:
    specs = [_spec(option) for option in command.offered]
    if not command.commands:
        specs += [_positional(argument) for argument in command.arguments]
        return "\n".join([f"{_name(command)}() {{", "    _arguments -s -S : \\", _joined(specs), "}"])
    specs += ["'(-)1:command:->command'", "'(-)*::argument:->argument'"]  # no option of ours behind a command
    children = [quoted(f"{child.path[-1]}:{_escaped(child.summary)}") for child in command.commands]
    return "\n".join([
        f"{_name(command)}() {{",
        "    local curcontext=$curcontext state state_descr line",
        "    local -A opt_args",
        "    _arguments -C -s -S : \\",
        _joined(specs) + " && return",
        "    case $state in",
        "        command)",
        "            local -a commands=(",
        *(f"                {child}" for child in children),
        "            )",
        "            _describe command commands",
        "            ;;",
        "        argument)",
        "            case $line[1] in",
        *(f"                {child.path[-1]}) {_name(child)} ;;" for child in command.commands),
        "            esac",
        "            ;;",
        "    esac",
        "}",
    ])  # fmt: skip


def _joined(specs: list[str]) -> str:
    return " \\\n".join(f"        {spec}" for spec in specs)


def _spec(option: Option) -> str:
    """`(names that exclude it){names}[help]:what:action`, see zshcompsys(1)."""
    excludes = "(- *)" if option.ends else "*" if option.repeatable else f"({' '.join(option.names)})"
    about = f"[{_escaped(option.help)}]"
    if option.value is not None:
        about += f":{_escaped(option.value.shown)}:{_action(option.value)}"
    names = [_spelled(name, option) for name in option.names]
    if len(names) == 1:
        return quoted(f"{'' if excludes.startswith('(-') and not option.ends else excludes}{names[0]}{about}")
    return f"{quoted(excludes)}{{{','.join(names)}}}{quoted(about)}"


def _spelled(name: str, option: Option) -> str:
    if option.value is None:
        return name
    return f"{name}=" if name.startswith("--") else f"{name}+"


def _positional(argument: Argument) -> str:
    where = "*:" if argument.repeatable else ":" if argument.required else "::"
    return quoted(f"{where}{_escaped(argument.value.shown)}:{_action(argument.value)}")


def _action(value: Value) -> str:
    if value.choices:
        return f"({' '.join(value.choices)})"
    return _ACTIONS.get(value.kind, " ")


def _escaped(text: str) -> str:
    for letter in "\\:[]":
        text = text.replace(letter, f"\\{letter}")
    return text
