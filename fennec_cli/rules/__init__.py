"""Secrets and personal data in a text: rules that are data, an engine, and streams that do not leak."""


def redact(text: str) -> str:
    """Return `text` with every secret that a rule knows replaced by its name in brackets."""
    from fennec_cli.rules.engine import RuleSet
    from fennec_cli.rules.table import SECRETS

    parts, place = [], 0
    for match in RuleSet(SECRETS).matches(text):
        parts += [text[place : match.start], f"[{match.rule.label}]"]
        place = match.end
    return "".join([*parts, text[place:]])
