"""Records shared by processes: no update is lost, and a store that fails never gets in the way."""

import multiprocessing
import os
import random
import resource
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from fennec_cli.store import (
    ERRORS,
    GATHERED,
    REST_S,
    Change,
    MemoryStore,
    NullStore,
    Record,
    Result,
    SharedState,
    StateStore,
    StoreFailed,
    shared_state,
)
from fennec_cli.store.state import DiskState
from tests.conftest import soak

PROCESSES = 16
PATIENT_S = 30.0  # for machines that have more to do: what is tested is not how long one waits


def counted(records: list[Record | None]) -> tuple[list[Record | None], int]:
    new = [{"n": (record or {"n": 0})["n"] + 1} for record in records]
    return [*new], new[0]["n"]


def test_a_null_store_remembers_nothing() -> None:
    store = NullStore()
    assert [store.update(["a"], counted), store.update(["a"], counted)] == [1, 1]
    assert (store.get("a"), list(store.scan(""))) == (None, [])
    store.close()


@pytest.fixture(params=["memory", "disk"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    made: StateStore = MemoryStore() if request.param == "memory" else DiskState(tmp_path / "state")
    yield made
    made.close()


def test_a_record_that_was_never_written_is_none(store: StateStore) -> None:
    assert store.get("a") is None


def test_an_update_reads_and_writes_several_records(store: StateStore) -> None:
    assert store.update(["a", "b"], counted) == 1
    assert store.update(["b", "c"], counted) == 2
    assert [store.get(name) for name in "abc"] == [{"n": 1}, {"n": 2}, {"n": 1}]


def test_none_deletes(store: StateStore) -> None:
    store.update(["a"], counted)
    store.update(["a", "b"], lambda _records: ([None, None], None))
    assert store.get("a") is None


def test_records_are_found_by_the_beginning_of_their_names(store: StateStore) -> None:
    store.update(["metrics|x", "metrics|y", "circuit|x"], counted)
    assert dict(store.scan("metrics|")) == {"metrics|x": {"n": 1}, "metrics|y": {"n": 1}}


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = DiskState(tmp_path)
    store.update(["a"], counted)

    def failing(_records: list[Record | None]) -> tuple[list[Record | None], None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update(["a"], failing)
    assert store.update(["a"], counted) == 2


def test_a_record_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="too large"):
        DiskState(tmp_path).update(["a"], lambda _records: ([{"text": "x" * 5000}], None))


def test_a_record_too_large_leaves_the_others_shared(tmp_path: Path) -> None:
    shared = SharedState(lambda: DiskState(tmp_path))
    shared.update(["a"], lambda _records: ([{"text": "x" * 5000}], None))
    assert shared.get("a") is None
    shared.update(["b"], counted)
    assert DiskState(tmp_path).get("b") == {"n": 1}


def test_of_threads_only_the_one_whose_record_is_too_large_goes_without(tmp_path: Path) -> None:
    store, refused = DiskState(tmp_path), list[str]()
    start = threading.Barrier(8)

    def work(size: int) -> None:
        start.wait()
        for number in range(50):
            name = f"{size}|{number}"
            try:
                store.update([name], lambda _records: ([{"text": "x" * size}], None))
            except StoreFailed:
                refused.append(name)

    threads = [threading.Thread(target=work, args=(size,)) for size in (*range(7), 5000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == [f"5000|{number}" for number in range(50)]
    assert len(list(store.scan(""))) == 350


def test_files_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = DiskState(tmp_path / "state")
        store.update(["a"], counted)
    finally:
        os.umask(old)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert found.pop("init.lock") == 0o600
    assert set(found) == {"cache.db", "cache.db-wal", "cache.db-shm"}
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def _count(directory: Path, times: int) -> None:
    store = DiskState(directory, busy_s=PATIENT_S)
    for _ in range(times):
        store.update(["a", "b"], counted)
    store.close()


@pytest.mark.soak
def test_state_16x1000_no_lost_update(tmp_path: Path) -> None:
    times = soak(100, 1000)
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        pool.starmap(_count, [(tmp_path / "state", times)] * PROCESSES, chunksize=1)
    assert DiskState(tmp_path / "state").get("b") == {"n": PROCESSES * times}


def _count_for_ever(directory: Path, told: int) -> None:
    store = DiskState(directory, busy_s=PATIENT_S)
    while True:
        store.update(["a", "b"], counted)
        os.write(told, b".")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_state_kill9_1000(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Every update that was said to be done is there, whole, however many processes died beside it."""
    rng, fork = random.Random(5), multiprocessing.get_context("fork")
    kills, done = soak(40, 1000), 0
    DiskState(tmp_path / "state").close()
    for _ in range(kills // 2):
        pipe, told = os.pipe()
        running = [fork.Process(target=_count_for_ever, args=(tmp_path / "state", told)) for _ in range(2)]
        for process in running:
            process.start()
        os.close(told)
        done += len(os.read(pipe, 1))  # they write
        time.sleep(rng.uniform(0.0, 0.02))
        for process in running:
            process.kill()
            process.join()
        while data := os.read(pipe, 65536):
            done += len(data)
        os.close(pipe)
        store = DiskState(tmp_path / "state")
        a, b = store.get("a"), store.get("b")
        store.close()
        assert a == b
        assert a is not None
        assert done <= a["n"] <= done + kills  # one that was killed may not have had the time to say it
    record_property("kills", kills)
    record_property("updates", done)
    record_property("lost", 0)


def test_state_locked_fails_open_in_250ms(tmp_path: Path) -> None:
    DiskState(tmp_path).close()
    holder = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    said: list[str] = []
    shared = SharedState(lambda: DiskState(tmp_path), said.append)
    begin = time.monotonic()
    assert shared.update(["a"], counted) == 1
    assert 0.2 < time.monotonic() - begin < 1.0  # 250 ms, and what a busy machine adds
    begin = time.monotonic()
    assert shared.update(["a"], counted) == 2  # from now on this process counts for itself
    assert time.monotonic() - begin < 0.2
    assert shared.failures == 1
    assert said == ["the shared state cannot be used (another process holds it); this process goes on with its own"]
    holder.close()


def test_a_store_that_was_busy_is_used_again_and_its_failures_are_counted(tmp_path: Path) -> None:
    DiskState(tmp_path).close()
    holder = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    now = 0.0
    said: list[str] = []
    shared = SharedState(lambda: DiskState(tmp_path), said.append, clock=lambda: now)
    assert [shared.update(["a"], counted), shared.update(["a"], counted)] == [1, 2]  # of our own
    holder.close()
    now = REST_S
    assert shared.update(["a"], counted) == 1
    shared.close()
    after = DiskState(tmp_path)
    assert (after.get("a"), after.get(ERRORS)) == ({"n": 1}, {"n": 1})
    assert len(said) == 1


def test_state_readonly_home() -> None:
    said: list[str] = []
    shared = shared_state({"XDG_STATE_HOME": "/sys/kernel"}, said.append)  # not writable for root either
    assert shared.update(["a"], counted) == 1
    assert shared.get("a") == {"n": 1}
    assert len(said) == 1


def test_without_a_home_the_state_is_our_own() -> None:
    said: list[str] = []
    assert shared_state({}, said.append).update(["a"], counted) == 1
    assert "HOME is not set" in said[0]


@pytest.mark.parametrize("damage", [b"not a database at all", b"", b"SQLite format 3\0" + b"\xff" * 4000])
def test_state_corrupt_recovers(tmp_path: Path, damage: bytes) -> None:
    store = DiskState(tmp_path)
    store.update(["a"], counted)
    store.close()
    (tmp_path / "cache.db").write_bytes(damage)
    said: list[str] = []
    shared = SharedState(lambda: DiskState(tmp_path), said.append)
    assert shared.update(["a"], counted) == 1
    shared.close()
    assert DiskState(tmp_path).get("a") == {"n": 1}  # on the disk again, not in memory
    assert not said


def test_pages_that_are_found_broken_in_use_are_replaced(tmp_path: Path) -> None:
    store = DiskState(tmp_path)
    for number in range(400):
        store.update([f"{number}"], lambda _records: ([{"text": "x" * 1000}], None))
    store.close()
    path = tmp_path / "cache.db"
    data = bytearray(path.read_bytes())
    data[4096 * 8 :] = os.urandom(len(data) - 4096 * 8)  # header and settings stay whole
    path.write_bytes(data)
    store = DiskState(tmp_path)
    for number in range(400):
        store.update([f"{number}"], counted_afresh)
    assert store.get("7") == {"n": 1}
    assert len(list(tmp_path.glob("corrupt-*"))) <= 1


@contextmanager
def no_room(limit: int = 0) -> Iterator[None]:
    """Let no file grow beyond this many bytes. Like a quota that is used up it is another failure than a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_one_that_cannot_grow_is_left_as_it_is(tmp_path: Path) -> None:
    store = DiskState(tmp_path)
    store.update(["a"], counted)
    with no_room((tmp_path / "cache.db-wal").stat().st_size), pytest.raises(StoreFailed, match="disk I/O error"):
        store.update(["b"], counted)
    assert store.get("a") == {"n": 1}
    assert not list(tmp_path.glob("corrupt-*"))


def test_one_whose_side_files_cannot_be_made_is_left_as_it_is(tmp_path: Path) -> None:
    store = DiskState(tmp_path)
    store.update(["a"], counted)
    store.close()
    with no_room(), pytest.raises(StoreFailed, match="disk I/O error"):
        DiskState(tmp_path)
    assert DiskState(tmp_path).get("a") == {"n": 1}
    assert not list(tmp_path.glob("corrupt-*"))


def counted_afresh(_records: list[Record | None]) -> tuple[list[Record | None], None]:
    return [{"n": 1}], None


def test_a_deleted_directory_is_made_again_by_the_next_process(tmp_path: Path) -> None:
    import shutil

    store = DiskState(tmp_path / "state")
    store.update(["a"], counted)
    shutil.rmtree(tmp_path / "state")
    shared = SharedState(lambda: store)
    shared.update(["a"], counted)  # does not fail, whatever is counted
    assert DiskState(tmp_path / "state").update(["a"], counted) == 1


def test_a_database_whose_maker_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    DiskState(tmp_path).close()
    half = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    half.execute("DROP TABLE Cache")
    half.execute("PRAGMA user_version = 0")
    half.close()
    assert DiskState(tmp_path).update(["a"], counted) == 1


def _race(directory: Path) -> int:
    return DiskState(directory).update(["a"], counted)


def test_processes_that_create_it_at_once_share_it(tmp_path: Path) -> None:
    for round_number in range(5):
        with multiprocessing.get_context("fork").Pool(8) as pool:
            found = pool.map(_race, [tmp_path / str(round_number)] * 8, chunksize=1)
        assert sorted(found) == list(range(1, 9))


def test_what_is_done_later_goes_along_with_the_next_update() -> None:
    store = MemoryStore()
    shared = SharedState(lambda: store)
    shared.later(["a"], one_more)
    assert store.get("a") == {"n": 1}  # at once, unless it gathers
    shared.gathers = True
    shared.later(["a"], one_more)
    shared.later(["b"], one_more)
    assert (store.get("a"), store.get("b")) == ({"n": 1}, None)
    assert shared.update(["b", "a"], lambda found: (found, [each and each["n"] for each in found])) == [1, 2]
    assert (store.get("a"), store.get("b")) == ({"n": 2}, {"n": 1})
    shared.later(["a"], one_more)
    assert dict(shared.scan("a")) == {"a": {"n": 3}}
    shared.later(["a"], one_more)
    shared.leave()
    assert store.get("a") == {"n": 4}


def test_not_too_much_is_left_for_later() -> None:
    store = MemoryStore()
    shared = SharedState(lambda: store)
    shared.gathers = True
    for _ in range(GATHERED + 1):
        shared.later(["a"], one_more)
    assert store.get("a") == {"n": GATHERED}


def test_threads_that_leave_things_for_later_lose_nothing(tmp_path: Path) -> None:
    shared = SharedState(lambda: DiskState(tmp_path / "state"))
    shared.gathers = True

    def work() -> None:
        for _ in range(50):
            shared.later(["a"], one_more)
            shared.update(["a", "b"], lambda found: ([one_more([each])[0][0] for each in found], None))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.close()
    after = DiskState(tmp_path / "state")
    assert (after.get("a"), after.get("b")) == ({"n": 800}, {"n": 400})
    after.close()


def test_threads_that_flush_at_once_ask_for_something() -> None:
    asked: list[int] = []

    class Asked(MemoryStore):
        def update(self, names: Sequence[str], change: Change[Result]) -> Result:
            asked.append(len(names))
            return super().update(names, change)

    shared = SharedState(Asked)
    shared.gathers = True

    def work() -> None:
        for _ in range(10_000):
            shared.later(["a"], one_more)
            shared.flush()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert shared.get("a") == {"n": 40_000}
    assert 0 not in asked


def one_more(records: list[Record | None]) -> tuple[list[Record | None], None]:
    return [{"n": (records[0] or {"n": 0})["n"] + 1}], None
