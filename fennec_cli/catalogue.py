"""What is known of models without asking anybody: limits, abilities, prices, ends, and the defaults.

One dated file, data/catalogue.json, made by scripts/make_catalogue.py. It is read on first use, once a process; only
the rows that are asked for become objects. What the configuration says of a model goes before what stands here.
"""

import re
from dataclasses import dataclass
from functools import cache
from os.path import dirname, join
from typing import Any, Literal

import orjson

from fennec_cli.pricing import Price

# importlib.resources would find it too, and cost more than reading the file.
_FILE = join(dirname(__file__), "data", "catalogue.json")
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model as its maker describes it. None stands for what is not known.

    `context_window` counts the input that a request may have; some makers give input and output together. `price` is
    that of short prompts: several models cost more above 100,000 to 272,000 input tokens. `default_effort` is what a
    request without an effort gets. `shutdown` is the announced day, ISO 8601; it may lie in the past.
    """

    id: str
    provider: str
    context_window: int | None = None
    max_output: int | None = None
    capabilities: tuple[str, ...] = ()  # of images, reasoning, schema, tools
    sampling: Literal["yes", "no", "without_reasoning"] = "yes"
    efforts: tuple[str, ...] = ()  # from the least
    default_effort: str | None = None
    price: Price | None = None
    shutdown: str | None = None


def lookup(provider_type: str, model: str) -> CatalogueModel | None:
    """Find a model by the provider's own name; a dated snapshot without a row of its own is its undated model."""
    rows = _rows(provider_type)
    for name in (model, _SNAPSHOT.sub("", model)):
        if name in rows:
            return _read(provider_type, name, rows[name])
    return None


def known_models(provider_type: str) -> list[CatalogueModel]:
    """Return the provider's models, sorted by name, with those that are shut down."""
    return [_read(provider_type, name, row) for name, row in _rows(provider_type).items()]


def default_model(provider_type: str) -> str | None:
    """Return the model for those who name none; None where there is none to choose (azure) or only live (ollama)."""
    name: str | None = _catalogue()["default_models"].get(provider_type)
    return name


def catalogue_date() -> str:
    """Return the day of the facts, ISO 8601."""
    return str(_catalogue()["date"])


def refuses_sampling(model: CatalogueModel, effort: str | None) -> bool:
    """Whether `model` answers `temperature` and `top_p` with an error at this reasoning effort (None: its default)."""
    if model.sampling == "without_reasoning":
        return (effort or model.default_effort) != "none"
    return model.sampling == "no"


@cache
def _catalogue() -> dict[str, Any]:
    with open(_FILE, "rb") as file:
        catalogue: dict[str, Any] = orjson.loads(file.read())
    return catalogue


def _rows(provider_type: str) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = _catalogue()["models"].get(provider_type, {})
    return rows


def _read(provider: str, name: str, row: dict[str, Any]) -> CatalogueModel:
    price = row.get("price")
    return CatalogueModel(
        id=name,
        provider=provider,
        context_window=row.get("context_window"),
        max_output=row.get("max_output"),
        capabilities=tuple(row.get("capabilities", ())),
        sampling=row["sampling"],
        efforts=tuple(row.get("efforts", ())),
        default_effort=row.get("default_effort"),
        price=Price(**price) if price else None,
        shutdown=row.get("shutdown"),
    )
