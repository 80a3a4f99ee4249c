"""Tables, documents and pages: made from samples, read by people and programs."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from fennec_cli.bench.compare import Baseline, compare
from fennec_cli.bench.page import page
from fennec_cli.bench.plan import Step
from fennec_cli.bench.result import Level, Run, as_csv
from fennec_cli.bench.sample import DEFINITIONS
from fennec_cli.bench.summary import check, figures
from fennec_cli.bench.svg import Axis, Mark, Series, plot
from fennec_cli.bench.table import WIDTH, rendered
from fennec_cli.bench.units import bar, digits, percent, seconds, span, sparkline, usd
from tests.bench.test_summary import failed, sample

LONG = "openrouter/some-vendor/a-model-with-a-very-long-name-indeed-preview-2026"


def run(*models: str, steps: tuple[Step, ...] = (Step(2),), compared: bool = False, price: bool = True) -> Run:
    levels, found = [], []
    for step in steps:
        samples = [
            sample(
                n * len(models) + place,
                model=model,
                ttft=0.1 * (place + 1) + n * 0.001,
                cost_usd=0.01 if price else None,
            )
            for n in range(25)
            for place, model in enumerate(models)
        ]
        samples.append(failed(99, "rate_limit")._replace(model=models[0]))
        levels.append(Level(step, samples, check(samples, step, 0.9, [0.001], 1), 1, "requests"))
        found += [figures(samples, model, step, {"ttft": 0.2, "tpot": 0.05}, 1) for model in models]
    load = {"mode": "closed", "prompts": "chat (128x128)", "seed": 1, "jobs": 2, "rate": None, "arrival": None}
    where = {"fennec": "1", "python": "3", "system": "Linux", "processors": 2, "began": "2026-11-25T00:00:00Z"}
    made = Run(models, levels, found, load, where, {"ttft": 0.2, "tpot": 0.05}, cost_usd=0.5 if price else None)
    if compared:
        rows = list(made.rows())
        before = [{**row, "ttft_s": row["ttft_s"] and row["ttft_s"] / 3} for row in rows]
        made = made._replace(
            comparison=compare(Baseline(before, {"seed": 2}), rows, load, 0.1, 1), baseline="base.json"
        )
    return made


RUNS = {
    "one model": run("p/m"),
    "long names": run(LONG, "p/second", compared=True),
    "a sweep": run("p/m", steps=(Step(1, 2.0), Step(1, 4.0), Step(1, 1000.0)), compared=True),
    "without prices": run("p/m", "q/n", price=False),
    "many": run(*(f"{LONG}-{number}" for number in range(12))),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("verbose", [False, True])
def test_the_table_fits_eighty_columns(name: str, verbose: bool) -> None:
    for line in rendered(RUNS[name], verbose=verbose).splitlines():
        assert len(line) <= WIDTH or LONG in line, line


def test_the_table_says_what_was_found() -> None:
    text = rendered(RUNS["long names"])
    assert "failed 1: rate_limit 1" in text
    assert "NOT VALID" in text
    assert re.search(r"TTFT p50 .*\+200.0 %.*large +regression", text)
    assert "not alike: seed was 2 and is 1" in text
    assert "TTFT first token" in text


def test_colour_is_only_where_it_is_wanted() -> None:
    assert "\x1b" not in rendered(RUNS["one model"])
    coloured = rendered(RUNS["one model"], color=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured).split() == rendered(RUNS["one model"]).split()


def test_v_shows_all_definitions() -> None:
    text = " ".join(rendered(RUNS["one model"], verbose=True).split())
    assert all(f"{name}: {' '.join(meaning.split())}" in text for name, meaning in DEFINITIONS.items())


class Page(HTMLParser):
    """Collects what a page is made of, and fails for tags that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta" and tag != "br":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.mark.parametrize("name", RUNS)
