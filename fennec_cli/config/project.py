"""What `./.fennec.toml` may do: it may come with a repository that somebody else wrote."""

from collections.abc import Set

from fennec_cli.config.layer import Layer, Leaf, wrong
from fennec_cli.config.load import Report
from fennec_cli.config.settings import usual_mode
from fennec_cli.config.source import KeyPath, Origin
from fennec_cli.errors import ConfigError

_DEFAULT_PROVIDERS = {("provider",), ("complete", "provider")}
_MONEY = {("complete", "max_cost"), ("complete", "budget")}
_HINT = "name the file with --config to trust it"


def check_project(layer: Layer, below: Layer, providers: Set[str], report: Report) -> Layer:
    """Report each value that only a trusted file may set, and return the others.

    `below` is what the trusted files say, `providers` are those already known.
    The text before the slash of a `model` needs no check: if it is not a known provider it is part of the model's id.
    That a model is no file is checked where it would be opened: only there it is known which provider it is for.
    """
    allowed: Layer = {}
    for path, leaf in layer.items():
        if reason := _refusal(path, leaf, providers) or _looser(path, leaf.value, below) or _laxer(path, leaf, below):
            report(wrong(leaf.origin, reason, _HINT))
        else:
            allowed[path] = leaf
    return allowed


def models_in(layer: Layer) -> dict[str, Origin]:
    """Return what a layer calls a model, as it stands there and without what may be a provider before it."""
    found: dict[str, Origin] = {}
    for path, leaf in layer.items():
        if leaf.key and (path[-1] in ("model", "candidates") or path[0] == "alias"):
            for name in leaf.value if isinstance(leaf.value, tuple) else (leaf.value,):
                found[name] = leaf.origin
                if path[0] != "provider":
                    found[name.partition("/")[2]] = leaf.origin
    return found


def file_refused(origin: Origin) -> ConfigError:
    """The error for what a project file calls a local model, when it is a file."""
    return wrong(origin, "may not name a file in a project file", _HINT)


def _refusal(path: KeyPath, leaf: Leaf, providers: Set[str]) -> str:
    if path[0] == "profile" or (leaf.key and not leaf.key.project):
        return "may not be set by a project file"
    if _has_reference(leaf.value):
        return "may not hold ${VAR} in a project file"
    if not providers >= _named_providers(path, leaf):
        return "names a provider that is neither built in nor configured by you"
    return ""


def _looser(path: KeyPath, value: object, below: Layer) -> str:
    """What is about money may only become less."""
    if path[0] != "budget" and path not in _MONEY:
        return ""
    known = below[path].value if path in below else None
    if path[-1] in ("usd", "max_cost"):
        looser = isinstance(known, int | float) and isinstance(value, int | float) and value > known
    elif path[-1] == "unknown_price":
        looser = value == "allow" and known != "allow"
    elif path == ("complete", "budget"):
        looser = known is not None and known != value
    else:  # another period is another budget
        yours = any(other[:2] == path[:2] for other in below)
        looser = yours and value != (known or "day")
    return "may only be stricter than yours in a project file" if looser else ""


def _laxer(path: KeyPath, leaf: Leaf, trusted: Layer) -> str:
    if leaf.key is None or not leaf.key.ranks:
        return ""
    user = trusted[path].value if path in trusted else _usual(path, trusted)
    if leaf.key.ranks.index(leaf.value) < leaf.key.ranks.index(user):
        return f"is laxer than yours ({str(user).lower()})"
    return ""


def _usual(path: KeyPath, trusted: Layer) -> object:
    if path[0] != "filter":
        return False
    preset = trusted.get(("filter", "preset"))
    return usual_mode(preset.value if preset else None, path[1], path[2])


def _has_reference(value: object) -> bool:
    texts = value if isinstance(value, tuple) else (value,)
    return any(isinstance(text, str) and "${" in text for text in texts)


def _named_providers(path: KeyPath, leaf: Leaf) -> Set[str]:
    if path[0] == "provider" and len(path) > 1:
        return {path[1]}
    if path == ("candidates",):  # each as provider/model: an alias could lead anywhere
        return {name.partition("/")[0] for name in leaf.value}
    return {leaf.value} if path in _DEFAULT_PROVIDERS else frozenset()
