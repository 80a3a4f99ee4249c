"""Loading, layers and the table of keys. Project files: test_config_project.py; values: test_config_values.py."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fennec_cli.backoff import RetryConfig
from fennec_cli.config import Config, LogConfig, NetworkConfig, ProviderConfig, load_config
from fennec_cli.config.schema import EXTRA, NETWORK, PRICE, PROVIDER, RETRY, ROOT, Table
from fennec_cli.errors import ConfigError
from fennec_cli.pricing import Price

SPECIFICATION_EXAMPLE = """\
[provider.openai]
api_key = "${OPENAI_API_KEY}"
model = "gpt-4"
max_tokens = 4096
temperature = 0.7
timeout = "30s"

[provider.openai.retry]
max_attempts = 3
initial_delay = "1s"
max_delay = "30s"

[provider.anthropic]
api_key = "${ANTHROPIC_API_KEY}"
model = "claude-3-sonnet"
max_tokens = 4096

[provider.ollama]
base_url = "http://localhost:11434"
model = "codellama"
gpu_layers = 35
"""

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write the files that are given and load them."""

    def write_and_load(
        user: str | bytes | None = None,
        *,
        system: str | None = None,
        project: str | None = None,
        explicit: str | None = None,
        profile: str | None = None,
    ) -> Config:
        places = {
            tmp_path / "etc.toml": system,
            tmp_path / "xdg/fennec/config.toml": user,
            tmp_path / "work/.fennec.toml": project,
            tmp_path / "named.toml": explicit,
        }
        for place, content in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                place.write_bytes(content if isinstance(content, bytes) else content.encode())
                place.chmod(0o600)
        return load_config(
            environ={"XDG_CONFIG_HOME": str(tmp_path / "xdg")},
            cwd=tmp_path / "work",
            explicit=tmp_path / "named.toml" if explicit is not None else None,
            profile=profile,
            system_file=tmp_path / "etc.toml",
        )

    return write_and_load


