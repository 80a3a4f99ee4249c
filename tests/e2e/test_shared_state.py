"""What processes share, as their users see it: circuits, limits, counters, and a state directory that is no use."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.events import read_events
from tests.e2e.peer import Peer, answer, failure, send, sleep, whole
from tests.e2e.runner import Fennec, finished

Serve = Callable[..., Peer]
SOON = ("--retries", "0")


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "given.toml"
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    return write


def state(fennec: Fennec) -> Path:
    return fennec.home / ".local" / "state" / "fennec" / "state"


def test_five_failures_open_the_circuit_for_all_processes(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(503))
    for _ in range(5):
        fennec.complete(*SOON).failed("unavailable", 7)
    line = fennec.complete(*SOON).failed("circuit_open", 14)
    assert "models check" in line
    assert "--no-breaker" in line
    assert len(peer.requests) == 5
    fennec.complete("--no-breaker", *SOON).failed("unavailable", 7)
    assert len(peer.requests) == 6


def test_a_circuit_that_was_reset_lets_requests_through(fennec: Fennec, serve: Serve) -> None:
    models = whole(200, b'{"data":[{"id":"m-1"}]}')
    serve(*[failure(503)] * 5, models, models, answer("back"))
    for _ in range(5):
        fennec.complete(*SOON).failed("unavailable", 7)
    shown = json.loads(fennec("models", "check", "--provider", "openai", "--ndjson").text)
    assert [(each["model"], each["state"]) for each in shown["circuits"]] == [("gpt-5.4-mini", "open")]
    result = fennec("models", "check", "--provider", "openai", "--reset")
    assert "closed 1 circuit" in result.stderr
    assert "closed" in result.text
    fennec.complete().succeeded("back")


def test_a_429_makes_the_next_process_wait_or_fail_at_once(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(429, "slow down", "retry-after: 100"), answer("never"))
    line = fennec.complete("--max-wait", "0").failed("rate_limit", 6)
    assert "try again in 100 s" in line
    line = fennec.complete("--max-wait", "1s").failed("rate_limit", 6)
    assert "another 100 s" in line or "another 99 s" in line  # a start-up may take a second
    assert len(peer.requests) == 1


def test_rpm_is_a_limit_for_all_processes(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"))
    begin = time.monotonic()
    running = [fennec.start("complete", "--no-stdin", "--rpm", "120", "hi") for _ in range(14)]
    for process in running:
        finished(process).succeeded("ok")
    assert time.monotonic() - begin >= 0.9  # a burst of 12, then two a second


def test_the_limits_that_a_provider_tells_are_learnt(fennec: Fennec, serve: Serve) -> None:
    said = ["x-ratelimit-remaining-requests: 0", "x-ratelimit-limit-requests: 60", "x-ratelimit-reset-requests: 30s"]
    body = json.dumps({"id": "c", "choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}).encode()
    serve(whole(200, body, "application/json", *said))
    fennec.complete("--no-stream").succeeded("ok")
    assert "another 30 s" in fennec.complete("--max-wait", "2s").failed("rate_limit", 6)


def test_counters_of_all_processes_are_shown(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    serve(answer("one"), failure(400), answer("two"))
    fennec.complete()
    fennec.complete()
    target = tmp_path / "fennec.prom"
    fennec.complete("--metrics-file", str(target)).succeeded("two")
    assert 'fennec_successes_total{provider="openai",model="gpt-5.4-mini"} 2' in target.read_text()
    row = json.loads(fennec("metrics", "show", "--ndjson").text)
    assert (row["request_count"], row["success_count"], row["errors"]) == (3, 2, {"request": 1})
    assert row["token_usage"]["input_tokens"] == 14
    assert row["cost_usd"] > 0
    table = fennec("metrics").text.splitlines()
    assert table[1].startswith("openai/gpt-5.4-mini")
    fennec("metrics", "reset").succeeded("")
    fennec("metrics").succeeded("nothing was counted yet\n")


def test_counters_are_not_kept_where_they_are_not_wanted(
    fennec: Fennec, serve: Serve, config: Callable[[str], str]
) -> None:
    serve(answer("one"))
    fennec.complete("-c", config("[metrics]\nenabled = false\n")).succeeded("one")
    fennec("metrics").succeeded("nothing was counted yet\n")


def test_metrics_that_cannot_be_written_cost_no_answer(fennec: Fennec, serve: Serve) -> None:
    serve(answer("one"))
    result = fennec.complete("--metrics-file", "/nowhere/at/all.prom")
    assert (result.stdout, result.status) == (b"one", 0)
    assert "output: " in result.stderr


def damage_readonly(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("in the way")


def damage_corrupt(path: Path) -> None:
    path.mkdir(parents=True, mode=0o700)
    (path / "cache.db").write_bytes(b"no database" * 1000)


def damage_open_to_others(path: Path) -> None:
    path.mkdir(parents=True)
    path.chmod(0o777)


def damage_link(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to("/tmp")


@pytest.mark.parametrize("damage", [damage_readonly, damage_open_to_others, damage_link])
def test_a_state_directory_that_is_no_use_never_stops_an_answer(
    fennec: Fennec, serve: Serve, damage: Callable[[Path], None]
) -> None:
    serve(answer("fine"))
    damage(state(fennec))
    fennec.complete().succeeded("fine")
    lines = [line for line in fennec.complete("-v").stderr.splitlines() if "shared state cannot be used" in line]
    assert len(lines) == 1


def test_a_corrupt_state_is_replaced(fennec: Fennec, serve: Serve) -> None:
    serve(answer("fine"))
    damage_corrupt(state(fennec))
    assert "shared state" not in fennec.complete("-v").stderr
    assert json.loads(fennec("metrics", "show", "--ndjson").text)["success_count"] == 1


def test_a_full_disk_never_stops_an_answer(fennec: Fennec, serve: Serve) -> None:
    """Files may not grow: what a full disk does to a database."""
    serve(answer("fine"))
    limited = fennec.shell("ulimit -f 0; fennec complete --no-stdin hi -v")
    assert (limited.stdout, limited.status) == (b"fine", 0)
    assert limited.stderr.count("shared state cannot be used") == 1


def test_a_state_on_a_medium_that_cannot_be_written_never_stops_an_answer(fennec: Fennec, serve: Serve) -> None:
    """Nobody can make a directory there, not even root."""
    serve(answer("fine"))
    fennec.complete(env={"XDG_STATE_HOME": "/sys/kernel"}).succeeded("fine")
    result = fennec.complete("-v", env={"XDG_STATE_HOME": "/sys/kernel"})
    assert (result.stdout, result.stderr.count("shared state cannot be used")) == (b"fine", 1)


def test_a_state_that_is_deleted_during_a_run_costs_nothing(fennec: Fennec, serve: Serve) -> None:
    import shutil

    peer = serve([sleep(0.5), *answer("fine")])
    with fennec.start("complete", "hi", "--no-stdin", "-v") as process:
        assert peer.seen.wait(10)
        shutil.rmtree(state(fennec))
        result = finished(process)
    assert (result.stdout, result.status) == (b"fine", 0)
    assert result.stderr.count("shared state cannot be used") <= 1  # what is open can be written to


def test_a_locked_state_delays_an_answer_by_no_more_than_it_must(fennec: Fennec, serve: Serve) -> None:
    import sqlite3

    serve(answer("fine"))
    fennec.complete()
    holder = sqlite3.connect(state(fennec) / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    begin = time.monotonic()
    result = fennec.complete("-v")
    assert time.monotonic() - begin < 3.0
    assert (result.stdout, result.stderr.count("shared state cannot be used")) == (b"fine", 1)
    holder.close()


def test_state_files_are_private(fennec: Fennec, serve: Serve) -> None:
    serve(answer("fine"))
    fennec.complete(umask=0)
    for path in [state(fennec), *state(fennec).rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


# Fallback and strategies.

TWO = """
candidates = ["one/gpt-5.4-mini", "two/gpt-5.4-nano", "three/m"]
[provider.one]
type = "openai"
base_url = "{one}"
api_key = "k1"
[provider.two]
type = "openai"
base_url = "{two}"
api_key = "k2"
[provider.three]
type = "openai"
base_url = "{two}"
api_key = "k3"
[provider.one.prices."gpt-5.4-mini"]
input = 2.0
output = 8.0
[provider.two.prices."gpt-5.4-nano"]
input = 0.1
output = 0.4
"""


@pytest.fixture
def two(serve: Serve, config: Callable[[str], str]) -> Callable[..., tuple[str, Peer, Peer]]:
    def start(first: object, second: object) -> tuple[str, Peer, Peer]:
        one, other = serve(first), serve(second)
        return config(TWO.format(one=one.url, two=other.url)), one, other

    return start


Two = Callable[..., tuple[str, Peer, Peer]]
FALL = ("-m", "one/gpt-5.4-mini", "--fallback", "two/gpt-5.4-nano", "--retries", "0")


@pytest.mark.parametrize(
    "script",
    [
        failure(503),
        failure(401),
        failure(429, "x", "retry-after: 900"),
        failure(404, "no", code="model_not_found"),
    ],
)
def test_fallback_asks_the_next_model(fennec: Fennec, two: Two, script: object) -> None:
    path, one, other = two(script, answer("second"))
    fennec.complete("-c", path, *FALL).succeeded("second")
    assert other.requests[0].json["model"] == "gpt-5.4-nano"
    result = fennec.complete("-c", path, "--strategy", "fallback", "--ndjson", *FALL)
    events = read_events(result.stdout)
    notice = next(event for event in events if event["type"] == "fallback")
    assert (notice["from"], notice["to"]) == ("one/gpt-5.4-mini", "two/gpt-5.4-nano")
    start = next(event for event in events if event["type"] == "start")
    assert start["seq"] > notice["seq"]
    assert start["provider"] == "two"
    end = events[-1]
    assert end["metadata"]["provider"] == "two"
    assert end["metadata"]["attempts"] == 2 or len(one.requests) == 1  # a held limit sends nothing the second time
    assert end["metadata"]["cost_usd"] == pytest.approx((7 * 0.1 + 3 * 0.4) / 1e6)


def test_an_open_circuit_falls_back_without_waiting(fennec: Fennec, two: Two) -> None:
    path, one, other = two(failure(503), answer("second"))
    for _ in range(5):
        fennec.complete("-c", path, "-m", "one/gpt-5.4-mini", *SOON).failed("unavailable", 7)
    result = fennec.complete("-c", path, "-v", *FALL)
    assert (result.stdout, len(one.requests), len(other.requests)) == (b"second", 5, 1)
    (line,) = [line for line in result.stderr.splitlines() if "circuit_open" in line]
    assert line.endswith(" s: falling back from one/gpt-5.4-mini to two/gpt-5.4-nano")  # and no advice


def test_a_request_that_is_wrong_itself_does_not_fall_back(fennec: Fennec, two: Two) -> None:
    path, _, other = two(failure(400, "bad"), answer("second"))
    fennec.complete("-c", path, *FALL).failed("request", 5)
    assert not other.requests


def test_after_output_began_there_is_no_fallback(fennec: Fennec, two: Two) -> None:
    from tests.e2e.peer import ROLE, delta, head, reset

    path, _, other = two([send(head(), ROLE, delta("half")), reset()], answer("second"))
    fennec.complete("-c", path, *FALL).failed("stream_broken", 9, stdout=b"half")
    assert not other.requests
    fennec.complete("-c", path, "--atomic", *FALL).succeeded("second")


def test_when_everybody_fails_the_last_error_counts(fennec: Fennec, two: Two) -> None:
    path, _, _ = two(failure(503), failure(401))
    result = fennec.complete("-c", path, *FALL, "--json")
    assert result.status == 4
    assert json.loads(result.stdout)["attempts"] == 2


def test_an_exit_status_tells_a_shell_whether_to_try_again(fennec: Fennec, two: Two) -> None:
    path, _, _ = two(failure(503), failure(503))
    script = (
        f"(fennec complete --no-stdin hi -c {path} --strategy fallback {' '.join(FALL)})"
        " || case $? in 6|7|8|14) exit 75;; *) exit 1;; esac"
    )
    assert fennec.shell(script).status == 75


def said(fennec: Fennec, path: str, strategy: str, *options: str, stdin: str = "hi") -> tuple[str, list[str]]:
    """Who answered, and what was said of the choice."""
    result = fennec.complete("-c", path, "--strategy", strategy, "-v", "--ndjson", *options, stdin=stdin)
    assert result.status == 0, result
    start = next(event for event in read_events(result.stdout) if event["type"] == "start")
    lines = [line.removeprefix("fennec: ") for line in result.stderr.splitlines()]
    return start["provider"], [line for line in lines if line.startswith(f"{strategy}:")]


def test_cost_asks_the_cheapest_that_can(fennec: Fennec, two: Two) -> None:
    path, _, _ = two(answer("one"), answer("two"))
    provider, lines = said(fennec, path, "cost")
    assert provider == "two"
    assert lines[-1].startswith("cost: two/gpt-5.4-nano chosen: $0.0002")
    assert said(fennec, path, "cost", "--max-tokens", "10")[1][-1].endswith("estimated")


def test_automatic_takes_what_was_good_of_late(fennec: Fennec, two: Two) -> None:
    path, one, other = two(failure(503), answer("two"))
    assert said(fennec, path, "automatic", *SOON)[0] == "two"  # the first fails, and is remembered
    provider, lines = said(fennec, path, "automatic", *SOON)
    assert (provider, len(one.requests)) == ("two", 1)
    assert "100% success" in lines[-1]
    assert len(other.requests) == 2


@pytest.mark.parametrize("strategy", ["automatic", "cost"])
def test_what_a_request_needs_decides(fennec: Fennec, two: Two, tmp_path: Path, strategy: str) -> None:
    """gpt-4 has 8,192 tokens and takes no images, no schema and no effort, says the catalogue."""
    path, _, _ = two(answer("{}"), answer("{}"))
    text = Path(path).read_text().replace("two/gpt-5.4-nano", "two/gpt-4").replace('"gpt-5.4-nano"', '"gpt-4"')
    Path(path).write_text(text.replace(', "three/m"', ""))
    image, tools, schema = tmp_path / "i.png", tmp_path / "t.json", tmp_path / "s.json"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    tools.write_text('[{"name":"f","parameters":{"type":"object"}}]')
    schema.write_text('{"type":"object"}')
    assert said(fennec, path, strategy, "--tools", str(tools))[1][-1].split()[1] in ("two/gpt-4", "one/gpt-5.4-mini")
    for options, reason in (
        (["-a", str(image)], "it has no images"),
        (["--schema", str(schema)], "it has no schema"),
        (["--reasoning-effort", "low"], "it has no reasoning"),
    ):
        provider, lines = said(fennec, path, strategy, *options)
        assert (provider, lines[0]) == ("one", f"{strategy}: two/gpt-4 skipped: {reason}")
    provider, lines = said(fennec, path, strategy, stdin="word " * 8000)
    assert provider == "one"
    assert "do not fit into its context window of 8192" in lines[0]


def test_nobody_who_can_is_said_before_anything_is_sent(fennec: Fennec, two: Two, tmp_path: Path) -> None:
    path, one, other = two(answer("never"), answer("never"))
    text = Path(path).read_text()
    Path(path).write_text(text.replace(text.splitlines()[1], 'candidates = ["one/gpt-4"]'))
    image = tmp_path / "i.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    line = fennec.complete("-c", path, "--strategy", "cost", "-a", str(image)).failed("request", 5)
    assert "one/gpt-4: it has no images" in line
    assert not one.requests + other.requests


def test_strategies_without_candidates_say_what_to_do(fennec: Fennec) -> None:
    assert "candidates = [" in fennec.complete("--strategy", "cost").failed("config", 3)


def test_all_models_of_a_kept_list_are_candidates(fennec: Fennec, serve: Serve, config: Callable[[str], str]) -> None:
    models = [
        {"id": "x/dear", "context_length": 1000, "pricing": {"prompt": "0.001", "completion": "0.001"}},
        {"id": "x/cheap", "context_length": 1000, "pricing": {"prompt": "0.0001", "completion": "0.0001"}},
        {"id": "x/blind", "context_length": 10, "pricing": {"prompt": "0", "completion": "0"}},
    ]
    peer = serve(whole(200, json.dumps({"data": models}).encode()), answer("ok"))
    path = config(f'candidates = ["openrouter/*"]\n[provider.openrouter]\nbase_url = "{peer.url}"\napi_key = "k"\n')
    asked = ("-c", path, "--strategy", "cost", "-v")
    assert "models refresh --provider openrouter" in fennec.complete(*asked).stderr
    assert fennec("models", "refresh", "-c", path, "--provider", "openrouter").status == 0
    result = fennec.complete(*asked, "--max-tokens", "50")
    assert result.status == 0, result
    assert "cost: openrouter/x/blind skipped: about 1 tokens do not fit" in result.stderr
    assert peer.requests[-1].json["model"] == "x/cheap"


ABILITIES = {"tools": "tools", "schema": "structured_outputs", "reasoning": "reasoning"}


def listed(model: str, usd: str, window: int, *abilities: str) -> dict[str, object]:
    """A row of OpenRouter's list of models; `usd` is the price of a token."""
    return {
        "id": model,
        "context_length": window,
        "pricing": {"prompt": usd, "completion": usd},
        "supported_parameters": ["max_tokens", *(ABILITIES[each] for each in abilities if each in ABILITIES)],
        "architecture": {"input_modalities": ["text", *(["image"] if "images" in abilities else [])]},
    }


