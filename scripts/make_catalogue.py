"""Make fennec_cli/data/catalogue.json, the dated table of models.

    pip install genai-prices && pip install --no-deps litellm
    python scripts/make_catalogue.py [--date YYYY-MM-DD]

Prices come from genai-prices; limits, capabilities, efforts and shutdown dates from the table of models that litellm
carries (its JSON is read, litellm is not imported); `OVERLAY` corrects both and adds what neither knows. The same
releases and the same date give the same bytes. Prices on which the two data sets differ are listed on stderr.
"""

import argparse
import datetime
import importlib
import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "fennec_cli" / "data" / "catalogue.json"
LITELLM_TABLE = "model_prices_and_context_window_backup.json"

Row = dict[str, Any]
Rows = dict[str, Row]  # by the model's name

DEFAULT_MODELS = {  # ollama: the newest installed; azure: has none, a deployment's name is its owner's choice
    "anthropic": "claude-haiku-5-5",
    "local": "smollm2-135m",
    "openai": "gpt-5.4-mini",
    "openrouter": "openrouter/auto",
}

# Not for text alone, of a closed programme, withdrawn chat variants, and old snapshots named by month and day.
LEFT_OUT = re.compile(
    r"^ft:|/|audio|search|research|computer|container|cyber|daybreak|rosalind|-law$|-chat(-latest)?$|preview|-\d{4}$"
)
SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CAPABILITIES = {
    "images": "supports_vision",
    "reasoning": "supports_reasoning",
    "schema": "supports_response_schema",
    "tools": "supports_function_calling",
}
KEYS = ("context_window", "max_output", "capabilities", "sampling", "efforts", "default_effort", "price", "shutdown")

_ALL = ["images", "reasoning", "schema", "tools"]
_TO_MAX = {"efforts": ["none", "low", "medium", "high", "xhigh", "max"]}
_CLAUDE_NEXT = {  # In the SDK's list and priced; everything else as the model before it, not yet confirmed.
    "capabilities": _ALL,
    "context_window": 1_000_000,
    "efforts": ["low", "medium", "high", "xhigh", "max"],
    "sampling": "no",
}
# What the data sets lack or have wrong. All read 2026-11-22.
OVERLAY: dict[str, Rows] = {
    "anthropic": {  # default efforts: the pages of the models (platform.claude.com) and anthropics/skills
        "claude-fable-5": {"default_effort": "high"},
        "claude-fable-5-1": {"default_effort": "high"},
        "claude-fable-5-2": _CLAUDE_NEXT,
        "claude-haiku-5-5": {"default_effort": "medium"},
        "claude-mythos-5": {"default_effort": "high"},
        "claude-mythos-5-1": {"default_effort": "high"},
        "claude-mythos-5-2": _CLAUDE_NEXT,
        "claude-opus-4-6": {"default_effort": "high"},
        "claude-opus-4-7": {"default_effort": "high"},
        "claude-opus-4-8": {"default_effort": "high"},
        "claude-opus-5": {"default_effort": "high"},
        "claude-opus-5-5": {"default_effort": "medium"},
        "claude-sonnet-4-6": {"default_effort": "high"},
        "claude-sonnet-5": {"default_effort": "high"},
        "claude-sonnet-5-5": {"default_effort": "high"},
    },
    "local": {  # context: llama.cpp metadata of the GGUF file; schema: the engine's grammars hold any model to it
        "smollm2-135m": {
            "capabilities": ["schema"],
            "context_window": 8192,
            "price": {"input": 0, "output": 0, "cached": 0},
            "sampling": "yes",
        },
    },
    "openai": {
        # "minimal" is of the first GPT-5 generation only; the pro models are said to start higher (unverified)
        "gpt-5-pro": {"efforts": ["high"], "default_effort": "high"},
        "gpt-5.2-pro": {"efforts": ["medium", "high", "xhigh"]},
        # xhigh and max since GPT-5.6
        "gpt-5.6": _TO_MAX,
        "gpt-5.6-luna": _TO_MAX,
        "gpt-5.6-sol": _TO_MAX,
        "gpt-5.6-terra": _TO_MAX,
    },
    "openrouter": {"openrouter/auto": {"capabilities": _ALL, "sampling": "yes"}},  # it picks a model that can
}


