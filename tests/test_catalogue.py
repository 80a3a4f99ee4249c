"""The built-in catalogue: what it says of models that people use, its form, and how it is made."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from fennec_cli.catalogue import CatalogueModel, catalogue_date, default_model, known_models, lookup, refuses_sampling
from fennec_cli.pricing import Price
from fennec_cli.providers import PROVIDERS, provider_module

ROOT = Path(__file__).parent.parent
FILE = ROOT / "fennec_cli" / "data" / "catalogue.json"
SCRIPT = ROOT / "scripts" / "make_catalogue.py"
TYPES = ("anthropic", "azure", "local", "openai", "openrouter")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
EVERY_MODEL = [model for provider in TYPES for model in known_models(provider)]


def found(provider: str, name: str) -> CatalogueModel:
    model = lookup(provider, name)
    assert model is not None, f"{provider}/{name} is not in the catalogue"
    return model


def maker() -> Any:
    """The script that makes the catalogue; importing it needs neither data set."""
    spec = importlib.util.spec_from_file_location("make_catalogue", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Defaults


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-5.4-mini"),
        ("anthropic", "claude-haiku-5-5"),
        ("openrouter", "openrouter/auto"),
        ("local", "smollm2-135m"),
        ("azure", None),
        ("ollama", None),
        ("groq", None),
    ],
)
def test_the_default_models_are_those_of_the_contract(provider: str, name: str | None) -> None:
    assert default_model(provider) == name


@pytest.mark.parametrize("provider", ["anthropic", "local", "openai", "openrouter"])
def test_a_default_model_has_a_row_and_no_shutdown_date(provider: str) -> None:
    assert found(provider, default_model(provider) or "").shutdown is None


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_provider_modules_and_catalogue_agree_on_the_default(provider: str) -> None:
    assert default_model(provider) == provider_module(provider).DEFAULT_MODEL


# Facts of the makers' pages, 2026-11-22


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("gpt-6-astra", Price(10, 50, 1)),
        ("gpt-6.1-sol", Price(2, 10, 0.1)),
        ("gpt-6-sol", Price(2, 10, 0.2)),
        ("gpt-6.1-terra", Price(1, 5, 0.05)),
        ("gpt-6-luna", Price(0.1, 0.5, 0.01)),
        ("gpt-5.5", Price(5, 30, 0.5)),
        ("gpt-5.4-mini", Price(0.75, 4.5, 0.075)),
        ("gpt-4.1", Price(2, 8, 0.5)),
    ],
)
def test_openai_prices_are_those_of_the_lowest_tier(name: str, price: Price) -> None:
    assert found("openai", name).price == price


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("claude-haiku-5-5", Price(0.1, 0.5, 0.01)),
        ("claude-opus-5-5", Price(4, 20, 0.2)),
        ("claude-sonnet-4-6", Price(3, 15, 0.3)),
        ("claude-fable-5-1", Price(10, 50, 0.25)),
        ("claude-mythos-5", Price(10, 50, 1)),
    ],
)
def test_anthropic_prices_are_those_of_the_lowest_tier(name: str, price: Price) -> None:
    assert found("anthropic", name).price == price


def test_the_local_model_costs_nothing() -> None:
    assert found("local", "smollm2-135m").price == Price(0, 0, 0)


@pytest.mark.parametrize(
    ("provider", "name", "limits"),
    [
        ("openai", "gpt-6-luna", (922_000, 128_000)),
        ("openai", "gpt-5.6-terra", (922_000, 128_000)),
        ("openai", "gpt-5.5", (1_050_000, 128_000)),
        ("openai", "gpt-5.4-mini", (272_000, 128_000)),
        ("openai", "gpt-4.1", (1_047_576, 32_768)),
        ("anthropic", "claude-haiku-4-5", (200_000, 64_000)),
        ("anthropic", "claude-haiku-5-5", (1_000_000, 128_000)),
        ("local", "smollm2-135m", (8192, None)),
    ],
)
def test_limits_of_input_and_output(provider: str, name: str, limits: tuple[int, int | None]) -> None:
    model = found(provider, name)
    assert (model.context_window, model.max_output) == limits


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("gpt-5", "2026-12-11"),
        ("gpt-5-mini", "2026-12-11"),
        ("gpt-5-nano", "2026-12-11"),
        ("o3", "2026-12-11"),
        ("gpt-4.1", "2027-01-14"),
        ("gpt-4.1-mini", "2027-01-14"),
        ("gpt-4o", "2027-01-14"),
        ("gpt-4o-mini", "2027-01-14"),
        ("o4-mini", "2026-10-23"),
        ("o1", "2026-10-23"),
        ("gpt-4-turbo", "2026-10-23"),
        ("gpt-4", "2026-10-23"),
        ("gpt-3.5-turbo", "2026-10-23"),
    ],
)
def test_openai_models_that_end_have_their_day(name: str, day: str) -> None:
    assert found("openai", name).shutdown == day


def test_azure_has_its_own_shutdown_dates() -> None:
    assert found("azure", "gpt-5-mini").shutdown == "2027-02-09"


@pytest.mark.parametrize("name", ["gpt-4.1", "gpt-4.1-mini", "gpt-4o", "gpt-4o-mini"])
def test_models_that_never_reason_take_sampling_values(name: str) -> None:
    assert not refuses_sampling(found("openai", name), None)


@pytest.mark.parametrize("name", ["gpt-5.1", "gpt-5.2", "gpt-5.4", "gpt-5.4-mini"])
def test_models_that_reason_on_demand_take_sampling_values_until_asked_to_reason(name: str) -> None:
    model = found("openai", name)
    assert model.default_effort == "none"
    assert not refuses_sampling(model, None)
    assert refuses_sampling(model, "low")


@pytest.mark.parametrize("name", ["gpt-5.5", "gpt-5.6-sol", "gpt-6-sol", "gpt-6-luna", "gpt-6.1-terra"])
def test_models_that_reason_by_default_take_sampling_values_only_with_effort_none(name: str) -> None:
    model = found("openai", name)
    assert refuses_sampling(model, None)
    assert not refuses_sampling(model, "none")


@pytest.mark.parametrize("name", ["gpt-6-astra", "gpt-6.1-sol", "gpt-5-mini", "gpt-5-pro", "gpt-5.5-pro", "o3"])
def test_models_that_always_reason_never_take_sampling_values(name: str) -> None:
    model = found("openai", name)
    assert "none" not in model.efforts
    assert refuses_sampling(model, None)
    assert refuses_sampling(model, "none")


@pytest.mark.parametrize("name", ["claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-6"])
def test_claude_before_opus_4_7_takes_sampling_values(name: str) -> None:
    assert not refuses_sampling(found("anthropic", name), None)


@pytest.mark.parametrize("name", ["claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5", "claude-mythos-5-1"])
def test_claude_from_opus_4_7_on_takes_no_sampling_values(name: str) -> None:
    assert refuses_sampling(found("anthropic", name), None)


def test_only_the_first_generation_of_gpt_5_knows_minimal_effort() -> None:
    minimal = {model.id for model in known_models("openai") if "minimal" in model.efforts}
    assert minimal == {"gpt-5", "gpt-5-mini", "gpt-5-nano"}


def test_the_highest_efforts_came_with_gpt_5_6() -> None:
    assert found("openai", "gpt-5.6-luna").efforts[-2:] == ("xhigh", "max")
    assert found("openai", "gpt-5.5").efforts[-1] == "xhigh"
    assert found("openai", "gpt-5.1").efforts[-1] == "high"


# Looking up


@pytest.mark.parametrize(
    ("provider", "snapshot", "name"),
    [
        ("openai", "gpt-6-luna-2026-09-22", "gpt-6-luna"),
        ("azure", "gpt-6-astra-2026-09-03", "gpt-6-astra"),
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("openai", "gpt-6-luna", "gpt-6-luna"),
    ],
)
def test_a_snapshot_is_its_undated_model(provider: str, snapshot: str, name: str) -> None:
    assert found(provider, snapshot).id == name


def test_a_snapshot_that_differs_has_its_own_row() -> None:
    assert found("openai", "gpt-4o-2024-05-13").price == Price(5, 15)
    assert found("openai", "gpt-4o").price == Price(2.5, 10, 1.25)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-0"),
        ("openai", ""),
        ("openai", "2026-09-22"),
        ("openai", "claude-haiku-5-5"),
        ("ollama", "llama3"),
        ("groq", "gpt-4.1"),
    ],
)
def test_an_unknown_model_is_not_found(provider: str, name: str) -> None:
    assert lookup(provider, name) is None


def test_models_that_do_not_write_text_are_left_out() -> None:
    assert not [m.id for m in EVERY_MODEL if re.search("embedding|audio|image|realtime|tts|whisper|moderation", m.id)]


# Form


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: f"{model.provider}/{model.id}")
def test_every_row_is_well_formed(model: CatalogueModel) -> None:
    assert model.sampling in get_args(get_type_hints(CatalogueModel)["sampling"])
    assert set(model.capabilities) <= {"images", "reasoning", "schema", "tools"}
    assert list(model.efforts) == [effort for effort in EFFORTS if effort in model.efforts]
    assert model.default_effort is None or model.default_effort in model.efforts
    assert not model.efforts or "reasoning" in model.capabilities
    assert model.shutdown is None or DAY.fullmatch(model.shutdown)
    assert model.provider == "openrouter" or (model.price is not None and model.context_window)
    if model.price is not None:
        assert 0 <= (model.price.cached or 0) <= model.price.input <= model.price.output


def test_the_file_is_dated_and_names_its_sources() -> None:
    assert DAY.fullmatch(catalogue_date())
    assert set(json.loads(FILE.read_text())["sources"]) == {"genai-prices", "litellm"}


def test_the_file_is_sorted() -> None:
    models = json.loads(FILE.read_text())["models"]
    assert list(models) == sorted(models)
    for rows in models.values():
        assert list(rows) == sorted(rows)


def test_each_model_stands_on_a_line_of_its_own() -> None:
    lines = FILE.read_text().splitlines()
    assert sum('"sampling"' in line for line in lines) == len(EVERY_MODEL)
    assert not [line for line in lines if line.count('"sampling"') > 1]


def test_the_file_stays_small_enough_to_read_at_every_start() -> None:
    assert FILE.stat().st_size < 80_000


# Making it


def gpt(**fields: Any) -> dict[str, Any]:
    """A row as litellm has it."""
    basic = {"max_input_tokens": 1000, "max_output_tokens": 100, "input_cost_per_token": 3e-6}
    return {**basic, "output_cost_per_token": 4e-6, **fields}


def test_a_row_takes_its_facts_from_one_set_and_its_price_from_the_other() -> None:
    facts = gpt(supports_reasoning=True, supports_none_reasoning_effort=True, deprecation_date="2027-01-01")
    made = maker().merge({"openai": {"gpt-9": facts}}, {"openai": {"gpt-9": {"input": 1, "output": 2}}}, {})
    assert made["openai"] == {
        "gpt-9": {
            "context_window": 1000,
            "max_output": 100,
            "capabilities": ["reasoning"],
            "sampling": "without_reasoning",
            "efforts": ["none", "low", "medium", "high"],
            "price": {"input": 1, "output": 2},
            "shutdown": "2027-01-01",
        }
    }


def test_a_price_that_only_litellm_knows_is_taken_per_million() -> None:
    made = maker().merge({"openai": {"gpt-9": gpt(cache_read_input_token_cost=2.5e-8)}}, {}, {})
    assert made["openai"]["gpt-9"]["price"] == {"input": 3, "output": 4, "cached": 0.025}


def test_the_overlay_corrects_and_adds_rows() -> None:
    overlay = {"openai": {"gpt-9": {"max_output": 7}}, "local": {"tiny": {"context_window": 5, "sampling": "yes"}}}
    made = maker().merge({"openai": {"gpt-9": gpt()}}, {}, overlay)
    assert made["openai"]["gpt-9"]["max_output"] == 7
    assert made["local"] == {"tiny": {"context_window": 5, "sampling": "yes"}}


def test_azure_takes_the_row_of_openai_with_its_own_price_and_day() -> None:
    facts = {
        "openai": {"gpt-9": gpt(supports_vision=True, deprecation_date="2027-01-01")},
        "azure": {"gpt-9": gpt(input_cost_per_token=5e-6, deprecation_date="2028-01-01"), "other": gpt()},
    }
    rows = maker().merge(facts, {}, {})["azure"]
    assert list(rows) == ["gpt-9"]
    assert rows["gpt-9"]["capabilities"] == ["images"]
    assert rows["gpt-9"]["price"]["input"] == 5
    assert rows["gpt-9"]["shutdown"] == "2028-01-01"


def test_a_snapshot_that_says_nothing_new_is_dropped_and_lends_its_day() -> None:
    facts = {"gpt-9": gpt(), "gpt-9-2026-01-02": gpt(deprecation_date="2027-01-01")}
    rows = maker().merge({"openai": facts}, {}, {})["openai"]
    assert list(rows) == ["gpt-9"]
    assert rows["gpt-9"]["shutdown"] == "2027-01-01"


def test_a_name_does_not_end_while_one_of_its_snapshots_has_no_day() -> None:
    facts = {"gpt-9": gpt(), "gpt-9-2026-01-02": gpt(deprecation_date="2027-01-01"), "gpt-9-2026-05-06": gpt()}
    rows = maker().merge({"openai": facts}, {}, {})["openai"]
    assert "shutdown" not in rows["gpt-9"]
    assert list(rows) == ["gpt-9", "gpt-9-2026-01-02"]


@pytest.mark.parametrize("name", ["ft:gpt-9", "gpt-9-audio", "gpt-9-search-api", "gpt-9-cyber", "gpt-9-chat-latest"])
def test_a_model_of_another_kind_is_left_out(name: str) -> None:
    assert maker().merge({"openai": {name: gpt()}}, {}, {})["openai"] == {}


def test_a_disagreement_on_a_price_is_reported() -> None:
    script = maker()
    facts, prices = {"openai": {"gpt-9": gpt(), "gpt-8": gpt()}}, {"openai": {"gpt-9": {"input": 1, "output": 2}}}
    said = list(script.price_differences(script.merge(facts, prices, {}), facts, prices))
    assert said == ["openai gpt-9: genai-prices {'input': 1, 'output': 2}, litellm {'input': 3, 'output': 4}"]


def test_the_same_input_gives_the_same_bytes_in_any_order() -> None:
    script = maker()
    forwards = {"openai": {"b": gpt(), "a": gpt()}, "anthropic": {"c": gpt()}}
    backwards = {"anthropic": {"c": gpt()}, "openai": {"a": gpt(), "b": gpt()}}
    one, other = (script.render(script.merge(facts, {}, {}), {}, "2026-11-22") for facts in (forwards, backwards))
    assert one == other


def test_the_file_is_as_the_script_writes_it() -> None:
    catalogue = json.loads(FILE.read_text())
    written = maker().render(catalogue["models"], catalogue["sources"], catalogue["date"])
    assert written == FILE.read_text()
