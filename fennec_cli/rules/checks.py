"""What an expression cannot say: check digits, lengths by country, and whether a value looks like chance.

Each takes the text of a match and returns how many of its first characters are good, 0 for none.
"""

import math
import re
from collections import Counter

# Lengths of IBANs (registry of SWIFT, release 99, read 2026-11); of other countries any length is taken.
_IBAN = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19,
    "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_LEAST_ENTROPY = 2.8  # bits a character: "password123" has 3.1, "aaaabbbb1" 1.5
_PLACEHOLDERS = ("example", "changeme", "placeholder", "redacted", "your", "xxxx", "****", "....", "dummy", "foobar")
_SAMPLES = frozenset({"pwd", "secret", "pw", "key", "token", "user", "port", "name", "host", "xxx", "abc", "123"})
_NAME = r"[A-Za-z0-9_.-]+"
_HARMLESS = ("id", "ids", "name", "url", "uri", "file", "path", "length", "size", "type", "event", "version")
_RUN = "[A-Za-z0-9_+/-]{19,}"
_SMALL = frozenset("abcdefghijklmnopqrstuvwxyz-_+/")
_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def card(text: str) -> int:
    """ISO/IEC 7812: an issuer's first digits, a length of 12 to 19, and the check digit of Luhn."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    if not 12 <= len(digits) <= 19 or len(set(digits)) == 1:
        return 0
    if digits[0] in (0, 1) and digits[:4] not in ([0, 6, 0, 4], [1, 8, 0, 0]):  # Maestro's and JCB's old ones
        return 0
    total = sum(digit if turn % 2 == 0 else (2 * digit) % 10 + digit // 5 for turn, digit in enumerate(digits[::-1]))
    return len(text) if total % 10 == 0 else 0


def iban(text: str) -> int:
    """ISO 13616: the country's length, and remainder 1 modulo 97. What follows the number is left alone."""
    wanted = _IBAN.get(text[:2])
    if wanted is None:
        return 0
    letters, size = "", 0
    for size, letter in enumerate(text, 1):  # noqa: B007 - used below
        letters += letter.strip()
        if len(letters) == wanted:
            break
    else:
        return 0
    number = "".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])
    return size if int(number) % 97 == 1 else 0


def ipv4(text: str) -> int:
    """Four numbers up to 255; addresses that say nothing of anybody (this machine, masks) are left alone."""
    numbers = text.split(".")
    if len(numbers) != 4 or any(int(number) > 255 or (number[0] == "0" and number != "0") for number in numbers):
        return 0
    return 0 if numbers[0] in ("0", "127", "255") or numbers[:2] == ["255", "255"] else len(text)


def ipv6(text: str) -> int:
    """RFC 4291, section 2.2: eight groups, or fewer with one `::`; a clock and C++ are none."""
    groups = text.split(":")
    filled = [group for group in groups if group]
    if "::" not in text:
        return len(text) if len(groups) == 8 and len(filled) == 8 else 0
    if text.count("::") > 1 or ":::" in text or len(filled) > 7 or len(filled) < 2:
        return 0
    ends = (text.startswith(":") and not text.startswith("::")) or (text.endswith(":") and not text.endswith("::"))
    return 0 if ends or max(map(len, filled)) < 3 else len(text)


def phone(text: str) -> int:
    """ITU-T E.164: 8 to 15 digits."""
    count = sum(map(str.isdigit, text.partition("x")[0]))
    return len(text) if 8 <= count <= 15 else 0


def ssn(text: str) -> int:
    """United States: no area 000, 666 or 9xx, no group 00, no serial 0000 (Social Security Administration)."""
    area, group, serial = text[:3], text[4:6], text[7:]
    return 0 if area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000" else len(text)


def dni(text: str) -> int:
    """Spain: the letter is the number modulo 23; X, Y, Z of foreigners count 0, 1, 2."""
    number = text[:-1].translate({88: "0", 89: "1", 90: "2", 45: ""})
    return len(text) if "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1] else 0


def cpf(text: str) -> int:
    """Brazil: two check digits modulo 11."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    if len(set(digits)) == 1:
        return 0
    for count in (9, 10):
        total = sum((count + 1 - place) * digit for place, digit in enumerate(digits[:count]))
        if (total * 10 % 11) % 10 != digits[count]:
            return 0
    return len(text)


def codice_fiscale(text: str) -> int:
    """Italy: a check letter modulo 26 with a table for the odd places."""
    values = [int(letter) if letter.isdigit() else ord(letter) - 65 for letter in text[:15]]
    total = sum(_ODD[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return len(text) if chr(65 + total % 26) == text[15] else 0


def insee(text: str) -> int:
    """France: 97 minus the number modulo 97; 2A and 2B of Corsica count 19 and 18."""
    digits = text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return len(text) if 97 - int(digits[:13]) % 97 == int(digits[13:]) else 0


def entropy(text: str) -> float:
    """Bits a character, by how often each occurs."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def value(text: str) -> int:
    """A value that looks like a secret: letters and digits, not repeated, and neither a stand-in nor a name."""
    lower = text.lower()
    digits = sum(map(str.isdigit, text))
    if not digits or not any(map(str.isalpha, text)) or any(word in lower for word in _PLACEHOLDERS):
        return 0
    parts = text.split(".")
    plain = text[-1].isdigit() or len(parts) > 1 or "_" in text or len(text) < 14
    if plain and digits < 3 and text in (lower, text.upper()) and all(map(str.isidentifier, parts)):
        return 0
    if "${" in text or "://" in text or entropy(text) < _LEAST_ENTROPY:
        return 0
    return len(text)


def harmless(text: str) -> bool:
    """Whether the name that a text begins with says that its value is none to hide: `credentialsId`, `key_length`."""
    name = re.match(_NAME, text)
    return name is not None and name[0].lower().endswith(_HARMLESS)


def secret(text: str) -> int:
    """As `value`, or a long number: behind a name that says all."""
    return len(text) if text.isdigit() and len(text) >= 24 and len(set(text)) > 5 else value(text)


def login(text: str) -> int:
    """A name, a colon and a password; or a key alone on either side of it."""
    user, _, password = text.replace("'", "").replace('"', "").partition(":")
    return len(text) if value(password or user) else 0


def long_value(text: str) -> int:
    """As `value`, behind a name that says little: only what is clearly left to chance."""
    return value(text) if entropy(text) >= 3.3 else 0


def credential(text: str) -> int:
    """The password of a URL, but for the words of documentation and what a program fills in."""
    stand_in = text.lower() in _SAMPLES or text[0] in "$%{[*" or text.lower().startswith("pass")
    return 0 if stand_in or any(word in text.lower() for word in _PLACEHOLDERS) else len(text)


def varied(text: str) -> int:
    """A token: not one letter again and again, as in documentation."""
    return 0 if len(set(text[-16:])) <= 4 or "xxxx" in text.lower() else len(text)


def token(text: str) -> int:
    """A token after a prefix of its own: varied, and its first run of 19 or more has a digit or a capital."""
    if not varied(text):
        return 0
    run = re.search(_RUN, text)
    return 0 if run is None or _SMALL.issuperset(run[0]) else len(text)
