"""Azure's content-filter results, in answers and in errors. Source: Azure content streaming guide, read 2026-11."""

from typing import Any


def category(results: Any) -> str | None:
    """Name what was filtered (`violence`, `protected_material_text`, …), or return None."""
    if not isinstance(results, dict):
        return None
    names = [name for name, result in results.items() if isinstance(result, dict) and result.get("filtered") is True]
    return ", ".join(names) or None
