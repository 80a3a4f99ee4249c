"""Batches: rows in, many at a time, events out."""

import fcntl
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.e2e.events import read_events, text_of
from tests.e2e.peer import ROLE, Peer, Script, answer, delta, failure, finish, head, send, sleep, stall
from tests.e2e.runner import Fennec, finished

Serve = Callable[..., Peer]
Event = dict[str, Any]
NDJSON = ("--input", "ndjson", "--ndjson")


def rows_of(*rows: dict[str, object]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def numbered(count: int) -> bytes:
    return rows_of(*({"id": f"r{number}", "prompt": f"prompt {number}"} for number in range(count)))


def by_id(events: list[Event]) -> dict[str | None, list[Event]]:
    found: dict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        found[event["id"]].append(event)
    return dict(found)


def slow(text: str, seconds: float) -> Script:
    return [send(head(), ROLE), sleep(seconds), send(delta(text), finish())]


def test_each_row_is_answered_and_the_summary_is_last(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    result = fennec.complete(*NDJSON, "-j16", stdin=numbered(40))
    assert (result.stderr, result.status) == ("", 0)
    events = read_events(result.stdout)
    rows = by_id(events)
    assert events[-1]["type"] == "summary"
    assert (events[-1]["rows"], events[-1]["ok"], events[-1]["failed"]) == (40, 40, 0)
    assert events[-1]["usage"]["input_tokens"] == 280
    assert {text_of(row) for row_id, row in rows.items() if row_id} == {"Hello"}
    assert sorted(request.prompt for request in peer.requests) == sorted(f"prompt {n}" for n in range(40))


def test_rows_are_answered_at_once(fennec: Fennec, serve: Serve) -> None:
    serve(slow("Hello", 0.3))
    begin = time.monotonic()
    fennec.complete(*NDJSON, "-j16", stdin=numbered(16))
    assert time.monotonic() - begin < 4.0  # one after the other: 4.8 s


def test_no_more_rows_are_under_way_than_the_provider_takes(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text("[provider.openai]\nmax_parallel = 2\n")
    peer = serve(slow("Hello", 0.2))
    result = fennec.complete(*NDJSON, "-j16", "-v", "-c", str(config), stdin=numbered(6))
    assert "2 rows at once" in result.stderr
    moments = sorted(request.at for request in peer.requests)
    assert all(later - first > 0.15 for first, later in zip(moments, moments[2:], strict=False))


def test_events_come_while_other_rows_wait(fennec: Fennec, serve: Serve) -> None:
    serve(slow("late", 0.8), answer("soon"))
    with fennec.start("complete", *NDJSON, "-j2", stdin=-1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(numbered(2))
        process.stdin.flush()  # the input stays open: rows are not waited for
        lines = [orjson.loads(process.stdout.readline()) for _ in range(6)]
        process.stdin.close()
        process.stdin = None
        finished(process)
    assert [event["type"] for event in lines].count("end") == 2
    assert lines[2]["type"] == "end"
    assert lines[1]["content"] == "soon"


def test_texts_do_not_mix(fennec: Fennec, serve: Serve) -> None:
    pieces = [send(head(), ROLE), *(step for word in "abc" for step in (send(delta(word)), sleep(0.05)))]
    serve([*pieces, send(finish())])
    result = fennec.complete("--input", "lines", "-j3", stdin="1\n2\n3\n")
    result.succeeded("abc\nabc\nabc\n")


def test_answers_keep_the_order_of_their_rows(fennec: Fennec, serve: Serve) -> None:
    serve(*[slow(f"{number}", 0.3 - 0.1 * number) for number in range(3)])
    result = fennec.complete(*NDJSON, "-j3", "--ordered", stdin=numbered(3))
    assert [event["id"] for event in read_events(result.stdout) if event["type"] == "end"] == ["r0", "r1", "r2"]


@pytest.mark.parametrize("ledger", [False, True])
def test_bad_rows_are_results_and_stop_nothing(fennec: Fennec, serve: Serve, tmp_path: Path, ledger: bool) -> None:
    peer = serve(answer("Hello"))
    big = {"id": "big", "prompt": "x" * 4 * 1024 * 1024}
    data = b'{"id":"a","prompt":"one"}\n{broken\n{"id":"a","prompt":"again"}\n{"id":"u","prompt":"\xff"}\n\n'
    data += orjson.dumps(big) + b'\n{"id":"last","prompt":"without newline"}'
    letters = tmp_path / "bad.ndjson"
    arguments = (*NDJSON, "-j4", "--dead-letter", str(letters), *(("--resume", "run.ledger") if ledger else ()))
    result = fennec.complete(*arguments, stdin=data)
    assert result.status == 16
    *said, last = result.stderr.splitlines()
    assert last == "fennec: partial_batch: 3 of 6 rows failed"
    assert sorted(line.partition(": ")[2].partition(": row ")[2].split(":")[0] for line in said) == ["2", "a", "u"]
    assert "line 4 is not UTF-8 at byte 20" in result.stderr
    assert sorted(map(len, (request.prompt for request in peer.requests))) == [3, 15, 4 * 1024 * 1024]
    events = [orjson.loads(line) for line in result.stdout.splitlines()]
    closing = [(event["id"], event.get("class")) for event in events if event["type"] in ("end", "error")]
    assert sorted(closing, key=str) == sorted(
        [("a", None), ("2", "input"), ("a", "input"), ("u", "input"), ("big", None), ("last", None)], key=str
    )
    assert events[-1]["by_class"] == {"input": 3}
    assert (events[-1]["rows"], events[-1]["failed"]) == (6, 3)
    lost = {row["id"]: row for row in map(orjson.loads, letters.read_bytes().splitlines())}
    assert set(lost) == {"2", "a", "u"}
    assert lost["2"]["raw"] == "{broken"
    assert lost["a"]["error"]["class"] == "input"
    if ledger:
        assert fennec.complete(*arguments, stdin=data).status == 16
        assert len(peer.requests) == 3


def test_no_rows_are_a_batch_of_none(fennec: Fennec) -> None:
    result = fennec.complete(*NDJSON, "-j4", stdin=b"")
    assert (result.stderr, result.status) == ("", 0)
    (summary,) = read_events(result.stdout)
    assert summary["rows"] == 0


def test_dead_letters_can_be_sent_again(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    serve(failure(400))
    letters = tmp_path / "bad.ndjson"
    rows = rows_of({"prompt": "one", "meta": {"k": 1}}, {"id": "b", "prompt": "two", "options": {"max_tokens": 3}})
    result = fennec.complete(*NDJSON, "-j2", "--dead-letter", str(letters), stdin=rows)
    assert result.status == 5  # all of them failed so
    peer = serve(answer("Hello"))
    result = fennec.complete(*NDJSON, stdin=letters.read_bytes())
    assert result.status == 0
    ends = {event["id"]: event for event in read_events(result.stdout) if event["type"] == "end"}
    assert (set(ends), ends["1"]["meta"]) == ({"1", "b"}, {"k": 1})
    assert {request.prompt: request.json.get("max_tokens") for request in peer.requests} == {"one": None, "two": 3}


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_fail_fast_begins_no_more_rows(fennec: Fennec, serve: Serve, jobs: str) -> None:
    peer = serve(failure(400), slow("Hello", 0.3))
    result = fennec.complete(*NDJSON, f"-j{jobs}", "--fail-fast", stdin=numbered(60))
    assert result.status == (5 if jobs == "1" else 16)
    assert len(peer.requests) <= (1 if jobs == "1" else 8)
    events = read_events(result.stdout)
    assert events[-1]["rows"] == len(peer.requests)


def test_too_many_failures_end_the_run(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(400))
    assert fennec.complete(*NDJSON, "--max-failures", "2", stdin=numbered(60)).status == 5
    assert len(peer.requests) == 3
    fennec.complete(*NDJSON, "--max-failures", "2", "--fail-fast", stdin=numbered(2)).failed("usage", 2)
    fennec.complete(*NDJSON, "--max-failures", "many", stdin=numbered(2)).failed("usage", 2)


def test_dead_letters_do_not_overwrite_input_or_output(fennec: Fennec) -> None:
    place = fennec.home / "rows.ndjson"
    place.write_bytes(numbered(2))
    fennec.shell("fennec complete --input ndjson --dead-letter rows.ndjson < rows.ndjson").failed("usage", 2)
    assert place.read_bytes() == numbered(2)


@pytest.mark.parametrize(
    "options",
    [
        ["--fail-fast", "--max-failures", "3"],
        ["--resume", "run.ledger"],
        ["--no-stdin"],
        ["-O", "n=2"],
    ],
)
def test_dead_letters_stay_when_the_run_cannot_begin(fennec: Fennec, options: list[str]) -> None:
    letters = fennec.home / "bad.ndjson"
    letters.write_text("yesterday's\n")
    with (fennec.home / "run.ledger").open("ab") as ledger:
        fcntl.flock(ledger, fcntl.LOCK_EX)
        fennec.complete("--input", "lines", "--dead-letter", "bad.ndjson", *options, stdin="a\n").failed("usage", 2)
    assert letters.read_text() == "yesterday's\n"


def test_shards_together_are_all_rows(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    for part in ("1/2", "2/2"):
        assert fennec.complete(*NDJSON, "-j4", "--shard", part, stdin=numbered(20)).status == 0
    assert sorted(request.prompt for request in peer.requests) == sorted(f"prompt {n}" for n in range(20))
    fennec.complete(*NDJSON, "--shard", "3/2", stdin=numbered(2)).failed("usage", 2)


def test_a_row_may_name_a_model_of_the_same_provider_only(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    peer = serve(answer("Hello"))
    config = tmp_path / "c.toml"
    config.write_text(f'[provider.other]\ntype = "openai"\nbase_url = "{peer.url}"\n')
    rows = rows_of(
        {"id": "a", "prompt": "one"},
        {"id": "b", "prompt": "two", "model": "m-2"},
        {"id": "c", "prompt": "three", "model": "other/m-3"},
        {"id": "d", "prompt": "four", "model": "openai/m-4"},
    )
    result = fennec.complete(*NDJSON, "-m", "m-1", "-c", str(config), stdin=rows)
    assert "--allow-row-model" in result.stderr
    assert {request.prompt: request.json["model"] for request in peer.requests} == {
        "one": "m-1",
        "two": "m-2",
        "four": "m-4",
    }
    result = fennec.complete(*NDJSON, "-m", "m-1", "-c", str(config), "--allow-row-model", stdin=rows)
    assert result.status == 0
    starts = {event["id"]: event for event in read_events(result.stdout) if event["type"] == "start"}
    assert [starts[row_id]["provider"] for row_id in "abcd"] == ["openai", "openai", "other", "openai"]


@pytest.mark.parametrize(
    ("model", "row_model"),
    [
        ("local/smollm2-135m", "/etc/passwd"),
        ("local/smollm2-135m", "local/./evil.gguf"),
        ("local/smollm2-135m", "evil.gguf"),
        ("openai/m-1", "local//etc/passwd"),
    ],
)
def test_a_row_opens_no_file_as_a_model(fennec: Fennec, model: str, row_model: str) -> None:
    rows = rows_of({"prompt": "one", "model": row_model})
    result = fennec.complete(*NDJSON, "--allow-row-model", "-m", model, stdin=rows)
    (error,) = [event for event in read_events(result.stdout) if event["type"] == "error"]
    assert (error["class"], error["exit"]) == ("input", 17)
    assert "its model is a file" in error["message"]


def test_what_a_row_says_lies_over_what_the_command_says(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    rows = rows_of(
        {"prompt": "one"},
        {"prompt": "two", "system": "other", "options": {"max_tokens": 5, "top_k": 2, "store": True}},
        {"messages": [{"role": "system", "content": "own"}, {"role": "user", "content": "three"}]},
    )
    command = ("-s", "common", "--max-tokens", "9", "-O", "top_k=1", "before")
    assert fennec.complete(*NDJSON, *command, stdin=rows).status == 0
    one, two, three = (request.json for request in peer.requests)
    assert [message["content"] for message in one["messages"]] == ["common", "before\n\none"]  # type: ignore[index, attr-defined]
    assert (one["max_tokens"], one["top_k"]) == (9, 1)
    assert [message["content"] for message in two["messages"]] == ["other", "before\n\ntwo"]  # type: ignore[index, attr-defined]
    assert (two["max_tokens"], two["top_k"], two.get("store")) == (5, 2, None)
    assert [message["content"] for message in three["messages"]] == ["own", "before\n\nthree"]  # type: ignore[index, attr-defined]


def test_rows_attach_files_below_their_root_only(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    root = fennec.home / "pictures"
    root.mkdir()
    (root / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (fennec.home / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    rows = rows_of(
        {"id": "in", "prompt": "see", "attachments": ["a.png"]},
        {"id": "out", "prompt": "see", "attachments": ["../secret.png"]},
    )
    result = fennec.complete(*NDJSON, "-j2", stdin=rows)
    assert (result.status, len(peer.requests)) == (17, 0)
    assert "--attach-root" in result.stderr
    result = fennec.complete(*NDJSON, "-j2", "--attach-root", "pictures", stdin=rows)
    assert (result.status, len(peer.requests)) == (16, 1)
    assert "lies outside" in result.stderr


def test_an_interrupt_closes_the_rows_that_were_begun(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"), [send(head(), ROLE, delta("begun")), stall()])
    with fennec.start("complete", *NDJSON, "-j3", stdin=-1) as process:
        assert process.stdin is not None
        process.stdin.write(numbered(3))
        process.stdin.flush()
        while len(peer.requests) < 3:
            time.sleep(0.01)
        time.sleep(0.3)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        result = finished(process)
    assert time.monotonic() - begin < 0.9
    assert result.status == -signal.SIGTERM
    rows = by_id(read_events(result.stdout))
    classes = sorted(str(row[-1].get("class")) for row in rows.values())
    assert classes == ["None", "interrupted", "interrupted"]


def under_way(port: int, state: str) -> int:
    """How many connections to a port of this machine are in a state of /proc/net/tcp: 01 made, 02 not answered yet."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum((line[2], line[3]) == (f"0100007F:{port:04X}", state) for line in lines)


@pytest.mark.parametrize(("scheme", "backlog", "state"), [("http", 0, "02"), ("https", 8, "01")], ids=["tcp", "tls"])
def test_an_interrupt_closes_the_rows_that_wait_for_a_connection(
    fennec: Fennec, scheme: str, backlog: int, state: str
) -> None:
    """The server never accepts: with a full queue it does not even answer, else it says nothing of TLS."""
    with socket.create_server(("127.0.0.1", 0), backlog=backlog) as listener, ExitStack() as stack:
        port = listener.getsockname()[1]
        if not backlog:
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        before = under_way(port, state)
        fennec.base_url = f"{scheme}://127.0.0.1:{port}/v1"
        options = (*NDJSON, "-j3", "--connect-timeout", "20s")
        process = stack.enter_context(fennec.start("complete", *options, stdin=-1))
        assert process.stdin is not None
        process.stdin.write(numbered(3))
        process.stdin.flush()
        end = time.monotonic() + 10
        while under_way(port, state) < before + 3 and time.monotonic() < end:
            time.sleep(0.02)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        result = finished(process)
    assert time.monotonic() - begin < 1.5
    assert result.status == -signal.SIGTERM
    rows = by_id(read_events(result.stdout))
    assert {name: (row[-1]["class"], row[-1]["exit"]) for name, row in rows.items()} == {
        f"r{number}": ("interrupted", 143) for number in range(3)
    }


def test_a_reader_that_leaves_ends_the_batch_quietly(fennec: Fennec, serve: Serve) -> None:
    peer = serve(slow("Hello", 0.05))
    place = fennec.home / "rows"
    place.write_bytes(numbered(400))
    result = fennec.shell(f"fennec complete {' '.join(NDJSON)} -j4 < rows | head -1; echo ${{PIPESTATUS[0]}}")
    assert result.stderr == ""
    assert result.text.splitlines()[-1] == "141"
    assert len(peer.requests) < 100


@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
@pytest.mark.parametrize("output", [(), ("-o", "out")])
def test_input_that_does_not_end_in_time_ends_the_batch_with_what_was_answered(
    fennec: Fennec, serve: Serve, jobs: str, output: tuple[str, ...]
) -> None:
    serve(answer("ok"))
    command = ("complete", *NDJSON, jobs, "--deadline", "1.5s", *output)
    with fennec.start(*command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(numbered(1))
        process.stdin.flush()
        process.wait(20)
        result = finished(process)
    assert "did not end before the deadline" in result.failed("timeout", 8, stdout=result.stdout)
    written = (fennec.home / "out").read_bytes() if output else result.stdout
    events = read_events(written)
    assert text_of(by_id(events)["r0"]) == "ok"
    assert (events[-1]["type"], events[-1]["rows"], events[-1]["ok"]) == ("summary", 1, 1)


def test_input_that_cannot_be_read_at_all_leaves_no_file(fennec: Fennec) -> None:
    with fennec.start("complete", *NDJSON, "--deadline", "500ms", "-o", "out", stdin=subprocess.PIPE) as process:
        process.wait(20)
        finished(process).failed("timeout", 8)
    assert not (fennec.home / "out").exists()
