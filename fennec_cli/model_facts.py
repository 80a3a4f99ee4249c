"""What is known of one model, and which models an Ollama server holds in memory."""

import orjson

from fennec_cli.catalogue import catalogue_date, lookup
from fennec_cli.config import Config
from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import ConfigError, FennecError, ModelUnavailable, UsageError
from fennec_cli.listing import completed, for_programs, number_text, row_of, size_text, with_own_prices
from fennec_cli.output.notes import Notes
from fennec_cli.output.sink import write_out
from fennec_cli.output.table import table
from fennec_cli.providers.ollama import ModelFacts, RunningModel
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.transport import HTTPProvider


def run_show(config: Config, model: str, output_format: str) -> int:
    """Run `fennec models show`. What the provider cannot be asked for is shown from the catalogue, and that is said."""
    registry, notes = ProviderRegistry(config), Notes()
    try:
        target = registry.choose(model)
        kind = registry.type_of(target.provider)
        try:
            facts = _facts(registry, target, kind)
        except FennecError as error:
            if lookup(kind, target.model) is None:
                raise
            notes.warn(f"{error.line()}; this is what the catalogue of {catalogue_date()} knows")
            facts = ModelFacts(ModelInfo(target.model, target.provider, source=f"catalogue {catalogue_date()}"), {})
    finally:
        registry.close()
    (shown_model,) = with_own_prices([completed(facts.model, kind)], registry.configured_price)
    shown = facts._replace(model=shown_model)
    write_out(rendered_facts(shown, output_format))
    return 0


def run_ps(config: Config, provider: str | None, output_format: str) -> int:
    """Run `fennec models ps`: the models in memory of every configured Ollama, or of the one on this machine."""
    registry, notes = ProviderRegistry(config), Notes()
    models: list[RunningModel] = []
    failures: list[FennecError] = []
    try:
        for name in _ollamas(registry, provider):
            try:
                models += _running(registry, name)
            except FennecError as error:
                failures.append(error)
    finally:
        registry.close()
    write_out(rendered_running(models, output_format))
    for failure in failures:
        notes.error(failure)
    return failures[0].exit_status if failures else 0


def _facts(registry: ProviderRegistry, target: Target, kind: str) -> ModelFacts:
    if kind == "ollama":
        from fennec_cli.ollama_models import show

        return show(ollama_server(registry, target.provider), target.model)
    for model in registry.list_models(target.provider):
        if model.id == target.model:
            return ModelFacts(model, {})
    raise ModelUnavailable(
        f"it has no model {target.model}", hint="`fennec models list` shows what it has", provider=target.provider
    )


def _ollamas(registry: ProviderRegistry, provider: str | None) -> list[str]:
    if provider is None:
        return [name for name in registry.names() if registry.type_of(name) == "ollama"] or ["ollama"]
    if registry.type_of(provider) != "ollama":
        raise UsageError(f"{provider} does not say what is in memory", hint="only Ollama does")
    return [provider]


def _running(registry: ProviderRegistry, name: str) -> list[RunningModel]:
    from fennec_cli.ollama_models import running

    return running(ollama_server(registry, name))


def ollama_server(registry: ProviderRegistry, name: str) -> HTTPProvider:
    """Return the one server behind a provider of type ollama. Raises `ConfigError` if it was given regions."""
    provider = registry.get_provider(name)
    if not isinstance(provider, HTTPProvider):
        raise ConfigError(f"{name} has regions, but Ollama is one server", hint="name each server as its own provider")
    return provider


def rendered_facts(facts: ModelFacts, output_format: str) -> bytes:
    """One model: a JSON object, the same on one line, or a row for each field that is known."""
    row = row_of(facts.model)
    if output_format != "table":
        option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if output_format == "json" else 0)
        return orjson.dumps({**row, "details": dict(facts.details)}, option=option)
    row["capabilities"] = " ".join(facts.model.capabilities)
    known = {name: value for name, value in {**row, **facts.details}.items() if value not in (None, "")}
    return table([("FIELD", "VALUE"), *((name, _shown(value)) for name, value in known.items())]).encode()


def rendered_running(models: list[RunningModel], output_format: str) -> bytes:
    """Models in memory as a JSON array, NDJSON, or a table."""
    if output_format != "table":
        return for_programs([row_of(model) for model in models], output_format)
    rows = [
        (
            f"{model.provider}/{model.id}",
            size_text(model.size),
            f"{100 * model.size_vram // model.size if model.size else 0}%",
            number_text(model.context_window),
            model.expires_at or "-",
        )
        for model in models
    ]
    return table([("MODEL", "SIZE", "GPU", "CONTEXT", "UNTIL"), *rows]).encode()


def _shown(value: object) -> str:
    return number_text(value) if isinstance(value, float) else str(value)
