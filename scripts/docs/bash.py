"""The completion for bash: two tables (what a command has, what an option takes) and a small walk over the words."""

from scripts.docs.names import CONFIG_FILES, LOCAL_MODELS, MODEL_ID, MODEL_LISTS, PROVIDER_NAMES, TABLE_PATTERN, quoted
from scripts.docs.tree import Command, Value

_TEMPLATE = r"""# bash completion for fennec. Made by `make docs`; do not edit.
# Completing starts no Python: names from the user's own files are read with sed.

# Sets what the command $1 has: commands, options, and those options that take a value.
_fennec_table() {
    case $1 in
@TABLE@
    esac
}

# Offers values for $1, a command and one of its options, or ARGUMENT.
_fennec_value() {
    case $1 in
@VALUES@
    esac
}

_fennec_offer() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_fennec_files() {
    compopt -o default 2>/dev/null # readline knows best how to complete and quote a file name
}

_fennec_at_file() {
    [[ $cur == @* ]] || return
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -P @ -- "${cur#@}")
}

_fennec_directories() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
}

# Names NAME of the tables [$1.NAME] in the configuration.
_fennec_configured() {
    sed -n "@PATTERN@" @CONFIG_FILES@ 2>/dev/null | sort -u
}

_fennec_providers() {
    _fennec_offer "@PROVIDERS@ $(_fennec_configured provider)"
}

_fennec_profiles() {
    _fennec_offer "$(_fennec_configured profile)"
}

_fennec_installed() {
    local file
    for file in "${XDG_DATA_HOME:-$HOME/.local/share}"/fennec/models/*.gguf; do
        file=${file##*/}
        [[ $file == '*.gguf' ]] || echo "local/${file%.gguf}"
    done
}

_fennec_local_models() {
    _fennec_offer "@LOCAL@ $(_fennec_installed)"
}

# Models of the lists that `fennec models refresh` keeps.
_fennec_listed() {
    local file provider
    for file in @MODEL_LISTS@/*.json; do
        [[ -r $file ]] || continue
        provider=${file##*/} provider=${provider%.json}
        grep -o '@MODEL_ID@' "$file" | sed "s|^\"id\":\"\(.*\)\"\$|$provider/\1|"
    done
}

# Providers up to the slash, then what is known of their models; installed models.
_fennec_models() {
    local typed=${COMP_LINE:0:COMP_POINT} name names='' before
    typed=${typed##*[[:space:]=]}
    if [[ $typed == */* ]]; then
        before=${typed%"${typed##*:}"} # bash cuts words at a colon, too
        mapfile -t COMPREPLY < <(compgen -W "$(_fennec_listed) $(_fennec_installed)" -- "$typed")
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
        return
    fi
    for name in @PROVIDERS@ $(_fennec_configured provider); do
        names+="$name/ "
    done
    _fennec_offer "$names $(_fennec_installed)"
    [[ ${COMPREPLY[0]-} == */ ]] && compopt -o nospace 2>/dev/null
}

_fennec() {
    local cur=${COMP_WORDS[COMP_CWORD]} place=fennec option='' word i only_arguments=''
    local commands='' options='' valued=''
    COMPREPLY=()
    _fennec_table "$place"
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # bash cuts --option=value into three words, and a value at its colons
        if [[ $option && ($word == '=' || $word == :* || ${COMP_WORDS[i + 1]} == :*) ]]; then
            continue
        elif [[ $option ]]; then
            option=''
        elif [[ $word == -- ]]; then
            only_arguments=1
        elif [[ ! $only_arguments && $word == -* ]]; then
            [[ " $valued " == *" $word "* ]] && option=$word
        elif [[ " $commands " == *" $word "* ]]; then
            place+=" $word"
            _fennec_table "$place"
        fi
    done
    if [[ $option ]]; then
        [[ $cur == '=' ]] && cur=''
        _fennec_value "$place $option"
    elif [[ $cur == -* && ! $only_arguments ]]; then
        _fennec_offer "$options"
    elif [[ $commands ]]; then
        _fennec_offer "$commands"
    else
        _fennec_value "$place ARGUMENT"
    fi
}

complete -F _fennec fennec
"""

_ACTIONS = {
    "file": "_fennec_files",
    "at_file": "_fennec_at_file",
    "directory": "_fennec_directories",
    "provider": "_fennec_providers",
    "profile": "_fennec_profiles",
    "model": "_fennec_models",
    "local_model": "_fennec_local_models",
}


def script(tree: Command) -> str:
    """Return the completion script."""
    text = _TEMPLATE.replace("@TABLE@", "\n".join(_table(command) for command in tree.walk()))
    text = text.replace("@VALUES@", "\n".join(_values(tree)))
    text = text.replace("@PATTERN@", TABLE_PATTERN)
    text = text.replace("@CONFIG_FILES@", CONFIG_FILES)
    text = text.replace("@MODEL_LISTS@", MODEL_LISTS).replace("@MODEL_ID@", MODEL_ID)
    return text.replace("@PROVIDERS@", " ".join(PROVIDER_NAMES)).replace("@LOCAL@", " ".join(LOCAL_MODELS))


def _table(command: Command) -> str:
    options = [name for option in command.offered for name in option.names]
    valued = [name for option in command.offered if option.value for name in option.names]
    return (
        f"    {quoted(command.name)})\n"
        f"        commands={quoted(' '.join(child.path[-1] for child in command.commands))}\n"
        f"        options={quoted(' '.join(options))}\n"
        f"        valued={quoted(' '.join(valued))}\n"
        "        ;;"
    )


def _values(tree: Command) -> list[str]:
    """One case for each thing to offer, with all places that want it."""
    places: dict[str, list[str]] = {}
    for command in tree.walk():
        for option in command.offered:
            if option.value is not None and (action := _action(option.value)):
                places.setdefault(action, []).extend(f"{command.name} {name}" for name in option.names)
        for argument in command.arguments[:1]:
            if action := _action(argument.value):
                places.setdefault(action, []).append(f"{command.name} ARGUMENT")
    return [
        "    " + " | \\\n        ".join(quoted(name) for name in names) + f")\n        {action}\n        ;;"
        for action, names in places.items()
    ]


def _action(value: Value) -> str:
    if value.choices:
        return f"_fennec_offer {quoted(' '.join(value.choices))}"
    return _ACTIONS.get(value.kind, "")
