"""`fennec config` as a user sees it. Loading itself: tests/test_config.py."""

import json
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from fennec_cli.commands.complete import complete
from fennec_cli.commands.options import Option
from fennec_cli.config import load_config
from fennec_cli.config.schema import COMPLETE
from fennec_cli.config.starter import STARTER
from fennec_cli.config_check import find_mistakes
from fennec_cli.config_report import effective_rows, masked_header, masked_key, masked_url
from tests.e2e.peer import Peer, answer, stall
from tests.e2e.runner import CANARY, Fennec, Result

NO_KEY = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None}


@pytest.fixture
def fennec(clean_home: Path) -> Fennec:
    """The command without a key, in a directory below HOME."""
    (clean_home / "work").mkdir()
    return Fennec(clean_home, env=dict(NO_KEY))


def user_file(fennec: Fennec) -> Path:
    return fennec.home / ".config/fennec/config.toml"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def rows(result: Result) -> dict[str, Any]:
    """`config show --ndjson` by key: value and origin."""
    assert (result.stderr, result.status) == ("", 0)
    parsed = [json.loads(line) for line in result.text.splitlines()]
    assert all(set(row) == {"key", "value", "source", "origin"} for row in parsed)
    return {row["key"]: (row["value"], row["origin"]) for row in parsed}


# show


def test_show_is_toml_with_the_origins_as_comments(fennec: Fennec) -> None:
    file = write(user_file(fennec), "model = 'm'\n\n[alias]\n'a.b' = 'openai/x'\n[complete]\nstop = [\"é\", '\"']\n")
    result = fennec("config", "show")
    assert (result.stderr, result.status) == ("", 0)
    lines = result.text.splitlines()
    assert re.fullmatch(rf'model = "m" +  # {file}:1', lines[0])
    assert re.fullmatch(rf'alias\."a\.b" = "openai/x" +  # {file}:4', lines[1])
    document = tomllib.loads(result.text)
    assert document["complete"]["stop"] == ["é", '"']
    assert document["network"] == {"allow_insecure_http": False, "send_key_insecure": False, "x509_strict": True}


def test_config_alone_is_show(fennec: Fennec) -> None:
    write(user_file(fennec), "model = 'm'\n")
    assert fennec("config").stdout == fennec("config", "show").stdout != b""


def test_without_any_file_all_values_are_defaults(fennec: Fennec) -> None:
    shown = rows(fennec("config", "show", "--ndjson"))
    assert {origin for _, origin in shown.values()} == {"default"}
    assert shown["complete.format"] == ("text", "default")
    assert shown["complete.deadline"] == (1800.0, "default")


def test_json_is_one_array_of_the_same_rows(fennec: Fennec) -> None:
    lines = fennec("config", "show", "--ndjson").text.splitlines()
    assert json.loads(fennec("config", "show", "--json").text) == [json.loads(line) for line in lines]


def test_the_environment_wins_over_project_and_user_and_says_so(fennec: Fennec) -> None:
    user = write(user_file(fennec), "[complete]\nseed = 1\ntop_p = 0.1\nmax_tokens = 1\n")
    project = write(fennec.home / "work/.fennec.toml", "[complete]\nseed = 2\ntop_p = 0.2\n")
    shown = rows(fennec("config", "show", "--ndjson", env={"FENNEC_SEED": "3"}, cwd=fennec.home / "work"))
    assert shown["complete.seed"] == (3, "FENNEC_SEED")
    assert shown["complete.top_p"] == (0.2, f"{project}:3")
    assert shown["complete.max_tokens"] == (1, f"{user}:4")


def test_a_key_at_the_top_of_the_projects_file_is_stronger_than_the_users_for_a_command(fennec: Fennec) -> None:
    write(user_file(fennec), "[complete]\nmodel = 'openai/user'\nformat = 'json'\n")
    project = write(fennec.home / "work/.fennec.toml", "model = 'openai/project'\nformat = 'text'\n")
    shown = rows(fennec("config", "show", "--ndjson", cwd=fennec.home / "work"))
    assert shown["complete.model"] == ("openai/project", f"{project}:1")
    assert shown["complete.format"] == ("text", f"{project}:2")
    request = json.loads(fennec.complete("--dry-run", cwd=fennec.home / "work", env={"OPENAI_API_KEY": CANARY}).text)
    assert request["body"]["model"] == "project"


