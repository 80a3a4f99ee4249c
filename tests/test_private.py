"""Directories and files of our own: modes, owners, links, and the installation's key."""

import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from fennec_cli import private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _open_umask() -> object:
    old = os.umask(0)
    yield
    os.umask(old)


def test_homes_follow_the_xdg_variables() -> None:
    assert private.home_of("state", {"HOME": "/h"}) == "/h/.local/state/fennec"
    assert private.home_of("cache", {"HOME": "/h", "XDG_CACHE_HOME": "/c"}) == "/c/fennec"
    assert private.home_of("cache", {"HOME": "/h", "XDG_CACHE_HOME": "relative"}) == "/h/.cache/fennec"
    assert private.home_of("config", {}) is None


def test_directories_are_closed_to_others_whatever_the_umask_is(tmp_path: Path) -> None:
    private.make_directory(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == mode(tmp_path / "a" / "b") == 0o700


def test_a_directory_that_others_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    private.make_directory(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


def test_a_directory_that_others_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o777)
    with pytest.raises(private.NotPrivate):
        private.make_directory(tmp_path / "a")


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        private.make_directory(tmp_path / "a")


def test_files_are_closed_and_links_are_not_followed(tmp_path: Path) -> None:
    os.close(private.open_file(tmp_path / "new", os.O_WRONLY | os.O_CREAT))
    assert mode(tmp_path / "new") == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with pytest.raises(OSError, match="symbolic links"):
        private.open_file(tmp_path / "link", os.O_RDONLY)


def test_a_replaced_file_is_whole_and_leaves_nothing_behind(tmp_path: Path) -> None:
    private.replace_file(tmp_path / "f", b"one")
    private.replace_file(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"two"
    assert mode(tmp_path / "f") == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_the_installation_key_lasts_and_differs_by_purpose(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    one = private.installation_key("cache", environ)
    assert one == private.installation_key("cache", environ) != private.installation_key("mask", environ)
    assert len(one) == 32
    assert mode(tmp_path / "fennec" / "installation.key") == 0o600
    assert os.listdir(tmp_path / "fennec") == ["installation.key"]


def test_a_short_installation_key_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "fennec").mkdir()
    (tmp_path / "fennec" / "installation.key").write_bytes(b"short")
    with pytest.raises(OSError, match="not an installation key"):
        private.installation_key("cache", {"XDG_CONFIG_HOME": str(tmp_path)})


def _ask(place: str) -> bytes:
    return private.installation_key("cache", {"XDG_CONFIG_HOME": place})


def test_processes_that_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(8) as pool:
        assert len(set(pool.map(_ask, [str(tmp_path)] * 32, chunksize=1))) == 1