def test_the_page_needs_nothing_else(name: str) -> None:
    parsed = Page()
    parsed.feed(page(RUNS[name]))
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.tags)
    names = {key for key, _ in parsed.attributes}
    assert not {"src", "href", "onload", "onclick"} & names
    assert "url(" not in page(RUNS[name])
    assert parsed.tags.count("figure") == 4
    assert not [value for _, value in parsed.attributes if value and ("nan" in value.lower() or "inf" in value.split())]


def test_a_level_has_one_colour_in_all_plots() -> None:
    made = RUNS["a sweep"]
    slowest_first = [each._replace(rate=10.0 - place) for place, each in enumerate(made.figures)]
    dots = re.findall(
        r'class="dot (c\d)"[^>]*><title>p/m: [^<]* at (rate=\d+), [\d.]+ answers',
        page(made._replace(figures=slowest_first)),
    )
    legend = re.findall(r"class='chip (c\d)'></i>([^<]+)", page(made))
    assert dots == legend


def test_the_page_says_what_its_plot_of_latency_shows() -> None:
    assert "TTFT: median with its 95 % interval<" in page(RUNS["a sweep"])
    few = [each._replace(samples=each.samples[:9]) for each in RUNS["a sweep"].levels]
    found = [figures(each.samples, "p/m", each.step, {}, 1) for each in few]
    assert "mean where there are too few" in page(RUNS["a sweep"]._replace(levels=few, figures=found))


def test_the_page_escapes_names() -> None:
    text = page(run('p/<script>alert("x")</script>&'))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_page_says_that_no_price_is_known() -> None:
    assert "No price is known" in page(RUNS["without prices"])
    assert "No price is known" not in page(RUNS["one model"])


def test_csv_has_a_line_for_each_request() -> None:
    made = run('p/"quoted", m')
    lines = list(csv.DictReader(io.StringIO(as_csv(made).decode())))
    assert len(lines) == 26
    assert lines[0]["model"] == 'p/"quoted", m'
    assert lines[-1]["class"] == "rate_limit"
    assert lines[-1]["ttft_s"] == ""


def test_a_plot_of_values_without_spread_is_drawn() -> None:
    for log in (False, True):
        drawn = plot(
            "t", Axis("x", str, zero=False, log=log), Axis("y", str, log=log), [Series("s", 0, [Mark(1.0, 0.0)])]
        )
        assert "nan" not in drawn


def test_points_that_would_hide_each_other_stand_side_by_side() -> None:
    alike, above = [Mark(1.0, 5.0, "", 4.0, 6.0)], [Mark(1.0, 9.0)]
    series = [Series("s", place, marks, line="") for place, marks in enumerate((alike, alike, alike, above))]
    drawn = plot("t", Axis("x", str), Axis("y", str), series)
    places = [float(found) for found in re.findall(r'<circle[^>]* cx="([\d.]+)"', drawn)]
    assert places[0] == places[3]
    assert sorted(place - places[0] for place in places) == [-10, 0, 0, 10]


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (seconds(0.01234), "12.3 ms"), (seconds(0.9999), "1.00 s"), (seconds(123.4), "123 s"), (seconds(None), "n/a"),
        (digits(0.0), "0.00"), (digits(99.96), "100"), (digits(12345.6), "12,346"),
        (span(0.01, 0.02), "10.0 – 20.0 ms"), (usd(1234.5), "$1,234.50"),
        (usd(None), "-"), (usd(0), "$0"), (usd(0.0000067), "$0.0000067"), (usd(0.0123), "$0.0123"),
        (percent(0.123), "+12.3 %"), (percent(-12.0), "-1200 %"),
        (bar(1, 1, 4), "████"), (bar(1, 2, 4), "██"), (bar(1, 64, 8), "▏"), (bar(0, 1, 4), ""),
        (sparkline((0, 1, 7)), " ▂█"), (sparkline(()), ""),
    ],
)  # fmt: skip
def test_numbers_for_people(shown: str, text: str) -> None:
    assert shown == text
