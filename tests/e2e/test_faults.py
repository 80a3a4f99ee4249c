"""Servers that misbehave: each fault has its class, its one line, and never a success."""

import gzip
import time
from collections.abc import Callable

import orjson
import pytest
from pytest_httpserver import HTTPServer

from tests.e2e.events import read_events, text_of
from tests.e2e.peer import (
    CHUNKED_HEAD,
    DONE,
    LAST_CHUNK,
    ROLE,
    Peer,
    Script,
    answer,
    body_of,
    chunk,
    delta,
    event,
    failure,
    finish,
    head,
    reset,
    send,
    send_each,
    sleep,
    stall,
    whole,
)
from tests.e2e.runner import Fennec, Result

Serve = Callable[..., Peer]
HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
CONTENT = delta("Partial")
ERROR_EVENT = event({"error": {"message": "boom", "type": "server_error", "code": None}})


def once(fennec: Fennec, *arguments: str) -> Result:
    return fennec.complete("--retries", "0", *arguments)


@pytest.mark.parametrize(
    ("status", "error_class", "exit_status"),
    [
        (400, "request", 5),
        (401, "auth", 4),
        (402, "rate_limit", 6),
        (403, "auth", 4),
        (404, "request", 5),
        (405, "request", 5),
        (407, "auth", 4),
        (408, "unavailable", 7),
        (409, "unavailable", 7),
        (413, "request", 5),
        (418, "request", 5),
        (422, "request", 5),
        (429, "rate_limit", 6),
        (500, "unavailable", 7),
        (501, "unavailable", 7),
        (502, "unavailable", 7),
        (503, "unavailable", 7),
        (504, "unavailable", 7),
        (529, "unavailable", 7),
        (599, "unavailable", 7),
    ],
)
def test_a_status_without_more_has_its_class(
    fennec: Fennec, httpserver: HTTPServer, status: int, error_class: str, exit_status: int
) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data(b"", status)
    fennec.base_url = httpserver.url_for("/v1")
    assert f"({status})" in once(fennec).failed(error_class, exit_status)


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_a_request_that_the_filter_refuses_is_filtered(fennec: Fennec, serve: Serve, code: str) -> None:
    serve(failure(400, "refused", code=code))
    once(fennec).failed("filtered", 11)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(fennec: Fennec, serve: Serve, status: int) -> None:
    peer = serve(whole(status, b"", None, "location: https://elsewhere.invalid/v1"))
    assert "elsewhere.invalid" in fennec.complete().failed("config", 3)
    assert len(peer.requests) == 1


