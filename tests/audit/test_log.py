"""Appending: many writers, kills, full disks, rotation."""

import errno
import os
import random
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from fennec_cli.audit.chain import Verdict, numbered, verify
from fennec_cli.audit.log import TOGETHER, AuditLog, rotated
from fennec_cli.audit.records import Outcome
from fennec_cli.audit.trail import Trail
from fennec_cli.audit_report import lines_of
from fennec_cli.request import CompletionRequest
from tests.conftest import soak
from tests.e2e.runner import ROOT

KEY = b"key"


def hammer(path: Path, count: int, *more: str, **popen: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.audit.hammer", str(path), str(count), *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        **popen,  # type: ignore[call-overload]
    )


def chain(path: Path) -> Verdict:
    return verify(lines_of(path), key=KEY)


def whole(path: Path) -> int:
    """Assert that the chain is whole; return the number of its records."""
    verdict = chain(path)
    assert verdict.problem is None
    assert verdict.vouched == verdict.records
    return verdict.records


@pytest.mark.soak
def test_audit_16x1000_no_torn_chain_ok(tmp_path: Path) -> None:
    path, processes, each = tmp_path / "audit" / "audit.jsonl", 16, soak(60, 1000)
    running = [hammer(path, each) for _ in range(processes)]
    for process in running:
        assert process.wait(600) == 0
        assert process.stdout is not None
        process.stdout.close()
    assert whole(path) == processes * each
    assert b'"repair"' not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["\udcff", "\udcff" * 50_000])
def test_bytes_that_are_no_utf8_are_recorded_as_far_as_they_can_be(tmp_path: Path, text: str) -> None:
    """A model's name is an argument, and arguments may be any bytes."""
    path = tmp_path / "audit.jsonl"
    AuditLog(path, key=lambda: KEY).append({"event": "request", "gen_ai.request.model": text})
    assert whole(path) == 1
    assert b'"gen_ai.request.model":"?' in path.read_bytes()


@pytest.mark.soak
def test_audit_kill9_500(tmp_path: Path) -> None:
    path, rng = tmp_path / "audit" / "audit.jsonl", random.Random(1)
    kills = soak(12, 500)
    running = [hammer(path, 100_000) for _ in range(2)]
    for turn in range(kills):
        victim = running.pop(0)
        assert victim.stdout is not None
        victim.stdout.read(1)  # it writes
        time.sleep(rng.uniform(0, 0.02))
        victim.kill()
        victim.wait()
        victim.stdout.close()
        if turn < kills - 2:
            running.append(hammer(path, 100_000))
    log = AuditLog(path, key=lambda: KEY)
    log.append({"event": "last"})  # repairs what the last kill may have torn
    log.close()
    assert whole(path) > kills


@pytest.mark.parametrize("cut", [1, 2, 17, 60])
def test_a_torn_line_is_closed_and_said(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY)
    for turn in range(3):
        log.append({"event": "test", "turn": turn})
    log.close()
    os.truncate(path, path.stat().st_size - cut)
    assert "torn" in (chain(path).problem or "") or cut == 1
    again = AuditLog(path, key=lambda: KEY)
    again.append({"event": "after"})
    again.close()
    assert whole(path) == 4  # the third line is whole, or what is left of it has a repair record
    assert (b'"repair"' in path.read_bytes()) == (cut > 1)


def test_every_place_to_tear_a_line_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first = AuditLog(path, key=lambda: KEY)
    first.append({"event": "one"})
    size = path.stat().st_size
    first.append({"event": "two"})
    first.close()
    data = path.read_bytes()
    for end in range(size + 1, len(data)):
        path.write_bytes(data[:end])
        log = AuditLog(path, key=lambda: KEY)
        log.append({"event": "three"})
        log.close()
        assert whole(path) == 3


def test_audit_enospc(tmp_path: Path) -> None:
    """A file that cannot grow: the record that does not fit is an error, and the next process repairs its part."""
    path = tmp_path / "audit.jsonl"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4500, 4500))

    full = hammer(path, 1000, preexec_fn=small)
    out, _ = full.communicate(timeout=60)
    assert full.returncode == 1
    assert b"failed: " in out
    assert path.stat().st_size == 4500
    log = AuditLog(path, key=lambda: KEY)
    log.append({"event": "after"})
    log.close()
    assert whole(path) >= 3
    assert b'"repair"' in path.read_bytes()


@pytest.mark.soak
def test_audit_rotation_under_load(tmp_path: Path) -> None:
    path, processes, each = tmp_path / "audit" / "audit.jsonl", 8, soak(50, 2000)
    running = [hammer(path, each, "9000") for _ in range(processes)]
    for process in running:
        assert process.wait(600) == 0
        assert process.stdout is not None
        process.stdout.close()
    files = rotated(path)
    assert len(files) > 3
    assert whole(path) == processes * each + len(files)  # each new file begins with a record of its own