def test_the_systems_file_is_the_weakest(fennec: Fennec) -> None:
    system = write(fennec.home / "etc.toml", "model = 'system'\nformat = 'json'\n")
    user = write(user_file(fennec), "\nmodel = 'user'\n")
    environ = {"HOME": str(fennec.home)}
    config = load_config(environ=environ, cwd=fennec.home, system_file=system)
    shown = {row.key: (row.value, row.origin) for row in effective_rows(config, [], None, environ)}
    assert (shown["model"], shown["format"]) == (("user", f"{user}:2"), ("json", f"{system}:2"))


def test_a_profile_is_shown_at_its_own_lines(fennec: Fennec) -> None:
    file = write(user_file(fennec), "model = 'a'\n[profile.work]\nmodel = 'b'\n[profile.home]\nmodel = 'c'\n")
    shown = rows(fennec("config", "show", "--ndjson", "--profile", "work"))
    assert shown["model"] == ("b", f"{file}:3")
    assert shown["profile.work.selected"] == (True, f"{file}:2")
    assert shown["profile.home.selected"] == (False, f"{file}:4")
    assert rows(fennec("config", "show", "--ndjson", env={"FENNEC_PROFILE": "home"}))["model"] == ("c", f"{file}:5")


def test_a_named_file_is_shown_instead_of_the_users(fennec: Fennec) -> None:
    write(user_file(fennec), "model = 'user'\n")
    write(fennec.home / "named.toml", "model = 'named'\n")
    for arguments, env in ((("-c", "named.toml"), {}), ((), {"FENNEC_CONFIG": "named.toml"})):
        shown = rows(fennec("config", "show", "--ndjson", *arguments, env=env))
        assert shown["model"] == ("named", "named.toml:1")


def test_a_value_of_the_environment_that_cannot_be_used_is_refused(fennec: Fennec) -> None:
    line = fennec("config", "show", env={"FENNEC_DEADLINE": "soon"}).failed("usage", 2)
    assert "--deadline" in line


def test_network_settings_of_a_provider_name_the_table_they_come_from(fennec: Fennec) -> None:
    file = write(user_file(fennec), "[network]\nallow_insecure_http = true\n[provider.openai]\n")
    shown = rows(fennec("config", "show", "--ndjson"))
    assert shown["provider.openai.allow_insecure_http"] == (True, f"{file}:2")
    assert shown["provider.openai.tls_min"] == ("1.3", "default")


# Secrets


def test_no_secret_is_shown_wherever_it_stands(fennec: Fennec) -> None:
    write(
        user_file(fennec),
        f"""
        [provider.openai]
        api_key = "{CANARY}"
        headers = {{ Authorization = "Bearer {CANARY}", X-Gate = "{CANARY}", X-Title = "mine" }}
        [provider.other]
        type = "openai"
        api_key = "${{NOPE}}{CANARY}"
        base_url = "https://user:{CANARY}@${{HOST}}/v1"
        [profile.work.provider.openai]
        api_key = "{CANARY}"
        """,
    )
    for arguments in ((), ("--json",), ("--ndjson",), ("--profile", "work")):  # the runner looks for the canary
        result = fennec("config", "show", *arguments, env={"FENNEC_OTHER_API_KEY": None, "OPENAI_API_KEY": CANARY})
        assert (result.stderr, result.status) == ("", 0)
    shown = rows(fennec("config", "show", "--ndjson"))
    masked = ["api_key", "headers.Authorization", "headers.X-Gate"]
    assert {shown[f"provider.openai.{key}"][0] for key in masked} == {"***"}
    assert shown["provider.openai.headers.X-Title"][0] == "mine"
    assert shown["provider.other.api_key"][0] == shown["provider.other.base_url"][0] == "***"


@pytest.mark.parametrize("text", ["${OPENAI_API_KEY}", "file:/run/key", "keyring:work", "store:work"])
def test_the_place_of_a_key_may_be_seen(text: str) -> None:
    assert masked_key(text) == text


@pytest.mark.parametrize("text", ["sk-1", "${A}sk-1", "sk-${A}", "${A}${B}", "${", "${A", ""])
def test_anything_that_may_be_a_key_is_masked(text: str) -> None:
    assert masked_key(text) == masked_header("X-Anything", text) == "***"


