"""Waits that servers ask for."""

import pytest

from fennec_cli.chunk import ObservedLimits
from fennec_cli.hints import duration_s, observed_limits, retry_after_s

NOW = 1_795_357_800.0  # Sun, 22 Nov 2026 14:30:00 GMT
INPUT_USED_UP = {"anthropic-ratelimit-input-tokens-remaining": "0"}


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "571", "retry-after": "1"}, 0.571),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "x", "retry-after": "2"}, 2.0),
        ({"retry-after": "Sun, 22 Nov 2026 14:30:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 14:29:30 GMT"}, 0.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "-1"}, None),
        ({**INPUT_USED_UP, "anthropic-ratelimit-input-tokens-reset": "2026-11-22T14:30:17Z"}, 17.0),
        ({**INPUT_USED_UP, "anthropic-ratelimit-input-tokens-reset": "2026-11-22T15:30:17+01:00"}, 17.0),
        ({**INPUT_USED_UP, "anthropic-ratelimit-input-tokens-reset": "2026-11-22T14:29:00Z"}, 0.0),
        ({**INPUT_USED_UP, "anthropic-ratelimit-input-tokens-reset": "2026-11-22T14:30:17"}, None),
        ({**INPUT_USED_UP, "anthropic-ratelimit-input-tokens-reset": "soon"}, None),
        ({**INPUT_USED_UP, "anthropic-ratelimit-requests-reset": "2026-11-22T14:30:17Z"}, None),
        (
            {
                **INPUT_USED_UP,
                "anthropic-ratelimit-input-tokens-reset": "2026-11-22T14:30:17Z",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-22T14:30:40Z",
            },
            40.0,
        ),
        (
            {**INPUT_USED_UP, "anthropic-ratelimit-input-tokens-reset": "2026-11-22T14:30:17Z", "retry-after": "3"},
            3.0,
        ),
    ],
)
def test_retry_hint_seconds_ms_date_float(headers: dict[str, str], wait: float | None) -> None:
    assert retry_after_s(headers, now=NOW) == wait


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_retry_hint_clock_skew_1h(skew: float) -> None:
    """A date is taken against the server's own clock, so ours may be wrong."""
    headers = {"retry-after": "Sun, 22 Nov 2026 14:30:30 GMT", "date": "Sun, 22 Nov 2026 14:30:00 GMT"}
    assert retry_after_s(headers, now=NOW + skew) == 30.0


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_reset_moment_is_taken_against_the_servers_clock(skew: float) -> None:
    headers = {
        **INPUT_USED_UP,
        "anthropic-ratelimit-input-tokens-reset": "2026-11-22T14:30:17Z",
        "date": "Sun, 22 Nov 2026 14:30:00 GMT",
    }
    assert retry_after_s(headers, now=NOW + skew) == 17.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120ms", 0.12), ("1s", 1.0), ("6m0s", 360.0), ("1h2m3.5s", 3723.5), ("59.4s", 59.4), ("7", 7.0)]
    + [("", None), ("-1", None), ("1x", None), ("s", None), ("1 s", None)],
)
def test_durations_as_servers_write_them(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        ({"content-type": "text/event-stream"}, None),
        (
            {
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-limit-tokens": "30000",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "1h2m3.5s",
            },
            ObservedLimits(500, 499, 0.12, 30000, 0, 3723.5),
        ),
        # Azure: resets as bare seconds; a request count that it does not know is -1
        (
            {
                "x-ratelimit-remaining-requests": "-1",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "7",
            },
            ObservedLimits(tokens_left=0, tokens_reset_s=7),
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-22T14:30:17Z",
                "anthropic-ratelimit-tokens-limit": "40000",
                "anthropic-ratelimit-tokens-remaining": "39000",
                "anthropic-ratelimit-tokens-reset": "2026-11-22T15:30:01+01:00",
            },
            ObservedLimits(50, 0, 17, 40000, 39000, 1),
        ),
        # OpenRouter: milliseconds since 1970
        (
            {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 9:.0f}000"},
            ObservedLimits(requests_left=0, requests_reset_s=9),
        ),
        (
            {
                "x-ratelimit-limit-requests": "many",
                "x-ratelimit-reset-tokens": "soon",
                "x-ratelimit-limit-tokens": "nan",
            },
            None,
        ),
    ],
)
def test_ratelimit_header_dialects_table(headers: dict[str, str], found: ObservedLimits | None) -> None:
    told = observed_limits(headers, now=NOW)
    assert (told is None) is (found is None)
    if told is not None and found is not None:
        assert [value if value is None else round(value, 6) for value in told] == list(found)
