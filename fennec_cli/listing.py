"""The models of every usable provider, asked for at once; a provider that fails is reported, not fatal."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import orjson

from fennec_cli.catalogue import lookup
from fennec_cli.config import Config
from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import FennecError
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import DescriptorSink
from fennec_cli.output.table import table
from fennec_cli.registry import ProviderRegistry

ListModels = Callable[[str], list[ModelInfo]]
TypeOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Models by provider and name, and what went wrong where."""

    models: tuple[ModelInfo, ...]
    failures: tuple[FennecError, ...]


def run_list(config: Config, provider: str | None, output_format: str) -> int:
    """Run `fennec models list` and return its exit status: the first failure's, when a provider failed."""
    registry, notes = ProviderRegistry(config), Notes()
    try:
        names = [provider] if provider else registry.names()
        listing = list_models(names, registry.list_models, registry.type_of)
    finally:
        registry.close()
    DescriptorSink(1, closed=sys.stdout is None).write(rendered(listing.models, output_format))
    for failure in listing.failures:
        notes.error(failure)
    return listing.failures[0].exit_status if listing.failures else 0


def rendered(models: tuple[ModelInfo, ...], output_format: str) -> bytes:
    """The list as a JSON array, NDJSON, or a table."""
    if output_format == "json":
        return orjson.dumps(
            [model._asdict() for model in models], option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
    if output_format == "ndjson":
        return b"".join(orjson.dumps(model._asdict(), option=orjson.OPT_APPEND_NEWLINE) for model in models)
    header = ("MODEL", "CONTEXT", "OUTPUT", "USD/M IN", "USD/M OUT", "CAPABILITIES", "SHUTDOWN")
    return table([header, *map(_cells, models)]).encode()


def _cells(model: ModelInfo) -> tuple[str, ...]:
    return (
        f"{model.provider}/{model.id}",
        _number(model.context_window),
        _number(model.max_output),
        _number(model.input_usd_per_mtok),
        _number(model.output_usd_per_mtok),
        " ".join(model.capabilities) or "-",
        model.deprecated or "-",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else f"{value}"


def list_models(names: list[str], ask: ListModels, type_of: TypeOf) -> Listing:
    """Ask all providers in `names` at the same time and complete their answers from the catalogue."""
    if not names:
        return Listing((), ())
    with ThreadPoolExecutor(max_workers=len(names)) as threads:
        answers = list(threads.map(lambda name: _ask(name, ask), names))
    models, failures = [], []
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, FennecError):
            failures.append(answer)
        else:
            models += sorted((_completed(model, type_of(name)) for model in answer), key=lambda model: model.id)
    return Listing(tuple(models), tuple(failures))


def _ask(name: str, ask: ListModels) -> list[ModelInfo] | FennecError:
    try:
        return ask(name)
    except FennecError as error:
        return error


def _completed(model: ModelInfo, provider_type: str) -> ModelInfo:
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