@pytest.mark.parametrize("text", ["https://u:p@host/v1", "https://host/v1?key=1"])
def test_an_address_that_may_hold_a_secret_is_masked(text: str) -> None:
    assert masked_url(text) == "***"
    assert masked_url("https://host/v1") == "https://host/v1"


def test_the_key_in_use_is_named_by_its_variable(fennec: Fennec) -> None:
    file = write(user_file(fennec), "[provider.openai]\napi_key = '${MY_KEY}'\n")
    found = [
        rows(fennec("config", "show", "--ndjson", env=env))["provider.openai.api_key"]
        for env in (
            {"FENNEC_OPENAI_API_KEY": CANARY, "OPENAI_API_KEY": CANARY, "MY_KEY": CANARY},
            {"OPENAI_API_KEY": CANARY, "MY_KEY": CANARY},
            {"OPENAI_API_KEY": CANARY},
            {},
        )
    ]
    in_file = ("${MY_KEY}", f"{file}:2")
    assert found == [("***", "FENNEC_OPENAI_API_KEY"), in_file, ("***", "OPENAI_API_KEY"), in_file]


def test_a_provider_that_only_the_environment_speaks_of_is_shown(fennec: Fennec) -> None:
    address = "http://127.0.0.1:9/v1"
    shown = rows(fennec("config", "show", "--ndjson", env={"OPENAI_BASE_URL": address, "OPENAI_API_KEY": CANARY}))
    assert shown["provider.openai.base_url"] == (address, "OPENAI_BASE_URL")
    assert shown["provider.openai.api_key"] == ("***", "OPENAI_API_KEY")


# Mistakes


@pytest.mark.parametrize("subcommand", ["show", "check"])
def test_a_typo_is_answered_with_place_and_nearest_key(fennec: Fennec, subcommand: str) -> None:
    file = write(user_file(fennec), "[complete]\nmax_tokns = 1\n")
    line = fennec("config", subcommand).failed("config", 3)
    assert line == (f"fennec: config: {file}:2: complete.max_tokns is not a key that exists; did you mean max_tokens?")


def test_check_says_nothing_when_nothing_is_wrong(fennec: Fennec) -> None:
    fennec("config", "check").succeeded("")
    write(user_file(fennec), "[provider.mine]\ntype = 'openai'\nbase_url = 'http://localhost:1/v1'\n")
    fennec("config", "check").succeeded("")


def test_check_says_all_that_is_wrong(fennec: Fennec) -> None:
    user = write(
        user_file(fennec),
        "modle = 'x'\nprovider = 'groq'\n[log]\nlevel = 'loud'\n[alias]\na = 1\n",
    )
    project = write(fennec.home / "work/.fennec.toml", "model = '${X}'\n[log]\nfile = 'x'\n")
    result = fennec("config", "check", cwd=fennec.home / "work")
    assert (result.stdout, result.status) == (b"", 3)
    assert [line.split("; ")[0] for line in result.stderr.splitlines()] == [
        f"fennec: config: {user}:1: modle is not a key that exists",
        f"fennec: config: {user}:4: log.level must be one of debug, info, warning, error",
        f"fennec: config: {user}:6: alias.a must be a name in quotes, not empty",
        f"fennec: config: {project}:1: model may not hold ${{VAR}} in a project file",
        f"fennec: config: {project}:3: log.file may not be set by a project file",
        f"fennec: config: {user}:2: unknown provider 'groq'",
    ]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("model = 'local/./evil.gguf'", "model"),
        ("alias.fast = 'mine/weights/evil'", "alias.fast"),
        ("[provider.mine]\nmodel = 'weights/evil.gguf'", "provider.mine.model"),
    ],
)
def test_check_says_that_a_projects_model_is_a_file(fennec: Fennec, text: str, key: str) -> None:
    write(user_file(fennec), "[provider.mine]\ntype = 'local'\n")
    write(fennec.home / "work/.fennec.toml", f"{text}\n")
    result = fennec("config", "check", cwd=fennec.home / "work")
    result.failed("config", 3)
    assert result.stderr.count(f"{key} may not name a file in a project file") == 1


def test_check_does_not_mind_names_with_a_slash_of_models_elsewhere(fennec: Fennec) -> None:
    write(fennec.home / "work/.fennec.toml", "provider = 'openrouter'\nmodel = 'openai/local/x'\n")
    assert fennec("config", "check", cwd=fennec.home / "work").status == 0