def refusal(load: Load, user: str | bytes, **files: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(user, **files)
    return caught.value.line()


def test_no_file_is_an_empty_configuration(load: Load) -> None:
    assert load() == Config()


def test_the_example_of_the_specification_loads_word_for_word(load: Load) -> None:
    config = load(SPECIFICATION_EXAMPLE)
    retry = RetryConfig(max_attempts=3, initial_delay=1, max_delay=30)
    openai = ProviderConfig(
        name="openai",
        type="openai",
        api_key="${OPENAI_API_KEY}",
        model="gpt-4",
        max_tokens=4096,
        temperature=0.7,
        timeout=30,
        retry=retry,
    )
    assert config.providers == {
        "openai": openai,
        "anthropic": ProviderConfig(
            "anthropic", "anthropic", api_key="${ANTHROPIC_API_KEY}", model="claude-3-sonnet", max_tokens=4096
        ),
        "ollama": ProviderConfig(
            "ollama", "ollama", base_url="http://localhost:11434", model="codellama", extra={"gpu_layers": 35}
        ),
    }


def test_every_table_of_the_contract_loads(load: Load) -> None:
    config = load(
        """
        model = "fast"
        format = "json"
        deadline = "10m"
        alias = { fast = "openai/gpt-5.4-mini" }
        [provider.groq]
        type = "openai"
        base_url = "https://api.groq.com/openai/v1"
        headers = { X-Team = "blue" }
        stop = "END"
        prices."llama-4/big" = { input = 1, output = 2.5 }
        retry.jitter = "equal"
        [complete]
        system = "@style.txt"
        file = ["a", "b"]
        idle_timeout = "500ms"
        [log]
        file = "fennec.log"
        level = "debug"
        [network]
        allow_insecure_http = true
        """
    )
    groq = config.providers["groq"]
    assert (config.model, config.format, config.deadline) == ("fast", "json", 600)
    assert config.alias == {"fast": "openai/gpt-5.4-mini"}
    assert (groq.type, groq.headers, groq.stop, groq.retry.jitter) == ("openai", {"X-Team": "blue"}, ("END",), "equal")
    assert groq.prices == {"llama-4/big": Price(1, 2.5)}
    assert config.commands == {"complete": {"system": "@style.txt", "file": ("a", "b"), "idle_timeout": 0.5}}
    assert config.log == LogConfig("fennec.log", "debug")
    assert config.network == NetworkConfig(allow_insecure_http=True)


def test_network_settings_are_the_defaults_of_every_provider(load: Load) -> None:
    config = load(
        "[network]\nallow_insecure_http = true\n[provider.azure]\n[provider.openai]\nallow_insecure_http = false"
    )
    allowed = {name: config.provider_config(name).allow_insecure_http for name in ("azure", "openai", "ollama")}
    assert allowed == {"azure": True, "openai": False, "ollama": True}


def test_an_unknown_provider_is_refused_naming_the_known() -> None:
    with pytest.raises(ConfigError) as caught:
        Config().provider_config("opnai")
    assert "'opnai'; known are openai, anthropic" in caught.value.line()


OURS = {"name", "extra"}


@pytest.mark.parametrize(
    ("table", "record", "ours"),
    [
        (Table({key: entry for key, entry in PROVIDER.keys.items() if key not in EXTRA}), ProviderConfig, OURS),
        (RETRY, RetryConfig, set()),
        (PRICE, Price, set()),
        (Table(NETWORK), NetworkConfig, set()),
        (ROOT.keys["log"], LogConfig, set()),
    ],
)
def test_every_key_of_a_table_has_a_field(table: Table, record: Any, ours: set[str]) -> None:
    assert {*record._fields} == {*table.keys, *ours}


# Layers


def test_tables_of_all_files_are_merged_key_by_key(load: Load) -> None:
    config = load(
        "[provider.openai]\nmodel = 'user'\nseed = 2\n",
        system="[provider.openai]\nmodel = 'system'\nseed = 1\ntop_p = 0.5\n",
        project="[provider.openai]\nmodel = 'project'\n",
    )
    openai = config.providers["openai"]
    assert (openai.model, openai.seed, openai.top_p) == ("project", 2, 0.5)


def test_a_named_file_replaces_those_of_user_and_project_but_not_the_systems(load: Load) -> None:
    config = load(
        "format = 'json'",
        system="model = 's'\nformat = 'text'",
        project="deadline = 1",
        explicit="[log]\nlevel = 'info'",
    )
    assert (config.model, config.format, config.deadline, config.log.level) == ("s", "text", None, "info")


def test_a_default_provider_of_one_file_stands_beside_the_tables_of_another(load: Load) -> None:
    config = load("[provider.groq]\ntype = 'openai'", system="provider = 'groq'")
    assert (config.provider, list(config.providers)) == ("groq", ["groq"])


def test_default_and_table_of_providers_in_one_file_are_explained(load: Load) -> None:
    message = refusal(load, 'provider = "openai"\n\n[provider.openai]\nseed = 1\n')
    assert "config.toml:3: " in message
    assert "name the default in [complete]" in message


def test_a_profile_is_laid_over_the_rest(load: Load) -> None:
    text = (
        "model = 'a'\nformat = 'json'\n[profile.work]\nmodel = 'b'\n[profile.work.provider.groq]\ntype = 'openai'\n"
        "[profile.home]\nmodel = 'c'\n"
    )
    config = load(text, project="model = 'p'", profile="work")
    assert (config.model, config.format, list(config.providers)) == ("b", "json", ["groq"])
    assert config.origins["model"].line == 4


def test_a_profile_that_is_not_selected_changes_nothing_but_is_checked(load: Load) -> None:
    assert load("[profile.work]\nmodel = 'b'").model is None
    assert "profile.work.modle is not a key" in refusal(load, "[profile.work]\nmodle = 'b'")


@pytest.mark.parametrize(
    ("text", "hint"), [("[profile.work]\n[profile.home]", "known are home, work"), ("", "none is configured")]
)
def test_an_unknown_profile_is_refused_naming_the_known(load: Load, text: str, hint: str) -> None:
    assert refusal(load, text, profile="wrok") == f"config: unknown profile 'wrok'; {hint}"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"XDG_CONFIG_HOME": "relative"}])
def test_without_a_home_there_is_no_user_file(tmp_path: Path, environ: dict[str, str]) -> None:
    assert load_config(environ=environ, cwd=tmp_path, system_file=tmp_path / "none") == Config()


@pytest.mark.parametrize("xdg", [{}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}])
def test_the_user_file_lies_below_dot_config_by_default(tmp_path: Path, xdg: dict[str, str]) -> None:
    place = tmp_path / ".config/fennec/config.toml"
    place.parent.mkdir(parents=True)
    place.write_text("model = 'm'")
    environ = {"HOME": str(tmp_path), **xdg}
    assert load_config(environ=environ, cwd=tmp_path, system_file=tmp_path / "none").model == "m"


