"""Models of several providers at once."""

import orjson

from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import FennecError, NetworkError
from fennec_cli.listing import from_catalogue, list_models, rendered, size_text
from fennec_cli.model_facts import rendered_facts
from fennec_cli.model_lists import KeptList
from fennec_cli.providers.ollama import ModelFacts

MODELS = {
    "openai": [ModelInfo("gpt-6-luna", "openai"), ModelInfo("a-first", "openai")],
    "local": [ModelInfo("tiny", "local", source="installed")],
}


def ask(name: str) -> list[ModelInfo]:
    if name == "down":
        raise NetworkError("refused", provider=name)
    return MODELS[name]


def test_a_provider_that_fails_does_not_hide_the_others() -> None:
    listing = list_models(["openai", "down", "local"], ask, lambda name: name)
    assert [model.id for model in listing.models] == ["a-first", "gpt-6-luna", "tiny"]
    assert [failure.provider for failure in listing.failures if isinstance(failure, FennecError)] == ["down"]


def test_what_was_kept_stands_for_a_provider_that_fails_and_for_no_other() -> None:
    kept = KeptList([ModelInfo("old", "down")], 1.0)
    listing = list_models(["down", "local"], ask, lambda name: name, lambda _name: kept)
    assert [model.id for model in listing.models] == ["old", "tiny"]
    assert (listing.stale, list(listing.answers)) == ({"down": kept}, ["local"])
    assert len(listing.failures) == 1


def test_the_catalogue_offers_no_model_that_is_shut_down() -> None:
    everything, later = from_catalogue("openai", "openai", ""), from_catalogue("openai", "openai", "2099-01-01")
    assert {model.id for model in later} < {model.id for model in everything}
    assert all(model.deprecated is None for model in later)


def test_a_service_that_only_speaks_like_another_has_none_of_its_models() -> None:
    assert from_catalogue("groq", "openai", "2026-01-01") == []


def test_the_catalogue_fills_in_what_the_provider_does_not_say() -> None:
    luna = list_models(["openai"], ask, lambda name: name).models[1]
    assert (luna.input_usd_per_mtok, luna.output_usd_per_mtok) == (0.1, 0.5)
    assert luna.context_window == 922_000
    assert "tools" in luna.capabilities


def test_forms_for_programs_carry_every_field() -> None:
    models = list_models(["local"], ask, lambda name: name).models
    row = orjson.loads(rendered(models, "ndjson"))
    assert orjson.loads(rendered(models, "json")) == [row]
    assert (row["id"], row["model"]) == ("local/tiny", "tiny")
    assert set(row) == {
        "id",
        "provider",
        "model",
        "context_window",
        "max_output",
        "capabilities",
        "input_usd_per_mtok",
        "output_usd_per_mtok",
        "deprecated",
        "source",
    }


def test_the_table_is_aligned() -> None:
    lines = rendered(list_models(["openai", "local"], ask, lambda name: name).models, "table").decode().splitlines()
    column = lines[0].index("CONTEXT")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines)


def test_a_name_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in rendered((ModelInfo("\x1b[2Jevil", "box"),), "table").decode()


def test_no_provider_gives_an_empty_list() -> None:
    assert list_models([], ask, lambda name: name).models == ()
    assert rendered((), "ndjson") == b""


def test_one_model_shows_what_is_known_and_no_control_characters() -> None:
    facts = ModelFacts(ModelInfo("tiny", "box", context_window=4096), {"license": "\x1b[2Jfree"})
    text = rendered_facts(facts, "table").decode()
    assert "context_window  4096" in text
    assert "max_output" not in text
    assert "\x1b" not in text


def test_sizes_are_said_in_three_digits() -> None:
    sizes = [0, 999, 1000, 2_500_300, 4_661_211_678, 7_000_000_000_000_000]
    assert [size_text(size) for size in sizes] == ["0 B", "999 B", "1 kB", "2.5 MB", "4.66 GB", "7e+03 TB"]
