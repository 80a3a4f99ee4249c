"""Options, their environment twins, the configuration, and which of them wins."""

from collections.abc import Callable

import orjson
import pytest

from tests.e2e.peer import Peer, answer
from tests.e2e.runner import CANARY, Fennec, Result

Serve = Callable[..., Peer]


def configure(fennec: Fennec, text: str) -> None:
    place = fennec.home / ".config" / "fennec"
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.toml").write_text(text)
    (place / "config.toml").chmod(0o600)


def body(fennec: Fennec, *arguments: str, **environment: str) -> dict[str, object]:
    """The request that would be sent."""
    result = fennec.complete("-n", *arguments, env=environment)
    assert (result.stderr, result.status) == ("", 0)
    document = orjson.loads(result.stdout)["body"]
    assert isinstance(document, dict)
    return document


def test_every_sampling_option_reaches_the_request(fennec: Fennec) -> None:
    sent = body(
        fennec,
        *("-m", "m-0", "--temperature", "0.5", "--top-p", "0.9", "--max-tokens", "7", "--seed", "3"),
        *("--stop", "a", "--stop", "b", "--reasoning-effort", "low", "-O", "user=me", "-O", "a.b=[1]"),
    )
    expected = {
        "model": "m-0",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 7,
        "seed": 3,
        "stop": ["a", "b"],
        "reasoning_effort": "low",
        "user": "me",
        "a": {"b": [1]},
    }
    assert {key: sent[key] for key in expected} == expected


def test_environment_twins_stand_for_options(fennec: Fennec) -> None:
    sent = body(fennec, FENNEC_MODEL="m-env", FENNEC_STOP='["x", "y"]', FENNEC_TOP_P="0.25", FENNEC_SYSTEM="S")
    assert (sent["model"], sent["stop"], sent["top_p"]) == ("m-env", ["x", "y"], 0.25)


def test_a_repeatable_twin_must_be_a_json_array(fennec: Fennec) -> None:
    line = fennec.complete("-n", env={"FENNEC_STOP": "x"}).failed("usage", 2)
    assert "FENNEC_STOP must be a JSON array of texts" in line


