"""What a request is made of, without its text: to say in which field two requests differ. Pure.

Numbers, truths and the names of models stand as they are; any other text is its length and a hash.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import orjson

from fennec_cli.request import NOT_IN_FINGERPRINT

_SHOWN = frozenset({"model", "role", "type"})  # keys whose texts are words of the protocol
_DEEPEST = 4  # below it a value is hashed as a whole
_MOST_TEXT = 64

Fields = dict[str, Any]  # path -> value


def fields_of(provider: str, url: str, headers: Mapping[str, str], body: bytes) -> Fields:
    """Return the fields of an outgoing request that its fingerprint depends on, by their paths."""
    document = {key: value for key, value in orjson.loads(body).items() if key not in NOT_IN_FINGERPRINT}
    shown = {f"header.{name}": _hashed(value) for name, value in headers.items() if name not in _EVERY}
    return {"provider": provider, "url": url, **shown, **dict(_flat(document, ""))}


_EVERY = frozenset({"content-type", "accept"})  # headers that say nothing about a request


def differences(one: Fields, other: Fields) -> list[str]:
    """Return the paths under which two requests are not the same, those of the first one in its order."""
    paths = dict.fromkeys((*one, *other))
    return [path for path in paths if one.get(path) != other.get(path) or (path in one) != (path in other)]


def _flat(value: object, path: str) -> Iterator[tuple[str, Any]]:
    depth = path.count(".") + 1 if path else 0
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        for key, inner in sorted(value.items()):
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and depth < _DEEPEST:
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{path}.{index}")
    elif isinstance(value, str):
        shown = path.rpartition(".")[2] in _SHOWN and len(value) <= _MOST_TEXT
        yield path, value if shown else _hashed(value)
    elif value is None or isinstance(value, bool | int | float):
        yield path, value
    else:
        yield path, _hashed(value)


def _hashed(value: object) -> str:
    data = (
        value.encode("utf-8", "replace") if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    )
    return f"{len(data)} bytes, sha256 {sha256(data).hexdigest()[:16]}"
