"""Records that machines share on a server: no update is lost, and a server that goes away never gets in the way."""

import multiprocessing
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

pytest.importorskip("redis", reason="the extra `redis` is not installed")

from fennec_cli.store import SharedState, StoreBusy, StoreFailed, shared_state
from fennec_cli.store.redis import RedisState, connect
from fennec_cli.types import Record
from tests.conftest import soak
from tests.redis_server import RedisServer, free_port, redis_server, started
from tests.store.test_state import counted

__all__ = ["redis_server"]
PROCESSES = 16


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[RedisState]:
    made = RedisState(redis_server.url)
    yield made
    made.close()


def test_a_record_that_was_never_written_is_none(store: RedisState) -> None:
    assert store.get("a") is None


def test_an_update_reads_and_writes_several_records(store: RedisState) -> None:
    assert store.update(["a", "b"], counted) == 1
    assert store.update(["b", "c"], counted) == 2
    assert [store.get(name) for name in "abc"] == [{"n": 1}, {"n": 2}, {"n": 1}]


def test_none_deletes(store: RedisState) -> None:
    store.update(["a"], counted)
    store.update(["a", "b"], lambda _records: ([None, None], None))
    assert store.get("a") is None
    assert store.update(["a"], counted) == 1


def test_records_are_found_by_the_beginning_of_their_names(store: RedisState) -> None:
    store.update(["metrics|x", "metrics|y", "circuit|x", "m*"], counted)
    assert dict(store.scan("metrics|")) == {"metrics|x": {"n": 1}, "metrics|y": {"n": 1}}
    assert dict(store.scan("m*")) == {"m*": {"n": 1}}


def test_a_change_begins_with_what_another_process_has_written(store: RedisState, redis_server: RedisServer) -> None:
    other = RedisState(redis_server.url)
    assert store.update(["a"], counted) == 1
    assert other.update(["a"], counted) == 2
    assert store.update(["a"], counted) == 3


def test_a_change_is_made_anew_when_another_was_quicker(store: RedisState, redis_server: RedisServer) -> None:
    other = RedisState(redis_server.url)
    seen: list[list[Record | None]] = []

    def change(records: list[Record | None]) -> tuple[list[Record | None], int]:
        seen.append(records)
        if len(seen) == 1:
            other.update(["b"], counted)
        return counted(records)

    store.update(["a", "b"], change)
    assert seen == [[None, None], [None, {"n": 1}]]
    assert store.get("b") == {"n": 2}


def test_an_update_that_never_gets_its_turn_is_given_up(redis_server: RedisServer) -> None:
    store, other = RedisState(redis_server.url, busy_s=0.05), RedisState(redis_server.url)

    def disturbed(records: list[Record | None]) -> tuple[list[Record | None], int]:
        other.update(["a"], counted)
        return counted(records)

    begin = time.monotonic()
    with pytest.raises(StoreBusy):
        store.update(["a"], disturbed)
    assert time.monotonic() - begin < 1.0


def test_what_is_not_one_of_our_records_counts_as_none(store: RedisState, redis_server: RedisServer) -> None:
    raw = connect(redis_server.url)
    raw.set("{fennec}:state:a", b"\x80\x04planted")
    raw.rpush("{fennec}:state:b", "a list")
    raw.set("{fennec}:state:c", b"[1]")
    assert store.get("a") is None
    assert dict(store.scan("a")) == {}
    assert store.update(["a", "b", "c"], counted) == 1
    assert [store.get(name) for name in "abc"] == [{"n": 1}] * 3


def test_a_record_too_large_is_refused(store: RedisState) -> None:
    with pytest.raises(StoreFailed, match="too large"):
        store.update(["a"], lambda _records: ([{"text": "x" * 5000}], None))


def _count(url: str, times: int) -> None:
    store = RedisState(url, busy_s=10.0)  # a machine with more to do than this test may be slow
    for _ in range(times):
        store.update(["a", "b"], counted)
    store.close()


