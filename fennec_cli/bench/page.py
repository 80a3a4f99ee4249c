"""A run as one HTML page that needs nothing else: no script, no font, no network. Pure."""

from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from fennec_cli.bench import stats
from fennec_cli.bench.result import Run
from fennec_cli.bench.sample import DEFINITIONS, Sample
from fennec_cli.bench.stats import Estimate
from fennec_cli.bench.summary import Figures, clocks_told
from fennec_cli.bench.svg import COLOURS, Axis, Mark, Series, plot
from fennec_cli.bench.units import digits, percent, percents, seconds, span, usd

_LINES = 160  # corners of a distribution's line at most
_BINS = 48  # of the time axis
_NAMES = {"ttft": "TTFT", "ttfo": "TTFO", "tpot": "TPOT", "icl": "ICL", "e2e": "E2E"}
_FULL = {
    "ttft": "time to first token",
    "ttfo": "time to first output token",
    "tpot": "time per output token",
    "icl": "gap between chunks",
    "e2e": "time to last token",
    "ttft_from_planned": "TTFT from the planned moment",
    "e2e_from_planned": "E2E from the planned moment",
}


def page(run: Run) -> str:
    """The whole page."""
    style = (resources.files("fennec_cli") / "data" / "report.css").read_text()
    title = f"fennec bench: {', '.join(run.models[:3])}{' …' if len(run.models) > 3 else ''}"
    body = "\n".join([_head(run), _verdict(run), _legend(run), _plots(run), _figures(run), _compared(run), _foot(run)])
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">"""
        f"<title>{escape(title)}</title><style>\n{style}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _head(run: Run) -> str:
    load, where = run.load, run.environment
    text = run.levels[0].step.text if len(run.levels) == 1 else f"{load['mode']} loop, {len(run.levels)} levels of load"
    requests = sum(len(level.samples) for level in run.levels)
    facts = [text, f"{requests:,} requests", f"prompts {load['prompts']}", f"seed {load['seed']}"]
    if run.cost_usd is not None:
        facts.append(f"{usd(run.cost_usd)} in all")
    if run.stopped_by != "requests":
        facts.append(f"stopped by {run.stopped_by}")
    place = f"{where['began']} · fennec {where['fennec']} · Python {where['python']} · {where['system']}"
    return (
        f"<header><h1>fennec bench</h1><p class=facts>{' · '.join(map(escape, facts))}</p>"
        f"<p class=quiet>{escape(place)}, {where['processors']} processors</p></header>"
    )


def _verdict(run: Run) -> str:
    said = [
        f"{level.step.label} is not valid, our own side was the bottleneck: {'; '.join(level.check.reasons)}"
        for level in run.levels
        if not level.check.valid
    ]
    if run.comparison is not None and run.comparison.regressions:
        number = len(run.comparison.regressions)
        said.append(f"{number} figure{'s are' if number > 1 else ' is'} worse than in {run.baseline}")
    return f"<p class='note bad'>{'<br>'.join(map(escape, said))}</p>" if said else ""


def _legend(run: Run) -> str:
    names = run.models if len(run.models) > 1 or len(run.levels) == 1 else [level.step.label for level in run.levels]
    items = (f"<li><i class='chip c{number % COLOURS}'></i>{escape(name)}</li>" for number, name in enumerate(names))
    return f"<ul class=legend>{''.join(items)}</ul>"


def _plots(run: Run) -> str:
    highest = run.levels[-1].step.label if len(run.models) > 1 and len(run.levels) > 1 else ""
    at = f" at {highest}" if highest else ""
    shown = [
        (f"Time to first token{at}", "share of requests answered within", _distribution(run)),
        (
            "Latency against rate",
            _told_of_rate(run),
            _against_rate(run),
        ),
        (
            f"Tokens over time{' at ' + run.levels[-1].step.label if len(run.levels) > 1 else ''}",
            "tokens a second, of all requests together",
            _over_time(run),
        ),
        (f"Cost against latency{at}", "USD a thousand requests, time to the last token", _cost(run)),
    ]
    figures = (
        f"<figure><figcaption><b>{escape(title)}</b> <span>{escape(text)}</span></figcaption>{drawn}</figure>"
        for title, text, drawn in shown
    )
    return f"<section class=plots>{''.join(figures)}</section>"


def _distribution(run: Run) -> str:
    series = []
    for number, (name, samples) in enumerate(_groups(run)):
        values = sorted(sample.ttft for sample in samples if sample.ok and sample.ttft is not None)
        if values:
            series.append(Series(name, number, _cumulated(values), line="steps", dots=False))
    if not series:
        return _nothing("No request was answered.")
    x = Axis("time to the first token", _short_seconds, zero=False, log=True)
    return plot("distribution of the time to first token", x, Axis("", lambda share: f"{share:.0%}", most=1.0), series)


def _cumulated(values: Sequence[float]) -> list[Mark]:
    n = len(values)
    kept = range(n) if n <= _LINES else sorted({round(place * (n - 1) / (_LINES - 1)) for place in range(_LINES)})
    return [Mark(values[0], 0.0), *(Mark(values[place], (place + 1) / n) for place in kept)]


