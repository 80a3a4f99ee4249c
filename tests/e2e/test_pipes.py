"""Readers that go away or take their time, full disks, closed descriptors."""

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import soak
from tests.e2e.events import read_events
from tests.e2e.peer import (
    CHUNKED_HEAD,
    ROLE,
    Connection,
    Peer,
    answer,
    body_of,
    chunk,
    delta,
    finish,
    head,
    send,
    stall,
)
from tests.e2e.runner import Fennec, finished

Serve = Callable[..., Peer]
FAILING_OUTPUTS = [[], ["--ndjson"], ["--json"], ["--input", "lines"], ["-n"]]


@pytest.mark.parametrize("options", FAILING_OUTPUTS, ids=" ".join)
def test_stdout_full(fennec: Fennec, serve: Serve, options: list[str]) -> None:
    serve(answer("Hello"))
    with Path("/dev/full").open("wb") as full:
        line = fennec.complete(*options, stdout=full).failed("output", 18)
    assert "No space left" in line


@pytest.mark.parametrize("options", FAILING_OUTPUTS, ids=" ".join)
def test_a_closed_stdout_is_an_output_error(fennec: Fennec, serve: Serve, options: list[str]) -> None:
    serve(answer("Hello"))
    fennec.shell(f"echo hi | (fennec complete {' '.join(options)} >&-)").failed("output", 18)


