"""Where a prompt comes from, and what is refused before anything is sent."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.e2e.events import read_events
from tests.e2e.peer import Peer, answer, failure
from tests.e2e.runner import Fennec, finished

Serve = Callable[..., Peer]


def prompts(peer: Peer) -> list[str]:
    return [request.prompt for request in peer.requests]


def test_argument_and_stdin_are_joined_by_a_blank_line(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    fennec.complete("Translate:", stdin="bonjour\n").succeeded("ok")
    assert prompts(peer) == ["Translate:\n\nbonjour\n"]


def test_an_argument_alone_is_enough(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    fennec.complete("Hi", stdin="").succeeded("ok")
    assert prompts(peer) == ["Hi"]


def test_files_stand_before_the_prompt_in_their_order(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    (fennec.home / "a").write_text("AAA")
    (fennec.home / "b").write_text("BBB")
    fennec.complete("-f", "b", "-f", "a", stdin="Sum up").succeeded("ok")
    assert prompts(peer) == ["BBB\n\nAAA\n\nSum up"]


def test_no_stdin_leaves_standard_input_to_the_next_reader(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    result = fennec.shell("(fennec complete --no-stdin Hi); cat", stdin=b"untouched")
    result.succeeded("okuntouched")
    assert prompts(peer) == ["Hi"]


def test_system_prompt_as_text_and_from_a_file(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    (fennec.home / "system.txt").write_text("From a file")
    fennec.complete("-s", "As text").succeeded("ok")
    fennec.complete("-s", "@system.txt").succeeded("ok")
    assert [request.json["messages"] for request in peer.requests] == [
        [{"role": "system", "content": text}, {"role": "user", "content": "hi"}] for text in ("As text", "From a file")
    ]


@pytest.mark.parametrize("arguments", [("-f", "nowhere"), ("-s", "@nowhere")])
def test_a_named_file_that_cannot_be_read_is_an_input_error(fennec: Fennec, arguments: tuple[str, ...]) -> None:
    assert "cannot read nowhere" in fennec.complete(*arguments).failed("input", 17)


@pytest.mark.parametrize("stdin", ["", " \n\t\n", None])
def test_an_empty_prompt_is_an_input_error(fennec: Fennec, stdin: str | None) -> None:
    fennec.complete(stdin=stdin).failed("input", 17)


def test_a_nul_is_an_input_error_with_its_place(fennec: Fennec) -> None:
    assert "NUL at byte 2" in fennec.complete(stdin=b"ab\0c").failed("input", 17)


def test_bytes_that_are_not_utf8_are_an_input_error_with_their_place(fennec: Fennec) -> None:
    assert "not UTF-8 at byte 3" in fennec.complete(stdin=b"abc\xff").failed("input", 17)


def test_encoding_errors_replace_lets_them_pass(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    fennec.complete("--encoding-errors", "replace", stdin=b"abc\xff").succeeded("ok")
    assert prompts(peer) == ["abc\ufffd"]


@pytest.mark.parametrize("arguments", [["{}"], ["-s", "{}"], ["--stop", "{}"], ["-m", "{}"], ["-O", "user={}"]])
def test_an_argument_that_is_not_utf8_is_refused_in_one_line(fennec: Fennec, arguments: list[str]) -> None:
    broken = os.fsdecode(b"\xff")
    result = fennec.complete(*(argument.format(broken) for argument in arguments))
    result.failed("input", 17)


def test_five_mebibytes_arrive_whole(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    text = "0123456789abcde\n" * (5 * 65536)
    fennec.complete(stdin=text).succeeded("ok")
    assert prompts(peer) == [text]


def test_lines_are_one_prompt_each_with_the_argument_before_it(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("one"), answer("two\n"), answer("three"))
    fennec.complete("--input", "lines", "Q:", stdin="a\nb\r\nc").succeeded("one\ntwo\nthree\n")
    assert prompts(peer) == ["Q:\n\na", "Q:\n\nb", "Q:\n\nc"]


@pytest.mark.parametrize("arguments", [("-0",), ("--input", "nul")])
def test_nul_separated_prompts_may_have_newlines(fennec: Fennec, serve: Serve, arguments: tuple[str, ...]) -> None:
    peer = serve(answer("one\n"), answer("two"))
    fennec.complete(*arguments, stdin=b"a\nb\0c\0").succeeded(b"one\n\0two\0")
    assert prompts(peer) == ["a\nb", "c"]


def test_lines_as_ndjson_have_an_id_each_and_a_summary(fennec: Fennec, serve: Serve) -> None:
    serve(answer("one"), answer("two"))
    events = read_events(fennec.complete("--input", "lines", "--ndjson", stdin="a\nb\n").stdout)
    assert [each["id"] for each in events if each["type"] == "end"] == ["1", "2"]
    summary = events[-1]
    assert (summary["type"], summary["id"], summary["rows"], summary["ok"], summary["failed"]) == (
        ("summary", None, 2, 2, 0)
    )
    assert summary["usage"]["input_tokens"] == 14


def test_lines_as_json_are_one_object_each(fennec: Fennec, serve: Serve) -> None:
    serve(answer("one"), answer("two"))
    result = fennec.complete("--input", "lines", "--json", stdin="a\nb\n")
    assert [(each["id"], each["content"]) for each in map(orjson.loads, result.stdout.splitlines())] == [
        ("1", "one"),
        ("2", "two"),
    ]


def test_a_failed_row_stops_nothing_and_is_named(fennec: Fennec, serve: Serve) -> None:
    serve(answer("one"), failure(400, "too odd"), answer("three"))
    result = fennec.complete("--input", "lines", stdin="a\nb\nc\n")
    assert (result.stdout, result.status) == (b"one\n\nthree\n", 16)
    first, last = result.stderr.splitlines()
    assert first == "fennec: request: row 2: openai: too odd (400)"
    assert last.startswith("fennec: partial_batch: 1 of 3 rows failed")


def test_rows_that_all_fail_alike_give_their_own_class(fennec: Fennec, serve: Serve) -> None:
    serve(failure(400, "no"))
    result = fennec.complete("--input", "lines", stdin="a\nb\n")
    assert (result.stdout, result.status) == (b"\n\n", 5)


def test_a_line_that_cannot_be_sent_is_a_failed_row(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    result = fennec.complete("--input", "lines", "--ndjson", stdin=b"a\n\xff\n\nd\n")
    events = read_events(result.stdout)
    assert result.status == 16
    assert [(each["id"], each["class"]) for each in events if each["type"] == "error"] == [
        ("2", "input"),
        ("3", "input"),
    ]
    assert prompts(peer) == ["a", "d"]


def test_stdin_that_never_ends_meets_the_deadline(fennec: Fennec) -> None:
    with fennec.start("complete", "--deadline", "0.6", stdin=subprocess.PIPE) as process:
        process.wait(5)
        assert "standard input did not end" in finished(process).failed("timeout", 8)


def test_rows_are_sent_while_the_writer_is_still_busy(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    serve(answer("one"), answer("two"))
    script = f"(echo a; until [ -s {tmp_path}/out ]; do sleep 0.05; done; echo b) | fennec complete --input lines"
    fennec.shell(f"set -o pipefail; {script} | tee {tmp_path}/out").succeeded("one\ntwo\n")


def test_the_files_stand_before_the_argument_too(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    (fennec.home / "a").write_text("AAA")
    fennec.complete("-f", "a", "Sum up", stdin="BBB").succeeded("ok")
    assert prompts(peer) == ["AAA\n\nSum up\n\nBBB"]


def test_a_prompt_that_cannot_be_read_is_an_event_too(fennec: Fennec) -> None:
    result = fennec.complete("--ndjson", stdin=" \n")
    assert result.status == 17
    (event,) = read_events(result.stdout)
    assert (event["type"], event["id"], event["class"], event["exit"]) == ("error", "1", "input", 17)