def test_check_goes_on_after_a_file_that_is_no_toml(fennec: Fennec) -> None:
    user = write(user_file(fennec), "model = = 1\n")
    project = write(fennec.home / "work/.fennec.toml", "modle = 1\n")
    result = fennec("config", "check", cwd=fennec.home / "work")
    first, second = result.stderr.splitlines()
    assert first.startswith(f"fennec: config: {user}:1: Invalid value")
    assert second.startswith(f"fennec: config: {project}:1: modle is not a key")


def test_a_default_provider_whose_table_is_wrong_is_one_mistake(tmp_path: Path) -> None:
    text = "[complete]\nprovider = 'mine'\n[provider.mine]\ntype = 'openai'\nbase_url = 'http://a.org'\n"
    (line,) = problems_of(tmp_path, text)
    assert line.startswith("config: FILE:5: provider.mine.base_url is plain http")


def problems_of(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    file = write(tmp_path / "named.toml", text)
    found = find_mistakes(environ or {}, str(tmp_path), str(file), None)
    return [problem.line().replace(str(file), "FILE") for problem in found.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("base_url = 'https://${HOST}/v1'", "FILE:2: provider.openai.base_url: variable HOST is not set; export HOST"),
        ("base_url = 'http://${OTHER}/v1'", "FILE:2: provider.openai.base_url is plain http to another machine, other"),
        ("headers.X = '${TEAM}'", "FILE:2: provider.openai.headers.X: variable TEAM is not set; export TEAM"),
        ("api_key = 'file:/nonexistent/key'", "FILE:2: cannot read the key file /nonexistent/key"),
        ("api_key = 'two words'", "FILE:2: the key in provider.openai.api_key has characters that no key has"),
    ],
)
def test_check_tries_what_every_provider_would_use(tmp_path: Path, text: str, problem: str) -> None:
    (line,) = problems_of(tmp_path, f"[provider.openai]\n{text}\n", {"OTHER": "other"})
    assert line.startswith(f"config: {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "endpoint = 'http://a.example'",
            "FILE:2: provider.azure.endpoint is plain http to another machine, a.example",
        ),
        (
            "[[provider.azure.regions]]\nname = 'west'\nendpoint = 'https://w.example'\n"
            "[[provider.azure.regions]]\nname = 'north'\nendpoint = 'http://n.example'",
            "FILE:2: provider.azure.regions: the endpoint of north is plain http to another machine, n.example",
        ),
    ],
)
def test_check_looks_at_the_endpoints_of_azure(tmp_path: Path, text: str, problem: str) -> None:
    (line,) = problems_of(tmp_path, f"[provider.azure]\n{text}\n")
    assert line.startswith(f"config: {problem}")


def test_check_looks_at_addresses_of_the_environment(tmp_path: Path) -> None:
    (line,) = problems_of(tmp_path, "", {"OPENAI_BASE_URL": "http://example.org"})
    assert line.startswith("config: OPENAI_BASE_URL is plain http to another machine, example.org")
    assert problems_of(tmp_path, "[network]\nallow_insecure_http = true", {"OPENAI_BASE_URL": "http://a.org"}) == []


def test_an_unset_variable_of_a_key_is_only_noted(fennec: Fennec) -> None:
    file = write(user_file(fennec), "[provider.openai]\napi_key = '${NOPE}'\n")
    result = fennec("config", "check")
    note = f"fennec: {file}:2: provider.openai.api_key: variable NOPE is not set: no key from here\n"
    assert (result.stdout, result.stderr, result.status) == (b"", note, 0)


@pytest.mark.parametrize("place", ["store:work", "keyring:work"])
def test_a_stored_key_is_looked_for_in_the_index(fennec: Fennec, place: str) -> None:
    write(user_file(fennec), f"[provider.openai]\napi_key = '{place}'\n")
    assert "no key is stored under work" in fennec("config", "check").failed("config", 3)
    fennec("keys", "set", "work", "-q", stdin=CANARY).succeeded("")
    fennec("config", "check").succeeded("")


def test_a_key_that_others_can_read_is_noted(fennec: Fennec) -> None:
    file = write(user_file(fennec), f"[provider.openai]\napi_key = '{CANARY}'\n", mode=0o644)
    result = fennec("config", "check")
    note = f"fennec: {file} holds an API key and others can read it; chmod 600 it\n"
    assert (result.stdout, result.stderr, result.status) == (b"", note, 0)