@pytest.mark.parametrize("strategy", ["automatic", "cost"])
def test_the_list_of_openrouter_itself_is_chosen_from_by_the_task(
    fennec: Fennec, serve: Serve, config: Callable[[str], str], tmp_path: Path, strategy: str
) -> None:
    """Each kind of prompt has one cheapest model that can, and each one before it lacks something."""
    image, tools, schema = tmp_path / "i.png", tmp_path / "t.json", tmp_path / "s.json"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    tools.write_text('[{"name":"f","parameters":{"type":"object"}}]')
    schema.write_text('{"type":"object"}')
    models = [
        listed("x/plain", "0.000001", 4000, "reasoning"),
        listed("x/tools", "0.000002", 4000, "tools"),
        listed("x/schema", "0.000003", 4000, "schema", "tools"),
        listed("x/sees", "0.000004", 4000, "images", "schema", "tools"),
        listed("x/long", "0.000005", 100_000, "schema"),
    ]
    peer = serve(whole(200, json.dumps({"data": models}).encode()), answer("{}"))
    path = config(f'candidates = ["openrouter/*"]\n[provider.openrouter]\nbase_url = "{peer.url}"\napi_key = "k"\n')
    assert fennec("models", "refresh", "-c", path, "--provider", "openrouter").status == 0
    cases: list[tuple[str, list[str], str, dict[str, str]]] = [
        ("x/plain", [], "hi", {}),
        ("x/tools", ["--tools", str(tools)], "hi", {"x/plain": "it has no tools"}),
        ("x/schema", ["--schema", str(schema)], "hi", {"x/tools": "it has no schema"}),
        ("x/sees", ["-a", str(image)], "hi", {"x/schema": "it has no images"}),
        ("x/sees", ["-a", str(image), "--tools", str(tools)], "hi", {"x/plain": "it has no images, tools"}),
        ("x/long", [], "word " * 8000, {"x/sees": "do not fit into its context window of 4000"}),
        ("x/plain", ["--reasoning-effort", "low"], "hi", {"x/long": "it has no reasoning"}),
    ]
    for model, options, prompt, reasons in cases:
        result = fennec.complete("-c", path, "--strategy", strategy, "-v", "-O", "a=1", *options, stdin=prompt)
        assert result.status == 0, result
        assert peer.requests[-1].json["model"] == model
        lines = [line.removeprefix("fennec: ") for line in result.stderr.splitlines()]
        assert sum(line.startswith(f"{strategy}: openrouter/{model} chosen: ") for line in lines) == 1
        for skipped, reason in reasons.items():
            (line,) = [line for line in lines if line.startswith(f"{strategy}: openrouter/{skipped} skipped: ")]
            assert reason in line


