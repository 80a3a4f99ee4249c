"""What must not be seen, and the one place that takes it out of whatever is said.

Every secret that is loaded is hidden here; every way out (messages, log, errors in NDJSON and JSON, the HTTP exchange
of -vvv, audit) goes through `redacted`.
"""

MASK = "***"
SHORTEST = 6  # characters: hiding shorter texts would garble what is said, and nobody's key is that short

_hidden: dict[str, None] = {}


def hide(text: str) -> None:
    """Hide a text, and its URL-encoded and base64 forms, in all that is said from now on."""
    text = text.removeprefix("Bearer ").strip()
    if len(text) >= SHORTEST:
        _hidden[text] = None


def redacted(text: str) -> str:
    """Return `text` without any secret."""
    for secret in sorted(_hidden, key=len, reverse=True):  # one may be a part of another
        for form in _forms(secret):
            if form in text:
                text = text.replace(form, MASK)
    return text


def one_line(text: str) -> str:
    """Return `text` as one line that cannot drive a terminal."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)


def _forms(secret: str) -> tuple[str, ...]:
    """How a secret may be spelt; base64 in the three ways that depend on what stands before it."""
    from base64 import b64encode, urlsafe_b64encode
    from urllib.parse import quote, quote_plus

    data = secret.encode("utf-8", "surrogateescape")
    coded = []
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            # A character that a neighbouring byte has a part in can be any; whole groups are the secret's alone.
            text = encode(b"\0" * before + data).decode()
            first, last = (0, 2, 3)[before], len(text) - (0, 3, 2)[(len(data) + before) % 3]
            coded.append(text[first:last])
    return tuple(dict.fromkeys([secret, quote(data, safe=""), quote_plus(data), *coded]))
