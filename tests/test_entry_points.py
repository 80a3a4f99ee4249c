"""Providers from installed packages: the example of docs/providers.md runs, and built-in ones pay nothing for it."""

import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest

from fennec_cli.dialects.base import ProviderModule
from fennec_cli.providers import ENTRY_POINTS, PROVIDERS, provider_module
from tests.e2e.peer import Peer, Script, answer, whole
from tests.e2e.runner import CANARY, Fennec, Result
from tests.e2e.test_modules import modules
from tests.e2e.test_providers import STREAMS, at, stream
from tests.e2e.test_settings import configure

ROOT = Path(__file__).parents[1]
TOY = Path(__file__).parent / "toy_provider"
Serve = Callable[..., Peer]


@pytest.fixture
def serve() -> Iterator[Callable[..., Peer]]:
    with ExitStack() as stack:
        yield lambda *scripts: stack.enter_context(Peer(*scripts))


def install(folder: Path, value: str = "toy_provider") -> Path:
    """Put the toy package into `folder` as pip would: its module and the entry points of its pyproject."""
    project = tomllib.loads((TOY / "pyproject.toml").read_text())["project"]
    points = project["entry-points"][ENTRY_POINTS]
    assert points == {"toy": "toy_provider"}
    info = folder / f"toy-{project['version']}.dist-info"
    info.mkdir(parents=True)
    shutil.copy(TOY / "toy_provider.py", folder)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\ntoy = {value}\n")
    return folder


@pytest.fixture
def fennec(clean_home: Path) -> Fennec:
    """The command with the toy package on its path."""
    packages = install(clean_home / "packages")
    return Fennec(clean_home, env={"PYTHONPATH": str(packages), "TOY_API_KEY": CANARY, "OPENAI_BASE_URL": None})


def toy_at(fennec: Fennec, peer: Peer) -> None:
    configure(fennec, f'[provider.toy]\ntype = "toy"\nbase_url = "{peer.url}"\n')


def fault(kind: str, status: int, **more: object) -> Script:
    return whole(status, orjson.dumps({"fault": {"kind": kind, "text": "no", **more}}))


