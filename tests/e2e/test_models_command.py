"""`fennec models list`, `check` and `refresh`: several providers, some of which fail."""

import os
import signal
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest

from fennec_cli.model_check import HEADER
from tests.e2e.peer import Peer, Script, failure, sleep, stall, whole
from tests.e2e.runner import CANARY, Fennec, Result, finished
from tests.e2e.test_settings import configure

Serve = Callable[..., Peer]
NOWHERE = "http://127.0.0.1:9/v1"


def offers(*names: str) -> Script:
    """The answer of a compatible server that has these models."""
    return whole(200, orjson.dumps({"data": [{"id": name} for name in names]}))


def boxes(fennec: Fennec, **addresses: str) -> None:
    """Configure compatible servers, and nothing else."""
    fennec.env["OPENAI_API_KEY"] = None
    tables = (
        f'[provider.{name}]\ntype = "openai"\nbase_url = "{url}"\napi_key = "{CANARY}"\n'
        for name, url in addresses.items()
    )
    configure(fennec, "".join(tables))
    local = fennec.home / ".local" / "share" / "fennec" / "models"
    local.mkdir(parents=True, exist_ok=True)
    (local / "tiny.gguf").touch()  # satisfies an embedded engine that this machine may have


def run(fennec: Fennec, *arguments: str) -> Result:
    return fennec("models", *arguments)


def ids(result: Result) -> list[str]:
    return [str(row["id"]) for row in rows(result)]


def rows(result: Result) -> list[dict[str, object]]:
    """Rows for programs, without those of an embedded engine that this machine may have."""
    found = [orjson.loads(line) for line in result.stdout.splitlines()]
    return [row for row in found if row["provider"] != "local"]


def kept(fennec: Fennec, name: str) -> Path:
    return fennec.home / ".cache" / "fennec" / "models" / f"{name}.json"


def grow_old(fennec: Fennec, name: str, seconds: float) -> None:
    document = orjson.loads(kept(fennec, name).read_bytes())
    kept(fennec, name).write_bytes(orjson.dumps({**document, "moment": time.time() - seconds}))


# check


def test_check_says_where_each_provider_is_and_how_many_models_it_has(fennec: Fennec, serve: Serve) -> None:
    peer = serve(offers("a", "b"))
    boxes(fennec, box=peer.url)
    result = run(fennec, "check", "--provider", "box", "--ndjson")
    (row,) = rows(result)
    for step in ("latency_ms", "dns_ms", "connect_ms"):
        took = row.pop(step)
        assert isinstance(took, float)
        assert 0 <= took < 20_000
    assert row == {
        "provider": "box",
        "ok": True,
        "url": peer.url,
        "proxy": None,
        "address": "127.0.0.1",
        "tls_ms": None,
        "tls": None,
        "issuer": None,
        "key": "provider.box.api_key",
        "key_accepted": True,
        "models": 2,
        "circuits": [],
        "class": "ok",
        "message": "",
    }
    assert (result.stderr, result.status) == ("", 0)
    assert [(each.method, each.path) for each in peer.requests] == [("GET", "/v1/models")]


def test_check_of_a_failing_provider_does_not_hide_the_good_one(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, bad=serve(failure(401)).url, good=serve(offers("a")).url)
    result = run(fennec, "check", "--ndjson")
    bad, good = rows(result)
    assert (bad["provider"], bad["ok"], bad["class"], bad["models"]) == ("bad", False, "auth", None)
    assert (good["provider"], good["ok"], good["class"], good["models"]) == ("good", True, "ok", 1)
    assert result.status == 4
    assert result.stderr.startswith("fennec: auth: bad: ")
    assert str(bad["message"]) in result.stderr


def test_check_ends_with_the_status_of_the_first_failure(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, one=NOWHERE, two=serve(failure(401)).url)
    result = run(fennec, "check")
    assert result.status == 7
    assert [line.split(": ")[1:3] for line in result.stderr.splitlines()[:2]] == [
        ["unavailable", "one"],
        ["auth", "two"],
    ]


def test_check_asks_all_providers_at_once(fennec: Fennec, serve: Serve) -> None:
    slow: list[Script] = [[sleep(1.0), *offers("a")] for _ in range(3)]
    boxes(fennec, **{f"box{number}": serve(script).url for number, script in enumerate(slow)})
    began = time.monotonic()
    assert len(rows(run(fennec, "check", "--ndjson"))) == 3
    assert time.monotonic() - began < 2.8