def _against_rate(run: Run) -> str:
    series = []
    alone = len(run.models) == 1
    for number, model in enumerate(run.models):
        mine = [each for each in run.figures if each.model == model and each.distributions["ttft"] is not None]
        marks, tails = [], []
        for each in mine:
            found = each.distributions["ttft"]
            assert found is not None
            middle = found.p50 or found.mean
            marks.append(Mark(each.rate, middle.value, _told(each, middle), *middle.interval))
            if found.p90 is not None:
                tails.append(Mark(each.rate, found.p90.value, f"p90 {seconds(found.p90.value)} at {each.step.label}"))
        if tails:
            series.append(Series(f"{model} p90", number, tails, dashed=True))
        if not alone or len(marks) < 2:
            series.append(Series(model, number, marks))
            continue
        series.append(Series(model, 7, marks, dots=False))
        colours = {level.step: place for place, level in enumerate(run.levels)}
        series += [Series(model, colours[each.step], [mark], line="") for each, mark in zip(mine, marks, strict=True)]
    if not any(each.marks for each in series):
        return _nothing("No request was answered.")
    return plot("latency against rate", Axis("answers a second", _plain), Axis("", _short_seconds, log=True), series)


def _told_of_rate(run: Run) -> str:
    all_found = [found for each in run.figures if (found := each.distributions["ttft"]) is not None]
    middle = "median" if all(found.p50 for found in all_found) else "median (mean where there are too few answers)"
    parts = [f"TTFT: {middle} with its 95 % interval"]
    if any(found.p90 for found in all_found):
        parts.append("dashed the p90")
    return ", ".join(parts) + ("" if len(run.levels) > 1 else "; --sweep shows more levels of load")


