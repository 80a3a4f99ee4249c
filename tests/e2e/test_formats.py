"""What a good answer looks like in each format and place."""

import stat
from collections.abc import Callable

import orjson
import pytest

from tests.e2e.events import read_answer, read_events, text_of
from tests.e2e.peer import (
    EVENT_STREAM,
    ROLE,
    USAGE,
    Peer,
    answer,
    body_of,
    delta,
    event,
    failure,
    finish,
    head,
    send,
    sleep,
    whole,
)
from tests.e2e.runner import CANARY, Fennec

Serve = Callable[..., Peer]
WHOLE = orjson.dumps(
    {
        "id": "c9",
        "model": "m-1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "All at once"}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 3},
    }
)


def test_text_is_the_bytes_of_the_answer_and_nothing_else(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello", " wörld", " 🌍"))
    fennec.complete(stdin="Name three colours.\n").succeeded("Hello wörld 🌍")
    (request,) = peer.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.json["stream"] is True
    assert request.prompt == "Name three colours.\n"


def test_an_answer_that_ends_with_a_newline_keeps_exactly_that(fennec: Fennec, serve: Serve) -> None:
    serve(answer("one\n", "\n"))
    fennec.complete().succeeded("one\n\n")


def test_control_characters_stay_as_they_are_in_a_pipe(fennec: Fennec, serve: Serve) -> None:
    serve(answer("\x1b[31mred\x1b[0m\r\x00\x07"))
    fennec.complete().succeeded("\x1b[31mred\x1b[0m\r\x00\x07")


def test_ndjson_is_start_chunks_and_end(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello", " there"))
    result = fennec.complete("--ndjson", "-m", "m-0")
    assert (result.stderr, result.status) == ("", 0)
    events = read_events(result.stdout)
    assert [each["type"] for each in events] == ["start", "chunk", "chunk", "end"]
    assert text_of(events) == "Hello there"
    start, end = events[0], events[-1]
    assert (start["provider"], start["cache"], len(start["fingerprint"])) == ("openai", "off", 64)
    assert (end["finish_reason"], end["ok"], end["exit"]) == ("stop", True, 0)
    assert (end["usage"]["input_tokens"], end["usage"]["output_tokens"], end["usage"]["estimated"]) == (7, 3, False)
    assert (end["metadata"]["model"], end["metadata"]["response_id"]) == ("m-1", "c1")
    assert end["metadata"]["attempts"] == 1
    assert 0 <= end["metadata"]["ttft_s"] <= end["metadata"]["total_s"]


def test_ndjson_writes_each_piece_when_it_comes(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), ROLE, delta("first")), sleep(0.6), send(finish())])
    events = read_events(fennec.complete("--ndjson").stdout)
    first, end = events[1], events[-1]
    assert end["t"] - first["t"] > 0.4


