"""The models of every usable provider, asked for at once; a provider that fails is reported, not fatal.

What a provider answers is kept (model_lists), for the times when it cannot or must not be asked.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from fennec_cli.catalogue import catalogue_date, known_models, lookup
from fennec_cli.config import Config
from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import ConfigError, FennecError
from fennec_cli.model_lists import KeptList, ModelLists
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import write_out
from fennec_cli.output.table import table
from fennec_cli.pricing import Price
from fennec_cli.registry import ProviderRegistry
from fennec_cli.threads import at_once
from fennec_cli.transport import HTTPProvider
from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.providers.ollama import RunningModel

ListModels = Callable[[str], list[ModelInfo]]
FindKept = Callable[[str], KeptList | None]
TypeOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Models by provider and name, and what went wrong where."""

    models: tuple[ModelInfo, ...]
    failures: tuple[FennecError, ...]
    answers: dict[str, list[ModelInfo]] = field(default_factory=dict)  # of those that answered, as they did
    stale: dict[str, KeptList] = field(default_factory=dict)  # of those that failed


def run_list(config: Config, provider: str | None, output_format: str) -> int:
    """Run `fennec models list` and return its exit status: the first failure's, when a provider failed."""
    registry, notes, lists = ProviderRegistry(config), Notes(), ModelLists()
    try:
        names = [provider] if provider else registry.names()
        listing = list_models(names, registry.list_models, registry.type_of, partial(find_kept, registry, lists))
        unkept = _keep(registry, lists, listing.answers)
    finally:
        registry.close()
    models = with_own_prices(listing.models, registry.configured_price)
    write_out(rendered(models, output_format))
    for failure in listing.failures:
        notes.error(failure)
    for name, kept in listing.stale.items():
        notes.warn(f"{name}: its models are shown as they were {lists.age(kept)} ago")
    for problem in unkept:
        notes.warn(problem.line())
    return listing.failures[0].exit_status if listing.failures else 0


def run_offline_list(config: Config, provider: str | None, output_format: str) -> int:
    """Run `fennec models list --offline`: kept lists, else the catalogue; what is installed here is always known."""
    registry, notes, lists = ProviderRegistry(config), Notes(), ModelLists()
    try:
        known = [_known_offline(registry, lists, name) for name in ([provider] if provider else registry.names())]
    finally:
        registry.close()
    models = with_own_prices((model for each in known for model in each.models), registry.configured_price)
    write_out(rendered(models, output_format))
    for each in known:
        if each.remark:
            notes.warn(each.remark)
    return 0


def run_refresh(config: Config, provider: str | None, *, quiet: bool = False) -> int:
    """Run `fennec models refresh`. Its exit status is the first failure's: of asking, then of keeping."""
    registry, notes = ProviderRegistry(config), Notes(quiet=quiet)
    try:
        listing = list_models(asked_names(registry, provider), registry.list_models, registry.type_of)
        failures = [*listing.failures, *_keep(registry, ModelLists(), listing.answers)]
    finally:
        registry.close()
    for name, models in listing.answers.items():
        notes.say(0, f"{name}: {len(models)} model{'' if len(models) == 1 else 's'}")
    for failure in failures:
        notes.error(failure)
    return failures[0].exit_status if failures else 0


def asked_names(registry: ProviderRegistry, provider: str | None) -> list[str]:
    """Return the providers to ask. Raises `ConfigError` when there is none: nothing to do is no success."""
    names = [provider] if provider else registry.names()
    if not names:
        raise ConfigError("no provider is configured", hint="set OPENAI_API_KEY, or name one in the configuration")
    return names


def address_of(registry: ProviderRegistry, name: str) -> str:
    """Return where a provider is reached; with regions, the first. Raises `ConfigError`."""
    return one_server(registry, name).endpoint.base_url


def one_server(registry: ProviderRegistry, name: str) -> HTTPProvider:
    provider = registry.get_provider(name)
    return provider if isinstance(provider, HTTPProvider) else provider.first


def find_kept(registry: ProviderRegistry, lists: ModelLists, name: str) -> KeptList | None:
    """Return the kept list of a provider where it is now; None too when its settings cannot be used."""
    try:
        if registry.type_of(name) == "local":
            return None
        return lists.kept(name, address_of(registry, name))
    except FennecError:
        return None  # it is said where the provider is asked


def _keep(registry: ProviderRegistry, lists: ModelLists, answers: dict[str, list[ModelInfo]]) -> list[FennecError]:
    """Keep the lists, but for what is installed here: that is asked of the disk each time. Return what went wrong."""
    problems: list[FennecError] = []
    for name, models in answers.items():
        try:
            if registry.type_of(name) != "local":
                lists.keep(name, address_of(registry, name), models)
        except FennecError as error:
            problems.append(error)
    return problems


class _Known(NamedTuple):
    """Models of one provider that was not asked, and what is to be said of that."""

    models: list[ModelInfo]
    remark: str = ""