def test_old_files_go_and_the_rest_still_verifies(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY, keep=2, rotate_bytes=2000)
    for turn in range(60):
        log.append({"event": "test", "turn": turn})
    log.close()
    assert len(rotated(path)) == 2
    verdict = chain(path)
    assert verdict.problem is None
    assert (verdict.first or 0) > 0


def test_an_old_file_is_rotated_by_its_age(tmp_path: Path) -> None:
    path, moment = tmp_path / "audit.jsonl", [1_700_000_000.0]
    log = AuditLog(path, key=lambda: KEY, clock=lambda: moment[0])
    log.append({"event": "first"})
    moment[0] += 29 * 24 * 3600
    log.append({"event": "second"})
    assert rotated(path) == []
    moment[0] += 2 * 24 * 3600
    log.append({"event": "third"})
    log.close()
    assert len(rotated(path)) == 1
    assert whole(path) == 4


def test_a_kill_between_renaming_and_beginning_a_file_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY)
    log.append({"event": "one"})
    log.close()
    path.rename(tmp_path / "audit.jsonl.000000000000")
    again = AuditLog(path, key=lambda: KEY)
    again.append({"event": "two"})
    again.close()
    assert whole(path) == 3


def test_a_long_field_is_cut_and_its_hash_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY)
    log.append({"event": "test", "text": "\u4e2d" * 100_000})
    log.close()
    assert path.stat().st_size < 64 * 1024
    assert b"SHA-256" in path.read_bytes()
    assert whole(path) == 1


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"")
    (tmp_path / "audit.jsonl").symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        AuditLog(tmp_path / "audit.jsonl").append({"event": "test"})
    assert target.read_bytes() == b""


def test_numbers_count_lines_of_each_file() -> None:
    assert [line.number for line in numbered("a", [b"1\n", b"2\n"])] == [1, 2]


def records(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_record_says_when_and_what_it_follows(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, clock=lambda: 1e9 + 0.25)
    first, second = log.append({"event": "one"}), log.append({"event": "two"})
    log.close()
    assert records(path) == [
        {"ts": "2001-09-09T01:46:40.250000Z", "seq": 0, "prev": "0" * 64, "event": "one"},
        {"ts": "2001-09-09T01:46:40.250000Z", "seq": 1, "prev": first.hash, "event": "two"},
    ]
    assert (first.seq, second.seq) == (0, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.jsonl", "audit.lock"]


def test_a_torn_first_line_is_repaired_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"ts":"2001')
    log = AuditLog(path, clock=lambda: 1e9)
    assert log.append({"event": "one"}).seq == 1
    log.close()
    repair = orjson.loads(path.read_bytes().splitlines()[1])
    assert (repair["seq"], repair["event"], repair["fennec.torn_bytes"]) == (0, "repair", 11)
    assert chain_without_key(path) == 2


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_a_torn_first_line_of_a_later_file_goes_on_with_the_numbers(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY, rotate_bytes=1)
    log.append({"event": "one"})
    log._rotate()
    log.close()
    path.write_bytes(path.read_bytes()[:-1][:cut])
    log = AuditLog(path, key=lambda: KEY)
    assert log.append({"event": "two"}).seq == 2
    log.close()
    assert whole(path) == 3
    older = Path(rotated(path)[0])
    older.write_bytes(older.read_bytes().replace(b'"one"', b'"eno"'))
    assert "record 1 does not follow" in (verify(lines_of(path)).problem or "")
    older.unlink()
    assert whole(path) == 2


def test_a_long_record_before_a_long_torn_line_is_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY)
    long = {"event": "test", "text": "x" * 60_000}
    log.append({"event": "test"})
    log.append(long)
    log.append(long)
    log.close()
    path.write_bytes(path.read_bytes()[:-10])
    log = AuditLog(path, key=lambda: KEY)
    assert log.append({"event": "test"}).seq == 3
    log.close()
    assert whole(path) == 4


def chain_without_key(path: Path) -> int:
    verdict = verify(lines_of(path))
    assert verdict.problem is None
    return verdict.records


def test_the_next_file_names_the_one_before_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, rotate_bytes=1)
    log.append({"event": "one"})
    log.append({"event": "two"})
    log.close()
    first, second = records(path)
    assert (first["event"], first["fennec.previous_file"], second["event"]) == (
        "rotate",
        "audit.jsonl.000000000000",
        "two",
    )


@pytest.mark.parametrize(("more", "files"), [(0, 1), (1, 0)])
def test_a_file_is_rotated_when_it_has_its_size(tmp_path: Path, more: int, files: int) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, clock=lambda: 1e9)
    log.append({"event": "one"})
    log.close()
    again = AuditLog(path, clock=lambda: 1e9, rotate_bytes=path.stat().st_size + more)
    again.append({"event": "two"})
    again.close()
    assert len(rotated(path)) == files


