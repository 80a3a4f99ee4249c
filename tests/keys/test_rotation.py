"""A key that is refused gives way to the next one: in one place, once, whoever was first."""

import multiprocessing
from collections.abc import Collection
from functools import partial
from pathlib import Path

import pytest

from fennec_cli.errors import AuthenticationError
from fennec_cli.keys import Secret
from fennec_cli.keys.file_vault import FileVault
from fennec_cli.keys.index import Entry, changing, read_index
from fennec_cli.keys.index import Stored as At
from fennec_cli.keys.places import Fixed, Key, Listed, Sources, place_of
from fennec_cli.keys.source import KeySource, too_old
from fennec_cli.keys.stored import Stored, promote, store, withdraw
from fennec_cli.store import MemoryStore
from tests.conftest import soak

REFUSED = AuthenticationError("key refused", status=401)
Environ = dict[str, str]


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    return {"HOME": str(tmp_path / "home")}


def with_two_keys(environ: Environ) -> None:
    vault = FileVault(environ)
    store("openai", Secret("sk-old-key"), vault, environ)
    store("openai", Secret("sk-new-key"), vault, environ, slot="next")


def test_only_401_says_that_a_key_is_wrong(environ: Environ) -> None:
    with_two_keys(environ)
    source = KeySource("openai", Stored("openai", environ))
    assert source.key() == "sk-old-key"
    for status in (403, 407, None):
        assert not source.refused("sk-old-key", AuthenticationError("no", status=status))
    assert source.key() == "sk-old-key"


def test_the_next_key_becomes_the_active_one_when_it_has_worked(environ: Environ) -> None:
    with_two_keys(environ)
    said: list[str] = []
    records: list[str] = []
    source = KeySource(
        "openai",
        Stored("openai", environ),
        say=lambda level, text: said.append(text) if level == 0 else None,
        record=lambda event, fields: records.append(f"{event} {fields['gen_ai.provider.name']}"),
    )
    source.key()
    source.accepted("sk-old-key")
    assert source.refused("sk-old-key", REFUSED)
    assert source.key() == "sk-new-key"
    assert read_index(environ)["openai"].slots.keys() == {"active", "next"}  # nothing has worked yet
    source.accepted("sk-new-key")
    source.accepted("sk-new-key")
    entry = read_index(environ)["openai"]
    assert entry.slots.keys() == {"active", "retired"}
    assert (len(said), records) == (1, ["key_rotated openai"])
    assert Stored("openai", environ).active().secret.reveal() == "sk-new-key"
    assert not source.refused("sk-new-key", REFUSED)


def test_a_key_that_another_process_has_put_in_place_is_tried_first(environ: Environ) -> None:
    with_two_keys(environ)
    source = KeySource("openai", Stored("openai", environ))
    source.key()
    entry = read_index(environ)["openai"]
    assert promote("openai", entry.generation, environ)
    store("openai", Secret("sk-later-key"), FileVault(environ), environ, slot="next")
    assert source.refused("sk-old-key", REFUSED)
    assert source.key() == "sk-new-key"
    assert source.refused("sk-new-key", REFUSED)
    assert source.key() == "sk-later-key"
    assert not source.refused("sk-later-key", REFUSED)


def test_a_promotion_from_an_older_generation_does_nothing(environ: Environ) -> None:
    with_two_keys(environ)
    old = read_index(environ)["openai"].generation
    store("openai", Secret("sk-other-key"), FileVault(environ), environ, slot="next")
    assert not promote("openai", old, environ)
    assert promote("openai", old + 1, environ)
    assert not promote("openai", old + 2, environ)  # there is no next key any more


def test_a_key_that_another_process_replaces_while_it_is_read_is_read_anew(environ: Environ) -> None:
    with_two_keys(environ)
    place = Stored("openai", environ)
    vault = FileVault(environ)

    class Slow(FileVault):
        def get(self, name: str, id: str) -> str | None:
            if not replaced:
                replaced.append(store("openai", Secret("sk-later-key"), vault, environ, slot="next"))
            return super().get(name, id)

    replaced: list[Entry] = []
    place._vault = Slow(environ)
    assert place.in_slot("next").secret.reveal() == "sk-later-key"
    assert replaced


def test_a_key_that_is_gone_from_its_vault_is_an_error(environ: Environ) -> None:
    with_two_keys(environ)
    FileVault(environ).delete("openai", read_index(environ)["openai"].slots["active"].id)
    with pytest.raises(AuthenticationError, match="no longer in the encrypted file"):
        Stored("openai", environ).active()


def test_a_key_that_another_process_has_moved_to_the_other_vault_is_looked_for_there(environ: Environ) -> None:
    with_two_keys(environ)
    place = Stored("openai", environ)
    assert place.active().secret == Secret("sk-old-key")
    with changing(environ) as entries:
        entries["openai"] = entries["openai"]._replace(vault="keyring")
    with pytest.raises(AuthenticationError, match="there is no keyring in this session"):
        place.active()
    assert place.name == "the keyring"


def test_only_the_next_key_that_was_refused_is_withdrawn(environ: Environ) -> None:
    with_two_keys(environ)
    refused = read_index(environ)["openai"].slots["next"].id
    store("openai", Secret("sk-later-key"), FileVault(environ), environ, slot="next")
    withdraw("openai", refused, environ)
    assert Stored("openai", environ).in_slot("next").secret.reveal() == "sk-later-key"
    withdraw("openai", read_index(environ)["openai"].slots["next"].id, environ)
    assert read_index(environ)["openai"].slots.keys() == {"active"}


