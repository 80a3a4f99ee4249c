"""Built-in prompts by length. Pure.

Texts are made of common English words, about one token each, and differ from the first word on: a server that keeps
the beginnings of prompts it has seen finds none of them again.
"""

import re
from random import Random

from fennec_cli.errors import UsageError

NAMED = {"short": (32, 32), "chat": (128, 128), "long-answer": (64, 512), "summary": (1024, 128), "rag": (4096, 256)}
DEFAULT = "chat"
PROMPTS = 64  # different ones in a set
_LARGEST = 1_000_000
_FORM = re.compile(r"([1-9][0-9]{0,6})x([1-9][0-9]{0,6})")
_TASK = "Continue this list of words for as long as you can, separated by spaces."
_WORDS = """
time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number night point home water room mother area money
story fact month lot right study book eye job word business issue side kind head house service friend father power hour
game line end member law car city name team minute idea body back parent face level office door health person art war
history party result change morning reason research girl guy moment air teacher force
""".split()  # noqa: SIM905 - one a line would take a page


def sizes(name: str) -> tuple[int, int]:
    """Return input and output tokens of a set: a name, or `INxOUT`. Raises `UsageError`."""
    if name in NAMED:
        return NAMED[name]
    match = _FORM.fullmatch(name)
    if match is None or max(int(match[1]), int(match[2])) > _LARGEST:
        known = ", ".join(f"{each} ({i}x{o})" for each, (i, o) in NAMED.items())
        raise UsageError(f"there is no prompt set {name!r:.40}", hint=f"write INxOUT in tokens, or one of {known}")
    return int(match[1]), int(match[2])


def prompts(tokens: int, seed: int, number: int = PROMPTS) -> list[str]:
    """Return different prompts of about so many tokens each."""
    random = Random(f"prompts {seed} {tokens}")
    length = max(1, tokens - len(_TASK.split()) - 4)
    return [f"{' '.join(random.choices(_WORDS, k=length))}\n\n{_TASK}" for _ in range(number)]