@pytest.mark.soak
def test_no_update_of_16_processes_is_lost(redis_server: RedisServer) -> None:
    times = soak(50, 1000)
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        pool.starmap(_count, [(redis_server.url, times)] * PROCESSES, chunksize=1)
    assert RedisState(redis_server.url).get("b") == {"n": PROCESSES * times}


def test_a_server_that_forgets_the_script_learns_it_again(store: RedisState, redis_server: RedisServer) -> None:
    store.update(["a"], counted)
    connect(redis_server.url).script_flush()
    assert store.update(["a"], counted) == 2


def test_a_connection_that_was_closed_while_idle_is_opened_again(store: RedisState, redis_server: RedisServer) -> None:
    store.update(["a"], counted)
    connect(redis_server.url).execute_command("CLIENT", "KILL", "TYPE", "normal")
    assert store.update(["a"], counted) == 2


def test_a_server_that_is_lost_is_replaced_by_what_this_process_knows(redis_server: RedisServer) -> None:
    said: list[str] = []
    shared = shared_state({}, said.append, redis_server.url)
    shared.update(["a"], counted)
    redis_server.stop()
    assert shared.update(["a"], counted) == 1
    assert shared.update(["a"], counted) == 2
    assert shared.failures == 1
    assert len(said) == 1
    assert "the shared state cannot be used (redis: " in said[0]


def test_a_server_that_hangs_is_given_up_within_a_second(redis_server: RedisServer) -> None:
    shared = shared_state({}, server=redis_server.url)
    shared.update(["a"], counted)
    connect(redis_server.url).execute_command("CLIENT", "PAUSE", "5000")
    begin = time.monotonic()
    assert shared.update(["a"], counted) == 1
    assert 0.2 < time.monotonic() - begin < 1.0


def test_a_server_that_was_never_there_is_not_waited_for() -> None:
    shared = shared_state({}, server=f"redis://127.0.0.1:{free_port()}")
    begin = time.monotonic()
    assert shared.update(["a"], counted) == 1
    assert time.monotonic() - begin < 1.0


def test_a_closed_store_is_not_opened_again(store: RedisState) -> None:
    store.close()
    with pytest.raises(StoreFailed):
        store.get("a")


def test_a_round_takes_less_than_a_millisecond(store: RedisState) -> None:
    names = ["circuit|x", "limits|x", "slots|x", "metrics|x"]
    times = []
    for _ in range(300):
        begin = time.perf_counter()
        store.update(names, counted)
        times.append(time.perf_counter() - begin)
    assert statistics.median(times) < 0.001


@pytest.fixture
def guarded() -> Iterator[tuple[int, str]]:
    """A server with TLS and a password: its port, and the file of the authority that vouches for it."""
    authority, port = trustme.CA(), free_port()
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ca, certificate, key = (Path(folder, name) for name in ("ca.pem", "server.pem", "server.key"))
        issued = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(str(ca))
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        options = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
        options += ["--tls-ca-cert-file", str(ca), "--tls-auth-clients", "no", "--requirepass", "s3cret"]
        for _server in started(*options):
            yield port, str(ca)


def test_tls_and_a_password(guarded: tuple[int, str]) -> None:
    port, ca = guarded
    address = f"127.0.0.1:{port}/1?ssl_ca_certs={ca}"
    assert RedisState(f"rediss://:s3cret@{address}").update(["a"], counted) == 1
    assert RedisState(f"rediss://default:s3cret@{address}").update(["a"], counted) == 2
    with pytest.raises(StoreFailed) as refused:
        RedisState(f"rediss://:wrong-one@{address}").update(["a"], counted)
    assert "wrong-one" not in str(refused.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(guarded: tuple[int, str]) -> None:
    port, _ = guarded
    said: list[str] = []
    shared = SharedState(lambda: RedisState(f"rediss://:s3cret@127.0.0.1:{port}"), said.append)
    assert shared.update(["a"], counted) == 1
    assert "certificate" in said[0].lower()
    assert "s3cret" not in said[0]