# What is refused, and how


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle = 'x'", ":1: modle is not a key that exists; did you mean model?"),
        (
            "\n\n[provider.openai]\n\nmax-tokens = 1",
            ":5: provider.openai.max-tokens is not a key that exists; did you ",
        ),
        ("[provder.openai]\nmodel = 'x'", ":1: provder is not a key that exists; did you mean provider?"),
        ("[log]\nzzz = 1", ":2: log.zzz is not a key that exists; known here are file, level"),
        ("[provider.x]\ntype='openai'\nretry.jiter = 1", ":3: provider.x.retry.jiter is not a key"),
        ("[provider]\nmodel = 'x'", ":2: provider.model must be a table; write [provider.model]"),
        ("log = 1", ":1: log must be a table; write [log]"),
        ("model = ['x']", ":1: model must be a name in quotes"),
        ("model = ''", ":1: model must be a name in quotes, not empty"),
        ("model = { x = 1 }", ":1: model must be a name in quotes"),
        ("deadline = true", ":1: deadline must be a duration: 500ms"),
        ("deadline = 'soon'", ":1: deadline must be a duration: 500ms"),
        ("deadline = -1", ":1: deadline must be a duration: 500ms"),
        ("format = 'yaml'", ":1: format must be one of text, ndjson, json"),
        ("[complete]\nquiet = 1", ":2: complete.quiet must be true or false"),
        ("[complete]\nseed = true", ":2: complete.seed must be a whole number"),
        ("[complete]\nseed = 9223372036854775808", ":2: complete.seed must be a whole number"),
        ("[complete]\nmax_tokens = 0", ":2: complete.max_tokens must be a whole number from 1 on"),
        ("[complete]\ntemperature = nan", ":2: complete.temperature must be a number from 0 on"),
        ("[complete]\ntemperature = inf", ":2: complete.temperature must be a number from 0 on"),
        ("[budget.daily]\nusd = inf", ":2: budget.daily.usd must be a number from 0 to 1000000000"),
        ("[budget.daily]\nusd = 1e300", ":2: budget.daily.usd must be a number from 0 to 1000000000"),
        ("[bench]\nmax_cost = 1e300", ":2: bench.max_cost must be a number from 0 to 1000000000"),
        ("[complete]\ntop_p = 1.5", ":2: complete.top_p must be a number from 0 to 1"),
        ("[complete]\nstop = [1]", ":2: complete.stop must be text in quotes or a list of such"),
        ("[provider.groq]", ":1: provider.groq needs a type"),
        ("[provider.groq]\nmodel = 'x'", ":1: provider.groq needs a type"),
        ("[provider.'a/b']\ntype = 'openai'", ':1: provider."a/b" must have a name of letters'),
        ("[provider.openai.prices.m]\ninput = 1", ":1: provider.openai.prices.m needs both input and output"),
        ("[provider.openai.headers]\n'X Y' = 'a'", ':2: provider.openai.headers."X Y" is not the name of an HTTP'),
        ('[provider.openai.headers]\nX = "a\\r\\nY: b"', ":2: provider.openai.headers.X must be text in quotes, prin"),
        ("[provider.openai]\nbase_url = 'http://example.org'", ":2: provider.openai.base_url is plain http to another"),
        ('"\\u001b[31m" = 1', ':1: "\\x1b[31m" is not a key'),
        ("a = 1\nmodel = = 2", ":2: Invalid value"),
        ("a = [1,", ":1: "),
        ("a = " + "[" * 20_000, ": nested too deeply"),
        ("a = " + "1" * 5000, ": Exceeds the limit"),
        (b"model = 'x'\nformat = '\xff'", ":2: not UTF-8 at byte 22"),
        (b"#" * 300_000, ": larger than 256 KiB"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_key(load: Load, text: str | bytes, message: str) -> None:
    line = refusal(load, text)
    assert f"/xdg/fennec/config.toml{message}" in line
    assert len(line) < 1000


@pytest.mark.parametrize(
    "layers",
    [
        {"user": "[complete]\nmodel = 'weak'\n[bench]\nmodel = 'weak'", "project": "model = 'strong'"},
        {"system": "[complete]\nmodel = 'weak'", "user": "model = 'strong'"},
        {"user": "[complete]\nmodel = 'weak'\n[profile.p]\nmodel = 'strong'", "profile": "p"},
        {
            "system": "[profile.p.complete]\nmodel = 'weak'",
            "user": "[profile.p]\nmodel = 'strong'",
            "profile": "p",
        },
    ],
)
def test_a_key_at_the_top_is_stronger_than_its_twin_for_a_command_below(load: Load, layers: dict[str, str]) -> None:
    config = load(**layers)
    assert (config.model, [table for table in config.commands.values() if table]) == ("strong", [])


def test_in_one_file_and_in_a_stronger_one_the_table_of_the_command_has_the_last_word(load: Load) -> None:
    table = "[complete]\nformat = 'json'\n[bench]\nformat = 'csv'"
    assert load(f"format = 'ndjson'\n{table}").commands["complete"] == {"format": "json"}
    assert load("format = 'ndjson'", project="[complete]\nformat = 'json'").commands["complete"] == {"format": "json"}
    assert load(table, project="format = 'ndjson'").commands == {"bench": {"format": "csv"}}


def test_a_wrong_value_is_never_repeated(load: Load) -> None:
    for text in ("[provider.openai]\napi_key = ['sk-canary']", "format = 'sk-canary'", "deadline = 'sk-canary'"):
        assert "canary" not in refusal(load, text)


def test_a_key_is_not_shown_by_repr(load: Load) -> None:
    config = load("[provider.openai]\napi_key = 'sk-canary'\nheaders.Authorization = 'Bearer canary'")
    assert "canary" not in repr(config) + repr(config.origins)


def test_a_directory_in_place_of_the_file_is_refused(load: Load, tmp_path: Path) -> None:
    (tmp_path / "etc.toml").mkdir()
    assert refusal(load, "").endswith("/etc.toml: Is a directory")


def test_a_pipe_in_place_of_the_file_does_not_hang(load: Load, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "etc.toml")
    assert load() == Config()


def test_a_named_file_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*/none: no such file"):
        load_config(environ={}, cwd=tmp_path, explicit=tmp_path / "none")


def test_a_named_pipe_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"model = 'm'")
    os.close(writer)
    assert load_config(environ={}, cwd="/", explicit=f"/dev/fd/{reader}").model == "m"
    os.close(reader)


