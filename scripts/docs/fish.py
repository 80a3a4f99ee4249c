"""The completion for fish: a `complete` line for each command and option, under the condition that we are there."""

from scripts.docs.names import LOCAL_MODELS, MODEL_ID, PROVIDER_NAMES
from scripts.docs.tree import Command, Option, Value

_TEMPLATE = r"""# fish completion for fennec. Made by `make docs`; do not edit.
# Completing starts no Python: names from the user's own files are read with string match.

# The command before the cursor, such as `fennec models pull`.
function __fennec_place
    set -l place fennec
    set -l takes_value 0
    set -l words (commandline -opc)
    for word in $words[2..-1]
        if test $takes_value = 1
            set takes_value 0
            continue
        end
        switch "$place $word"
            case @PLACES@
                set place "$place $word"
            case @VALUED@
                set takes_value 1
        end
    end
    echo $place
end

function __fennec_at
    test (__fennec_place) = "$argv"
end

# Names NAME of the tables [$argv[1].NAME] in the configuration.
function __fennec_configured
    set -l folder ~/.config
    set -q XDG_CONFIG_HOME; and set folder $XDG_CONFIG_HOME
    for file in $folder/fennec/config.toml /etc/fennec/config.toml
        test -r $file; and string replace -rf "^ *\[$argv[1]\.([A-Za-z0-9_-]+).*" '$1' <$file
    end
end

function __fennec_providers
    printf '%s\n' @PROVIDERS@
    __fennec_configured provider
end

function __fennec_profiles
    __fennec_configured profile
end

function __fennec_installed
    set -l folder ~/.local/share
    set -q XDG_DATA_HOME; and set folder $XDG_DATA_HOME
    for file in $folder/fennec/models/*.gguf
        string replace -r '.*/(.*)\.gguf$' 'local/$1' $file
    end
end

function __fennec_local_models
    printf '%s\n' @LOCAL@
    __fennec_installed
end

# Models of the lists that `fennec models refresh` keeps.
function __fennec_listed
    set -l folder ~/.cache
    set -q XDG_CACHE_HOME; and set folder $XDG_CACHE_HOME
    for file in $folder/fennec/models/*.json
        set -l provider (string replace -r '.*/(.*)\.json$' '$1' $file)
        grep -o '@MODEL_ID@' $file | string replace -r '^"id":"(.*)"$' "$provider/\$1"
    end
end

# Providers up to the slash, then what is known of their models; installed models.
function __fennec_models
    if string match -q '*/*' -- (commandline -ct)
        __fennec_listed
    else
        __fennec_providers | string replace -r '$' /
    end
    __fennec_installed
end

function __fennec_at_file
    set -l typed (commandline -ct | string replace -r '^--[a-z-]+=' '')
    string match -q '@*' -- $typed; or return
    __fish_complete_path (string sub -s 2 -- $typed) | string replace -r '^' @
end

complete -c fennec -f

@LINES@
"""

_ACTIONS = {
    "file": "-r -F",
    "at_file": "-x -a '(__fennec_at_file)'",
    "directory": "-x -a '(__fish_complete_directories)'",
    "provider": "-x -a '(__fennec_providers)'",
    "profile": "-x -a '(__fennec_profiles)'",
    "model": "-x -a '(__fennec_models)'",
    "local_model": "-x -a '(__fennec_local_models)'",
}


def script(tree: Command) -> str:
    """Return the completion script."""
    commands = list(tree.walk())
    places = [command.name for command in commands if command is not tree]
    valued = [f"{c.name} {name}" for c in commands for option in c.offered if option.value for name in option.names]
    text = _TEMPLATE.replace("@PLACES@", _cases(places)).replace("@VALUED@", _cases(valued))
    text = text.replace("@PROVIDERS@", " ".join(PROVIDER_NAMES)).replace("@LOCAL@", " ".join(LOCAL_MODELS))
    text = text.replace("@MODEL_ID@", MODEL_ID)
    return text.replace("@LINES@", "\n\n".join("\n".join(_lines(command)) for command in commands))


def _cases(names: list[str]) -> str:
    return " \\\n                ".join(_quoted(name) for name in names)


def _lines(command: Command) -> list[str]:
    begin = f"complete -c fennec -n {_quoted(f'__fennec_at {command.name}')}"
    lines = [f"{begin} -a {child.path[-1]} -d {_quoted(child.summary)}" for child in command.commands]
    offered = [argument.value for argument in command.arguments[:1] if _action(argument.value) != "-x"]
    # `-x` and `-r` say that an option takes a value; an argument is one.
    lines += [f"{begin} {_action(value).removeprefix('-x ').removeprefix('-r ')}" for value in offered]
    return lines + [f"{begin} {_option(option)}" for option in command.offered]


def _option(option: Option) -> str:
    words = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if option.value is not None:
        words.append(_action(option.value))
    return " ".join([*words, f"-d {_quoted(option.help)}"])


def _action(value: Value) -> str:
    if value.choices:
        return f"-x -a {_quoted(' '.join(value.choices))}"
    return _ACTIONS.get(value.kind, "-x")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
