"""What a glance tells: that a text holds no secret. It costs less than the table of the rules, which it stands for."""

RUN = 19  # letters, digits, and - _ + / in a row, without which there is no key with a prefix

# In lower case what the other rules for secrets need: their words, stems and marks (a test compares them).
MARKS = (
    b"-----begin", b"q~", b"hooks.slack.com/", b".webhook.office.com/", b"/api/webhooks/", b".atlasv1.", b"://",
    b"curl", b"__contribsys__com", b"bearer", b"basic", b"authorization", b"pass", b"pwd", b"secret", b"token",
    b"cred", b"key",
)  # fmt: skip
LONGEST = 4096  # characters: a longer text may as well be looked at properly

_RUN = b"a" * RUN
_KINDS = bytes.maketrans(b"bcdefghijklmnopqrstuvwxyz0123456789-_+/a", b"a" * 40)


def clean(text: str) -> bool:
    """Return whether `text` is certain to hold none of what the rules for secrets find."""
    if len(text) > LONGEST:
        return False
    data = text.encode("latin-1", "replace").lower()
    return _RUN not in data.translate(_KINDS) and not any(mark in data for mark in MARKS)