@pytest.mark.parametrize(("days", "files"), [(29.9, 0), (30.1, 1)])
def test_another_process_knows_how_old_a_file_is(tmp_path: Path, days: float, files: int) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, clock=lambda: 1e9)
    log.append({"event": "one"})
    log.close()
    later = AuditLog(path, clock=lambda: 1e9 + days * 86_400)
    later.append({"event": "two"})
    later.close()
    assert len(rotated(path)) == files


def test_twelve_old_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, rotate_bytes=1)
    for _ in range(20):
        log.append({"event": "x"})
    log.close()
    assert len(rotated(path)) == 12


@pytest.mark.parametrize(("fsync", "synced"), [("exit", 1), ("always", 3), ("never", 0)])
def test_how_often_the_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: Any, synced: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    log = AuditLog(tmp_path / "audit.jsonl", fsync=fsync)
    for _ in range(3):
        log.append({"event": "x"})
    log.close()
    log.close()
    assert len(calls) == synced
    assert all(fd > 2 for fd in calls)


@pytest.mark.parametrize(("fsync", "synced"), [("exit", 1), ("never", 0)])
def test_a_file_that_another_process_renamed_is_left_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: Any, synced: int
) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, fsync=fsync)
    log.append({"event": "one"})
    other = AuditLog(path, rotate_bytes=1)
    other.append({"event": "two"})
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    assert log.append({"event": "three"}).seq == 3
    assert len(calls) == synced
    assert [each["event"] for each in records(path)] == ["rotate", "two", "three"]
    for each in (log, other):
        each.close()
    assert chain_without_key(path) == 4


def test_a_log_that_was_closed_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.close()
    for _ in range(2):
        log.append({"event": "x"})
        log.close()
    assert chain_without_key(path) == 2


def test_a_record_that_was_written_in_part_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.append({"event": "one"})
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, data: write(fd, data[:-1]))
        with pytest.raises(OSError, match="written in part only") as caught:
            log.append({"event": "two"})
    assert caught.value.errno == errno.ENOSPC
    log.append({"event": "three"})
    log.close()
    assert [each["event"] for each in records(path)] == ["one", "two", "three"]  # only its line end was missing
    assert chain_without_key(path) == 3


def test_what_others_wanted_to_write_is_not_lost_with_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    interrupted = [True]

    def key() -> bytes | None:
        if interrupted.pop() if interrupted else False:
            other.start()
            while len(log._waiting) < 1:
                time.sleep(0.001)
            raise KeyboardInterrupt
        return None

    log = AuditLog(path, key=key)
    other = threading.Thread(target=log.append, args=({"event": "other"},))
    with pytest.raises(KeyboardInterrupt):
        log.append({"event": "mine"})
    other.join(10)
    log.close()
    assert [each["event"] for each in records(path)] == ["other"]


def test_records_for_later_are_written_with_the_next_one_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY)
    for turn in range(3):
        log.later({"event": "test", "turn": turn})
    assert not path.exists()
    log.append({"event": "test", "turn": 3})
    assert [orjson.loads(line)["turn"] for line in path.read_bytes().splitlines()] == [0, 1, 2, 3]
    log.later({"event": "test", "turn": 4})
    log.flush()
    assert whole(path) == 5
    for turn in range(2 * TOGETHER):
        log.later({"event": "test", "turn": turn})
    log.append({"event": "last"})
    assert whole(path) == 6 + 2 * TOGETHER
    log.later({"event": "at the end"})
    log.close()
    assert whole(path) == 7 + 2 * TOGETHER


def test_a_group_that_fits_in_part_is_repaired(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    program = """
import resource, sys
from fennec_cli.audit.log import AuditLog
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
log = AuditLog(sys.argv[1], key=lambda: b"key")
for turn in range(20):
    log.later({"event": "test", "turn": turn})
try:
    log.flush()
except OSError as error:
    print(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, cwd=ROOT, check=True)
    assert done.stdout == b"28\n"
    assert path.stat().st_size == 2000
    log = AuditLog(path, key=lambda: KEY)
    log.append({"event": "after"})
    log.close()
    assert whole(path) > 3
    assert b'"repair"' in path.read_bytes()


def test_a_trail_gathers_what_is_not_required(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for required, expected in ((False, 0), (True, 2)):
        trail = Trail(AuditLog(path, key=lambda: KEY), required=required)
        trail.gather()
        request = CompletionRequest.from_text("hi", model="m")
        trail.ended(trail.began(request), request, Outcome(1.0))
        assert len(path.read_bytes().splitlines() if path.exists() else []) == expected
    trail.flush()