def test_a_flag_twin_is_a_boolean(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    result = fennec.complete(env={"FENNEC_USAGE": "1", "FENNEC_FORMAT": "json"})
    assert orjson.loads(result.stdout)["content"] == "Hello"
    assert result.stderr.startswith("fennec: usage: ")


def test_the_table_of_the_command_gives_defaults(fennec: Fennec) -> None:
    configure(fennec, '[complete]\nmax_tokens = 11\nstop = ["z"]\nmodel = "m-conf"\n')
    sent = body(fennec)
    assert (sent["max_tokens"], sent["stop"], sent["model"]) == (11, ["z"], "m-conf")


def test_flag_wins_over_environment_wins_over_configuration(fennec: Fennec) -> None:
    configure(fennec, "[complete]\nseed = 1\ntemperature = 0.1\nmax_tokens = 1\n")
    sent = body(fennec, "--seed", "3", FENNEC_SEED="2", FENNEC_TEMPERATURE="0.2")
    assert (sent["seed"], sent["temperature"], sent["max_tokens"]) == (3, 0.2, 1)


def test_a_zero_from_the_command_line_wins_over_the_configuration(fennec: Fennec) -> None:
    configure(fennec, "[provider.openai]\ntemperature = 0.7\nseed = 5\n")
    sent = body(fennec, "--temperature", "0", "--seed", "0")
    assert (sent["temperature"], sent["seed"]) == (0, 0)


def test_the_example_of_the_specification_works(fennec: Fennec) -> None:
    configure(
        fennec,
        '[provider.openai]\napi_key = "${OPENAI_API_KEY}"\nmodel = "gpt-4"\nmax_tokens = 4096\ntemperature = 0.7\n'
        'timeout = "30s"\n\n[provider.openai.retry]\nmax_attempts = 3\ninitial_delay = "1s"\nmax_delay = "30s"\n',
    )
    sent = body(fennec)
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("gpt-4", 4096, 0.7)


def test_an_alias_stands_for_a_model(fennec: Fennec) -> None:
    configure(fennec, '[alias]\nfast = "openai/m-fast"\n')
    assert body(fennec, "-m", "fast")["model"] == "m-fast"


def test_the_provider_before_the_slash_is_not_part_of_the_model(fennec: Fennec) -> None:
    assert body(fennec, "-m", "openai/org/m-1")["model"] == "org/m-1"
    assert body(fennec, "-m", "org/m-1")["model"] == "org/m-1"


def test_a_named_compatible_server_gets_its_own_key(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    (fennec.home / "c.toml").write_text(
        f'[provider.mine]\ntype = "openai"\nbase_url = "{peer.url}"\napi_key = "sk-of-mine"\nmodel = "mm"\n'
        '[provider.mine.headers]\nx-team = "blue"\n'
    )
    result = fennec.complete("-c", "c.toml", "--provider", "mine", "-q")
    assert (result.stdout, result.status) == (b"ok", 0)
    headers = peer.requests[0].headers
    assert (headers["authorization"], headers["x-team"]) == ("Bearer sk-of-mine", "blue")
    assert peer.requests[0].json["model"] == "mm"


@pytest.mark.parametrize("source", ["file", "descriptor"])
def test_the_key_may_come_from_a_file(fennec: Fennec, serve: Serve, source: str) -> None:
    peer = serve(answer("ok"))
    (fennec.home / "key").write_text("sk-from-file\n")
    where = "key" if source == "file" else "/dev/fd/5 5< key"
    fennec.shell(f"fennec complete hi --api-key-file {where}").succeeded("ok")
    assert peer.requests[0].headers["authorization"] == "Bearer sk-from-file"


def test_organisation_and_project_are_sent(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    fennec.complete(env={"OPENAI_ORG_ID": "org-1", "OPENAI_PROJECT_ID": "p-1"}).succeeded("ok")
    headers = peer.requests[0].headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "p-1")


def test_no_home_at_all_is_no_problem(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"))
    fennec.complete(env={"HOME": None}).succeeded("ok")


def test_a_home_that_does_not_exist_is_no_problem(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"))
    fennec.complete(env={"HOME": "/nonexistent/home"}).succeeded("ok")


def test_a_working_directory_that_was_deleted_is_said_in_one_line(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"))
    result = fennec.shell('mkdir gone; cd gone; rmdir "$PWD"; fennec complete hi')
    assert "working directory" in result.failed("config", 3)


def test_the_generic_key_variable_is_refused(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    line = fennec.complete(env={"FENNEC_API_KEY": CANARY}).failed("config", 3)
    assert "FENNEC_API_KEY does not exist" in line
    assert peer.connections == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense"], "--nonsense"),
        (["--api-key", "x"], "--api-key"),
        (["one", "two"], "unexpected extra argument"),
        (["--temperature", "warm"], "warm"),
        (["--temperature", "nan"], "'nan' is not a finite number"),
        (["--top-p", "inf"], "'inf' is not a finite number"),
        (["--semantic-threshold", "nan"], "'nan' is not a finite number"),
        (["--rpm", "nan"], "'nan' is not a finite number"),
        (["--tpm", "inf"], "'inf' is not a finite number"),
        (["--max-cost", "nan"], "'nan' is not a finite number"),
        (["--max-cost", "1e300"], "1e+300 is not in the range 0<=x<=1000000000.0"),
        (["--max-cost", "-0.1"], "-0.1 is not in the range 0<=x"),
        (["--max-tokens", "0"], "0 is not in the range x>=1"),
        (["--deadline", "soon"], "soon"),
        (["--deadline", "-1"], "-1"),
        (["--format", "xml"], "xml"),
        (["-O", "novalue"], "K=V"),
        (["--input", "lines", "--no-stdin"], "--no-stdin"),
        (["-O", "n=2"], "--ndjson"),
        (["-c"], "-c"),
    ],
)
def test_a_wrong_option_is_a_usage_error(fennec: Fennec, arguments: list[str], said: str) -> None:
    assert said in fennec.complete(*arguments).failed("usage", 2)


@pytest.mark.parametrize("option", ["--rate", "--max-cost", "--temperature"])
def test_bench_takes_finite_numbers_only(fennec: Fennec, option: str) -> None:
    assert "'nan' is not a finite number" in fennec("bench", option, "nan").failed("usage", 2)


def test_an_unknown_command_is_a_usage_error(fennec: Fennec) -> None:
    fennec("compleat").failed("usage", 2)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("[provider.openai\n", "c.toml"),
        ("[provider.openai]\nmodell = 1\n", "model"),
        ("[provider.openai]\nmax_tokens = 'many'\n", "max_tokens"),
        ("provider = 'nobody'\n", "nobody"),
        ("[provider.openai]\nbase_url = 'ftp://x/v1'\n", "base_url"),
        ("[provider.openai]\nbase_url = 'http://example.com/v1'\n", "http"),
        ("[provider.openai]\nbase_url = 'https://user:pw@example.com/v1'\n", "base_url"),
        ("[provider.openai]\nbase_url = '${NOT_SET}'\n", "NOT_SET"),
        ("[provider.openai]\nca_bundle = '/nowhere.pem'\nbase_url = 'https://127.0.0.1:9/v1'\n", "/nowhere.pem"),
        ('[provider.openai.headers]\nx-y = "a\\nb"\n', ""),
        ("[provider.openai.headers]\nx-y = 'ä'\n", ""),
    ],
)
def test_a_configuration_that_cannot_be_used_is_a_config_error(
    fennec: Fennec, serve: Serve, config: str, said: str
) -> None:
    serve(answer("never"))
    (fennec.home / "c.toml").write_text(config)
    assert said in fennec.complete("-c", "c.toml", "--retries", "0").failed("config", 3)


def test_a_configuration_file_that_is_missing_is_a_config_error(fennec: Fennec) -> None:
    fennec.complete("-c", "nowhere.toml").failed("config", 3)


def test_an_unknown_provider_is_a_config_error(fennec: Fennec) -> None:
    assert "openai" in fennec.complete("--provider", "nobody").failed("config", 3)


def test_no_key_anywhere_is_said_before_anything_is_sent(fennec: Fennec) -> None:
    result: Result = fennec.complete(
        "--provider", "openai", env={"OPENAI_API_KEY": None, "OPENAI_BASE_URL": "https://nothing.invalid/v1"}
    )
    assert "OPENAI_API_KEY" in result.failed("auth", 4)


def test_a_server_on_this_machine_needs_no_key(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    fennec.complete("--provider", "openai", env={"OPENAI_API_KEY": None}).succeeded("ok")
    assert "authorization" not in peer.requests[0].headers


@pytest.mark.parametrize("key", ["two words", "schlüssel", "a\tb"])
def test_a_key_that_cannot_be_one_is_not_shown(fennec: Fennec, key: str) -> None:
    assert key not in fennec.complete(env={"OPENAI_API_KEY": key}).failed("auth", 4)


def test_help_is_on_stdout_and_names_every_group(fennec: Fennec) -> None:
    result = fennec("complete", "--help", stdin=None)
    assert (result.stderr, result.status) == ("", 0)
    for group in ("Model:", "Input:", "Output:", "Time:", "Truth:", "General:"):
        assert f"\n{group}\n" in result.text
    assert len(fennec("complete", "-h").text) < len(result.text)


def test_version(fennec: Fennec) -> None:
    from fennec_cli import __version__

    fennec("--version").succeeded(f"fennec {__version__}\n")


def test_without_a_command_the_help_is_a_usage_error(fennec: Fennec) -> None:
    result = fennec()
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr.startswith("Usage: fennec ")


@pytest.mark.parametrize("words", ["models list", "cache stats", "keys list", "metrics show", "config show"])
def test_a_group_takes_the_options_of_its_default(fennec: Fennec, words: str) -> None:
    group, default = words.split()
    alone, named = fennec(group, "--format", "json"), fennec(group, default, "--format", "json")
    assert (alone.stdout, alone.status) == (named.stdout, named.status)
    assert alone.stdout[:1] in (b"[", b"{")
    assert f"`fennec {words} --help`" in fennec(group, "--nosuch").failed("usage", 2)
    assert f"fennec {group} [OPTIONS] [COMMAND]" in fennec(group, "--help").text


def test_a_dry_run_hides_configured_headers_that_may_be_secrets(fennec: Fennec) -> None:
    configure(fennec, f'[provider.openai.headers]\nx-gateway = "{CANARY}"\nuser-agent = "mine/1.0"\n')
    headers = orjson.loads(fennec.complete("-n").stdout)["headers"]
    assert (headers["x-gateway"], headers["user-agent"]) == ("***", "mine/1.0")


def test_the_version_is_an_option_of_complete_too(fennec: Fennec) -> None:
    assert fennec("complete", "--version").stdout == fennec("--version").stdout
