"""Every command and option that users were promised exists; test_docs.py sees that help and manual have them."""

import pytest

from fennec_cli.cli import HOUSEKEEPING, cli
from scripts.docs.tree import read_tree

COMMANDS = {
    "complete": "",
    "models": "list show check refresh pull rm ps",
    "bench": "",
    "cache": "stats get explain export import prune clear",
    "keys": "list set rm rotate test",
    "metrics": "show reset",
    "audit": "verify head tail export",
    "config": "show path check init",
    "batch": "submit status fetch cancel",
}
OPTIONS = {
    "complete": """
        -m --model --provider -s --system --temperature --top-p --max-tokens --seed --stop --reasoning-effort -O
        --option --input -0 -f --file -a --attach --attach-root --no-stdin --encoding-errors
        --tools --tool-choice --schema
        --format --ndjson --json -o --output -x --extract --reasoning --atomic --no-stream
        --strategy --fallback
        --timeout --connect-timeout --first-token-timeout --idle-timeout --deadline --retries --max-wait --no-breaker
        --on-interrupt
        --allow-truncated --allow-filtered
        --cache --no-cache --offline --cache-ttl --semantic --semantic-threshold
        --fingerprint
        --max-cost --budget -u --usage
        -j --jobs --rpm --tpm --ordered --allow-row-model --resume --dead-letter --fail-fast --max-failures --shard
        --redact --private --audit --api-key-file
        -n --dry-run -q -v --log-file --metrics-file --no-color -c --config --profile -h --help --version
    """,
    "bench": """
        -m --models-from -N --duration -j --rate --arrival --sweep --warmup --slo --seed --max-cost --baseline
        --max-regression --format --json --ndjson --report --self
    """,
    "metrics show": "--format --json --ndjson -o",
    "batch submit": "-m",
    "batch fetch": "--wait",
    "models check": "--reset",
}
TREE = {command.name.removeprefix("fennec").strip(): command for command in read_tree(cli).walk()}


def test_the_commands_of_every_day_come_first_and_the_others_are_housekeeping() -> None:
    commands = [command.path[-1] for command in TREE[""].commands]
    assert commands[:4] == ["complete", "models", "bench", "cache"]
    assert set(commands) == COMMANDS.keys()
    assert set(commands[4:]) == HOUSEKEEPING


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_its_subcommands(name: str) -> None:
    assert {child.path[-1] for child in TREE[name].commands} == set(COMMANDS[name].split())


@pytest.mark.parametrize("name", OPTIONS)
def test_a_command_has_its_options(name: str) -> None:
    assert set(OPTIONS[name].split()) <= {option for each in TREE[name].options for option in each.names}


@pytest.mark.parametrize("name", [name for name, command in TREE.items() if not command.commands])
def test_whoever_has_a_format_has_its_short_forms(name: str) -> None:
    options = {option for each in TREE[name].options for option in each.names}
    assert "--format" not in options or {"--json", "--ndjson"} <= options


@pytest.mark.parametrize("name", [name for name in TREE if name != "complete"])
def test_what_a_variable_may_say_to_complete_is_not_refused_elsewhere(name: str) -> None:
    known = {each.variable: each.value.choices for each in TREE["complete"].options if each.variable and each.value}
    for option in TREE[name].options:
        if option.variable in known and option.value and option.value.choices:
            also = {"text"} if "table" in option.value.choices else set()  # `Forms` of bench reads one as the other
            assert set(known[option.variable]) <= {*option.value.choices, *also}, option.variable


@pytest.mark.parametrize("name", TREE)
def test_no_option_takes_a_key_as_text(name: str) -> None:
    for option in TREE[name].options:
        assert not {"--api-key", "--key", "--token", "--passphrase"} & set(option.names)
