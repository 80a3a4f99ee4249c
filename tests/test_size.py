"""Amounts of bytes as people write them."""

import pytest

from fennec_cli.size import Size, parse_size, shown_size


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


def test_one_byte_is_the_least_and_2_to_the_53_the_most() -> None:
    assert [parse_size(1), parse_size("1b"), parse_size(2**53)] == [1, 1, 2**53]
    with pytest.raises(ValueError, match=r"^a size is at least 1 byte$"):
        parse_size(2**53 + 1)


def test_capital_letters_are_units_and_no_digits() -> None:
    with pytest.raises(ValueError, match="not a size: '1X'"):
        parse_size("1X")


def test_a_size_for_people_changes_its_unit_at_1024() -> None:
    assert [shown_size(size) for size in (1, 1024, 2**20 - 1, 2**20)] == ["1 B", "1.0 KiB", "1024.0 KiB", "1.0 MiB"]


def test_a_setting_is_read_as_the_command_line_is() -> None:
    assert Size.parse("1.5MB") == Size(1_500_000)