# Origins and notes


def test_every_value_knows_its_file_and_line(load: Load, tmp_path: Path) -> None:
    text = (
        "# [log]\nmodel = 'x' # 1\n[ provider . 'openai' ]\nstop = [\n  'model = 1',\n  ']',\n]\n"
        "retry.jitter = 'none'\n"
        '[complete]\r\nsystem = """\n[log]\nlevel = 1\n"""\nquiet = true\n[log]\nlevel = "info"\n'
    )
    config = load(text, system="deadline = 1")
    lines = {key: origin.line for key, origin in config.origins.items()}
    assert lines == {
        "deadline": 1,
        "model": 2,
        "provider.openai.stop": 4,
        "provider.openai.retry.jitter": 8,
        "complete.system": 10,
        "complete.quiet": 14,
        "log.level": 16,
    }
    assert str(config.origins["deadline"]) == f"{tmp_path}/etc.toml:1"


def test_a_hostile_file_cannot_make_the_search_for_a_line_long(load: Load) -> None:
    assert "zzz" in refusal(load, "[complete]\nstop = [\n" + "  ']',\n" * 20_000 + "]\nzzz = 1\n")


@pytest.mark.parametrize(
    ("key", "mode", "warned"),
    [
        ("sk-123", 0o644, True),
        ("sk-123", 0o640, True),
        ("sk-123", 0o600, False),
        ("${KEY}", 0o644, False),
        ("file:/run/key", 0o644, False),
    ],
)
def test_a_key_in_a_file_that_others_can_read_is_noted(tmp_path: Path, key: str, mode: int, warned: bool) -> None:
    file = tmp_path / "named.toml"
    file.write_text(f"[provider.openai]\napi_key = '{key}'")
    file.chmod(mode)
    notes = load_config(environ={}, cwd=tmp_path, explicit=file, system_file=tmp_path / "none").notes
    assert notes == ((f"{file} holds an API key and others can read it; chmod 600 it",) if warned else ())


# Properties

words = st.sampled_from(
    ["model", "provider", "openai", "groq", "type", "retry", "profile", "log", "complete", "stop", "prices", "base_url"]
)
scalars = st.sampled_from(['"x"', '"${"', "1", "-1", "1.5", "nan", "true", "[]", "{}", "{a=1}", '"http://["', "[['']]"])
statements = st.builds("{} = {}".format, st.lists(words, min_size=1, max_size=5).map(".".join), scalars)
headers = st.lists(words, min_size=1, max_size=5).map(lambda names: f"[{'.'.join(names)}]")
documents = st.lists(statements | headers | st.text(max_size=10), max_size=8).map("\n".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(content=documents | st.binary(max_size=80), project=st.booleans())
def test_any_content_gives_a_configuration_or_a_config_error(load: Load, content: str | bytes, project: bool) -> None:
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    try:
        config = load(data, project=data if project else "")
    except ConfigError as error:
        shown = [error.line()]
    else:
        shown = [str(origin) for origin in config.origins.values()]
    assert all(line.isprintable() for line in shown)


# Start-up


def test_importing_and_finding_no_file_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from fennec_cli.config import load_config; load_config(environ={}, cwd=sys.argv[1],"
        " system_file='/none'); print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    heavy = {"tomllib", "difflib", "pathlib", "urllib.parse", "ipaddress", "orjson", "fennec_cli.pricing"}
    heavy |= {f"fennec_cli.config.{name}" for name in ("schema", "source", "layer", "build")}
    assert not heavy & set(run.stdout.split())
