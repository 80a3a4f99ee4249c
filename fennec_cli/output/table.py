"""Columns for people."""

from fennec_cli.redactor import one_line


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows as lines with aligned columns; the first row is the header. No cell can drive the terminal."""
    rows = [tuple(map(one_line, row)) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"