def test_json_is_one_object(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello", " there"))
    result = fennec.complete("--json")
    assert (result.stderr, result.status) == ("", 0)
    document = read_answer(result.stdout)
    assert (document["type"], document["content"], document["ok"]) == ("end", "Hello there", True)


def test_json_reports_a_failure_as_an_object_too(fennec: Fennec, serve: Serve) -> None:
    serve(failure(404, "no such model", code="model_not_found"))
    result = fennec.complete("--json")
    document = read_answer(result.stdout)
    assert (document["type"], document["class"], document["exit"], document["status"]) == ("error", "request", 5, 404)
    assert result.failed("request", 5, stdout=result.stdout)


def test_ndjson_and_json_exclude_each_other(fennec: Fennec) -> None:
    fennec.complete("--ndjson", "--json").failed("usage", 2)


def test_output_file_is_whole_and_alone(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello", " there"))
    place = fennec.home / "out"
    place.mkdir()
    fennec.complete("-o", "out/answer.txt").succeeded("")
    assert [path.name for path in place.iterdir()] == ["answer.txt"]
    assert (place / "answer.txt").read_bytes() == b"Hello there"
    assert stat.S_IMODE((place / "answer.txt").stat().st_mode) == 0o644


def test_output_file_takes_its_mode_from_the_umask(fennec: Fennec, serve: Serve) -> None:
    serve(answer("secret"))
    fennec.shell("umask 077; fennec complete -o answer.txt hi").succeeded("")
    assert stat.S_IMODE((fennec.home / "answer.txt").stat().st_mode) == 0o600


def test_output_file_replaces_an_older_one(fennec: Fennec, serve: Serve) -> None:
    serve(answer("new"))
    (fennec.home / "answer.txt").write_text("a much older answer")
    fennec.complete("-o", "answer.txt").succeeded("")
    assert (fennec.home / "answer.txt").read_text() == "new"


def test_output_through_a_link_keeps_the_link(fennec: Fennec, serve: Serve) -> None:
    serve(answer("new"))
    (fennec.home / "answer.txt").write_text("old")
    (fennec.home / "link").symlink_to("answer.txt")
    fennec.complete("-o", "link").succeeded("")
    assert (fennec.home / "link").is_symlink()
    assert (fennec.home / "answer.txt").read_text() == "new"


def test_output_to_a_device_is_written_into_it_and_never_replaces_it(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    (fennec.home / "out").symlink_to("/dev/fd/1")
    fennec.complete("-o", "out").succeeded("Hello")
    assert (fennec.home / "out").is_symlink()


def test_output_to_a_named_pipe_is_written_into_it(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec.shell("mkfifo p; cat p & (fennec complete -o p hi); wait").succeeded("Hello")
    assert (fennec.home / "p").is_fifo()


def test_extract_gives_the_first_fenced_block(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Sure:\n```sh\nls", " -l\n```\nDone.\n```\nno\n```"))
    fennec.complete("-x").succeeded("ls -l\n")


@pytest.mark.parametrize("option", ["--atomic", "--extract"])
def test_a_held_answer_that_breaks_shows_nothing_and_may_be_repeated(fennec: Fennec, serve: Serve, option: str) -> None:
    good = "```\nok\n```"
    peer = serve([send(head(), body_of(good)[:-250])], answer(good))
    fennec.env["FENNEC_RETRIES"] = "1"
    fennec.complete(option).succeeded(good if option == "--atomic" else "ok\n")
    assert len(peer.requests) == 2


def test_no_stream_asks_for_one_piece(fennec: Fennec, serve: Serve) -> None:
    peer = serve(whole(200, WHOLE))
    fennec.complete("--no-stream").succeeded("All at once")
    assert "stream" not in peer.requests[0].json
    assert peer.requests[0].headers["accept"] == "application/json"


def test_a_server_that_does_not_stream_although_asked_is_understood(fennec: Fennec, serve: Serve) -> None:
    serve(whole(200, WHOLE, "application/json; charset=utf-8"))
    fennec.complete().succeeded("All at once")


def test_a_missing_content_type_is_taken_for_a_stream(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(200, None), body_of("ok"))])
    fennec.complete().succeeded("ok")


def test_usage_is_one_line_on_stderr(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    result = fennec.complete("-u")
    assert (result.stdout, result.status) == (b"Hello", 0)
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("fennec: usage: 7 tokens in, 3 tokens out, ")


def test_the_speed_is_the_streams_also_when_the_answer_is_held(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), ROLE, delta("a")), sleep(0.5), send(delta("b"), finish(), USAGE)])
    result = fennec.complete("-u", "--json")
    metadata = orjson.loads(result.stdout)["metadata"]
    assert metadata["total_s"] - metadata["ttft_s"] > 0.4
    speed = float(result.stderr.rpartition(", ")[2].removesuffix(" tokens/s\n"))
    assert 0 < speed < 5
    serve(whole(200, WHOLE))
    assert "tokens/s" not in fennec.complete("-u", "--no-stream").stderr


def test_usage_is_said_of_an_answer_that_was_cut(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello", reason="length"))
    result = fennec.complete("-u")
    first, second = result.stderr.splitlines()
    assert first.startswith("fennec: truncated: ")
    assert second.startswith("fennec: usage: 7 tokens in, 3 tokens out, ")
    assert result.status == 10
    serve(failure(400))
    assert "usage: 0" not in fennec.complete("-u").stderr


def test_usage_knows_the_cost_where_the_configuration_has_prices(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    (fennec.home / "c.toml").write_text('[provider.openai.prices."m-0"]\ninput = 1.0\noutput = 2.0\n')
    assert "$0.000013" in fennec.complete("-u", "-m", "m-0", "-c", "c.toml").stderr


def test_verbose_says_which_provider_and_why(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    result = fennec.complete("-v", "-m", "m-0")
    assert (result.stdout, result.status) == (b"Hello", 0)
    assert result.stderr == "fennec: using openai (its key is present), model m-0\n"


def test_very_verbose_shows_the_exchange_without_the_key(fennec: Fennec, serve: Serve) -> None:
    (fennec.home / "c.toml").write_text(
        '[provider.openai]\nheaders = { "X-Team" = "teamcanary", "X-Title" = "cron" }\n'
    )
    peer = serve(answer("Hello"))
    result = fennec.complete("-vvv", "-c", "c.toml", stdin="promptcanary")  # the runner looks for the key in all output
    sent = peer.requests[0]
    (out,) = [line for line in result.stderr.splitlines() if line.startswith("fennec: > ")]
    (back,) = [line for line in result.stderr.splitlines() if line.startswith("fennec: < ")]
    assert out.startswith(f"fennec: > POST {peer.url}/chat/completions ({len(sent.body)} bytes) | ")
    shown = dict(part.split(": ", 1) for part in out.split(" | ")[1:])
    assert shown["authorization"] == shown["x-team"] == "***"
    assert (shown["content-type"], shown["x-title"]) == ("application/json", "cron")
    assert back.startswith("fennec: < 200 | ")
    assert f"content-type: {EVENT_STREAM}" in back
    assert "teamcanary" not in result.stderr
    assert "promptcanary" not in result.stderr


def test_very_verbose_masks_what_an_answer_sets(fennec: Fennec, serve: Serve) -> None:
    bad = failure(400, "bad", "set-cookie: session=cookiecanary", "x-request-id: req-7")
    serve(bad, bad)
    said = fennec.complete("-vvv").stderr
    assert "| set-cookie: ***" in said
    assert "| x-request-id: req-7" in said
    assert "cookiecanary" not in said
    quiet = fennec.complete("-vv").stderr
    assert "x-request-id" not in quiet


def test_quiet_says_nothing_but_errors(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"), failure(400, "bad"))
    fennec.complete("-q", "-v").succeeded("Hello")
    fennec.complete("-q").failed("request", 5)


def test_log_file_gets_what_is_said_and_keeps_what_it_had(fennec: Fennec, serve: Serve) -> None:
    serve(failure(400, "bad thing"))
    log = fennec.home / "log"
    log.write_text("older\n")
    fennec.complete("--log-file", "log").failed("request", 5)
    lines = log.read_text().splitlines()
    assert lines[0] == "older"
    assert any(" error request: openai: bad thing (400)" in line for line in lines[1:])
    assert CANARY not in log.read_text()


@pytest.mark.parametrize(
    ("level", "logged"),
    [("debug", {"debug", "info", "error"}), ("info", {"info", "error"}), ("warning", {"error"}), ("error", {"error"})],
)
def test_the_log_file_gets_nothing_less_serious_than_its_level(
    fennec: Fennec, serve: Serve, level: str, logged: set[str]
) -> None:
    serve(failure(400, "bad thing"))
    (fennec.home / "log.toml").write_text(f"[log]\nfile = '{fennec.home}/log'\nlevel = '{level}'\n")
    fennec.complete("-c", "log.toml").failed("request", 5)
    assert {line.split()[2] for line in (fennec.home / "log").read_text().splitlines()} == logged


def test_a_log_file_that_cannot_be_opened_is_an_output_error(fennec: Fennec) -> None:
    fennec.complete("--log-file", "no/such/place").failed("output", 18)


def test_dry_run_prints_the_request_and_sends_nothing(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("never"))
    result = fennec.complete("-n", "-m", "m-0", "-s", "Be brief", "--max-tokens", "9", stdin="Hi there")
    assert (result.stderr, result.status, peer.requests) == ("", 0, [])
    preview = orjson.loads(result.stdout)
    assert preview["url"] == f"{peer.url}/chat/completions"
    assert preview["headers"]["authorization"] == "Bearer ***"
    assert [message["content"] for message in preview["body"]["messages"]] == ["Be brief", "Hi there"]
    assert preview["estimate"] == {"input_tokens": 4, "max_output_tokens": 9, "cost_usd": None}


def test_dry_run_needs_no_server(fennec: Fennec) -> None:
    assert fennec.complete("-n").status == 0


def test_reasoning_is_hidden_unless_asked_for(fennec: Fennec, serve: Serve) -> None:
    thought = event({"choices": [{"index": 0, "delta": {"reasoning_content": "hmm"}}]})
    serve([send(head(), thought, body_of("ok"))])
    fennec.complete().succeeded("ok")
    shown = fennec.complete("--reasoning")
    assert (shown.stdout, shown.stderr.strip(), shown.status) == (b"ok", "hmm", 0)
    events = read_events(fennec.complete("--reasoning", "--ndjson").stdout)
    assert [each["reasoning"] for each in events if "reasoning" in each] == ["hmm"]
