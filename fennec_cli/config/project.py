"""What `./.fennec.toml` may do: it may come with a repository that somebody else wrote."""

from collections.abc import Set

from fennec_cli.config.layer import Layer, Leaf, wrong
from fennec_cli.config.settings import KeyPath

_DEFAULT_PROVIDERS = {("provider",), ("complete", "provider")}
_HINT = "name the file with --config to trust it"


def check_project(layer: Layer, providers: Set[str]) -> None:
    """Raise ConfigError for the first value that only a trusted file may set. `providers` are those already known.

    The text before the slash of a `model` needs no check: if it is not a known provider it is part of the model's id.
    """
    for path, leaf in layer.items():
        if path[0] == "profile" or (leaf.key and not leaf.key.project):
            raise wrong(leaf.origin, "may not be set by a project file", _HINT)
        if _has_reference(leaf.value):
            raise wrong(leaf.origin, "may not hold ${VAR} in a project file", _HINT)
        if not providers >= _named_providers(path, leaf):
            raise wrong(leaf.origin, "names a provider that is neither built in nor configured by you", _HINT)


def _has_reference(value: object) -> bool:
    texts = value if isinstance(value, tuple) else (value,)
    return any(isinstance(text, str) and "${" in text for text in texts)


def _named_providers(path: KeyPath, leaf: Leaf) -> Set[str]:
    if path[0] == "provider" and len(path) > 1:
        return {path[1]}
    return {leaf.value} if path in _DEFAULT_PROVIDERS else frozenset()