UNUSABLE: dict[str, Script] = {
    "HTML with status 200": whole(200, HTML, "text/html"),
    "HTML with status 502": whole(502, HTML, "text/html"),
    "an empty body": whole(200, b"", "text/event-stream"),
    "an empty JSON body": whole(200, b""),
    "another content type": whole(200, b"hello", "text/plain"),
    "JSON that is not an object": whole(200, b"[1]"),
    "an object without choices": whole(200, b"{}"),
    "choices of another shape": whole(200, b'{"choices": {"a": 1}}'),
    "an error object with status 200": whole(200, b'{"error": {"message": "busy", "code": 503}}'),
    "only the end marker": [send(head(), DONE)],
    "only a comment": [send(head(), b": hello\n\n")],
    "a role and no more": [send(head(), ROLE, DONE)],
    "an error event before content": [send(head(), ROLE, ERROR_EVENT)],
    "invalid UTF-8": [send(head(), ROLE, b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n')],
    "invalid JSON": [send(head(), ROLE, b"data: {oops\n\n")],
    "a half surrogate": [send(head(), b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n')],
    "text that is a number": [send(head(), event({"choices": [{"delta": {"content": 1}}]}))],
    "deep nesting": [send(head(), b"data: " + b"[" * 100_000 + b"\n\n")],
    "not HTTP": [send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")],
    "a head that is cut": [send(b"HTTP/1.1 200 OK\r\ncontent-ty")],
    "a body shorter than announced": [send(head(length=10_000), ROLE)],
    "a chunk that is cut": [send(CHUNKED_HEAD, chunk(ROLE), b"ff\r\nhalf")],
    "a chunk size that is none": [send(CHUNKED_HEAD, b"zz\r\n")],
    "an endless header": [send(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000)],
    "a reset before the head": [reset()],
    "a reset after the head": [send(head(), ROLE), sleep(0.05), reset()],
    "an unknown encoding": [send(head(200, "text/event-stream", "content-encoding: br"), b"\x1b\x03")],
    "gzip that is none": [send(head(200, "text/event-stream", "content-encoding: gzip"), b"plain")],
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_an_answer_that_cannot_be_used_is_unavailable(fennec: Fennec, serve: Serve, fault: str) -> None:
    serve(UNUSABLE[fault])
    once(fennec).failed("unavailable", 7)


def test_html_with_status_404_is_a_request_error_that_shows_the_title(fennec: Fennec, serve: Serve) -> None:
    serve(whole(404, HTML, "text/html"))
    assert "502 Bad Gateway" in once(fennec).failed("request", 5)


def test_an_error_text_that_is_not_utf8_or_very_long_is_still_one_line(fennec: Fennec, serve: Serve) -> None:
    serve(whole(500, b"\xff\xfe" * 600_000, "text/plain"))
    assert len(once(fennec).failed("unavailable", 7)) < 500


def test_an_error_text_cannot_break_the_line_or_drive_the_terminal(fennec: Fennec, serve: Serve) -> None:
    serve(failure(400, "one\ntwo\r\x1b[2Jthree"))
    line = once(fennec).failed("request", 5)
    assert "\x1b" not in line


def test_an_error_text_that_repeats_the_key_does_not_show_it(fennec: Fennec, serve: Serve) -> None:
    from tests.e2e.runner import CANARY

    serve(failure(401, f"Incorrect API key provided: {CANARY}", code="invalid_api_key"))
    once(fennec, "--ndjson")  # the runner looks for the key in all output


BROKEN: dict[str, list[bytes]] = {
    "an end without a reason": [],
    "an end marker without a reason": [DONE],
    "a reason behind the end marker": [DONE, delta("more"), finish("stop")],
    "an error event": [ERROR_EVENT],
    "invalid UTF-8": [b"data: \xff\n\n"],
    "invalid JSON": [b"data: {oops\n\n"],
    "half an event": [delta("more")[:-1]],
}


@pytest.mark.parametrize("fault", BROKEN)
def test_an_answer_that_breaks_off_keeps_what_came(fennec: Fennec, serve: Serve, fault: str) -> None:
    serve([send(head(), ROLE, CONTENT, *BROKEN[fault])])
    fennec.complete().failed("stream_broken", 9, stdout=b"Partial")


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_connection_that_ends_in_the_middle_keeps_what_came(fennec: Fennec, serve: Serve, fault: str) -> None:
    ending = [reset()] if fault == "reset" else []
    peer = serve([send(CHUNKED_HEAD, chunk(ROLE + CONTENT)), sleep(0.3), *ending])
    result = fennec.complete("--ndjson")
    events = read_events(result.stdout)
    result.failed("stream_broken", 9, stdout=result.stdout)
    assert text_of(events) == "Partial"
    assert (events[-1]["class"], events[-1]["partial"]) == ("stream_broken", True)
    assert len(peer.requests) == 1


def test_a_broken_answer_leaves_no_file(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), ROLE, CONTENT)])
    (fennec.home / "place").mkdir()
    once(fennec, "-o", "place/answer").failed("unavailable", 7)
    assert list((fennec.home / "place").iterdir()) == []


def test_a_broken_answer_leaves_an_older_file_alone(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), ROLE, CONTENT)])
    (fennec.home / "answer").write_text("older")
    once(fennec, "-o", "answer").failed("unavailable", 7)
    assert (fennec.home / "answer").read_text() == "older"


@pytest.mark.parametrize("ending", ["close", "reset", "cut chunk", "garbage"])
def test_what_breaks_after_the_finish_reason_costs_only_the_usage(fennec: Fennec, serve: Serve, ending: str) -> None:
    endings: dict[str, Script] = {
        "close": [],
        "reset": [sleep(0.2), reset()],
        "cut chunk": [send(b"ff\r\nda")],
        "garbage": [send(chunk(b"data: {oops\n\n"))],
    }
    serve([send(CHUNKED_HEAD, chunk(ROLE + CONTENT + finish())), *endings[ending]])
    result = fennec.complete("--ndjson")
    assert (result.status, result.stderr) == (0, "")
    events = read_events(result.stdout)
    assert text_of(events) == "Partial"
    assert events[-1]["usage"]["estimated"] is True