def test_a_closed_stdout_does_not_matter_with_an_output_file(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec.shell("fennec complete -o answer hi >&-").succeeded("")
    assert (fennec.home / "answer").read_text() == "Hello"


def test_a_closed_stdin_is_an_empty_one(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec.shell("fennec complete <&-").failed("input", 17)
    fennec.shell("fennec complete hi <&-").succeeded("Hello")


def test_a_closed_stderr_changes_nothing_else(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec.shell("fennec complete -u hi 2>&-").succeeded("Hello")
    assert fennec.shell("fennec complete -m '' --format xml hi 2>&-").status == 2
    assert fennec.shell("fennec 2>&-").status == 2


def test_nothing_is_written_into_a_socket_when_all_descriptors_are_closed(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    assert fennec.shell("fennec complete hi <&- >&- 2>&-").status == 18
    assert len(peer.requests) == 1


@pytest.mark.parametrize("arguments", ["--version", "--help", "complete --help", "complete -h"])
def test_help_that_cannot_be_written_is_an_output_error(fennec: Fennec, arguments: str) -> None:
    fennec.shell(f"fennec {arguments} > /dev/full").failed("output", 18)


@pytest.mark.parametrize(
    ("place", "error"),
    [("no/such/place", "No such file"), (".", "Is a directory"), ("/proc/answer", "No such file")],
)
def test_an_output_file_that_cannot_be_made_costs_nothing(fennec: Fennec, serve: Serve, place: str, error: str) -> None:
    peer = serve(answer("Hello"))
    assert error in fennec.complete("-o", place).failed("output", 18)
    assert peer.connections == 0


def test_a_file_system_that_fills_up_leaves_no_file(fennec: Fennec, serve: Serve) -> None:
    serve(answer("x" * 100_000))
    result = fennec.shell("ulimit -f 16; trap '' XFSZ; fennec complete -o answer hi")
    assert "File too large" in result.failed("output", 18)
    assert not (fennec.home / "answer").exists()
    assert [path.name for path in fennec.home.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.parametrize("options", [[], ["--ndjson"]], ids=["text", "ndjson"])
def test_sigpipe_141_quiet(fennec: Fennec, serve: Serve, options: list[str]) -> None:
    peer = serve([send(CHUNKED_HEAD), endless(0.01)])
    with fennec.start("complete", "hi", *options) as process:
        assert process.stdout is not None
        process.stdout.read(10)
        process.stdout.close()
        closed = time.monotonic()
        process.wait(5)
        assert process.stderr is not None
        assert (process.returncode, process.stderr.read()) == (-signal.SIGPIPE, b"")
    assert peer.left.wait(2)
    assert peer.left_at[0] - closed < 1.0


def test_head_ends_a_long_answer(fennec: Fennec, serve: Serve) -> None:
    peer = serve([send(CHUNKED_HEAD), endless(0.01)])
    result = fennec.shell('(fennec complete hi) | head -1; echo "status ${PIPESTATUS[0]}" >&2')
    assert (result.stdout, result.stderr) == (b"line 0\n", "status 141\n")
    assert peer.left.wait(2)


def test_a_reader_that_is_gone_before_the_end_counts_too(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    reading, writing = os.pipe()
    os.close(reading)
    with fennec.start("complete", "--json", "hi", stdout=writing) as process:
        os.close(writing)
        result = finished(process)
    assert (result.status, result.stderr) == (-signal.SIGPIPE, "")


def test_a_slow_reader_does_not_make_the_provider_late(fennec: Fennec, serve: Serve) -> None:
    piece = "x" * 100_000
    serve([send(CHUNKED_HEAD), lambda connection: [connection.send(chunk(delta(piece))) for _ in range(60)]
           and connection.send(chunk(finish()))])  # fmt: skip
    with fennec.start("complete", "hi", "--idle-timeout", "0.5") as process:
        assert process.stdout is not None
        time.sleep(1.5)
        assert len(process.stdout.read()) == 60 * len(piece)
        process.wait(5)
        assert process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.soak
def test_slow_consumer_100MiB_rss_grows_below_16MiB(fennec: Fennec, serve: Serve) -> None:
    total = soak(20, 100) * 1024 * 1024
    piece = delta("y" * 16_000)

    def flood(connection: Connection) -> None:
        for _ in range(total // 16_000):
            connection.send(chunk(piece))
        connection.send(chunk(finish()))

    serve([send(CHUNKED_HEAD), flood])
    with fennec.start("complete", "hi") as process:
        assert process.stdout is not None
        process.stdout.read(1_000_000)
        begin = rss_kib(process.pid)
        time.sleep(0.3)
        peak, size = begin, 1_000_000
        while data := process.stdout.read(1_000_000):
            size += len(data)
            peak = max(peak, rss_kib(process.pid) or peak)
        process.wait(5)
        assert (process.returncode, size) == (0, total // 16_000 * 16_000)
    assert peak - begin < 16 * 1024


def rss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def endless(pause: float) -> Callable[[Connection], None]:
    def step(connection: Connection) -> None:
        connection.send(chunk(ROLE))
        for number in range(1000):
            connection.send(chunk(delta(f"line {number}\n")))
            connection.wait(pause)

    return step


# Signals


def interrupted(
    fennec: Fennec, peer: Peer, number: int, *options: str, after: bytes = b""
) -> tuple[int, bytes, bytes, float]:
    """Start the command, wait for the request and for `after` on its stdout, send the signal; return what came."""
    with fennec.start("complete", "hi", *options) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert peer.seen.wait(10)
        out = b""
        while after not in out:
            out += os.read(process.stdout.fileno(), 65536)
        time.sleep(0.1)
        sent = time.monotonic()
        process.send_signal(number)
        out += process.stdout.read()
        process.wait(5)
        took = time.monotonic() - sent
        return process.returncode, out, process.stderr.read(), took


def check_interrupted(fennec: Fennec, serve: Serve, number: int) -> None:
    peer = serve([send(head(), ROLE, delta("Partial")), stall()])
    status, out, err, took = interrupted(fennec, peer, number, "--ndjson", after=b"Partial")
    assert (status, err) == (-number, b"")
    assert took < 0.5
    error = read_events(out)[-1]
    assert (error["class"], error["exit"], error["partial"]) == ("interrupted", 128 + number, True)
    assert peer.left.wait(1)


def test_sigint_130_in_500ms(fennec: Fennec, serve: Serve) -> None:
    check_interrupted(fennec, serve, signal.SIGINT)


def test_sigterm_143(fennec: Fennec, serve: Serve) -> None:
    check_interrupted(fennec, serve, signal.SIGTERM)


def test_sighup_129(fennec: Fennec, serve: Serve) -> None:
    check_interrupted(fennec, serve, signal.SIGHUP)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_first_byte(fennec: Fennec, serve: Serve, number: int) -> None:
    peer = serve([stall()])
    status, out, err, took = interrupted(fennec, peer, number, "--ndjson")
    assert (status, err) == (-number, b"")
    assert took < 0.5
    (error,) = read_events(out)
    assert (error["class"], error["partial"]) == ("interrupted", False)


def test_a_signal_in_text_keeps_what_came_and_says_nothing(fennec: Fennec, serve: Serve) -> None:
    peer = serve([send(head(), ROLE, delta("Partial")), stall()])
    assert interrupted(fennec, peer, signal.SIGINT, after=b"Partial")[:3] == (-signal.SIGINT, b"Partial", b"")


def test_a_signal_during_a_wait_between_attempts(fennec: Fennec, serve: Serve) -> None:
    peer = serve([send(b"HTTP/1.1 503 X\r\nretry-after: 60\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")])
    status, out, err, took = interrupted(fennec, peer, signal.SIGINT, "--ndjson", after=b"retry")
    assert (status, err) == (-signal.SIGINT, b"")
    assert took < 0.3
    assert [each["type"] for each in read_events(out)] == ["retry", "error"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_reading_stdin(fennec: Fennec, serve: Serve, number: int) -> None:
    serve(answer("never"))
    with fennec.start("complete", "--input", "lines", stdin=subprocess.PIPE) as process:
        time.sleep(0.6)
        sent = time.monotonic()
        process.send_signal(number)
        process.wait(5)
        assert time.monotonic() - sent < 0.5
        result = finished(process)
    assert (result.status, result.stdout, result.stderr) == (-number, b"", "")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_signal_at_any_moment_of_the_start_is_quiet(fennec: Fennec, serve: Serve) -> None:
    serve([stall()])
    for milliseconds in range(0, 250, 25):
        with fennec.start("complete", "hi") as process:
            # Before we import our first library it is Python itself that starts, and that is not quiet.
            while "orjson" not in Path(f"/proc/{process.pid}/maps").read_text():
                time.sleep(0.005)
            time.sleep(milliseconds / 1000)
            process.send_signal(signal.SIGINT)
            result = finished(process)
        assert (result.status, result.stdout, result.stderr) == (-signal.SIGINT, b"", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_file(fennec: Fennec, serve: Serve, number: int) -> None:
    (fennec.home / "place").mkdir()
    peer = serve([send(head(), ROLE, delta("Partial")), stall()])
    assert interrupted(fennec, peer, number, "-o", "place/answer")[:3] == (-number, b"", b"")
    assert list((fennec.home / "place").iterdir()) == []


def test_a_second_signal_ends_at_once(fennec: Fennec, serve: Serve) -> None:
    peer = serve([stall()])
    with fennec.start("complete", "hi") as process:
        assert peer.seen.wait(10)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.wait(2)
        assert process.returncode in (-signal.SIGTERM, -signal.SIGINT)


@pytest.mark.parametrize("name", ["INT", "HUP"])
def test_a_signal_that_was_ignored_before_stays_ignored(fennec: Fennec, serve: Serve, name: str) -> None:
    peer = serve([stall(), send(head(), body_of("done"))])
    with fennec.start("complete", "hi", prefix=("bash", "-c", f"trap '' {name}; exec \"$@\"", "-")) as process:
        assert peer.seen.wait(10)
        process.send_signal(signal.Signals[f"SIG{name}"])
        time.sleep(0.3)
        peer.release()
        finished(process).succeeded("done")


@contextmanager
def stuck(fennec: Fennec, serve: Serve, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command whose reader takes nothing, so that it waits in a write to a full pipe."""

    # One line larger than a pipe: the signal comes when a part of it is written.
    serve([send(CHUNKED_HEAD), send(chunk(delta("0123456789" * 30_000))), stall()])
    with fennec.start("complete", "hi", *options) as process:
        assert process.stdout is not None
        before, now = -1, 0
        while now == 0 or now != before:
            time.sleep(0.2)
            before, now = now, waiting_bytes(process.stdout.fileno())
        yield process


def waiting_bytes(fd: int) -> int:
    """How many bytes stand in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_signal_while_the_reader_is_stuck_ends_the_run(fennec: Fennec, serve: Serve) -> None:
    with stuck(fennec, serve) as process:
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(5)
        assert (process.returncode, time.monotonic() - sent < 0.6) == (-signal.SIGINT, True)


def test_a_signal_while_the_reader_is_slow_tears_and_repeats_no_line(fennec: Fennec, serve: Serve) -> None:
    with stuck(fennec, serve, "--ndjson") as process:
        assert process.stdout is not None
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        out = process.stdout.read()
        process.wait(5)
        assert process.returncode == -signal.SIGINT
        assert read_events(out)[-1]["class"] == "interrupted"


def test_two_signals_at_once_end_it_quietly(fennec: Fennec, serve: Serve) -> None:
    """CPython sees a signal that comes just before a blocking call only after it; no wait of ours is long."""
    for _ in range(10):
        peer = serve([stall()])
        with fennec.start("complete", "hi") as process:
            assert peer.seen.wait(10)
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
            result = finished(process)
        assert result.status in (-signal.SIGTERM, -signal.SIGINT)
        assert result.stderr == ""
