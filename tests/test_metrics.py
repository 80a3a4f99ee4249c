"""Counters: what is added up, what is decayed, and what Prometheus reads."""

import json
import re
from pathlib import Path

import jsonschema
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fennec_cli import metrics, metrics_report
from fennec_cli.chunk import TokenUsage
from fennec_cli.config import Config
from fennec_cli.metrics import Attempt, begin, count, finish, read, recent
from fennec_cli.registry import ProviderRegistry
from fennec_cli.store import ERRORS, MAX_RECORD, MemoryStore
from fennec_cli.types import Record

NOW = 1_000_000.0
SCHEMA = json.loads((Path(metrics.__file__).parent / "schemas" / "metrics.json").read_text())
USAGE = TokenUsage(1000, 200, 100, 50)


def after(*attempts: Attempt, record: Record | None = None) -> Record:
    for attempt in attempts:
        record = finish(begin(record, NOW), attempt)
    assert record is not None
    return record


def test_nothing_counted_is_all_zeros() -> None:
    found = read(None, NOW)
    assert (found.request_count, found.avg_response_time, found.requests_per_second) == (0, None, 0.0)


def test_answers_failures_and_cancelled_ones_are_told_apart() -> None:
    found = read(
        after(
            Attempt(None, 2.0, 0.5, USAGE),
            Attempt(None, 4.0, 1.5, USAGE, cost_usd=0.25),
            Attempt("unavailable", 9.0, ambiguous=True),
            Attempt("rate_limit", 1.0, rate_limited=True),
            Attempt("cancelled", 1.0),
        ),
        NOW,
    )
    assert (found.request_count, found.success_count, found.error_count) == (5, 2, 3)
    assert found.errors == {"unavailable": 1, "rate_limit": 1, "cancelled": 1}
    assert found.avg_response_time == 3.0  # of answers
    assert found.token_usage == TokenUsage(2000, 400, 200, 100)
    assert (found.cost_usd, found.unpriced) == (0.25, USAGE)
    assert found.rate_limit_hits == {"remote": 1, "local": 0}
    assert found.ambiguous_retries == 1
    assert found.requests_per_second == pytest.approx(5 / 60)


def test_the_other_counters() -> None:
    record: Record | None = None
    for name in ("retries", "retries", "fallbacks", "hits", "local"):
        record = count(record, name)
    found = read(record, NOW)
    assert (found.retries, found.fallbacks, found.cache_hits, found.rate_limit_hits["local"]) == (2, 1, 1, 1)


def test_recent_answers_weigh_more() -> None:
    record = after(*[Attempt("timeout", 1.0)] * 20, *[Attempt(None, 1.0, 0.1, USAGE)] * 30)
    found = recent(record)
    assert found.success_rate is not None
    assert found.success_rate > 0.95
    assert (found.ttft_s, found.output_tokens) == (0.1, 200.0)
    assert recent(after(Attempt("cancelled", 1.0))).success_rate is None


def test_a_record_whose_cost_is_null_goes_on_from_nothing() -> None:
    record: Record = {"requests": 1, "cost": None}
    assert read(record, NOW).cost_usd == 0.0
    assert read(after(Attempt(None, 1.0, 0.1, USAGE, cost_usd=0.25), record=record), NOW).cost_usd == 0.25


def test_output_that_was_not_counted_to_the_end_says_nothing_about_the_usual_length() -> None:
    counted, uncounted = Attempt(None, 1.0, 0.1, USAGE), Attempt(None, 1.0, 0.1, TokenUsage(1000, estimated=True))
    assert recent(after(counted, uncounted)).output_tokens == 200.0


