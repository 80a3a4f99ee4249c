import pytest
from hypothesis import given
from hypothesis import strategies as st

from fennec_cli.duration import LONGEST, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("2m", 120),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("1d2h3m4s5ms", 93_784.005),
        ("1.5s", 1.5),
        ("30", 30),
        ("0.25", 0.25),
        ("0", 0),
        ("0s", 0),
        (30, 30),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration_is_read_as_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "30x", "-1s", "+1s", "1 s", "30m1h", "1m1m", "1e3", ".5s", "1.s", "1S", "nan", "inf", "٣s", "1s\n"],
)
def test_other_text_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a duration: .*30s"):
        parse_duration(text)


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), 1e300, "20000d", "9" * 400])
def test_what_no_clock_can_hold_is_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="between 0 and 10000d"):
        parse_duration(value)


@given(st.integers(0, 9000), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_units_add_up(days: int, hours: int, minutes: int, seconds: int, thousandths: int) -> None:
    expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds + thousandths / 1000
    assert parse_duration(f"{days}d{hours}h{minutes}m{seconds}s{thousandths}ms") == pytest.approx(expected, abs=1e-6)


@given(st.text() | st.floats() | st.integers(-(10**400), 10**400))
def test_any_value_is_seconds_or_a_value_error(value: str | float) -> None:
    try:
        seconds = parse_duration(value)
    except ValueError:
        return
    assert 0 <= seconds <= LONGEST


def test_ten_thousand_days_are_the_longest() -> None:
    assert parse_duration("10000d") == parse_duration(864e6) == 864e6
