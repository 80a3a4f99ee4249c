"""`fennec bench` as it is installed: forms, statuses, signals, pipelines."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.bench.known import KnownServer
from tests.e2e.events import schema
from tests.e2e.peer import Peer, answer, failure
from tests.e2e.runner import Fennec

CONFIG = """
[provider.known]
type = "openai"
base_url = "{url}"
[provider.known.prices.m]
input = 1.0
output = 2.0
[provider.dead]
type = "openai"
base_url = "http://127.0.0.1:1/v1"
"""


@pytest.fixture(scope="module")
def server() -> Iterator[KnownServer]:
    with KnownServer(0.005, 0.001, 5) as running:
        yield running


@pytest.fixture
def fennec(clean_home: Path, server: KnownServer) -> Fennec:
    folder = clean_home / ".config" / "fennec"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG.format(url=server.url))
    return Fennec(clean_home)


def documents(data: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in data.splitlines()]


def test_bench_json_schema(fennec: Fennec) -> None:
    for load in (("-j", "2"), ("--rate", "200", "--sweep"), ("--slo", "ttft=1s,tpot=500ms", "--seed", "4")):
        run = fennec(
            "bench", "-m", "known/m", "-m", "dead/m", "-N", "4", "--warmup", "1", "--set", "8x8", "--json", *load
        )
        assert run.status == 16, run.stderr  # nothing of the second model was answered
        document = orjson.loads(run.stdout)
        schema("bench").validate(document)
        levels = 4 if "--sweep" in load else 1
        assert len(document["requests"]) == 8 * levels
        assert [check["step"] for check in document["checks"]] == list({row["step"]: 0 for row in document["requests"]})
        for row in document["requests"]:
            schema("bench-request").validate(row)
        assert {row["class"] for row in document["requests"] if row["model"] == "dead/m"} == {"unavailable"}
        assert document["definitions"]["ttft"] == "time to first token, tf - t1"
        assert "answered" in run.stderr


def test_ndjson_is_a_line_for_each_request_and_a_summary(fennec: Fennec) -> None:
    run = fennec("bench", "-m", "known/m", "-N", "5", "--set", "8x8", "--ndjson")
    assert run.status == 0, run.stderr
    *rows, last = documents(run.stdout)
    assert len(rows) == 5
    for row in rows:
        schema("bench-request").validate(row)
    schema("bench").validate(last)
    assert last["type"] == "summary"


def test_csv_and_table_and_report(fennec: Fennec) -> None:
    run = fennec("bench", "-m", "known/m", "-N", "20", "--set", "8x8", "--format", "csv", "--report", "r.html")
    assert run.status == 0, run.stderr
    assert len(run.stdout.splitlines()) == 21
    assert (fennec.home / "r.html").read_text().startswith("<!doctype html>")
    table = fennec("bench", "-m", "known/m", "-N", "20", "--set", "8x8").stdout.decode()
    assert "20 of 20 ok" in table
    assert max(map(len, table.splitlines())) <= 80
    assert "\x1b" not in table


def test_prompts_come_from_standard_input(fennec: Fennec, server: KnownServer) -> None:
    run = fennec(
        "bench", "-m", "known/m", "-N", "4", "--warmup", "0", "--input", "lines", "--json", stdin="alpha x\nbeta y\n"
    )
    assert run.status == 0, run.stderr
    assert {"alpha", "beta"} <= server.truth().keys()
    assert b"alpha" not in run.stdout  # results hold no prompt
    assert orjson.loads(run.stdout)["load"]["prompts"].startswith("2 given (")


def test_options_have_twins_and_keys(fennec: Fennec) -> None:
    (fennec.home / ".fennec.toml").write_text(
        '[bench]\nmodel = "known/m"\nrequests = 3\nwarmup = 0\nset = "8x8"\nslo = "ttft=1s"\n'
    )
    document = orjson.loads(fennec("bench", "--json", env={"FENNEC_SEED": "7", "FENNEC_FORMAT": "text"}).stdout)
    assert (document["load"]["seed"], document["load"]["requests"]) == (7, 3)
    assert document["load"]["slo_s"] == {"ttft": 1.0}
    named = orjson.loads(fennec("bench", env={"FENNEC_MODEL": "known/n", "FENNEC_FORMAT": "json"}).stdout)
    assert named["models"] == ["known/n"]


def test_a_regression_has_its_own_status(fennec: Fennec) -> None:
    common = ("bench", "-m", "known/m", "-N", "20", "--set", "8x8")
    assert fennec(*common, "--json", "-o", "base.json").status == 0
    same = fennec(*common, "--baseline", "base.json", "--max-regression", "900%")
    assert same.status == 0, same.stderr
    document = orjson.loads((fennec.home / "base.json").read_bytes())
    for row in document["requests"]:
        row["e2e_s"] /= 10
    (fennec.home / "base.json").write_bytes(orjson.dumps(document))
    worse = fennec(*common, "--baseline", "base.json", "--json", "--max-regression", "50%")
    assert worse.status == 21
    assert re.fullmatch(
        r"(fennec: j=1 is not valid.*\n)?fennec: regression: known/m: e2e is [\d.]+% worse than in base.json.*\n",
        worse.stderr,
    )
    comparison = orjson.loads(worse.stdout)["comparison"]
    assert {each["metric"]: each["verdict"] for each in comparison["findings"]}["e2e_s"] == "regression"
    schema("bench").validate(orjson.loads(worse.stdout))


@pytest.fixture
def baseline(fennec: Fennec) -> str:
    """An earlier run of known/m, a request at a time."""
    assert fennec("bench", "-m", "known/m", "-N", "2", "--set", "8x8", "--json", "-o", "base.json").status == 0
    return "base.json"


@pytest.mark.parametrize("other", [("-m", "known/n"), ("-m", "known/m", "-j", "2")])
def test_what_the_baseline_does_not_hold_is_not_measured(
    fennec: Fennec, server: KnownServer, baseline: str, other: tuple[str, ...]
) -> None:
    run = fennec("bench", *other, "--baseline", baseline, "--input", "lines", stdin=f"not-sent-{len(other)} x\n")
    assert "holds nothing of these models" in run.failed("input", 17)
    assert f"not-sent-{len(other)}" not in server.truth()


def test_a_budget_is_said_before_a_comparison_that_it_made_empty(fennec: Fennec, baseline: str) -> None:
    run = fennec("bench", "-m", "known/m", "--baseline", baseline, "--max-cost", "0.0000001", "--json")
    assert (run.status, run.stderr.split(": ")[1]) == (12, "budget")
    schema("bench").validate(orjson.loads(run.stdout))


def test_a_signal_is_told_before_a_comparison_that_it_made_empty(fennec: Fennec, baseline: str) -> None:
    with fennec.start("bench", "-m", "known/m", "--baseline", baseline, "--json", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"slow stall=2")
        process.stdin.close()
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == -signal.SIGTERM
        assert process.stdout is not None
        assert orjson.loads(process.stdout.read())["stopped_by"] == "signal"


def test_a_warm_up_that_fails_later_leaves_what_was_measured(fennec: Fennec) -> None:
    with Peer(*[answer("hi")] * 5, failure(503)) as peer:
        fennec.base_url = peer.url
        run = fennec("bench", "-m", "openai/m", "-N", "4", "--warmup", "1", "-j", "2", "--sweep", "--json")
    assert (run.status, run.stderr.splitlines()[-1].split(": ")[1]) == (7, "unavailable")
    document = orjson.loads(run.stdout)
    schema("bench").validate(document)
    assert [(row["step"], row["ok"]) for row in document["requests"]] == [("j=1", True)] * 4


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("-m", "known/m", "--report", "nowhere/r.html"), 18), (("--self", "--rate", "3"), 2)],
)
def test_a_run_that_does_not_begin_leaves_no_file(fennec: Fennec, arguments: tuple[str, ...], status: int) -> None:
    before = set(fennec.home.iterdir())
    assert fennec("bench", "-o", "x.json", *arguments).status == status
    assert set(fennec.home.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (("-m", "dead/m", "-N", "3"), 7, "cannot connect"),
        (("-m", "dead/m", "-N", "3", "--warmup", "0"), 7, "cannot connect"),
        (("-m", "nobody/m", "--provider", "x"), 2, "No such option"),
        (("-m", "known/m", "--set", "huge"), 2, "no prompt set"),
        (("-m", "known/m", "--slo", "ttft"), 2, "no limit"),
        (("-m", "known/m", "--rate", "0"), 2, "0"),
        (("-m", "known/m", "--max-regression", "much"), 2, "percentage"),
        (("-m", "known/m", "--baseline", "none.json"), 17, "cannot read none.json"),
        (("-m", "known/unpriced", "--max-cost", "1"), 12, "nobody knows the price"),
        (("-m", "known/m", "--max-cost", "0.0000001"), 12, "not one request"),
        (("-m", "known/m", "--set", "8x8", "--max-cost", "0.0001", "-O", "n=9"), 12, "not one request"),
        (("--models-from", "/dev/null"), 17, "names no model"),
        (("-m", "known/m", "--report", "/nowhere/r.html"), 18, "cannot write"),
        (("--self", "-m", "known/m"), 2, "fennec alone"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_class(
    fennec: Fennec, arguments: tuple[str, ...], status: int, word: str
) -> None:
    run = fennec("bench", *arguments)
    assert run.status == status, run.stderr
    assert word in run.stderr
    said = [line for line in run.stderr.splitlines() if "is not valid" not in line]  # of a machine that is busy
    assert len(said) <= 2


def test_max_cost_needs_a_bound_on_the_answer(fennec: Fennec) -> None:
    run = fennec("bench", "-m", "known/m", "--max-cost", "1", stdin="hi")
    assert (run.status, "needs --max-tokens" in run.stderr) == (2, True)
    assert fennec("bench", "-m", "known/m", "--max-cost", "1", "--max-tokens", "9", "-N", "2", stdin="hi").status == 0


def test_ctrl_c_shows_what_was_measured(fennec: Fennec) -> None:
    process = fennec.start(
        "bench", "-m", "known/m", "--duration", "30", "--set", "8x8", "--json", start_new_session=True
    )
    time.sleep(1.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    out, err = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    document = orjson.loads(out)
    assert document["stopped_by"] == "signal"
    assert len(document["requests"]) > 5
    assert b"Traceback" not in err


def test_a_reader_that_leaves_ends_the_run(fennec: Fennec) -> None:
    process = fennec.start("bench", "-m", "known/m", "--duration", "30", "--set", "8x8", "--ndjson")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=10) == -signal.SIGPIPE
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_progress_is_for_terminals(fennec: Fennec) -> None:
    ours, theirs = pty.openpty()
    process = fennec.start("bench", "-m", "known/m", "--duration", "0.8", "--set", "8x8", stderr=theirs)
    os.close(theirs)
    seen = b""
    while select.select([ours], [], [], 10)[0]:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        seen += data
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    os.close(ours)
    assert b"tok/s" in seen
    assert b"\x1b[" not in out
    quiet = fennec("bench", "-m", "known/m", "-N", "2", "--set", "8x8")
    assert "tok/s" not in quiet.stderr


def test_self_measures_our_own_error(fennec: Fennec) -> None:
    run = fennec("bench", "--self", "--json")
    assert run.status == 0, run.stderr
    document = orjson.loads(run.stdout)
    schema("bench-self").validate(document)
    assert document["requests"] == 104
    for name in ("ttft", "tpot", "icl"):
        assert abs(document[f"{name}_error_s"]["p50"]["value"]) < 0.002
    assert document["chunks"] == 20 * document["requests"]
    assert document["requests_per_s"] > 20


def test_requests_are_audited_and_filtered_as_everywhere(fennec: Fennec) -> None:
    file = fennec.home / ".config" / "fennec" / "config.toml"
    file.write_text(f'{file.read_text()}\n[audit]\nfile = "{fennec.home}/audit.jsonl"\n[filter]\nrequest = "block"\n')
    assert fennec("bench", "-m", "known/m", "-N", "4", "--warmup", "1", stdin="hello").status == 0
    records = documents((fennec.home / "audit.jsonl").read_bytes())
    assert [record["event"] for record in records].count("request") == 5
    blocked = fennec("bench", "-m", "known/m", stdin="write to AKIAIOSFODNN7EXAMPLQ and jane.doe@example.com")
    assert blocked.status == 19, blocked.stderr
    assert "jane.doe" not in blocked.stderr


def test_the_cache_is_used_only_if_asked_for(fennec: Fennec) -> None:
    common = ("bench", "-m", "known/m", "-N", "3", "--warmup", "0", "--json")
    for _ in range(2):
        run = fennec(*common, stdin="cached please", env={"FENNEC_CACHE": "use"})
        assert [row["cached"] for row in orjson.loads(run.stdout)["requests"]] == [False] * 3
    run = fennec(*common, "--cache", "use", stdin="cached please")
    assert [row["cached"] for row in orjson.loads(run.stdout)["requests"]] == [False, True, True]
    assert all(row["ttft_s"] is not None for row in orjson.loads(run.stdout)["requests"])