def test_a_length_finish_is_truncated_unless_allowed(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Once upon a", reason="length"))
    assert "--max-tokens" in fennec.complete().failed("truncated", 10, stdout=b"Once upon a")
    fennec.complete("--allow-truncated").succeeded("Once upon a")


def test_a_filtered_finish_is_a_failure_unless_allowed(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Step", reason="content_filter"))
    fennec.complete().failed("filtered", 11, stdout=b"Step")
    fennec.complete("--allow-filtered").succeeded("Step")


def test_a_truncated_answer_leaves_no_file(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Once upon a", reason="length"))
    fennec.complete("-o", "answer").failed("truncated", 10)
    assert not (fennec.home / "answer").exists()


def test_an_answer_without_a_block_is_invalid_output(fennec: Fennec, serve: Serve) -> None:
    serve(answer("no block"))
    fennec.complete("-x").failed("invalid_output", 15)


def test_bomb_limits(fennec: Fennec, serve: Serve) -> None:
    """A bomb of gzip is refused early, in little memory."""
    bomb = gzip.compress(b"\0" * (64 * 1024 * 1024))
    serve([send(head(200, "text/event-stream", "content-encoding: gzip"), bomb)])
    assert "grows more than 200-fold" in once(fennec).failed("unavailable", 7)


def test_bomb_limits_hold_for_an_event_of_nine_mebibytes(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), CONTENT, b"data: "), send_each([b"x" * 1024 * 1024] * 9), send(b"\n\n", finish())])
    line = fennec.complete().failed("stream_broken", 9, stdout=b"Partial")
    assert "longer than 8388608 bytes" in line


def test_an_event_just_below_the_limit_is_taken(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), delta("x" * (8 * 1024 * 1024 - 200)), finish())])
    result = fennec.complete()
    assert (len(result.stdout), result.stderr, result.status) == (8 * 1024 * 1024 - 200, "", 0)


def test_an_error_answer_that_is_a_bomb_still_has_its_class(fennec: Fennec, serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * (64 * 1024 * 1024))
    serve([send(head(500, "application/json", "content-encoding: gzip"), bomb)])
    once(fennec).failed("unavailable", 7)


def test_gzip_that_nobody_asked_for_is_understood(fennec: Fennec, serve: Serve) -> None:
    packed = gzip.compress(body_of("Hello"))
    serve([send(head(200, "text/event-stream", "content-encoding: gzip")), send_each([packed[:30], packed[30:]])])
    fennec.complete().succeeded("Hello")


def test_unicode_separators_kept(fennec: Fennec, serve: Serve) -> None:
    text = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"
    raw = 'data: {"choices": [{"index": 0, "delta": {"content": "a\u2028b\u2029c\u0085d'
    serve([send(head(), raw.encode(), b'\\u000be\\u000cf\\u001cg"}}]}\n\n', finish())])
    fennec.complete().succeeded(text)


@pytest.mark.parametrize("size", [1, 7])
def test_a_stream_in_the_smallest_pieces_is_the_same(fennec: Fennec, serve: Serve, size: int) -> None:
    body = body_of("Hello", " wörld", " 🌍")
    serve(
        [send(CHUNKED_HEAD), send_each(chunk(body[i : i + size]) for i in range(0, len(body), size)), send(LAST_CHUNK)]
    )
    fennec.complete().succeeded("Hello wörld 🌍")


