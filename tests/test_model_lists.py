"""Lists of models that are kept: what is written, who may read it, and what is passed over."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import OutputError
from fennec_cli.model_lists import ModelLists, age_text

URL = "https://api.example/v1"
MODELS = [
    ModelInfo("b", "box", 4096, 512, ("images", "tools"), 0.5, 2, "2027-01-31"),
    ModelInfo("a", "box"),
]
NOW = 1_795_000_000.0


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def lists(cache: Path) -> ModelLists:
    return ModelLists(environ={"XDG_CACHE_HOME": str(cache)}, clock=lambda: NOW)


def file_of(cache: Path) -> Path:
    return cache / "fennec" / "models" / "box.json"


def test_what_is_kept_comes_back_whole_and_in_order(lists: ModelLists) -> None:
    lists.keep("box", URL, MODELS)
    found = lists.kept("box", URL)
    assert found is not None
    assert (found.models, found.moment) == (MODELS, NOW)


def test_the_later_list_takes_the_place_of_the_earlier(lists: ModelLists) -> None:
    lists.keep("box", URL, MODELS)
    lists.keep("box", URL, MODELS[:1])
    found = lists.kept("box", URL)
    assert found is not None
    assert found.models == MODELS[:1]


def test_only_the_user_can_read_it_whatever_the_umask(lists: ModelLists, cache: Path) -> None:
    before = os.umask(0)
    try:
        lists.keep("box", URL, MODELS)
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (file_of(cache), file_of(cache).parent, cache / "fennec", cache)]
    assert modes == [0o600, 0o700, 0o700, 0o700]


def test_nothing_else_is_left_in_the_directory(lists: ModelLists, cache: Path) -> None:
    lists.keep("box", URL, MODELS)
    assert [path.name for path in file_of(cache).parent.iterdir()] == ["box.json"]


def test_a_list_of_another_address_is_not_this_provider_s(lists: ModelLists) -> None:
    lists.keep("box", URL, MODELS)
    assert lists.kept("box", "https://elsewhere.example/v1") is None


def test_a_name_cannot_lead_out_of_the_directory(lists: ModelLists, cache: Path) -> None:
    name = "../../../evil"
    lists.keep(name, URL, [ModelInfo("a", name)])
    assert lists.kept(name, URL) is not None
    assert [path.parent for path in cache.parent.rglob("*.json")] == [file_of(cache).parent]


def test_without_a_list_there_is_none(lists: ModelLists) -> None:
    assert lists.kept("box", URL) is None


def change(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: {**document, key: value}


def change_model(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: {**document, "models": [{**document["models"][0], key: value}]}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _document: [],
        lambda _document: {},
        change("form", 2),
        change("provider", "other"),
        change("moment", "yesterday"),
        change("moment", 1e300),
        change("moment", -1),
        change("models", None),
        change("models", ["a"]),
        change("models", [{"id": "a", "provider": "box"}]),
        change_model("id", 7),
        change_model("provider", "other"),
        change_model("context_window", "many"),
        change_model("capabilities", "tools"),
        change_model("capabilities", [1]),
        change_model("unknown", 1),
    ],
)
def test_another_form_is_passed_over(lists: ModelLists, cache: Path, spoil: Callable[[Any], object]) -> None:
    lists.keep("box", URL, MODELS)
    file_of(cache).write_bytes(orjson.dumps(spoil(orjson.loads(file_of(cache).read_bytes()))))
    assert lists.kept("box", URL) is None


def test_every_cut_of_the_file_is_passed_over(lists: ModelLists, cache: Path) -> None:
    lists.keep("box", URL, MODELS[:1])
    whole = file_of(cache).read_bytes()
    for length in range(len(whole)):
        file_of(cache).write_bytes(whole[:length])
        assert lists.kept("box", URL) is None, length


def test_a_file_that_others_may_write_is_passed_over(lists: ModelLists, cache: Path) -> None:
    lists.keep("box", URL, MODELS)
    file_of(cache).chmod(0o622)
    assert lists.kept("box", URL) is None


def test_a_link_and_a_pipe_are_passed_over(lists: ModelLists, cache: Path) -> None:
    lists.keep("box", URL, MODELS)
    elsewhere = file_of(cache).rename(cache / "elsewhere.json")
    file_of(cache).symlink_to(elsewhere)
    assert lists.kept("box", URL) is None
    file_of(cache).unlink()
    os.mkfifo(file_of(cache), 0o600)
    assert lists.kept("box", URL) is None


def test_a_relative_cache_directory_counts_as_not_set(tmp_path: Path) -> None:
    ModelLists(environ={"XDG_CACHE_HOME": "here", "HOME": str(tmp_path)}).keep("box", URL, MODELS)
    assert (tmp_path / ".cache" / "fennec" / "models" / "box.json").exists()


def test_without_a_place_keeping_fails_and_nothing_is_kept() -> None:
    lists = ModelLists(environ={})
    with pytest.raises(OutputError, match="neither XDG_CACHE_HOME nor HOME"):
        lists.keep("box", URL, MODELS)
    assert lists.kept("box", URL) is None


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"box\.json"):
        ModelLists(environ={"XDG_CACHE_HOME": str(tmp_path / "file")}).keep("box", URL, MODELS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "less than a minute"),
        (59.9, "less than a minute"),
        (60, "1 minute"),
        (3_599, "59 minutes"),
        (3_600, "1 hour"),
        (86_399, "23 hours"),
        (86_400, "1 day"),
        (40 * 86_400, "40 days"),
    ],
)
def test_ages_are_said_in_their_largest_unit(seconds: float, text: str) -> None:
    assert age_text(seconds) == text