def test_fallback_skips_what_lacks_an_ability_that_the_prompt_needs(fennec: Fennec, two: Two, tmp_path: Path) -> None:
    path, one, other = two(answer("one"), answer("two"))
    image = tmp_path / "i.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    asked = ("-c", path, "--provider", "one", "--strategy", "fallback", "-v", "-a", str(image))
    Path(path).write_text(Path(path).read_text().replace("[provider.one]\n", '[provider.one]\nmodel = "gpt-4"\n'))
    result = fennec.complete(*asked, "--fallback", "two/gpt-5.4-nano")
    assert (result.stdout, one.requests) == (b"two", [])
    assert "fallback: one/gpt-4 skipped: it has no images" in result.stderr
    assert fennec.complete(*asked, "--fallback", "two/gpt-4").stdout == b"one"  # all lack it
    assert len(other.requests) == 1


def test_lines_are_routed_one_by_one(fennec: Fennec, two: Two) -> None:
    path, one, other = two(failure(503), answer("b"))
    result = fennec.complete("-c", path, *FALL, "--input", "lines", stdin="1\n2\n3\n4\n5\n6\n7\n")
    assert result.stdout == b"b\n" * 7
    assert (len(one.requests), len(other.requests)) == (5, 7)  # after five failures its circuit is open


