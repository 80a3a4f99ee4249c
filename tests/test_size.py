"""Amounts of bytes as people write them."""

import pytest

from fennec_cli.size import parse_size, shown_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("256MiB", 2**28), ("500kB", 500_000), ("1GB", 10**9), ("1.5KiB", 1536), ("10", 10), (77, 77), ("2 gib", 2**31)],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "1XB", "-5", "1e3", "..", "1.2.3MB", 0, "0", 2**60, "\u0661MB"])
def test_what_is_no_size(text: str | int) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)


def test_sizes_for_people() -> None:
    assert [shown_size(size) for size in (0, 1023, 1536, 2**28, 2**41)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "256.0 MiB",
        "2048.0 GiB",
    ]