def _known_offline(registry: ProviderRegistry, lists: ModelLists, name: str) -> _Known:
    kind = registry.type_of(name)
    if kind == "local":
        return _Known(registry.list_models(name))
    kept = lists.kept(name, address_of(registry, name))
    if kept is not None:
        source = f"kept {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(kept.moment))}"
        models = [model._replace(source=source) for model in kept.models]
        return _Known(_sorted(models, kind), f"{name}: its models as they were {lists.age(kept)} ago")
    rows = from_catalogue(name, kind, time.strftime("%Y-%m-%d", time.gmtime()))
    remark = f"this is what the catalogue of {catalogue_date()} knows" if rows else "run `fennec models refresh`"
    return _Known(rows, f"{name}: no list of its models is kept; {remark}")


def from_catalogue(name: str, kind: str, today: str) -> list[ModelInfo]:
    """Return the models that the catalogue knows and that still run `today`.

    A provider that only speaks as `kind` does has models of its own, of which the catalogue knows nothing.
    """
    source = f"catalogue {catalogue_date()}"
    rows = known_models(kind) if name == kind else []
    running = [model.id for model in rows if model.shutdown is None or model.shutdown > today]
    return _sorted([ModelInfo(model, name, source=source) for model in running], kind)


def with_own_prices(models: Iterable[ModelInfo], price_of: Callable[[str, str], Price | None]) -> tuple[ModelInfo, ...]:
    """Return the models with the prices that the user has configured for them."""
    found = []
    for model in models:
        price = price_of(model.provider, model.id)
        if price is not None:
            model = model._replace(input_usd_per_mtok=price.input, output_usd_per_mtok=price.output)
        found.append(model)
    return tuple(found)


def rendered(models: tuple[ModelInfo, ...], output_format: str) -> bytes:
    """The list as a JSON array, NDJSON, or a table."""
    if output_format != "table":
        return for_programs([row_of(model) for model in models], output_format)
    header = ("MODEL", "CONTEXT", "OUTPUT", "USD/M IN", "USD/M OUT", "CAPABILITIES", "SHUTDOWN")
    return table([header, *map(_cells, models)]).encode()


def size_text(size: int) -> str:
    """Bytes for people, in powers of a thousand as the sizes of downloads are given."""
    amount, units = float(size), iter(("kB", "MB", "GB", "TB"))
    unit = "B"
    while amount >= 1000 and unit != "TB":
        amount, unit = amount / 1000, next(units)
    return f"{amount:.3g} {unit}"


def row_of(model: "ModelInfo | RunningModel") -> dict[str, Any]:
    """Its fields; `id` is the name that every command takes, `model` the provider's own."""
    named = {"id": f"{model.provider}/{model.id}", "provider": model.provider, "model": model.id}
    return named | {name: value for name, value in model._asdict().items() if name not in named}


def for_programs(rows: list[dict[str, Any]], output_format: str) -> bytes:
    if output_format == "json":
        return orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _cells(model: ModelInfo) -> tuple[str, ...]:
    return (
        f"{model.provider}/{model.id}",
        number_text(model.context_window),
        number_text(model.max_output),
        number_text(model.input_usd_per_mtok),
        number_text(model.output_usd_per_mtok),
        " ".join(model.capabilities) or "-",
        model.deprecated or "-",
    )


def number_text(value: float | None) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else f"{value}"


def list_models(names: list[str], ask: ListModels, type_of: TypeOf, kept: FindKept = lambda _name: None) -> Listing:
    """Ask all providers in `names` at the same time and complete their answers from the catalogue.

    For one that fails stands what was `kept`.
    """
    answers = dict(zip(names, at_once(lambda name: _ask(name, ask), names), strict=True))
    failures = {name: answer for name, answer in answers.items() if isinstance(answer, FennecError)}
    good = {name: answer for name, answer in answers.items() if not isinstance(answer, FennecError)}
    stale = {name: found for name in failures if (found := kept(name)) is not None}
    shown = {**good, **{name: found.models for name, found in stale.items()}}
    models = [model for name in names if name in shown for model in _sorted(shown[name], type_of(name))]
    return Listing(tuple(models), tuple(failures.values()), good, stale)


def _ask(name: str, ask: ListModels) -> list[ModelInfo] | FennecError:
    try:
        return ask(name)
    except FennecError as error:
        return error


def _sorted(models: list[ModelInfo], provider_type: str) -> list[ModelInfo]:
    return sorted((completed(model, provider_type) for model in models), key=lambda model: model.id)


def completed(model: ModelInfo, provider_type: str) -> ModelInfo:
    """What the provider says, and the catalogue where it says nothing."""
    known = lookup(provider_type, model.id)
    if known is None:
        return model
    return model._replace(
        context_window=model.context_window or known.context_window,
        max_output=model.max_output or known.max_output,
        capabilities=model.capabilities or known.capabilities,
        input_usd_per_mtok=known.price.input if known.price else model.input_usd_per_mtok,
        output_usd_per_mtok=known.price.output if known.price else model.output_usd_per_mtok,
        deprecated=model.deprecated or known.shutdown,
    )