def rotate_once(
    environ: Environ, start: "multiprocessing.synchronize.Barrier", wins: "multiprocessing.Queue[bool]"
) -> None:
    source_says: list[str] = []
    source = KeySource(
        "openai",
        Stored("openai", environ),
        record=lambda event, _fields: source_says.append(event),
    )
    old = source.key()
    start.wait(20)
    assert source.refused(old, REFUSED)
    key = source.key()
    source.accepted(key)
    wins.put((key, len(source_says)))  # type: ignore[arg-type]


@pytest.mark.soak
def test_keys_concurrent_rotation_one_winner(environ: Environ) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(soak(3, 50)):
        with_two_keys(environ)
        start, wins = context.Barrier(8), context.Queue()
        processes = [context.Process(target=rotate_once, args=(environ, start, wins)) for _ in range(8)]
        for process in processes:
            process.start()
        results = [wins.get(timeout=20) for _ in processes]
        for process in processes:
            process.join(10)
        assert {key for key, _ in results} == {"sk-new-key"}
        assert sum(count for _, count in results) == 1
        assert read_index(environ)["openai"].slots.keys() == {"active", "retired"}


def test_a_rotation_between_two_looks_is_not_missed() -> None:
    """The active key was read before another process made the next one active, the next one looked for after it."""

    class Rotating(Fixed):
        def next(self, refused: Collection[Secret]) -> Key | None:  # noqa: ARG002
            active.append("sk-new-key")
            return None

    active = ["sk-old-key"]
    source = KeySource("openai", Rotating("the keyring", lambda: Key(Secret(active[-1]))))
    source.key()
    assert source.refused("sk-old-key", REFUSED)
    assert source.key() == "sk-new-key"


def test_keys_of_the_configuration_take_over_for_all_processes() -> None:
    state = MemoryStore()
    keys = ("sk-key-1", "sk-key-2", "sk-key-3")
    first = KeySource("openai", Listed("openai", keys, state))
    assert first.key() == "sk-key-1"
    assert first.refused("sk-key-1", REFUSED)
    assert first.refused("sk-key-2", REFUSED)
    assert first.key() == "sk-key-3"
    first.accepted("sk-key-3")
    second = KeySource("openai", Listed("openai", keys, state))
    assert second.key() == "sk-key-3"
    assert second.refused("sk-key-3", REFUSED)
    assert second.key() == "sk-key-1"


def test_keys_401_then_next() -> None:
    """The same in one list: every key is offered once, and then the refusal stands."""
    source = KeySource("openai", Listed("openai", ("sk-key-1", "sk-key-2"), MemoryStore()))
    offered = [source.key()]
    while source.refused(offered[-1], REFUSED):
        offered.append(source.key())
    assert offered == ["sk-key-1", "sk-key-2"]


def test_another_thread_that_was_refused_too_gets_the_new_key_without_a_second_rotation() -> None:
    source = KeySource("openai", Listed("openai", ("sk-key-1", "sk-key-2", "sk-key-3"), MemoryStore()))
    source.key()
    assert source.refused("sk-key-1", REFUSED)
    assert source.refused("sk-key-1", REFUSED)
    assert source.key() == "sk-key-2"


def test_a_file_that_was_replaced_meanwhile_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-old-key")
    place = place_of(Sources("openai", (), {}, key_file=str(file)))
    assert place is not None
    source = KeySource("openai", place)
    source.key()
    assert not source.refused("sk-old-key", REFUSED)
    file.write_text("sk-new-key")
    assert source.refused("sk-old-key", REFUSED)
    assert source.key() == "sk-new-key"


def test_a_key_that_can_be_read_once_is_read_once() -> None:
    reads: list[int] = []

    def read() -> Key:
        reads.append(1)
        if len(reads) > 1:
            raise AuthenticationError("empty")
        return Key(Secret("sk-only-key"))

    source = KeySource("openai", Fixed("fd", read))
    assert [source.key(), source.key()] == ["sk-only-key"] * 2
    assert not source.refused("sk-only-key", REFUSED)


def test_an_old_key_is_said_when_somebody_asked_for_it() -> None:
    day = 86400.0
    assert too_old(0.0, None, 90 * day) == ""
    assert too_old(0.0, None, 91 * day) == "91 days old (max_age is 90 days)"
    for max_age, level in ((None, 1), (10 * day, 0)):
        said: list[tuple[int, str]] = []
        place = Fixed("the keyring", lambda: Key(Secret("sk-only-key"), created=0.0))
        say = partial(lambda told, *each: told.append(each), said)
        KeySource("openai", place, max_age_s=max_age, say=say, clock=lambda: 100 * day).key()
        assert [each[0] for each in said] == [level]
        assert "100 days old" in said[0][1]


def test_the_promoted_entry_keeps_the_old_key_as_the_retired_one() -> None:
    entry = Entry("file", 4, {"active": At("a", 1.0), "next": At("b", 2.0), "retired": At("c", 0.5)})
    assert entry.promoted() == Entry("file", 5, {"active": At("b", 2.0), "retired": At("a", 1.0)})
