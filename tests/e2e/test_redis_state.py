"""State that machines share on a Redis server, as its users see it."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import soak
from tests.e2e.peer import Peer, answer, failure, sleep
from tests.e2e.runner import Fennec, finished
from tests.redis_server import RedisServer, free_port, redis_server

__all__ = ["redis_server"]
Serve = Callable[..., Peer]


def configured(tmp_path: Path, backend: str) -> str:
    path = tmp_path / "redis.toml"
    path.write_text(f'[cache]\nbackend = "{backend}"\n')
    path.chmod(0o600)
    return str(path)


def test_circuits_and_counters_are_on_the_server(
    fennec: Fennec, serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    config = configured(tmp_path, redis_server.url)
    peer = serve(failure(503))
    for _ in range(5):
        fennec.complete("-c", config, "--retries", "0").failed("unavailable", 7)
    other = Fennec(tmp_path / "another machine", fennec.base_url)
    other.home.mkdir()
    other.complete("-c", config, "--retries", "0").failed("circuit_open", 14)
    assert len(peer.requests) == 5
    assert json.loads(other("metrics", "show", "--ndjson", "-c", config).text)["request_count"] == 5
    assert not (other.home / ".local" / "state" / "fennec" / "state").exists()


def test_the_workers_of_bench_mind_the_circuits_of_the_server(
    fennec: Fennec, serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    config = configured(tmp_path, redis_server.url)
    peer = serve(failure(503))
    for _ in range(5):
        fennec.complete("-c", config, "-m", "m", "--retries", "0").failed("unavailable", 7)
    result = fennec("bench", "-c", config, "-m", "openai/m", "-N", "1", "--warmup", "0", "--breaker")
    assert (result.status, len(peer.requests)) == (14, 5), result


def test_four_processes_never_send_more_than_burst_and_rate(
    fennec: Fennec, serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    config = configured(tmp_path, redis_server.url)
    peer = serve(answer("ok"))
    rows = "".join(f"{number}\n" for number in range(8))
    options = ("--input", "lines", "--rpm", "240", "-c", config)
    running = [fennec.start("complete", *options, stdin=subprocess.PIPE) for _ in range(4)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write(rows.encode())
        process.stdin.close()
        process.stdin = None
    for process in running:
        assert finished(process).status == 0
    times = sorted(request.at for request in peer.requests)
    assert len(times) == 32
    burst, rate = 24, 240 / 60
    for first, begin in enumerate(times):
        for last in range(first, len(times)):
            seconds = times[last] - begin + 0.5  # by which a busy machine may be late for the first of them
            assert last - first + 1 <= burst + rate * seconds + 1


@pytest.mark.soak
def test_a_server_killed_in_the_middle_fails_no_row(
    fennec: Fennec, serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    rows = soak(300, 1000)
    peer = serve(answer("ok"))
    process = fennec.start(
        "complete", "--input", "lines", "--ndjson", "-v", "-c", configured(tmp_path, redis_server.url),
        stdin=subprocess.PIPE,
    )  # fmt: skip

    def kill() -> None:
        while len(peer.requests) < rows // 2:
            time.sleep(0.001)
        redis_server.stop()

    import threading

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    result = finished(process, "".join(f"{number}\n" for number in range(rows)).encode())
    killer.join(5)
    assert not killer.is_alive()
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert sum(event["type"] == "end" for event in events) == rows
    assert not [event for event in events if event["type"] == "error"]
    assert result.status == 0
    assert result.stderr.count("the shared state cannot be used (redis: ") == 1


def test_a_server_that_is_not_there_costs_no_answer(fennec: Fennec, serve: Serve, tmp_path: Path) -> None:
    serve(answer("fine"))
    config = configured(tmp_path, f"redis://:s3cret@127.0.0.1:{free_port()}/0")
    fennec.complete("-c", config).succeeded("fine")
    result = fennec.complete("-c", config, "-v")
    assert "the shared state cannot be used (redis: " in result.stderr
    assert "s3cret" not in result.stderr


@pytest.mark.parametrize(
    ("backend", "complaint"),
    [
        ("redis://", "with a host"),
        ("redis://host/zero", "not the number of a database"),
        ("rediss://host/0?ssl_cert_reqs=none", "no options but"),
        ("redis://host:port/0", "not a URL"),
        ("redis://:${NOT_SET}@host", "NOT_SET is not set"),
        ("memcached://host", 'must be "disk"'),
    ],
)
def test_a_wrong_address_is_a_fault_of_the_configuration(
    fennec: Fennec, tmp_path: Path, backend: str, complaint: str
) -> None:
    config = configured(tmp_path, backend)
    assert complaint in fennec.complete("-c", config).failed("config", 3)
    assert complaint in fennec("config", "check", "-c", config).stderr


def test_the_password_is_shown_nowhere(fennec: Fennec, tmp_path: Path) -> None:
    config = configured(tmp_path, "redis://:s3cret@host/0")
    assert "s3cret" not in fennec("config", "show", "-c", config).text
    Path(config).chmod(0o644)
    result = fennec("config", "check", "-c", config)
    assert "holds a password and others can read it" in result.stderr
    assert "s3cret" not in result.stderr


CACHED = """
[cache]
backend = "{url}"
mode = "use"
mac_key_file = "{key}"
"""


@pytest.fixture
def machines(fennec: Fennec, redis_server: RedisServer, tmp_path: Path) -> tuple[Fennec, Fennec, str]:
    """Two machines that share a cache, and their configuration."""
    key, config = tmp_path / "mac.key", tmp_path / "cached.toml"
    key.write_text("0123456789abcdef0123456789abcdef")
    config.write_text(CACHED.format(url=redis_server.url, key=key))
    for path in (key, config):
        path.chmod(0o600)
    other = Fennec(tmp_path / "another machine")
    other.home.mkdir()
    return fennec, other, str(config)


def test_answers_are_shared_by_machines(machines: tuple[Fennec, Fennec, str], serve: Serve) -> None:
    one, other, config = machines
    peer = serve(answer("once"))
    other.base_url = one.base_url
    one.complete("-c", config).succeeded("once")
    other.complete("-c", config).succeeded("once")
    assert len(peer.requests) == 1
    assert not list(one.home.rglob("cache.db")) + list(other.home.rglob("cache.db"))


def test_sixteen_processes_that_ask_the_same_make_one_call(machines: tuple[Fennec, Fennec, str], serve: Serve) -> None:
    one, other, config = machines
    peer = serve([sleep(1.0), *answer("once")])
    other.base_url = one.base_url
    running = [(one, other)[n % 2].start("complete", "--no-stdin", "hi", "-c", config) for n in range(16)]
    for process in running:
        finished(process).succeeded("once")
    assert len(peer.requests) == 1


def test_an_answer_of_a_machine_with_another_key_is_a_miss_and_stays(
    machines: tuple[Fennec, Fennec, str], serve: Serve, tmp_path: Path
) -> None:
    one, other, config = machines
    peer = serve(answer("mine"))
    other.base_url = one.base_url
    strange = tmp_path / "strange.toml"
    strange.write_text(Path(config).read_text().replace("mac.key", "other.key"))
    strange.chmod(0o600)
    (tmp_path / "other.key").write_text("fedcba9876543210fedcba9876543210")
    one.complete("-c", config).succeeded("mine")
    other.complete("-c", str(strange), "--offline").failed("cache_miss", 13)
    one.complete("-c", config, "--offline").succeeded("mine")
    assert len(peer.requests) == 1


def test_a_cache_whose_server_is_lost_costs_no_answer(
    machines: tuple[Fennec, Fennec, str], serve: Serve, redis_server: RedisServer
) -> None:
    one, _, config = machines
    serve(answer("fine"))
    redis_server.stop()
    result = one.complete("-c", config, "-v")
    assert (result.text, result.status) == ("fine", 0)
    assert "the response cache cannot be used (redis: " in result.stderr


def test_a_budget_is_kept_by_processes_on_two_machines(
    fennec: Fennec, serve: Serve, redis_server: RedisServer, tmp_path: Path
) -> None:
    """13 dollars an answer, and 16 at most before it is sent: a hundred dollars are seven answers."""
    peer = serve(answer("ok"))
    path = Path(configured(tmp_path, redis_server.url))
    prices = '[provider.openai.prices."m-1"]\ninput = 1_000_000\noutput = 2_000_000\n'
    path.write_text(f"{path.read_text()}[budget.daily]\nusd = 100\n{prices}")
    other = Fennec(tmp_path / "another machine", fennec.base_url)
    other.home.mkdir()
    options = ("--input", "lines", "-m", "m-1", "--max-tokens", "3", "--budget", "daily", "-c", str(path))
    running = [each.start("complete", *options, stdin=subprocess.PIPE) for each in (fennec, other) * 2]
    for process in running:
        assert finished(process, b"hi\n" * 5).status in (0, 12, 16)
    assert 0 < len(peer.requests) * 13 <= 100