def test_eight_processes_of_xargs_are_one_client(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"))
    done = fennec.shell(
        "export -f fennec; seq 24 | xargs -P8 -I{} bash -c 'fennec complete -q --no-stdin -o {}.out hi'; cat *.out"
    )
    assert done.stdout == b"ok" * 24
    row = json.loads(fennec("metrics", "show", "--ndjson").text)
    assert (row["request_count"], row["success_count"]) == (24, 24)


def test_candidates_are_enough_to_begin_with(fennec: Fennec, two: Two) -> None:
    path, _, _ = two(answer("one"), answer("two"))
    nothing = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None}
    fennec.complete("-c", path, "--strategy", "cost", env=nothing).succeeded("two")


def test_a_dry_run_shows_whom_the_strategy_chooses(fennec: Fennec, two: Two) -> None:
    path, one, other = two(answer("one"), answer("two"))
    shown = json.loads(fennec.complete("-c", path, "--strategy", "cost", "-n").text)
    assert shown["body"]["model"] == "gpt-5.4-nano"
    assert not one.requests + other.requests


@pytest.mark.parametrize("strategy", ["automatic", "cost"])
def test_a_private_prompt_is_for_those_who_keep_nothing(
    fennec: Fennec, config: Callable[[str], str], strategy: str
) -> None:
    path = config('candidates = ["anthropic/claude-haiku-5-5", "openrouter/openai/gpt-5.4"]')
    keys = {"ANTHROPIC_API_KEY": "k1", "OPENROUTER_API_KEY": "k2", "OPENAI_BASE_URL": None}
    asked = ("-c", path, "--strategy", strategy, "-v", "-n")
    assert "anthropic/claude-haiku-5-5 chosen" in fennec.complete(*asked, env=keys).stderr
    result = fennec.complete(*asked, "--private", env=keys)
    assert f"{strategy}: anthropic/claude-haiku-5-5 skipped: it has no privacy opt-out" in result.stderr
    assert json.loads(result.stdout)["body"]["provider"] == {"data_collection": "deny", "zdr": True}