@pytest.mark.parametrize(
    ("fault", "before", "after"),
    [
        ({"message": "boom", "type": "server_error"}, ("unavailable", 7), True),
        ({"message": "busy", "code": 503}, ("unavailable", 7), True),
        ({"message": "slow", "code": "rate_limit_exceeded"}, ("rate_limit", 6), True),
        ({"message": "no money", "code": "insufficient_quota"}, ("rate_limit", 6), False),
        ({"message": "too long", "code": "context_length_exceeded"}, ("request", 5), False),
        ({"message": "bad", "code": "content_filter"}, ("filtered", 11), False),
        ("just a text", ("unavailable", 7), True),
    ],
)
def test_midstream_error_dialects(
    fennec: Fennec, serve: Serve, fault: object, before: tuple[str, int], after: bool
) -> None:
    """Before content the error has its own class, after content the stream is broken."""
    serve([send(head(), ROLE, event({"error": fault}))])
    result = once(fennec, "--ndjson")
    assert (read_events(result.stdout)[-1]["class"], result.status) == before
    assert read_events(result.stdout)[-1]["retryable"] is after
    serve([send(head(), ROLE, CONTENT, event({"error": fault}))])
    once(fennec).failed("stream_broken", 9, stdout=b"Partial")


def test_a_peer_that_accepts_and_closes_is_unavailable(fennec: Fennec, serve: Serve) -> None:
    serve(accepts_only=True)
    once(fennec).failed("unavailable", 7)


def test_a_peer_that_accepts_and_resets_is_unavailable(fennec: Fennec, serve: Serve) -> None:
    serve(accepts_only=True, resets=True)
    once(fennec).failed("unavailable", 7)


def test_a_refused_connection_is_unavailable(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok")).stop()
    assert "Connection refused" in once(fennec).failed("unavailable", 7)


def test_an_unknown_host_is_unavailable(fennec: Fennec) -> None:
    fennec.base_url = "https://nothing.invalid/v1"
    assert "nothing.invalid" in once(fennec).failed("unavailable", 7)


STALLS: dict[str, tuple[Script, list[str], str]] = {
    "before the head": ([stall()], ["--first-token-timeout", "0.5"], "--first-token-timeout"),
    "before the first event": ([send(head()), stall()], ["--first-token-timeout", "0.5"], "--first-token-timeout"),
    "before the first event, with comments": (
        [send(head()), *[send(b": ping\n\n"), sleep(0.1)] * 30, stall()],
        ["--first-token-timeout", "0.5"],
        "--first-token-timeout",
    ),
    "before the head, in all": ([stall()], ["--timeout", "0.5"], "--timeout"),
    "before the head, till the deadline": ([stall()], ["--deadline", "3"], "--deadline"),
    "before content": ([send(head(), ROLE), stall()], ["--idle-timeout", "0.5"], "--idle-timeout"),
}


@pytest.mark.parametrize("place", STALLS)
def test_a_stall_before_output_is_a_timeout(fennec: Fennec, serve: Serve, place: str) -> None:
    script, options, named = STALLS[place]
    peer = serve(script)
    assert f"raise {named}" in once(fennec, *options).failed("timeout", 8)
    assert peer.left.wait(1)
    assert peer.left_at[0] - peer.requests[0].at < float(options[1]) + 1


@pytest.mark.parametrize("option", ["--idle-timeout", "--timeout", "--deadline"])
def test_stall_detected_within_idle_plus_1s(fennec: Fennec, serve: Serve, option: str) -> None:
    peer = serve([send(head(), ROLE, CONTENT), stall()])
    limit = 3 if option == "--deadline" else 0.5  # a deadline counts from the start of the program
    line = fennec.complete(option, str(limit)).failed("stream_broken", 9, stdout=b"Partial")
    assert option in line
    assert peer.left.wait(1)
    assert peer.left_at[0] - peer.requests[0].at < limit + 1


def test_comments_keep_a_stream_alive(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), ROLE), *[sleep(0.15), send(b": ping\n\n")] * 6, send(CONTENT, finish())])
    fennec.complete("--idle-timeout", "0.6").succeeded("Partial")


def test_the_end_is_not_waited_for_once_the_answer_is_whole(fennec: Fennec, serve: Serve) -> None:
    peer = serve([send(head(), body_of("ok")), stall()])
    fennec.complete().succeeded("ok")
    assert peer.left.wait(1)
    assert peer.left_at[0] - peer.requests[0].at < 1