@pytest.mark.parametrize(
    "command", [("keys", "list"), ("cache", "clear"), ("cache", "stats"), ("config", "show"), ("complete", "-n", "a")]
)
def test_every_command_says_what_is_wrong_with_a_file_once(fennec: Fennec, command: tuple[str, ...]) -> None:
    file = write(user_file(fennec), f"[provider.openai]\napi_key = '{CANARY}'\n", mode=0o644)
    assert fennec(*command).stderr.count(f"fennec: {file} holds an API key and others can read it; chmod 600 it") == 1


def test_a_command_that_is_to_be_quiet_does_not_say_what_is_wrong_with_a_file(fennec: Fennec) -> None:
    write(user_file(fennec), f"[provider.openai]\napi_key = '{CANARY}'\n", mode=0o644)
    assert fennec("cache", "clear", "-q").stderr == ""


# path


def test_path_lists_the_places_strongest_first(fennec: Fennec) -> None:
    write(user_file(fennec), "")
    lines = fennec("config", "path", cwd=fennec.home / "work").text.splitlines()
    assert [line.split(maxsplit=2) for line in lines] == [
        ["LAYER", "FILE", "STATE"],
        ["project", f"{fennec.home}/work/.fennec.toml", "missing"],
        ["user", str(user_file(fennec)), "read, trusted"],
        ["system", "/etc/fennec/config.toml", lines[3].split(maxsplit=2)[2]],
    ]


def test_path_does_not_mind_what_is_in_the_files(fennec: Fennec) -> None:
    write(fennec.home / ".fennec.toml", "= = =")
    first, *_ = fennec("config", "path", "--ndjson").text.splitlines()
    assert json.loads(first) == {
        "layer": "project",
        "path": f"{fennec.home}/.fennec.toml",
        "exists": True,
        "trusted": False,
        "state": "read, not trusted",
    }


def test_a_named_file_takes_the_place_of_users_and_projects(fennec: Fennec) -> None:
    files = json.loads(fennec("config", "path", "--json", "-c", "x.toml").text)
    assert [(file["layer"], file["path"]) for file in files] == [
        ("named", "x.toml"),
        ("system", "/etc/fennec/config.toml"),
    ]


# init


def test_init_writes_a_file_that_only_its_owner_can_read(fennec: Fennec) -> None:
    old = os.umask(0o022)
    try:
        fennec("config", "init").succeeded(f"{user_file(fennec)}\n")
    finally:
        os.umask(old)
    assert user_file(fennec).read_text() == STARTER
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (user_file(fennec), *user_file(fennec).parents[:2])]
    assert modes == [0o600, 0o700, 0o700]
    fennec("config", "check").succeeded("")


def test_init_overwrites_nothing(fennec: Fennec) -> None:
    write(user_file(fennec), "model = 'mine'\n")
    line = fennec("config", "init").failed("config", 3)
    assert line == f"fennec: config: {user_file(fennec)} exists already; edit it, or move it away"
    assert user_file(fennec).read_text() == "model = 'mine'\n"


def test_init_follows_no_link(fennec: Fennec) -> None:
    user_file(fennec).parent.mkdir(parents=True)
    user_file(fennec).symlink_to(fennec.home / "elsewhere")
    fennec("config", "init").failed("config", 3)
    assert not (fennec.home / "elsewhere").exists()


def test_init_writes_where_config_says(fennec: Fennec) -> None:
    fennec("config", "init", "-c", "new/x.toml").succeeded("new/x.toml\n")
    assert (fennec.home / "new/x.toml").read_text() == STARTER


def test_init_prints_the_file_instead(fennec: Fennec) -> None:
    fennec("config", "init", "--stdout").succeeded(STARTER)
    assert not user_file(fennec).exists()


def test_init_needs_a_home(fennec: Fennec) -> None:
    line = fennec("config", "init", env={"HOME": None}).failed("config", 3)
    assert line.endswith("neither XDG_CONFIG_HOME nor HOME is set; name it with --config")


def test_init_says_why_it_cannot_write(fennec: Fennec) -> None:
    (fennec.home / ".config").write_text("in the way")
    line = fennec("config", "init").failed("output", 18)
    assert line.startswith(f"fennec: output: cannot write {user_file(fennec)} (")