def test_a_toy_answers(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hel", "lo"))
    toy_at(fennec, peer)
    fennec.complete("-m", "toy/teddy").succeeded("Hello")
    (sent,) = peer.requests
    assert (sent.path, sent.headers["x-toy-key"]) == ("/v1/chat/completions", CANARY)
    assert "authorization" not in sent.headers
    assert (sent.json["model"], sent.json["playful"]) == ("teddy", True)


def test_a_new_built_in_provider_costs_a_module_and_a_row(fennec: Fennec, serve: Serve) -> None:
    """The other two of the four files are its recorded answers and a line in the changelog."""
    source = fennec.home / "source"
    shutil.copytree(ROOT / "fennec_cli", source / "fennec_cli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOY / "toy_provider.py", source / "fennec_cli" / "providers" / "toy.py")
    table = source / "fennec_cli" / "providers" / "__init__.py"
    row = '    "local": "fennec_cli.providers.local",\n'
    assert row in table.read_text()
    table.write_text(table.read_text().replace(row, f'{row}    "toy": "fennec_cli.providers.toy",\n'))
    peer = serve(answer("Hello"), whole(200, b'{"data":[{"id":"teddy"}]}'))
    environment = {"PYTHONPATH": str(source), "TOY_BASE_URL": peer.url}

    def toy(*arguments: str) -> Result:
        return fennec.shell(f"{sys.executable} -m fennec_cli {' '.join(arguments)}", env=environment)

    toy("complete", "-m", "toy/teddy", "hi").succeeded("Hello")
    assert [request.headers["x-toy-key"] for request in peer.requests] == [CANARY]
    listed = toy("models", "list", "--provider", "toy", "--ndjson")
    assert [orjson.loads(line)["id"] for line in listed.stdout.splitlines()] == ["toy/teddy"], listed
    assert b"TOY_API_KEY" in toy("keys", "list").stdout
    (fennec.home / "c.toml").write_text("[provider.toy]\ntemperature = 0.5\n")
    assert toy("config", "check", "-c", "c.toml").status == 0


def test_a_toy_has_its_own_default_model_and_variables(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    configure(fennec, '[provider.toy]\ntype = "toy"\n')
    fennec.complete("--provider", "toy", env={"TOY_BASE_URL": peer.url}).succeeded("Hello")
    assert peer.requests[0].json["model"] == "teddy"


@pytest.mark.parametrize(
    ("script", "error_class", "status"),
    [
        (fault("stranger", 401), "auth", 4),
        (fault("too_hard", 400), "request", 5),
        (fault("asleep", 503), "unavailable", 7),
        (whole(500, b"<html>"), "unavailable", 7),
    ],
)
def test_a_toy_has_its_own_errors(fennec: Fennec, serve: Serve, script: Script, error_class: str, status: int) -> None:
    toy_at(fennec, serve(script))
    line = fennec.complete("-m", "toy/teddy", "--retries", "0").failed(error_class, status)
    assert line.startswith(f"fennec: {error_class}: toy: no")


def test_a_toy_that_is_asleep_is_asked_again(fennec: Fennec, serve: Serve) -> None:
    peer = serve(fault("asleep", 503, wait_s=0.01), answer("Hello"))
    toy_at(fennec, peer)
    assert fennec.complete("-m", "toy/teddy").text == "Hello"
    assert len(peer.requests) == 2


def test_what_a_toy_cannot_do_is_said_before_anything_is_sent(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("no"))
    toy_at(fennec, peer)
    (fennec.home / "tools.json").write_text('[{"name": "f"}]')
    fennec.complete("-m", "toy/teddy", "--tools", "tools.json").failed("request", 5)
    assert peer.requests == []


def test_the_models_of_a_toy_are_listed(fennec: Fennec, serve: Serve) -> None:
    toy_at(fennec, serve(whole(200, b'{"data":[{"id":"teddy"}]}')))
    result = fennec("models", "list", "--provider", "toy", "--ndjson")
    assert "toy/teddy" in [orjson.loads(line).get("id") for line in result.stdout.splitlines()], result


def test_the_toy_s_own_values_are_shown_as_in_effect(fennec: Fennec) -> None:
    configure(fennec, '[provider.toy]\ntype = "toy"\n')
    rows = {row["key"]: row for row in orjson.loads(fennec("config", "show", "--json").stdout)}
    assert rows["provider.toy.base_url"]["value"] == "https://api.toy.example/v1"
    assert rows["provider.toy.model"]["value"] == "teddy"
    assert rows["provider.toy.api_key"]["origin"] == "TOY_API_KEY"
    assert fennec("config", "check").status == 0


def test_an_unknown_type_is_an_error_where_it_is_used_with_the_nearest_name(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    configure(fennec, f'[provider.x]\ntype = "toi"\n[provider.toy]\ntype = "toy"\nbase_url = "{peer.url}"\n')
    fennec.complete("-m", "toy/teddy").succeeded("Hello")
    line = fennec.complete("-m", "x/teddy").failed("config", 3)
    assert line == "fennec: config: provider x: unknown type 'toi'; did you mean toy?"
    line = fennec("config", "check").failed("config", 3)
    assert "config.toml:2: provider x: unknown type 'toi'" in line


def test_a_type_unlike_all_others_is_answered_with_those_that_exist(fennec: Fennec) -> None:
    configure(fennec, '[provider.x]\ntype = "zzzzzz"\n')
    line = fennec.complete("-m", "x/teddy").failed("config", 3)
    assert line.endswith("; known are openai, anthropic, openrouter, ollama, azure, local, toy")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module", "cannot be loaded from no_such_module"),
        ("toy_provider:nothing", "cannot be loaded from toy_provider:nothing"),
        ("toy_provider:orjson", "toy_provider:orjson is no provider: it has no DEFAULT_BASE_URL, DEFAULT_MODEL"),
    ],
)
def test_a_package_that_does_not_work_is_named(fennec: Fennec, tmp_path: Path, value: str, reason: str) -> None:
    packages = install(tmp_path / "broken", value)
    configure(fennec, '[provider.toy]\ntype = "toy"\n')
    line = fennec.complete("-m", "toy/teddy", env={"PYTHONPATH": str(packages)}).failed("config", 3)
    assert reason in line
    assert "fennec-toy" in line


def test_a_built_in_type_cannot_be_replaced(fennec: Fennec, tmp_path: Path, serve: Serve) -> None:
    packages = install(tmp_path / "greedy")
    (packages / "toy-1.0.dist-info" / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\nopenai = toy_provider\n")
    peer = serve(answer("Hello"))
    environment = {"PYTHONPATH": str(packages), "OPENAI_BASE_URL": peer.url}
    fennec.complete("-m", "openai/m", env=environment).succeeded("Hello")
    assert "x-toy-key" not in peer.requests[0].headers


def test_a_project_file_cannot_choose_a_type(fennec: Fennec) -> None:
    (fennec.home / ".fennec.toml").write_text('[provider.toy]\ntype = "toy"\n')
    assert "provider.toy.type may not be set by a project file" in fennec.complete("-m", "toy/teddy").failed(
        "config", 3
    )


@pytest.mark.parametrize("provider", STREAMS)
def test_a_live_answer_of_a_built_in_provider_does_not_read_what_is_installed(
    fennec: Fennec, serve: Serve, provider: str
) -> None:
    model, name, content_type, settings = STREAMS[provider]
    at(fennec, serve(stream(name, content_type)), provider, f'{settings}\n[provider.toy]\ntype = "toy"\n')
    loaded = modules(fennec, "complete", "-m", f"{provider}/{model}", "hi")
    assert f"fennec_cli.providers.{provider}" in loaded
    assert loaded & {"importlib.metadata", "toy_provider"} == set()


def test_a_dry_run_of_the_embedded_engine_does_not_read_what_is_installed(fennec: Fennec) -> None:
    assert "importlib.metadata" not in modules(fennec, "complete", "-n", "-m", "local/m", "hi")


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_built_in_module_has_what_a_package_must_have(name: str) -> None:
    module = provider_module(name)
    members = {*ProviderModule.__annotations__, *(each for each in vars(ProviderModule) if each[0] != "_")}
    assert {"DEFAULT_BASE_URL", "build_request", "decode_error"} <= members
    assert all(hasattr(module, member) for member in members)


def test_the_manual_shows_the_package_that_is_tested() -> None:
    text = (ROOT / "docs" / "providers.md").read_text()
    block = tomllib.loads(text.split("```toml\n")[1].split("```")[0])["project"]
    real = tomllib.loads((TOY / "pyproject.toml").read_text())["project"]
    assert block.items() <= real.items()
