"""Measure our rules for personal data with the sentences and the telephone formats in a wheel of presidio-evaluator.

They are read out of the wheel (`pip download --no-deps presidio-evaluator`); values come from Faker. Nothing of it is
part of ours.
"""

import ast
import random
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from faker import Faker

from fennec_cli.rules.engine import Match

KINDS = {"email": "email", "phone_number": "phone", "credit_card_number": "card", "iban": "iban", "ip_address": "ip"}
TIMES = 100  # values for each sentence
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def read(wheel: Path) -> tuple[list[str], list[str]]:
    """Return the sentences with one of our kinds in them, and the formats of telephone numbers."""
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name: name for name in archive.namelist() if "data_generator" in name}
        text = archive.read(names["templates.txt"]).decode("utf-8", "replace")
        code = ast.parse(archive.read(names["providers.py"]))
    sentences = [line for line in text.splitlines() if set(_PLACE.findall(line)) & set(KINDS)]
    formats = [
        ast.literal_eval(each.value)
        for node in code.body
        if isinstance(node, ast.ClassDef) and "PhoneNumber" in node.name
        for each in node.body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and each.targets[0].id == "formats"
    ]
    return sentences, list(formats[0])


def measured(wheel: Path, matches: Callable[[str], Sequence[Match]]) -> Iterator[tuple[str, str, str]]:
    """Yield figure, value and goal for every kind and both halves of the sentences; the odd ones are held out."""
    sentences, formats = read(wheel)
    fake, rng = Faker(["en_US", "en_GB", "de_DE", "fr_FR", "es_ES"]), random.Random(43)
    Faker.seed(43)
    for name, half in (("held-out half", sentences[1::2]), ("other half", sentences[::2])):
        wanted: Counter[str] = Counter()
        found: Counter[str] = Counter()
        for sentence in half * TIMES:
            text, values = _filled(sentence, fake, formats, rng)
            spans = {(match.start, match.rule.name) for match in matches(text)}
            for start, kind in values:
                wanted[kind] += 1
                found[kind] += (start, kind) in spans
        for kind in KINDS.values():
            if wanted[kind]:
                yield f"recall, {wanted[kind]} x {kind} ({name})", f"{found[kind] / wanted[kind]:.4f}", ">= 0.95"


def _filled(sentence: str, fake: Faker, formats: list[str], rng: random.Random) -> tuple[str, list[tuple[int, str]]]:
    """Return a sentence with values in it, and where those of our kinds are."""
    text, place, values = "", 0, []
    for each in _PLACE.finditer(sentence.replace("\\n", "\n")):
        text += sentence.replace("\\n", "\n")[place : each.start()]
        place = each.end()
        kind = KINDS.get(each[1])
        if kind:
            values.append((len(text), kind))
        text += _value(each[1], fake, formats, rng)
    return text + sentence.replace("\\n", "\n")[place:], values


def _value(name: str, fake: Faker, formats: list[str], rng: random.Random) -> str:
    if name == "phone_number":
        return fake.numerify(rng.choice(formats))
    if name == "ip_address":
        return fake.ipv4_public() if rng.random() < 0.8 else fake.ipv6()
    return str(getattr(fake, name if name in KINDS else "word")())
