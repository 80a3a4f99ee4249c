"""Numbers as people read them: three digits. Pure."""

import math

BLOCKS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"


def seconds(value: float | None) -> str:
    if value is None:
        return "n/a"
    if abs(value) >= 0.9995:
        return f"{digits(value)} s"
    return f"{digits(value * 1e3)} ms"


def digits(value: float) -> str:
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def span(low: float, high: float) -> str:
    """Two times in one unit."""
    unit, factor = ("s", 1.0) if high >= 0.9995 else ("ms", 1e3)
    return f"{digits(low * factor)} – {digits(high * factor)} {unit}"


def usd(value: float | None) -> str:
    if value is None:
        return "-"
    if value == 0:
        return "$0"
    if value >= 1:
        return f"${value:,.2f}"
    return f"${value:.4f}" if value >= 0.001 else f"${value:.{1 - math.floor(math.log10(value))}f}"


def percent(share: float) -> str:
    return f"{share * 100:+.1f} %" if abs(share) < 10 else f"{share * 100:+.0f} %"


def percents(low: float, high: float) -> str:
    """Two changes."""
    places = 1 if max(abs(low), abs(high)) < 1 else 0
    return f"{low * 100:+.{places}f} … {high * 100:+.{places}f} %"


def bar(value: float, most: float, width: int) -> str:
    """A bar of at most `width` cells, to an eighth of one."""
    if most <= 0 or value <= 0:
        return ""
    eighths = max(1, round(min(1.0, value / most) * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def sparkline(counts: tuple[int, ...]) -> str:
    most = max(counts, default=0)
    return "".join(BLOCKS[-(-count * 7 // most)] if count else " " for count in counts) if most else ""
