"""What the rules are measured with: formats of secrets, sentences with personal data, and texts with neither."""

import pydoc
import random
import sysconfig
from pathlib import Path

from faker import Faker

from tests.rules import samples

CLAIMED = ("email", "phone", "card", "iban", "ip")

# Sentences in the manner of presidio-evaluator's templates, of our own.
SENTENCES = (
    "Please send the invoice to {email}, thanks.",
    "My new number is {phone}; call me after six.",
    "{name} wrote from {email} that the card {card} was charged twice.",
    "Transfer it to {iban} before Friday.",
    "The login came from {ip}, which is not ours.",
    "Contact: {name}, {phone}, {email}",
    "card={card} ip={ip}",
    '"email": "{email}", "phone": "{phone}"',
    "I can't use my card ({card}), it says to call {phone}.",
    "IBAN: {iban}\nIP: {ip}\n",
    "<{email}>: host {ip} said no",
    "Hi, {name} here. Could you move the direct debit to {iban}?",
    '{ip} - - [25/Nov/2026:03:00:00 +0000] "GET /?mail={email} HTTP/1.1" 200',
)


def secrets(count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Texts with one secret each, and its name: every format `count` times, in surroundings that occur."""
    around = (
        "{}",
        "key: {} ",
        'token = "{}"\n',
        "export X='{}'",
        "{},",
        "see `{}`.",
        "curl -H 'X-Key: {}' https://a.example",
    )
    plain = ("password", "api-key", "authorization", "url-password", "private-key", "sidekiq-secret")
    found = []
    for name, forms in samples.FORMATS.items():
        for form in forms:
            for _ in range(count):
                text = samples.filled(form, rng)
                found.append((name, text if name in plain else rng.choice(around).format(text)))
    return found


def personal(count: int, seed: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sentences, each with the kinds and the values in it that we claim to find."""
    found = []
    for locale in ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES"):
        fake = Faker(locale)
        fake.seed_instance(seed)
        rng = random.Random(seed)
        for _ in range(count):
            values = {
                "name": fake.name(),
                "email": fake.email(),
                "phone": _phone(locale, rng),
                "card": fake.credit_card_number(),
                "iban": fake.iban(),
                "ip": fake.ipv4_public() if rng.random() < 0.7 else fake.ipv6(),
            }
            if rng.random() < 0.4:
                values["iban"] = " ".join(values["iban"][at : at + 4] for at in range(0, len(values["iban"]), 4))
            if rng.random() < 0.4 and len(values["card"]) == 16:
                mark = rng.choice(" -")
                values["card"] = mark.join(values["card"][at : at + 4] for at in range(0, 16, 4))
            sentence = rng.choice(SENTENCES)
            wanted = [(kind, values[kind]) for kind in CLAIMED if f"{{{kind}}}" in sentence]
            found.append((sentence.format(**values), wanted))
    return found


def _phone(locale: str, rng: random.Random) -> str:
    """A number in E.164 with the marks that people write, or as the locale of North America writes it."""
    if locale == "en_US" and rng.random() < 0.6:
        area, office, line = rng.randint(201, 989), rng.randint(200, 999), rng.randint(0, 9999)
        form = rng.choice(
            ("({0}) {1}-{2:04}", "{0}-{1}-{2:04}", "{0}.{1}.{2:04}", "+1-{0}-{1}-{2:04}", "001-{0}-{1}-{2:04}")
        )
        return form.format(area, office, line)
    country = rng.choice(("49", "44", "33", "34", "1", "39", "351", "420"))
    digits = str(rng.randint(2, 9)) + "".join(rng.choices("0123456789", k=rng.randint(8, 9)))
    form = rng.choice(("+{0}{1}", "+{0} {2} {3}", "+{0} ({2}) {3}", "+{0}-{2}-{3}", "+{0} {2} {4} {5}"))
    return form.format(country, digits, digits[:3], digits[3:], digits[3:6], digits[6:])


def clean(size: int) -> dict[str, str]:
    """Code and prose without anything to find: the standard library, and its documentation without the addresses."""
    library = Path(sysconfig.get_paths()["stdlib"])
    # `ipaddress` is full of what it is about.
    names = [path for path in sorted(library.rglob("*.py")) if not {"test", "site-packages"} & set(path.parts)]
    names = [path for path in names if path.name != "ipaddress.py"]
    random.Random(4).shuffle(names)
    code, prose = [], []
    for path in names:
        text = path.read_text(encoding="utf-8", errors="replace")
        code.append(text)
        prose += [part for turn, part in enumerate(text.split('"""')) if turn % 2 and part.count(" ") > 20]
        if sum(map(len, code)) > size and sum(map(len, prose)) > size:
            break
    prose.append(pydoc.plain(pydoc.render_doc(pydoc)))
    return {"code": "".join(code)[:size], "prose": "\n".join(prose)[:size]}