def merge(facts: Mapping[str, Rows], prices: Mapping[str, Rows], overlay: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return the catalogue's rows by provider, both levels sorted.

    `facts` are litellm's rows and `prices` those of genai-prices, by provider and model. Azure serves OpenAI's models:
    it takes their rows, with its own limits, price and shutdown date.
    """
    models = {
        provider: _rows(provider, facts.get(provider, {}), prices.get(provider, {}), overlay.get(provider, {}))
        for provider in {*facts, *overlay} - {"azure"}
    }
    models["azure"] = _azure_rows(facts.get("azure", {}), prices.get("azure", {}), models.get("openai", {}))
    return {provider: _tidy(models[provider]) for provider in sorted(models)}


def price_differences(
    models: Mapping[str, Rows], facts: Mapping[str, Rows], prices: Mapping[str, Rows]
) -> Iterator[str]:
    """Say where the data sets disagree on the price of a model in the catalogue."""
    for provider, rows in models.items():
        for name in rows:
            first, second = prices.get(provider, {}).get(name), _price(facts.get(provider, {}).get(name, {}))
            if first and second and first != second:
                yield f"{provider} {name}: genai-prices {first}, litellm {second}"


def render(models: Mapping[str, Rows], sources: Mapping[str, str], date: str) -> str:
    """Write the catalogue as JSON, a model a line, so that a new release is a readable diff."""
    providers = ",\n".join(
        f"{json.dumps(provider)}: {{\n{_lines(rows)}\n}}" for provider, rows in models.items() if rows
    )
    head = {"date": date, "sources": sources, "default_models": DEFAULT_MODELS}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    return "{\n" + ",\n".join(lines) + f',\n"models": {{\n{providers}\n}}\n}}\n'


def _rows(provider: str, facts: Rows, prices: Rows, overlay: Rows) -> Rows:
    rows = {name: _row(provider, fact, prices.get(name)) for name, fact in facts.items() if not LEFT_OUT.search(name)}
    rows = _fold_snapshots({name: row for name, row in rows.items() if row["context_window"]})
    for name, corrections in overlay.items():
        rows[name] = {**rows.get(name, {"price": prices.get(name)}), **corrections}
    return rows


def _row(provider: str, fact: Row, price: Row | None) -> Row:
    efforts = _efforts(provider, fact)
    return {
        **_limits(fact, price),
        "capabilities": [name for name, flag in CAPABILITIES.items() if fact.get(flag)],
        "sampling": _sampling(provider, fact, efforts),
        "efforts": efforts,
        "default_effort": fact.get("default_reasoning_effort"),
    }


def _limits(fact: Row, price: Row | None) -> Row:
    return {
        "context_window": fact.get("max_input_tokens"),
        "max_output": fact.get("max_output_tokens"),
        "price": price or _price(fact),
        "shutdown": fact.get("deprecation_date"),
    }


def _azure_rows(facts: Rows, prices: Rows, openai: Rows) -> Rows:
    rows = {name: {**openai[name], **_limits(facts[name], prices.get(name))} for name in facts.keys() & openai.keys()}
    return {name: row for name, row in _fold_snapshots(rows).items() if row["price"]}


def _efforts(provider: str, fact: Row) -> list[str]:
    if levels := fact.get("reasoning_effort_levels"):
        return list(levels)
    if not fact.get("supports_reasoning") or (provider == "anthropic" and not fact.get("supports_output_config")):
        return []
    usual = {"low", "medium", "high"}
    return [effort for effort in EFFORTS if fact.get(f"supports_{effort}_reasoning_effort", effort in usual)]


def _sampling(provider: str, fact: Row, efforts: list[str]) -> str:
    """OpenAI's reasoning models take sampling values only while they do not reason (400 otherwise).

    Anthropic's refuse them from Opus 4.7 on; those before take them under the API version 2023-06-01.
    """
    if provider == "anthropic":
        return "yes" if fact.get("supports_sampling_params", True) else "no"
    if not fact.get("supports_reasoning"):
        return "yes"
    return "without_reasoning" if "none" in efforts else "no"


def _price(fact: Row) -> Row | None:
    """USD per million tokens, from litellm's per token."""
    if not fact.get("input_cost_per_token"):
        return None
    cost = {"input": "input_cost_per_token", "output": "output_cost_per_token", "cached": "cache_read_input_token_cost"}
    return {key: _number(fact[name] * 1e6) for key, name in cost.items() if fact.get(name) is not None}


def _number(value: Any) -> float | int:
    number = round(float(value), 6)
    return int(number) if number.is_integer() else number


def _fold_snapshots(rows: Rows) -> Rows:
    """Drop the dated snapshots that tell nothing more than the name without the date.

    That name ends with the last of its snapshots, if each has a date.
    """
    names = {name: SNAPSHOT.sub("", name) for name in rows if SNAPSHOT.search(name)}
    for short in set(names.values()) & rows.keys():
        ends = [rows[name]["shutdown"] for name in names if names[name] == short]
        if not rows[short].get("shutdown") and all(ends):
            rows[short]["shutdown"] = max(ends)
    return {name: row for name, row in rows.items() if name not in names or row != rows.get(names[name])}


def _tidy(rows: Rows) -> Rows:
    """Sort, and leave out what is empty or unknown."""
    return {name: {key: row[key] for key in KEYS if row.get(key)} for name, row in sorted(rows.items())}


def _lines(rows: Rows) -> str:
    return ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())