def test_the_rate_is_that_of_the_last_minute() -> None:
    record = begin(begin(None, NOW), NOW + 30)
    assert read(record, NOW + 30).requests_per_second == pytest.approx(2 / 60)
    assert read(record, NOW + 75).requests_per_second == pytest.approx(1 / 60)
    assert read(record, NOW + 1e6).requests_per_second == 0.0
    assert read(begin(record, NOW - 3600), NOW - 3600).requests_per_second == pytest.approx(1 / 60)


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1000)), max_size=40))
def test_histograms_count_every_answer_once(times: list[tuple[float, float]]) -> None:
    record = after(*(Attempt(None, duration, ttft) for duration, ttft in times), record={})
    found = read(record, NOW)
    assert found.response_time.number == sum(found.response_time.buckets) == len(times)
    below = sum(duration <= 1.0 for duration, _ in times)
    assert sum(found.response_time.buckets[:4]) == below


def test_a_record_stays_small() -> None:
    classes = ["unavailable", "timeout", "rate_limit", "auth", "request", "tls", "filtered", "cancelled", "truncated"]
    record = after(
        *(Attempt(name, 1e6) for name in classes), *[Attempt(None, 1e9, 1e9, TokenUsage(10**12, 10**12))] * 9
    )
    assert len(orjson.dumps(record)) < MAX_RECORD / 2


@pytest.fixture
def registry() -> ProviderRegistry:
    store = MemoryStore()
    odd = 'we"ird\\name\n'
    store.update(
        ["metrics|openai|gpt-5.4-mini", f"metrics|gone|{odd}"],
        lambda _records: ([after(Attempt(None, 2.0, 0.5, USAGE), Attempt("timeout", 1.0)), begin(None, NOW)], None),
    )
    opened = {"state": "open", "open_until": NOW + 10, "gen": 1, "probe": None}
    store.update(["circuit|openai|https://api.openai.com|gpt-5.4-mini"], lambda _records: ([opened], None))
    store.update([ERRORS], lambda _records: ([{"n": 3}], None))
    return ProviderRegistry(Config(), environ={}, state=store)


def test_rows_fit_their_schema_and_costs_are_those_of_the_catalogue(registry: ProviderRegistry) -> None:
    found = metrics_report.collect(registry, lambda: NOW)
    assert [each.provider for each in found] == ["gone", "openai"]
    for each in found:
        jsonschema.validate(metrics_report.row(each), SCHEMA)
    assert (found[0].cost_usd, found[0].circuit) == (0.0, "closed")
    assert (found[1].cost_usd > 0, found[1].circuit) == (True, "open")


def test_prometheus_parses(registry: ProviderRegistry) -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client, the judge, is not installed")
    text = metrics_report.prometheus(metrics_report.collect(registry, lambda: NOW), registry.state).decode()
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    requests = {tuple(sample.labels.values()): sample.value for sample in families["fennec_requests"].samples}
    assert requests == {("gone", 'we"ird\\name\n'): 1.0, ("openai", "gpt-5.4-mini"): 2.0}
    buckets = [
        (sample.labels["le"], sample.value)
        for sample in families["fennec_response_seconds"].samples
        if sample.name.endswith("_bucket") and sample.labels["provider"] == "openai"
    ]
    assert buckets[-1] == ("+Inf", 1.0)
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert families["fennec_response_seconds"].type == "histogram"
    assert [sample.value for sample in families["fennec_state_store_errors"].samples] == [3.0]


def test_every_line_of_prometheus_is_a_comment_or_a_sample(registry: ProviderRegistry) -> None:
    text = metrics_report.prometheus(metrics_report.collect(registry, lambda: NOW), registry.state).decode()
    sample = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? [0-9.e+-]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in text.splitlines())


def test_the_table_names_every_model_on_a_line(registry: ProviderRegistry) -> None:
    found = metrics_report.collect(registry, lambda: NOW)
    lines = metrics_report.rendered(found, "table", registry.state).decode().splitlines()
    assert len(lines) == 3
    assert "timeout:1" in lines[2]
    assert metrics_report.rendered([], "table", registry.state) == b"nothing was counted yet\n"


def test_reset_forgets_the_counters_and_nothing_else(registry: ProviderRegistry) -> None:
    assert metrics_report.reset(registry.state) == 2
    assert not list(registry.state.scan("metrics|"))
    assert registry.state.get(ERRORS) is None
    assert len(list(registry.state.scan("circuit|"))) == 1