def test_retries_are_said_in_ndjson_and_the_text_comes_once(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(503), failure(500, "later", "retry-after-ms: 10"), answer("Hello"))
    result = fennec.complete("--ndjson")
    events = read_events(result.stdout)
    assert (result.status, result.stderr) == (0, "")
    assert [each["type"] for each in events] == ["retry", "retry", "start", "chunk", "end"]
    assert [(each["attempt"], each["class"], each["status"]) for each in events[:2]] == [
        (1, "unavailable", 503),
        (2, "unavailable", 500),
    ]
    assert text_of(events) == "Hello"
    assert events[-1]["metadata"]["attempts"] == 3
    assert len({request.body for request in peer.requests}) == 1


def test_a_stream_that_breaks_before_content_is_repeated(fennec: Fennec, serve: Serve) -> None:
    serve([send(head(), ROLE)], [reset()], answer("Hello"))
    fennec.complete().succeeded("Hello")


def test_every_attempt_has_an_id_of_its_own(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(503), answer("Hello"))
    fennec.complete("--ndjson")
    first, second = (request.headers["x-client-request-id"] for request in peer.requests)
    assert len({first, second, ""}) == 3
    assert first.isascii()
    assert len(first) < 512


def test_retry_after_is_never_undercut(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(429, "slow down", "retry-after: 1"), answer("Hello"))
    fennec.complete().succeeded("Hello")
    first, second = peer.requests
    assert second.at - first.at >= 1.0


def test_a_wait_longer_than_allowed_is_not_begun(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(429, "slow down", "retry-after: 3600"))
    begin = time.monotonic()
    result = fennec.complete("--ndjson")
    (error,) = read_events(result.stdout)
    assert (error["class"], error["retry_after_s"], error["attempts"]) == ("rate_limit", 3600, 1)
    assert "3600" in result.failed("rate_limit", 6, stdout=result.stdout)
    assert time.monotonic() - begin < 20
    assert len(peer.requests) == 1


@pytest.mark.parametrize("setting", [None, "option", "configuration"])
def test_a_provider_may_ask_for_two_minutes_unless_that_is_longer_than_allowed(
    fennec: Fennec, serve: Serve, setting: str | None
) -> None:
    serve(failure(429, "slow down", "retry-after: 110"))
    (fennec.home / "c.toml").write_text('[provider.openai]\nmax_wait = "90s"\n' if setting == "configuration" else "")
    limit = ("--max-wait", "90s") if setting == "option" else ()
    with fennec.start("complete", "--no-stdin", "hi", "--ndjson", "-c", "c.toml", *limit) as process:
        assert process.stdout is not None
        event = orjson.loads(process.stdout.readline())
        process.kill()
    assert event["type"] == ("error" if setting else "retry")
    assert event["retry_after_s" if setting else "wait_s"] >= 110


def test_a_wait_beyond_the_deadline_is_not_begun(fennec: Fennec, serve: Serve) -> None:
    serve(failure(503, "later", "retry-after: 30"))
    begin = time.monotonic()
    fennec.complete("--deadline", "20").failed("unavailable", 7)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_cannot_get_better_is_not_repeated(fennec: Fennec, serve: Serve, status: int) -> None:
    peer = serve(failure(status))
    assert fennec.complete().status in (4, 5)
    assert len(peer.requests) == 1


def test_the_retries_end(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(503, "no", "retry-after-ms: 1"))
    result = fennec.complete("--ndjson", "--retries", "2")
    events = read_events(result.stdout)
    assert [each["type"] for each in events] == ["retry", "retry", "error"]
    assert (events[-1]["attempts"], len(peer.requests), result.status) == (3, 3, 7)


def test_a_connection_that_died_between_two_rows_is_opened_again(fennec: Fennec, serve: Serve) -> None:
    body = body_of("ok")
    keep = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body)
    peer = serve([send(keep, body)])
    fennec.complete("--input", "lines", stdin="a\nb\nc\n").succeeded("ok\nok\nok\n")
    assert peer.connections == 3


def test_a_server_that_answers_before_it_has_read_everything_is_heard(fennec: Fennec, serve: Serve) -> None:
    serve(failure(413, "too large"))
    fennec.complete(stdin="x" * 3_000_000).failed("request", 5)


def test_orjson_is_the_judge_of_what_we_send(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    fennec.complete(stdin='quote " backslash \\ \u2028 🌍').succeeded("ok")
    assert orjson.loads(peer.requests[0].body)["messages"][0]["content"] == 'quote " backslash \\ \u2028 🌍'