def test_manual_and_fallback_exclude_each_other(fennec: Fennec) -> None:
    fennec.complete("--strategy", "manual", "--fallback", "x").failed("usage", 2)


def test_manual_on_the_command_line_is_stronger_than_a_configured_fallback(
    fennec: Fennec, serve: Serve, config: Callable[[str], str]
) -> None:
    one, other = serve(failure(503)), serve(answer("second"))
    path = config('fallback = ["two/gpt-5.4-nano"]\n' + TWO.format(one=one.url, two=other.url))
    asked = ("-c", path, "-m", "one/gpt-5.4-mini", "--retries", "0")
    fennec.complete(*asked).succeeded("second")
    fennec.complete(*asked, "--strategy", "manual").failed("unavailable", 7)
    assert fennec("cache", "explain", *asked[:4], "--strategy", "manual", "hi").status == 0


def test_fallback_on_the_command_line_is_stronger_than_a_configured_manual(
    fennec: Fennec, serve: Serve, config: Callable[[str], str]
) -> None:
    one, other = serve(failure(503)), serve(answer("second"))
    path = config('strategy = "manual"\n' + TWO.format(one=one.url, two=other.url))
    fennec.complete("-c", path, *FALL).succeeded("second")
    fennec.complete("-c", path, *FALL, "--strategy", "manual").failed("usage", 2)


def test_a_model_that_was_named_is_asked_whatever_is_thought_of_it(fennec: Fennec, two: Two, tmp_path: Path) -> None:
    path, _, _ = two(answer("one"), answer("two"))
    image = tmp_path / "i.png"
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 20)
    asked = ("-c", path, "-m", "two/gpt-4", "--strategy", "automatic", "-a", str(image))
    fennec.complete(*asked).succeeded("two")
