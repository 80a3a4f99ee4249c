"""The encrypted file: who can open it, and that nothing in it can be changed unnoticed."""

import os
import random
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fennec_cli.errors import AuthenticationError, ConfigError, IntegrityError
from fennec_cli.keys import Secret
from fennec_cli.keys.file_vault import FileVault
from fennec_cli.keys.index import keys_directory, read_index
from fennec_cli.keys.stored import Stored, remove, store
from tests.conftest import soak
from tests.e2e.runner import ROOT

Environ = dict[str, str]


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    return {"HOME": str(tmp_path / "home")}


def stored(environ: Environ, *values: str) -> FileVault:
    vault = FileVault(environ)
    for number, value in enumerate(values):
        store(f"name{number}", Secret(value), vault, environ)
    return vault


def key(name: str, environ: Environ) -> str:
    return Stored(name, environ).active().secret.reveal()


def test_what_was_stored_comes_back_in_another_process(environ: Environ) -> None:
    stored(environ, "sk-first-key", "sk-second-key")
    assert [key("name0", environ), key("name1", environ)] == ["sk-first-key", "sk-second-key"]
    assert b"sk-first" not in FileVault(environ).path.read_bytes()


def test_a_file_that_lost_its_key_file_stays_shut(environ: Environ) -> None:
    stored(environ, "sk-first-key")
    key_file = keys_directory(environ) / "unlock.key"
    key_file.rename(key_file.with_name("away"))
    with pytest.raises(AuthenticationError, match="locked"):
        key("name0", environ)
    key_file.write_bytes(os.urandom(32))
    with pytest.raises(IntegrityError):
        key("name0", environ)


def test_a_passphrase_opens_it_and_another_one_does_not(environ: Environ, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text("correct horse\n")
    wrong.write_text("correct house\n")
    vault = FileVault(environ, lock="passphrase", passphrase_file=str(right))
    store("openai", Secret("sk-first-key"), vault, environ)
    assert key("openai", {**environ, "FENNEC_PASSPHRASE_FILE": str(right)}) == "sk-first-key"
    assert not (keys_directory(environ) / "unlock.key").exists()
    with pytest.raises(AuthenticationError, match="locked"):
        key("openai", environ)
    with pytest.raises(IntegrityError) as caught:
        key("openai", {**environ, "FENNEC_PASSPHRASE_FILE": str(wrong)})
    assert "house" not in caught.value.line()
    vault.path.write_bytes(vault.path.read_bytes().replace(b'"passes":3', b'"passes":2'))
    with pytest.raises(IntegrityError) as tampered:
        key("openai", {**environ, "FENNEC_PASSPHRASE_FILE": str(right)})
    assert tampered.value.line() == caught.value.line()  # nobody learns which of the two it was


def test_the_passphrase_may_be_a_credential_of_systemd(environ: Environ, tmp_path: Path) -> None:
    (tmp_path / "fennec_passphrase").write_text("correct horse")
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    store("openai", Secret("sk-first-key"), FileVault(environ, lock="passphrase"), environ)
    assert key("openai", environ) == "sk-first-key"


def test_keys_file_tamper_each_byte(environ: Environ) -> None:
    vault = stored(environ, "sk-first-key", "sk-second-key")
    whole = vault.path.read_bytes()
    for at in range(len(whole)):
        for bit in (1, 0x20):
            vault.path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
            with pytest.raises(IntegrityError):
                key("name0", environ)
    for cut in range(len(whole)):
        vault.path.write_bytes(whole[:cut])
        with pytest.raises(IntegrityError):
            key("name0", environ)
    vault.path.write_bytes(whole)
    assert key("name0", environ) == "sk-first-key"


def test_a_value_cannot_be_moved_to_another_name(environ: Environ) -> None:
    vault = stored(environ, "sk-first-key", "sk-second-key")
    entries = read_index(environ)
    ids = [entries[name].slots["active"].id for name in ("name0", "name1")]
    document = vault._read()
    assert document is not None
    document["entries"]["name0"][ids[0]] = document["entries"]["name1"][ids[1]]
    vault._write(document)  # by somebody who can even sign
    with pytest.raises(IntegrityError):
        key("name0", environ)


def test_an_index_that_is_damaged_is_said_and_does_not_decide(environ: Environ) -> None:
    from fennec_cli.keys.index import stored_names

    stored(environ, "sk-first-key")
    path = keys_directory(environ) / "index.json"
    for content in (b"", b"[]", b'{"v": 1}', b'{"v": 2, "keys": {}}', b'{"v": 1, "keys": {"a": {"vault": "x"}}}'):
        path.write_bytes(content)
        with pytest.raises(IntegrityError):
            read_index(environ)
        assert stored_names(environ) == {}


def test_keys_modes(environ: Environ) -> None:
    before = os.umask(0)
    try:
        stored(environ, "sk-first-key")
    finally:
        os.umask(before)
    directory = keys_directory(environ)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert modes == dict.fromkeys(("index.json", "keys.enc", "lock", "unlock.key"), 0o600)


def test_a_directory_that_others_may_write_is_not_used(environ: Environ) -> None:
    directory = keys_directory(environ)
    directory.mkdir(parents=True)
    directory.chmod(0o777)
    with pytest.raises(ConfigError, match="not a directory of yours alone"):
        stored(environ, "sk-first-key")


def test_a_link_in_place_of_the_file_is_not_followed(environ: Environ, tmp_path: Path) -> None:
    vault = stored(environ, "sk-first-key")
    vault.path.rename(tmp_path / "elsewhere")
    vault.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError):
        key("name0", environ)


