"""What verification sees: every change but a cut tail, and that too with a head that was kept elsewhere."""

import random
from pathlib import Path

import orjson
import pytest

from fennec_cli.audit.chain import Line, Verdict, numbered, verify
from fennec_cli.audit.log import AuditLog, Head
from fennec_cli.audit.records import digest, mac

KEY = b"key"
COUNT = 12


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    log = AuditLog(tmp_path / "audit.jsonl", key=lambda: KEY)
    for turn in range(COUNT):
        log.append({"event": "test", "turn": turn})
    log.close()
    return (tmp_path / "audit.jsonl").read_bytes().splitlines()


def seen(lines: list[bytes], *, key: bytes | None = KEY, head: Head | None = None) -> Verdict:
    return verify(numbered("log", lines), key=key, head=head)


def first_bad(lines: list[bytes], **more: object) -> int:
    """Number of the line that verification names."""
    problem = seen(lines, **more).problem  # type: ignore[arg-type]
    assert problem is not None
    return int(problem.partition("line ")[2].partition(":")[0])


def test_audit_detect_edit_delete_insert_reorder(lines: list[bytes]) -> None:
    assert seen(lines).problem is None
    for at in range(COUNT):
        edited = lines[:]
        edited[at] = edited[at].replace(b'"test"', b'"nice"')
        assert first_bad(edited) == at + 1
        if at < COUNT - 1:
            assert first_bad([*lines[:at], *lines[at + 1 :]]) == at + 1
        assert first_bad([*lines[: at + 1], lines[at], *lines[at + 1 :]]) == at + 2
        for other in range(at + 1, COUNT):
            moved = lines[:]
            moved[at], moved[other] = moved[other], moved[at]
            assert first_bad(moved) == at + 1


def test_without_the_key_the_chain_alone_shows_it_one_record_later(lines: list[bytes]) -> None:
    edited = lines[:]
    edited[4] = edited[4].replace(b'"test"', b'"nice"')
    assert first_bad(edited, key=None) == 6


def test_a_chain_that_was_made_anew_without_the_key_is_noticed(lines: list[bytes]) -> None:
    forged, prev = [], "0" * 64
    for line in lines:
        record = {**orjson.loads(line), "prev": prev, "event": "nice"}
        record.pop("mac")
        body = orjson.dumps(record)
        forged.append(body[:-1] + b',"mac":"' + mac(body, b"guess").encode() + b'"}')
        prev = digest(forged[-1])
    assert seen(forged, key=None).problem is None
    assert first_bad(forged) == 1


def test_every_flipped_bit_of_a_record_is_noticed(lines: list[bytes]) -> None:
    rng = random.Random(3)
    for _ in range(300):
        at, place = rng.randrange(COUNT), 0
        place = rng.randrange(len(lines[at]))
        changed = bytearray(lines[at])
        changed[place] ^= 1 << rng.randrange(8)
        if bytes(changed).count(b"\n"):
            continue
        assert seen([*lines[:at], bytes(changed), *lines[at + 1 :]]).problem is not None, (at, place)


def test_audit_detect_truncation_with_head(lines: list[bytes]) -> None:
    head = seen(lines).head
    assert head is not None
    cut = lines[:-3]
    assert seen(cut).problem is None
    assert f"record {head.seq}" in (seen(cut, head=head).problem or "")
    assert seen(lines, head=head).problem is None
    assert seen(lines, head=Head(head.seq, "1" * 64)).problem is not None
    assert seen(lines, head=Head(4, digest(lines[4]))).problem is None


def test_a_cut_beginning_is_noticed(lines: list[bytes]) -> None:
    assert first_bad(lines[3:]) == 1


def test_a_line_that_is_no_record_needs_a_repair_behind_it(lines: list[bytes]) -> None:
    assert first_bad([*lines[:5], b"{torn", *lines[5:]]) == 6
    assert first_bad([*lines, b"{torn"]) == COUNT + 1


def test_a_second_file_that_does_not_go_on_is_noticed(lines: list[bytes]) -> None:
    parts = [Line("a", 1, lines[0]), Line("b", 1, lines[1])]
    assert "begins a file" in (verify(parts, key=KEY).problem or "")


def test_a_head_that_was_removed_with_its_file_is_no_cut(tmp_path: Path) -> None:
    path = tmp_path / "rotated" / "audit.jsonl"
    log = AuditLog(path, key=lambda: KEY, rotate_bytes=200)
    for turn in range(6):
        log.append({"event": "test", "turn": turn})
    log.close()
    last = path.read_bytes().splitlines()
    first = orjson.loads(last[0])["seq"]
    assert first > 1
    assert seen(last, head=Head(first - 1, "1" * 64)).problem is None
    assert "not the one" in (seen(last, head=Head(first, "1" * 64)).problem or "")


def test_a_cut_tail_says_what_is_left(lines: list[bytes]) -> None:
    head = Head(11, digest(lines[11]))
    wanted = "the tail is cut: record 11 of the given head is missing, the last is"
    assert seen(lines[:4], head=head).problem == f"{wanted} 3"
    assert seen(lines[:1], head=head).problem == f"{wanted} 0"
    assert seen([], head=head).problem == f"{wanted} none"


def test_a_text_that_looks_like_a_check_value_is_none(tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    log = AuditLog(path, key=lambda: KEY)
    log.append({"event": "test", "nested": {"mac": "0" * 32, "more": 1}})
    log.close()
    assert seen(path.read_bytes().splitlines()).problem is None


def test_records_without_a_check_value_say_so(tmp_path: Path) -> None:
    path = tmp_path / "plain.jsonl"
    log = AuditLog(path)
    log.append({"event": "test"})
    log.close()
    (plain,) = path.read_bytes().splitlines()
    assert seen([plain], key=None) == Verdict(1, 0, Head(0, digest(plain)), 0)
    assert seen([plain]).problem == "log, line 1: record 0 was changed: its check value is missing"
    forged = plain[:-1] + b',"mac":"' + b"0" * 32 + b'"}'
    assert "its check value is wrong" in (seen([forged]).problem or "")
    short = plain[:-1] + b',"mac":"' + mac(plain, KEY)[:31].encode() + b'"}'
    assert "missing" in (seen([short]).problem or "")


def test_a_torn_end_says_that_it_will_be_repaired(lines: list[bytes]) -> None:
    assert seen([*lines, b"{torn"]).problem == (
        f"log, line {COUNT + 1}: it is torn: the next record that is written repairs that"
    )