def read_facts() -> dict[str, Rows]:
    """Read litellm's rows for text models, by provider and by the name that the provider uses."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        raise SystemExit("make_catalogue: litellm is missing; try: pip install --no-deps litellm")
    facts: dict[str, Rows] = {"anthropic": {}, "azure": {}, "openai": {}}
    for key, fact in json.loads(Path(spec.origin).with_name(LITELLM_TABLE).read_text()).items():
        provider = fact.get("litellm_provider")
        name = key.removeprefix("azure/") if provider == "azure" else key
        if provider in facts and fact.get("mode") in ("chat", "responses") and "/" not in name:
            facts[provider][name] = fact
    return facts


def read_prices(names: Mapping[str, Iterable[str]], date: str) -> dict[str, Rows]:
    """Look the models up in genai-prices: the price of `date`, the lowest tier where it grows with the prompt."""
    moment = datetime.datetime.fromisoformat(date).replace(tzinfo=datetime.UTC)
    prices: dict[str, Rows] = {}
    for provider in importlib.import_module("genai_prices.data").providers:
        if provider.id not in names:
            continue
        found = {name: provider.find_model(name) for name in names[provider.id]}
        rows = {name: _genai_price(model.get_prices(moment)) for name, model in found.items() if model}
        prices[provider.id] = {name: row for name, row in rows.items() if "input" in row}
    return prices


def _genai_price(price: Any) -> Row:
    values = {"input": price.input_mtok, "output": price.output_mtok, "cached": price.cache_read_mtok}
    return {key: _number(getattr(value, "base", value)) for key, value in values.items() if value is not None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--date", default=datetime.date.today().isoformat(), help="the day of the prices (today)")
    date = parser.parse_args().date
    facts = read_facts()
    prices = read_prices({provider: {*facts[provider], *OVERLAY.get(provider, {})} for provider in facts}, date)
    sources = {package: importlib.metadata.version(package) for package in ("genai-prices", "litellm")}
    models = merge(facts, prices, OVERLAY)
    TARGET.write_text(render(models, sources, date), encoding="utf-8")
    for difference in price_differences(models, facts, prices):
        print(difference, file=sys.stderr)
    print(f"{TARGET.name}: {sum(map(len, models.values()))} models, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