def test_every_setting_of_the_starter_file_is_legal(tmp_path: Path) -> None:
    assert problems_of(tmp_path, STARTER) == []
    everything = re.sub(r"(?m)^#(?=\S)", "", STARTER)
    assert everything.count("\n#") > 5  # what is explained stays explained
    assert problems_of(tmp_path, everything) == []
    assert tomllib.loads(everything)["provider"]["mine"]["type"] == "openai"


# The options of `complete`


def test_every_option_of_complete_with_a_variable_has_a_key() -> None:
    options = {each.key for each in complete.params if isinstance(each, Option) and each.envvar}
    assert options - {"config", "profile"} == set(COMPLETE.keys)


def values_of_complete(monkeypatch: pytest.MonkeyPatch, home: Path, text: str, *arguments: str) -> dict[str, Any]:
    write(home / ".config/fennec/config.toml", text)
    monkeypatch.chdir(home)
    with complete.make_context("complete", list(arguments)) as ctx:
        return ctx.params | {"config": ctx.obj}


@pytest.mark.parametrize(
    ("text", "parameter", "value"),
    [
        ("[complete]\nformat = 'json'", "output_format", "json"),
        ("[complete]\ninput = 'lines'", "input_format", "lines"),
        ("format = 'ndjson'", "output_format", "ndjson"),
        ("format = 'ndjson'\n[complete]\nformat = 'json'", "output_format", "json"),
        ("[complete]\ndeadline = '5m'", "deadline", 300.0),
        ("[complete]\nstop = ['a', 'b']", "stop", ("a", "b")),
        ("[complete]\nattach = 'x.png'", "attach", ("x.png",)),
        ("[complete]\nusage = true", "usage", True),
        ("[complete]\nverbose = 2", "verbose", 2),
    ],
)
def test_the_configuration_gives_an_option_its_default(
    monkeypatch: pytest.MonkeyPatch, clean_home: Path, text: str, parameter: str, value: object
) -> None:
    assert values_of_complete(monkeypatch, clean_home, text)[parameter] == value


def test_an_option_given_wins_over_environment_and_configuration(
    monkeypatch: pytest.MonkeyPatch, clean_home: Path
) -> None:
    monkeypatch.setenv("FENNEC_FORMAT", "ndjson")
    text = "[complete]\nformat = 'json'"
    assert values_of_complete(monkeypatch, clean_home, text)["output_format"] == "ndjson"
    assert values_of_complete(monkeypatch, clean_home, text, "--format=text")["output_format"] == "text"


def test_a_default_provider_gives_way_to_one_in_the_models_name(fennec: Fennec) -> None:
    table = "type = 'openai'\nbase_url = 'http://localhost:%d/v1'\nmodel = 'm'\n"
    write(
        user_file(fennec),
        f"[complete]\nprovider = 'one'\n[provider.one]\n{table % 1}\n[provider.two]\n{table % 2}",
    )
    for arguments, port in (((), 1), (("-m", "two/x"), 2), (("--provider", "two"), 2)):
        request = json.loads(fennec.complete("--dry-run", *arguments).text)
        assert request["url"].startswith(f"http://localhost:{port}/v1/")


def test_lines_from_the_configuration_are_prompts_of_their_own(fennec: Fennec) -> None:
    write(
        user_file(fennec),
        "[complete]\ninput = 'lines'\nprovider = 'one'\n[provider.one]\ntype = 'openai'\n"
        "base_url = 'http://localhost:1/v1'\n",
    )
    result = fennec.complete("--dry-run", stdin="a\nb\n")
    assert (result.stderr, result.text.count('"estimate"'), result.status) == ("", 2, 0)


def test_what_stands_at_the_top_reaches_the_provider_and_the_output(fennec: Fennec) -> None:
    write(user_file(fennec), "provider = 'openai'\nmodel = 'm-7'\nformat = 'json'\n")
    with Peer(answer("Hello")) as peer:
        result = fennec.complete(env={"OPENAI_BASE_URL": peer.url, "OPENAI_API_KEY": CANARY})
    assert (result.stderr, result.status) == ("", 0)
    assert json.loads(result.text)["content"] == "Hello"
    assert peer.requests[0].json["model"] == "m-7"


def test_a_deadline_at_the_top_ends_the_run(fennec: Fennec) -> None:
    write(user_file(fennec), "deadline = '300ms'\n")
    with Peer([stall()]) as peer:
        result = fennec.complete(env={"OPENAI_BASE_URL": peer.url, "OPENAI_API_KEY": CANARY})
    assert "deadline" in result.failed("timeout", 8)
