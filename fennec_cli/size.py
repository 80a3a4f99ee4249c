"""Amounts of bytes as people write them: `256MiB`, `10kB`, `1G`, or a number."""

EXAMPLES = "256MiB, 500kB, 1GB or a number of bytes"
LARGEST = 2**53

_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1000,
    "m": 10**6,
    "mb": 10**6,
    "g": 10**9,
    "gb": 10**9,
    "t": 10**12,
    "tb": 10**12,
}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


class Size(int):
    """Bytes."""

    @classmethod
    def parse(cls, text: str) -> "Size":
        """Read what `parse_size` reads. Raises ValueError."""
        return cls(parse_size(text))


def parse_size(value: str | int) -> int:
    """Return bytes; the case of the unit does not matter. Raises ValueError for anything else, and for less than 1."""
    if isinstance(value, str):
        number = value.strip().rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
        unit = value.strip()[len(number) :].strip().lower()
        if unit not in _UNITS or not number.replace(".", "", 1).isdecimal() or not number.isascii():
            raise ValueError(f"not a size: {value!r:.40} (write {EXAMPLES})")
        value = int(float(number) * _UNITS[unit])
    if not 1 <= value <= LARGEST:
        raise ValueError("a size is at least 1 byte")
    return value


def shown_size(size: int) -> str:
    """Bytes for people: `1.5 MiB`."""
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"
