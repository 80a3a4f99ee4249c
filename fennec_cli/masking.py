"""Masks that stand for a value in one request, and its values again in the answer. They live in memory only."""

import hmac
from collections.abc import Sequence

from fennec_cli.rules.table import Rule

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is mistaken for another


class Masks:
    """Masks like `[EMAIL_1_k7f3]`: the same value gets the same one, and the same request the same ones.

    `texts` are those of the unmasked request, `key` is secret: nobody without it can tell a value from its mask, nor
    write one that would be restored.
    """

    def __init__(self, texts: Sequence[str], key: bytes) -> None:
        self._suffix = _suffix(texts, key)
        self._masks: dict[str, str] = {}
        self.values: dict[str, str] = {}  # mask -> value

    def mask(self, rule: Rule, value: str) -> str:
        """Return the mask of a value."""
        known = self._masks.get(value)
        if known is None:
            known = self._masks[value] = f"[{rule.label}_{len(self._masks) + 1}_{self._suffix}]"
            self.values[known] = value
        return known


def as_json(value: str) -> str:
    """Return a value as it stands inside a JSON text."""
    import orjson

    return orjson.dumps(value).decode()[1:-1]


def _suffix(texts: Sequence[str], key: bytes) -> str:
    """Return four letters that occur nowhere in the request, so that no text of it is taken for a mask."""
    digest = hmac.new(key, digestmod="sha256")
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    seed = digest.digest()
    for turn in range(1, 1 << 16):
        number = int.from_bytes(hmac.digest(key, seed + turn.to_bytes(4, "big"), "sha256")[:8], "big")
        suffix = "".join(_LETTERS[number >> 5 * place & 31] for place in range(4 + turn // 4096))
        if not any(f"_{suffix}]" in text for text in texts):
            return suffix
    raise AssertionError("more suffixes than a text has room for")
