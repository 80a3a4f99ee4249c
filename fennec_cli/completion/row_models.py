"""The model that a row names: one of the provider in use, or anybody's with `--allow-row-model`."""

from fennec_cli.errors import ConfigError, InputError
from fennec_cli.registry import ProviderRegistry, Target

_KEPT = 256  # names; more of them are looked up again


class RowModels:
    """Knows the models that rows may name beside that of the run."""

    def __init__(self, registry: ProviderRegistry, target: Target, *, any_provider: bool) -> None:
        self._registry = registry
        self._provider, self._model = target.provider, target.model
        self._any_provider = any_provider
        self._known: dict[str, Target] = {}

    def target(self, name: str) -> Target:
        """Return who answers a row that names this model. Raises `InputError`."""
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[name] = self._harmless(name, self._resolved(name))
        return found

    def _harmless(self, name: str, found: Target) -> Target:
        """Rows are data: what they name is never a file, unless it is that of the run or behind an alias."""
        spelt_out = found.model != self._model and name.endswith(found.model)
        if spelt_out and self._registry.type_of(found.provider) == "local":
            from fennec_cli.model_files import is_file_name

            if is_file_name(found.model):
                raise InputError("its model is a file, and a row may not name one", hint="name it with -m")
        return found

    def _resolved(self, name: str) -> Target:
        if not self._any_provider and self._registry.type_of(self._provider) == "openrouter":
            return self._registry.choose(name, self._provider)  # the names of its models begin with those of others
        try:
            named = self._registry.choose(name)
            if named.reason != "named":  # no provider stands before it
                return self._registry.choose(name, self._provider)
        except ConfigError as error:
            raise InputError(f"its model cannot be used: {error.message}", hint=error.hint) from error
        if named.provider != self._provider and not self._any_provider:
            raise InputError(
                f"it names a model of {named.provider}, and this run asks {self._provider}",
                hint="allow that with --allow-row-model",
            )
        return named
