"""Whether two prompts ask for the same: how close their vectors are, and whether a small word makes them differ. Pure.

Vectors alone do not tell `with sugar` from `without sugar`, nor 2019 from 2020: they are closer than many a true
repetition. So a near vector counts only if every guard finds the same in both texts.
"""

import math
import re
from collections.abc import Sequence

from fennec_cli.tuples import NamedTuple

DEFAULT_THRESHOLD = 0.97
LONGEST_TEXT = 512  # characters; a long prompt hides its differences from a vector
MOST_COMPARED = 5000  # newest entries

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[.,:/-]\d+)*|[%$€£+*/<>=-]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NEGATIONS = _words(
    "not no never none nothing nobody nowhere neither nor without cannot except excluding lack lacks lacking "
    "unless avoid avoids stop isn't aren't wasn't weren't don't doesn't didn't won't wouldn't can't couldn't "
    "shouldn't haven't hasn't hadn't mustn't needn't instead rather fail fails failed hardly barely rarely seldom"
)
_QUANTIFIERS = _words(
    "all every each any some most many few several both either half twice double triple only just least more less "
    "fewer most exactly about around almost nearly always sometimes often usually another other others same "
    "different first second third last next previous before after since until during minimum maximum min max at "
    "up down over under above below between within outside inside into from to than best worst larger smaller "
    "higher lower longer shorter older newer earlier later latest oldest newest biggest smallest largest top "
    "bottom one two three four five six seven eight nine ten eleven twelve hundred thousand million billion dozen "
    "single multiple"
)
_UNITS = _words(
    "mm cm m km inch inches feet foot yard yards mile miles meter meters metre metres kilometer kilometers mg g "
    "kg gram grams kilogram kilograms ounce ounces oz pound pounds lb lbs ton tons ml l litre litres liter liters "
    "gallon gallons cup cups tablespoon teaspoon celsius fahrenheit kelvin degrees second seconds minute minutes "
    "hour hours day days week weeks month months year years decade century byte bytes kb mb gb tb bit bits dollar "
    "dollars euro euros yen percent january february march april may june july august september october november "
    "december monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday morning evening "
    "night noon midnight"
)
_FILLERS = _words(
    "a an the is are am be was were do does did i i'm me my you your yours we us our it its it's this that these "
    "those of in on for and or as with by please kindly could can would will shall should might may tell show "
    "give explain describe what what's whats how how's who who's which hi hello hey thanks thank let know want "
    "need like help there here so then just about get got have has had if via"
) - {"may"}


class Traits(NamedTuple):
    """What has to be the same, and in the same order but for names, in two texts that mean the same."""

    numbers: tuple[str, ...]
    negations: tuple[str, ...]
    names: tuple[str, ...]
    quantifiers: tuple[str, ...]
    units: tuple[str, ...]
    asks: str  # the kind of question: when is not where
    words: tuple[str, ...]  # the others that carry meaning, in their order


_ASKS: tuple[str, ...] = (
    *("why", "when", "where", "who", "whose", "which"),
    *("how many", "how much", "how long", "how often", "how far", "how old", "how"),
)


def normalised(text: str) -> str:
    """The text without what never matters: case, spaces, punctuation at its end."""
    return " ".join(text.casefold().split()).rstrip(" .!?…")


def is_same(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but what never matters.

    Case does not matter where one of them was typed without any; else `Polish` is not `polish`.
    """
    if normalised(one) != normalised(other):
        return False
    return any(text.islower() or text.isupper() for text in (one, other)) or traits(one).names == traits(other).names


def traits(text: str) -> Traits:
    """Return what the guards compare."""
    tokens = _WORD.findall(text.replace("’", "'"))
    lowered = [token.casefold() for token in tokens]
    plain = " ".join(lowered)
    names = {
        word
        for place, word in enumerate(tokens)
        if word[0].isupper() and (place > 0 or word[1:].casefold() != word[1:])
    }
    return Traits(
        numbers=tuple(word for word in lowered if not word[0].isalpha()),
        negations=tuple(word for word in lowered if word in _NEGATIONS or word.endswith("n't")),
        names=tuple(sorted(word.casefold() for word in names if word != "I" and word.casefold() not in _FILLERS)),
        quantifiers=tuple(word for word in lowered if word in _QUANTIFIERS),
        units=tuple(_stem(word) for word in lowered if word in _UNITS),
        asks=next((each for each in _ASKS if re.search(rf"\b{each}\b", plain)), ""),
        words=tuple(
            _stem(word)
            for word in lowered
            if word[0].isalpha() and word not in _FILLERS | _NEGATIONS | _QUANTIFIERS | _UNITS and word not in _ASKS
        ),
    )


def agree(one: Traits, other: Traits) -> bool:
    """Whether no guard tells the texts apart: the same small words, and the words of both in the same order."""
    if one[:6] != other[:6]:
        return False
    shared = set(one.words) & set(other.words)
    if [word for word in one.words if word in shared] != [word for word in other.words if word in shared]:
        return False  # man bites dog
    return not (set(one.words) - shared and set(other.words) - shared)  # a word in the place of another one


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Closeness of two vectors, -1 to 1; 0 where one of them is nothing, or another model's by its length."""
    if len(one) != len(other):
        return 0.0
    length = math.sqrt(sum(a * a for a in one)) * math.sqrt(sum(b * b for b in other))
    return sum(a * b for a, b in zip(one, other, strict=True)) / length if length else 0.0


def _stem(word: str) -> str:
    """Take the commonest endings off: enough to join a word with its plural."""
    word = word.removesuffix("'s")
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
