"""Columns for people."""


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows as lines with aligned columns; the first row is the header. No cell can drive the terminal."""
    rows = [tuple(map(_printable, row)) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def _printable(cell: str) -> str:
    return cell if cell.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in cell)