def test_check_for_people_is_a_table_and_json_an_array(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a")).url)
    header, row = run(fennec, "check", "--provider", "box").text.splitlines()
    assert header.split() == list(HEADER)
    assert row.split()[:2] == ["box", "ok"]
    (row_of_json,) = orjson.loads(run(fennec, "check", "--provider", "box", "--json").stdout)
    assert row_of_json["provider"] == "box"


def test_check_of_openrouter_asks_for_the_key_because_its_list_is_public(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(401), offers("a"))
    configure(fennec, f'[provider.openrouter]\nbase_url = "{peer.url}"\napi_key = "{CANARY}"\n')
    result = run(fennec, "check", "--provider", "openrouter", "--ndjson")
    assert (rows(result)[0]["class"], result.status) == ("auth", 4)
    assert [each.path for each in peer.requests] == ["/v1/key"]


def test_check_of_openrouter_accepts_a_gateway_that_knows_no_keys(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(404), whole(200, b'{"data": [{"id": "a/b"}]}'))
    configure(fennec, f'[provider.openrouter]\nbase_url = "{peer.url}"\napi_key = "{CANARY}"\n')
    result = run(fennec, "check", "--provider", "openrouter", "--ndjson")
    assert (rows(result)[0]["models"], result.stderr, result.status) == (1, "", 0)


def test_check_names_the_first_region_of_several(fennec: Fennec, serve: Serve) -> None:
    peer = serve(offers("chat"))
    root = peer.url.removesuffix("/v1")
    region = f'[[provider.azure.regions]]\nname = "west"\nendpoint = "{root}"\ndeployment = "chat"\n'
    configure(fennec, f'[provider.azure]\napi_key = "{CANARY}"\n{region}')
    result = run(fennec, "check", "--provider", "azure", "--ndjson")
    (row,) = rows(result)
    assert (row["ok"], str(row["url"]).startswith(root), result.status) == (True, True, 0), result


@pytest.mark.skipif(find_spec("xllamacpp") is not None, reason="the embedded engine is installed")
def test_check_of_the_embedded_engine_says_how_to_install_it(fennec: Fennec) -> None:
    result = run(fennec, "check", "--provider", "local", "--json")
    (row,) = orjson.loads(result.stdout)
    assert (row["ok"], row["class"], row["url"], result.status) == (False, "config", None, 3)
    assert "fennec-cli[local]" in row["message"]


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the embedded engine is not installed")
def test_check_of_the_embedded_engine_gives_its_version_and_wants_a_model(fennec: Fennec) -> None:
    line = run(fennec, "check", "--provider", "local", "--ndjson").stderr
    assert "fennec models pull" in line
    boxes(fennec)
    (row,) = orjson.loads(run(fennec, "check", "--provider", "local", "--json").stdout)
    assert (row["ok"], row["models"], row["message"].split()[0]) == (True, 1, "xllamacpp")


@pytest.mark.skipif(find_spec("xllamacpp") is not None, reason="the embedded engine is installed")
@pytest.mark.parametrize("command", ["check", "refresh"])
def test_nothing_to_ask_is_no_success(fennec: Fennec, command: str) -> None:
    fennec.env["OPENAI_API_KEY"] = None
    line = run(fennec, command).failed("config", 3)
    assert "no provider is configured" in line


@pytest.mark.parametrize("command", ["check", "refresh"])
def test_an_unknown_provider_is_a_failure(fennec: Fennec, command: str) -> None:
    result = run(fennec, command, "--provider", "nosuch")
    assert result.status == 3
    assert result.stderr.startswith("fennec: config: ")


# refresh, and list from what is kept


def test_refresh_keeps_what_list_shows_offline(fennec: Fennec, serve: Serve) -> None:
    peer = serve(offers("b", "a"))
    boxes(fennec, box=peer.url)
    refreshed = run(fennec, "refresh", "--provider", "box")
    assert (refreshed.text, refreshed.stderr, refreshed.status) == ("", "fennec: box: 2 models\n", 0)
    peer.stop()
    result = run(fennec, "list", "--provider", "box", "--offline", "--ndjson")
    assert ids(result) == ["box/a", "box/b"]
    assert str(rows(result)[0]["source"]).startswith("kept 20")
    assert (result.stderr, result.status) == ("fennec: box: its models as they were less than a minute ago\n", 0)


def test_a_configured_price_is_the_one_that_is_shown(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a", "b")).url)
    path = fennec.home / ".config" / "fennec" / "config.toml"
    path.write_text(path.read_text() + "[provider.box.prices.b]\ninput = 0.25\noutput = 2\n")
    wanted = [("box/a", None, None), ("box/b", 0.25, 2.0)]
    for offline in ((), ("--offline",)):
        shown = rows(run(fennec, "list", "--provider", "box", "--ndjson", *offline))
        assert [(row["id"], row["input_usd_per_mtok"], row["output_usd_per_mtok"]) for row in shown] == wanted
    (row,) = rows(run(fennec, "show", "box/b", "--ndjson"))
    assert (row["input_usd_per_mtok"], row["output_usd_per_mtok"]) == (0.25, 2.0)


def test_refresh_can_be_quiet(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a")).url)
    run(fennec, "refresh", "--provider", "box", "-q").succeeded("")


def test_refresh_keeps_the_good_list_beside_a_failure(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, bad=serve(failure(401)).url, good=serve(offers("a")).url)
    result = run(fennec, "refresh", "-q")
    assert (result.stdout, result.status) == (b"", 4)
    assert result.stderr.startswith("fennec: auth: bad: ")
    assert kept(fennec, "good").exists()
    assert not kept(fennec, "bad").exists()


def test_what_is_kept_is_the_user_s_alone_and_holds_no_key(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a")).url)
    run(fennec, "refresh", "--provider", "box")
    assert kept(fennec, "box").stat().st_mode & 0o777 == 0o600
    assert kept(fennec, "box").parent.stat().st_mode & 0o777 == 0o700
    assert CANARY.encode() not in kept(fennec, "box").read_bytes()


def test_offline_opens_no_connection(fennec: Fennec, serve: Serve) -> None:
    peer = serve(offers("a"))
    boxes(fennec, box=peer.url)
    run(fennec, "list", "--offline")
    assert peer.connections == 0


def test_offline_without_a_list_shows_the_catalogue_and_says_so(fennec: Fennec) -> None:
    result = run(fennec, "list", "--provider", "openai", "--offline", "--ndjson")
    assert "openai/gpt-5.4-mini" in ids(result)
    assert {str(row["source"]).split()[0] for row in rows(result)} == {"catalogue"}
    assert result.stderr.startswith("fennec: openai: no list of its models is kept; this is what the catalogue of 20")
    assert result.status == 0


def test_offline_a_compatible_server_has_no_models_of_the_catalogue(fennec: Fennec) -> None:
    boxes(fennec, box=NOWHERE)
    result = run(fennec, "list", "--provider", "box", "--offline", "--ndjson")
    assert (result.text, result.status) == ("", 0)
    assert result.stderr == "fennec: box: no list of its models is kept; run `fennec models refresh`\n"


def test_a_list_from_another_address_is_not_shown(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a")).url)
    run(fennec, "refresh", "--provider", "box")
    boxes(fennec, box=NOWHERE)
    assert run(fennec, "list", "--provider", "box", "--offline", "--ndjson").text == ""


def test_list_refreshes_what_is_kept(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a"), offers("b")).url)
    for name in ("a", "b"):
        assert ids(run(fennec, "list", "--provider", "box", "--ndjson")) == [f"box/{name}"]
    assert ids(run(fennec, "list", "--provider", "box", "--ndjson", "--offline")) == ["box/b"]


def test_list_shows_what_is_kept_of_a_provider_that_fails(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, bad=serve(offers("old"), failure(500)).url, good=serve(offers("new")).url)
    run(fennec, "list")
    grow_old(fennec, "bad", 3 * 3600 + 60)
    result = run(fennec, "list", "--ndjson")
    assert ids(result) == ["bad/old", "good/new"]
    failed, remark = result.stderr.splitlines()
    assert failed.startswith("fennec: unavailable: bad: ")
    assert remark == "fennec: bad: its models are shown as they were 3 hours ago"
    assert result.status == 7


def test_a_damaged_list_is_as_none(fennec: Fennec) -> None:
    boxes(fennec, box=NOWHERE)
    kept(fennec, "box").parent.mkdir(parents=True)
    kept(fennec, "box").write_bytes(b'{"form": 1, "models": [')
    result = run(fennec, "list", "--provider", "box", "--ndjson")
    result.failed("unavailable", 7)


def test_a_list_that_cannot_be_kept_is_shown_all_the_same(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a")).url)
    (fennec.home / ".cache").touch()
    result = run(fennec, "list", "--provider", "box", "--ndjson")
    assert (ids(result), result.status) == (["box/a"], 0)
    assert result.stderr.startswith("fennec: output: cannot keep the list of models in ")
    assert run(fennec, "refresh", "--provider", "box").status == 18


def test_models_alone_is_list_with_its_environment(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a")).url)
    run(fennec, "refresh", "--provider", "box")
    environment = {"FENNEC_PROVIDER": "box", "FENNEC_OFFLINE": "1"}
    result = fennec("models", env=environment)
    assert result.text.splitlines()[1].split()[0] == "box/a"
    assert "as they were" in result.stderr


def test_the_provider_of_prompts_is_not_asked_what_it_has_in_memory(fennec: Fennec) -> None:
    environment = {"FENNEC_PROVIDER": "openai", "OLLAMA_HOST": "127.0.0.1:9"}
    result = fennec("models", "ps", env=environment)
    assert (result.status, "cannot connect to 127.0.0.1:9" in result.stderr) == (7, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_refresh_into_a_directory_without_rights_is_an_output_error(fennec: Fennec, serve: Serve) -> None:
    boxes(fennec, box=serve(offers("a")).url)
    (fennec.home / ".cache").mkdir(mode=0o500)
    assert run(fennec, "refresh", "--provider", "box").status == 18


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["list", "check", "refresh"])
def test_a_signal_ends_it_while_a_provider_says_nothing(
    fennec: Fennec, serve: Serve, command: str, number: signal.Signals
) -> None:
    silent = serve([stall()])
    boxes(fennec, silent=silent.url, nowhere=NOWHERE)
    with fennec.start("models", command) as process:
        assert silent.seen.wait(5)
        began = time.monotonic()
        process.send_signal(number)
        result = finished(process)
    assert time.monotonic() - began < 0.5
    assert (result.status, result.stdout, result.stderr) == (-number, b"", "")
    assert silent.left.wait(1)
