"""Batches that end before their end, and are taken up again: nothing lost, nothing twice, nothing paid twice."""

import math
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import orjson
import pytest

from tests.conftest import soak
from tests.e2e.events import read_events
from tests.e2e.peer import Peer, answer, body_of, failure
from tests.e2e.runner import Fennec, finished
from tests.e2e.test_batch import numbered, rows_of, slow

Serve = Callable[..., Peer]
BATCH = ("--input", "ndjson", "--ndjson", "--resume", "run.ledger")
JOBS = 16


class Asked:
    """A server that answers at once, no more often than is `allowed`, and remembers what it was asked."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.allowed = math.inf
        self.answered = 0
        self._turn = threading.Condition()
        asked, may_answer = self.prompts, self._may_answer
        body = body_of("Hello", " there")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body)

        class Handler(StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                while self.rfile.readline():
                    length = 0
                    while (line := self.rfile.readline()) not in (b"\r\n", b""):
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    asked.append(orjson.loads(self.rfile.read(length))["messages"][-1]["content"])
                    may_answer()
                    self.wfile.write(head + body)

            def finish(self) -> None: ...

        class Server(ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 64
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def allow(self, more: float) -> None:
        with self._turn:
            self.allowed = self.answered + more
            self._turn.notify_all()

    def _may_answer(self) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self.answered < self.allowed)
            self.answered += 1

    def close(self) -> None:
        self.allow(math.inf)
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def asked(fennec: Fennec) -> Iterator[Asked]:
    server = Asked()
    fennec.base_url = server.url
    try:
        yield server
    finally:
        server.close()


@contextmanager
def running(fennec: Fennec, out: Path, mode: str, *more: str) -> Iterator["subprocess.Popen[bytes]"]:
    with out.open(mode) as stdout, (fennec.home / "rows").open("rb") as stdin:
        process = fennec.start("complete", *BATCH, f"-j{JOBS}", *more, stdin=stdin, stdout=stdout)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def finished_ids(out: Path) -> list[str]:
    return [event["id"] for event in read_events(out.read_bytes()) if event["type"] == "end"]


@pytest.mark.soak
@pytest.mark.parametrize("place", ["append", "output"])
def test_batch_kill9(fennec: Fennec, asked: Asked, place: str, record_property: Callable[[str, object], None]) -> None:
    """kill -9 at random moments, and go on: 0 lost, 0 twice, sent again at most what was under way."""
    count, kills = soak(200, 2000), soak(3, 100)
    (fennec.home / "rows").write_bytes(numbered(count))
    out, rng = fennec.home / "out.ndjson", random.Random(kills)
    more = ("-o", str(out)) if place == "output" else ()
    target = fennec.home / "nothing" if more else out
    for turn in range(kills):
        asked.allow(rng.randrange(max(1, 2 * (count - asked.answered) // (kills - turn + 1))))
        with running(fennec, target, "ab", *more) as process:
            anywhere = turn % 4 == 0  # before the first row is sent, too
            while not anywhere and asked.answered < asked.allowed and process.poll() is None:
                time.sleep(0.0005)
            time.sleep(rng.random() * (0.3 if anywhere else 0.01))
            assert process.poll() is None
            process.kill()
    asked.allow(math.inf)
    with running(fennec, target, "ab", *more) as process:
        result = finished(process)  # it does not wait for the slots of those that were killed
    assert (result.stderr, result.status) == ("", 0)
    again = Counter(asked.prompts)
    assert sorted(finished_ids(out)) == sorted(f"r{number}" for number in range(count))
    assert set(again) == {f"prompt {number}" for number in range(count)}
    assert sum(again.values()) - count <= kills * JOBS
    summary = read_events(out.read_bytes())[-1]
    assert (summary["type"], summary["rows"], summary["ok"]) == ("summary", count, count)
    record_property("rows", count)
    record_property("kills", kills)
    record_property("lost or twice", 0)
    record_property("sent again", sum(again.values()) - count)
    record_property("most under way at the kills", kills * JOBS)


@pytest.mark.parametrize("cache", ["off", "use"])
def test_what_a_batch_has_shown_and_sent_is_on_record_when_it_is_killed(
    fennec: Fennec, asked: Asked, cache: str
) -> None:
    (fennec.home / "rows").write_bytes(rows_of(*({"prompt": f"prompt {number % 5}"} for number in range(3000))))
    arguments = ("--input", "ndjson", "--ndjson", f"-j{JOBS}", "--cache", cache)
    out = fennec.home / "out.ndjson"
    with out.open("wb") as stdout, (fennec.home / "rows").open("rb") as stdin:
        process = fennec.start("complete", *arguments, stdin=stdin, stdout=stdout)
        while out.read_bytes().count(b'"type":"end"') < 100:
            time.sleep(0.001)
        process.kill()
        process.communicate()
    log = (fennec.home / ".local/state/fennec/audit/audit.jsonl").read_bytes()
    assert out.read_bytes().count(b'"type":"end"') <= log.count(b'"event":"response"')
    assert len(asked.prompts) <= log.count(b'"event":"request"')


def test_a_second_run_sends_nothing_again(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    first = fennec.shell(f"fennec complete {' '.join(BATCH)} -j4 >> out.ndjson", stdin=numbered(9))
    assert (first.stderr, first.status) == ("", 0)
    before = (fennec.home / "out.ndjson").read_bytes()
    assert fennec.shell(f"fennec complete {' '.join(BATCH)} -j4 >> out.ndjson", stdin=numbered(9)).status == 0
    after = read_events((fennec.home / "out.ndjson").read_bytes())
    assert after[:-1] == read_events(before)[:-1]
    assert (after[-1]["rows"], after[-1]["ok"], after[-1]["resumed"]) == (9, 9, 9)
    assert len(peer.requests) == 9


def test_a_file_that_was_emptied_gets_all_results_again(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    for _ in range(2):
        result = fennec.shell(f"fennec complete {' '.join(BATCH)} -j4 > out.ndjson", stdin=numbered(5))
        assert result.status == 0
        assert sorted(finished_ids(fennec.home / "out.ndjson")) == [f"r{number}" for number in range(5)]
    assert len(peer.requests) == 5


def test_a_row_that_failed_is_sent_again_and_stands_once(fennec: Fennec, serve: Serve) -> None:
    serve(failure(400), answer("Hello"))
    first = fennec.shell(f"fennec complete {' '.join(BATCH)} >> out.ndjson", stdin=numbered(3))
    assert first.status == 16
    events = read_events((fennec.home / "out.ndjson").read_bytes())
    assert [event["type"] for event in events[-2:]] == ["error", "summary"]
    assert fennec.shell(f"fennec complete {' '.join(BATCH)} >> out.ndjson", stdin=numbered(3)).status == 0
    assert sorted(finished_ids(fennec.home / "out.ndjson")) == ["r0", "r1", "r2"]
    assert "error" not in [event["type"] for event in read_events((fennec.home / "out.ndjson").read_bytes())]


def test_a_row_that_changed_is_sent_anew(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    fennec.complete(*BATCH, stdin=rows_of({"id": "a", "prompt": "one", "meta": 1}, {"id": "b", "prompt": "two"}))
    again = b'{"meta": 1, "prompt":"one",  "id":"a"}\n{"id":"b","prompt":"changed"}\n'
    result = fennec.complete(*BATCH, stdin=again)
    assert "row b: it is not the row that the ledger has an answer to" in result.stderr
    assert [request.prompt for request in peer.requests] == ["one", "two", "changed"]


@pytest.mark.usefixtures("asked")
def test_in_a_pipe_nothing_is_written_twice_without_saying_so(fennec: Fennec) -> None:
    (fennec.home / "rows").write_bytes(numbered(60))
    seen: list[bytes] = []
    with (fennec.home / "rows").open("rb") as stdin:
        process = fennec.start("complete", *BATCH, "-j4", stdin=stdin)
        assert process.stdout is not None
        seen = [process.stdout.readline() for _ in range(20)]
        process.kill()
        seen += process.stdout.read().splitlines(keepends=True)
        process.communicate()
    result = fennec.complete(*BATCH, "-j4", stdin=numbered(60))
    assert result.status == 0
    first = [orjson.loads(line)["id"] for line in seen if b'"type":"end"' in line]
    events = [orjson.loads(line) for line in result.stdout.splitlines()]
    second = [event["id"] for event in events if event["type"] == "end" and not event.get("replayed")]
    repeated = [event["id"] for event in events if event["type"] == "end" and event.get("replayed")]
    assert len(first + second) == len(set(first + second))
    assert set(first + second + repeated) == {f"r{number}" for number in range(60)}


def test_an_interrupted_run_keeps_what_was_answered(fennec: Fennec, asked: Asked) -> None:
    (fennec.home / "rows").write_bytes(numbered(400))
    out = fennec.home / "out.ndjson"
    with running(fennec, out, "ab") as process:
        while len(asked.prompts) < 60:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        result = finished(process)
    assert result.status == -signal.SIGINT
    with running(fennec, out, "ab") as process:
        assert finished(process).status == 0
    assert len(asked.prompts) - 400 <= JOBS
    assert sorted(finished_ids(out)) == sorted(f"r{number}" for number in range(400))


def test_what_was_answered_when_the_reader_left_is_kept(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x" * 200_000), slow("late", 0.5), slow("late", 0.5), answer("again"))  # one fills the pipe
    with fennec.start("complete", *BATCH, "-j3", stdin=-1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(numbered(3))
        process.stdin.close()
        process.stdin = None
        process.stdout.read(1)
        time.sleep(1)
        process.stdout.close()
        assert process.wait(10) == -signal.SIGPIPE
    result = fennec.complete(*BATCH, "-j3", stdin=numbered(3))
    assert (result.status, len(peer.requests)) == (0, 3)
    assert sorted(event["id"] for event in map(orjson.loads, result.stdout.splitlines()) if event["type"] == "end") == [
        "r0",
        "r1",
        "r2",
    ]


def test_a_row_that_is_nested_deeper_than_we_write_is_resumed_too(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    row = b'{"id":"a","prompt":"p","meta":' + b"[" * 300 + b"]" * 300 + b"}\n"
    for _ in range(2):
        assert fennec.complete(*BATCH, stdin=row).status == 0
    assert len(peer.requests) == 1


def test_lines_can_be_resumed_too(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("one"), answer("two"), answer("three"))
    command = "fennec complete --input lines --resume run.ledger >> out"
    assert fennec.shell(command, stdin=b"a\nb\n").status == 0
    assert fennec.shell(command, stdin=b"a\nb\nc\n").status == 0
    assert (fennec.home / "out").read_text() == "one\ntwo\nthree\n"
    assert len(peer.requests) == 3


def test_a_single_prompt_has_no_ledger(fennec: Fennec) -> None:
    fennec.complete("--resume", "run.ledger").failed("usage", 2)