def test_removed_and_replaced_keys_are_gone_from_the_file(environ: Environ) -> None:
    vault = stored(environ, "sk-first-key")
    store("name0", Secret("sk-second-key"), vault, environ)
    document = FileVault(environ)
    document._read()
    assert [len(row) for row in (document._read() or {})["entries"].values()] == [1]
    remove("name0", environ)
    assert (document._read() or {})["entries"] == {}
    with pytest.raises(AuthenticationError, match="no key is stored"):
        remove("name0", environ)


def test_the_key_file_opens_it_in_40_ms_and_the_passphrase_in_300(environ: Environ, tmp_path: Path) -> None:
    """CPU time of whole look-ups, the packages being loaded: the machine may be busy with something else."""
    stored(environ, "sk-first-key")
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse")
    other = {"HOME": str(tmp_path / "other"), "FENNEC_PASSPHRASE_FILE": str(phrase)}
    store("name0", Secret("sk-first-key"), FileVault(other, lock="passphrase"), other)
    for where, limit_s in ((environ, 0.040), (other, 0.300)):
        times = []
        for _ in range(3):
            start = time.process_time()
            key("name0", where)
            times.append(time.process_time() - start)
        assert min(times) <= limit_s


STORING = """
import os, sys
from fennec_cli.keys import Secret
from fennec_cli.keys.file_vault import FileVault
from fennec_cli.keys.stored import promote, store
from fennec_cli.keys.index import read_index
for number in range(1000):
    vault = FileVault(os.environ)
    store("openai", Secret(f"sk-number-{number}"), vault, os.environ)
    store("openai", Secret(f"sk-number-{number}-next"), vault, os.environ, slot="next")
    promote("openai", read_index(os.environ)["openai"].generation, os.environ)
    os.write(1, b"x")
"""


@pytest.mark.soak
def test_a_process_that_is_killed_leaves_keys_that_can_be_read(environ: Environ) -> None:
    """At any moment: the index names values that exist, and nothing is half written."""
    chance = random.Random(7)
    for _ in range(soak(8, 500)):
        with subprocess.Popen(
            [sys.executable, "-c", STORING], env={**environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.read(1)
            time.sleep(chance.random() / 20)
            process.kill()
        place = Stored("openai", environ)
        slots = read_index(environ)["openai"].slots
        assert {place.in_slot(slot).secret.reveal()[:10] for slot in slots} == {"sk-number-"}
        store("openai", Secret("sk-after-all"), FileVault(environ), environ)
        assert key("openai", environ) == "sk-after-all"