def _over_time(run: Run) -> str:
    level = run.levels[-1]
    end = max((sample.end for sample in level.samples), default=0.0)
    if end <= 0:
        return _nothing("Nothing was measured.")
    number_of_bins = min(_BINS, max(12, len(level.samples) // 2))
    width = end / number_of_bins
    series = []
    for number, model in enumerate(run.models):
        bins = [0.0] * number_of_bins
        for sample in level.samples:
            if sample.model == model and sample.first is not None and sample.events:
                each = sample.output_tokens / len(sample.events)
                for event in sample.events:
                    bins[min(number_of_bins - 1, max(0, int((sample.first + event) / width)))] += each / width
        marks = [Mark((place + 0.5) * width, value) for place, value in enumerate(bins)]
        colour = number if len(run.models) > 1 else len(run.levels) - 1
        series.append(Series(model, colour, marks, dots=False, area=len(run.models) == 1))
    return plot("tokens over time", Axis("seconds since the beginning", _plain), Axis("", _plain), series)


def _cost(run: Run) -> str:
    series = []
    last = run.levels[-1].step
    for number, model in enumerate(run.models):
        for place, each in enumerate(each for each in run.figures if each.model == model):
            found, cost = each.distributions["e2e"], each.cost_per_request
            if cost is None or found is None or (each.step != last and len(run.models) > 1):
                continue
            middle = found.p50 or found.mean
            text = f"{usd(cost)} a request, {seconds(middle.value)} at {each.step.label}"
            colour = number if len(run.models) > 1 else place
            series.append(Series(model, colour, [Mark(cost * 1000, middle.value, text, *middle.interval)], line=""))
    if not series:
        return _nothing("No price is known: set it under prices in the configuration.")
    x = Axis("USD for 1,000 requests", lambda value: f"${value:,.4g}")
    return plot("cost against latency", x, Axis("", _short_seconds, log=True), series)


def _groups(run: Run) -> Iterator[tuple[str, list[Sample]]]:
    """What one colour stands for: the levels of a single model, else the models at the highest level."""
    if len(run.models) == 1 and len(run.levels) > 1:
        for level in run.levels:
            yield level.step.label, list(level.samples)
        return
    for model in run.models:
        yield model, [sample for sample in run.levels[-1].samples if sample.model == model]


def _figures(run: Run) -> str:
    parts = []
    for model in run.models:
        parts.append(f"<h2>{escape(model)}</h2>")
        mine = (each for each in run.figures if each.model == model)
        parts += [_card(each, several=len(run.levels) > 1, run=run) for each in mine]
    return "".join(parts)


def _card(each: Figures, *, several: bool, run: Run) -> str:
    facts = [
        f"{each.ok} of {each.requests} answered",
        f"{digits(each.rate)} a second",
        f"{digits(each.tokens_per_s)} tokens/s",
        f"{each.input_tokens:,} tokens in, {each.output_tokens:,} out{' (estimated)' if each.estimated else ''}",
    ]
    if each.cost_usd is not None:
        facts.append(f"{usd(each.cost_usd)}, {usd(each.cost_per_request)} a request")
    if each.goodput is not None:
        low, high = each.goodput.interval
        limits = ", ".join(f"{name.upper()} ≤ {seconds(limit)}" for name, limit in run.slo.items())
        facts.append(f"goodput {digits(each.goodput.value)}/s [{digits(low)} – {digits(high)}] within {limits}")
    head = f"<h3>{each.step.label}</h3>" if several else ""
    errors = ", ".join(f"{escape(name)} {number}" for name, number in each.errors.items())
    failed = f"<p class='note bad'>{each.requests - each.ok} failed: {errors}</p>" if errors else ""
    rows = "".join(_row(name, full, each) for name, full in _FULL.items() if _is_shown(name, each))
    return (
        f"{head}<p class=facts>{' · '.join(facts)}</p>{failed}<div class=wide><table><thead><tr><th></th><th>mean</th>"
        f"<th>p50</th><th>95 %</th><th>p90</th><th>p99</th><th>most</th><th class=shape>least to most</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _is_shown(name: str, each: Figures) -> bool:
    if each.distributions[name] is None or (name == "ttfo" and not each.reasons):
        return False
    return each.step.rate is not None or not name.endswith("planned")


def _row(name: str, full: str, each: Figures) -> str:
    found = each.distributions[name]
    assert found is not None
    title = f"{_NAMES[name]} <span>{full}</span>" if name in _NAMES else full
    interval = span(*found.p50.interval) if found.p50 else ""
    cells = (seconds(found.mean.value), _cell(found.p50), interval, _cell(found.p90), _cell(found.p99))
    shown = "".join(f"<td>{cell}</td>" for cell in (*cells, seconds(found.most)))
    return f"<tr><th>{title}</th>{shown}<td class=shape>{_shape(each.histograms[name].counts)}</td></tr>"


def _shape(counts: Sequence[int]) -> str:
    """A histogram as small as a word."""
    most, width = max(counts, default=0), 5
    heights = [(place * width, 22 * count / most) for place, count in enumerate(counts) if count]
    bars = "".join(
        f'<rect x="{place}" y="{22 - height:.1f}" width="{width - 1}" height="{height:.1f}"/>'
        for place, height in heights
    )
    return f'<svg class=tiny viewBox="0 0 {max(1, len(counts)) * width} 22" aria-hidden="true">{bars}</svg>'


def _compared(run: Run) -> str:
    found = run.comparison
    if found is None:
        return ""
    rows = []
    for each in found.findings:
        change = each.change
        shown = (lambda value: f"{value:.1%}") if each.metric == "ok" else seconds
        cells = [shown(change.before), shown(change.after), percent(change.relative), percents(*change.interval)]
        cells.append(f"{change.delta:+.2f} {stats.size_of(change.delta)}")
        metric = "answered" if each.metric == "ok" else each.metric.removesuffix("_s").upper()
        rows.append(
            f"<tr class='{each.verdict}'><th>{escape(each.model)} <span>{each.step}</span></th>"
            f"<td>{metric} {each.figure}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}"
            f"<td class=verdict>{each.verdict}</td></tr>"
        )
    notes = [f"not alike: {each}" for each in found.differences] + [f"not in it: {each}" for each in found.missing]
    said = "".join(f"<p class=note>{escape(note)}</p>" for note in notes)
    return (
        f"<h2>Against {escape(run.baseline or '')}</h2>"
        f"<p class=facts>worse by more than {found.limit:.0%} is a regression</p>{said}<div class=wide><table><thead>"
        "<tr><th></th><th></th><th>before</th><th>after</th><th>change</th>"
        f"<th>95 %</th><th>effect (delta)</th><th>verdict</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _foot(run: Run) -> str:
    checks = "".join(
        f"<tr><th>{level.step.label}</th><td>{seconds(level.check.lag_p99)}</td><td>{seconds(level.check.lag_limit)}</td>"
        f"<td>{level.check.cpu:.0%}</td><td>{seconds(level.check.stall_p99)}</td><td>{seconds(level.check.stall_max)}</td>"
        f"<td>{level.workers}</td><td class=verdict>{'valid' if level.check.valid else 'not valid'}</td></tr>"
        for level in run.levels
    )
    clocks = clocks_told([level.check for level in run.levels])
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in DEFINITIONS.items())
    return (
        "<h2>Our own side</h2><div class=wide><table><thead><tr><th></th><th>lag p99</th><th>limit</th>"
        "<th>processor</th><th>wake-ups p99</th><th>most</th><th>workers</th><th></th></tr></thead><tbody>"
        f"{checks}</tbody></table></div><p class=facts>{clocks}</p><h2>Definitions</h2><dl>{terms}</dl>"
    )


def _told(each: Figures, middle: Estimate) -> str:
    low, high = middle.interval
    return f"{seconds(middle.value)} [{span(low, high)}] at {each.step.label}, {digits(each.rate)} answers a second"


def _cell(found: Estimate | None) -> str:
    return seconds(found.value) if found else "<span>n/a</span>"


def _short_seconds(value: float) -> str:
    if value >= 1:
        return f"{value:g} s"
    return f"{value * 1e3:.3g} ms" if value else "0"


def _plain(value: float) -> str:
    return f"{value:,.6g}"


def _nothing(text: str) -> str:
    return f"<p class=nothing>{escape(text)}</p>"
