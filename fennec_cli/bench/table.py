"""A run for people at a terminal: eighty columns. Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from fennec_cli.bench import stats
from fennec_cli.bench.compare import Comparison, Finding
from fennec_cli.bench.result import Run
from fennec_cli.bench.sample import DEFINITIONS
from fennec_cli.bench.stats import Distribution
from fennec_cli.bench.summary import Figures, clocks_told
from fennec_cli.bench.units import bar, digits, percent, percents, seconds, span, sparkline, usd

WIDTH = 80
DETAILED = 4  # groups that are shown in full without -v
_SPARK = 16
_FIGURE = {"median": "p50", "mean": "mean"}
_SHORT = (
    "TTFT first token, TTFO first one that is not reasoning, E2E last one: from the",
    "first byte sent; * from the planned moment. TPOT (last - first) / (tokens - 1),",
    "ICL gaps between chunks. n/a: too few values (p50: 20, p99: 1,000). -v: all",
)


class Paint:
    """Colours, or none."""

    def __init__(self, *, color: bool) -> None:
        self._color = color

    def bold(self, text: str) -> str:
        return self._in("1", text)

    def dim(self, text: str) -> str:
        return self._in("2", text)

    def bad(self, text: str) -> str:
        return self._in("31", text)

    def good(self, text: str) -> str:
        return self._in("32", text)

    def blue(self, text: str) -> str:
        return self._in("34", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and text else text


def rendered(run: Run, *, color: bool = False, verbose: bool = False) -> str:
    """The whole table."""
    paint = Paint(color=color)
    lines = [*_head(run, paint)]
    if len(run.figures) > 1:
        lines += ["", *_overview(run.figures, paint)]
    if len(run.figures) <= DETAILED or verbose:
        for each in run.figures:
            lines += ["", *_details(each, run, paint)]
    if run.comparison is not None:
        lines += ["", *_comparison(run.comparison, run.baseline or "", paint)]
    lines += ["", *_checks(run, paint), "", *_footer(paint, verbose=verbose)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _head(run: Run, paint: Paint) -> Iterator[str]:
    load = run.load
    requests = sum(len(level.samples) for level in run.levels)
    wall = sum({each.step: each.wall_s for each in run.figures}.values())
    text = run.levels[0].step.text if len(run.levels) == 1 else f"{load['mode']} loop, {len(run.levels)} levels of load"
    yield paint.bold(f"{text}")
    parts = [f"{requests:,} requests", seconds(wall), f"prompts {load['prompts']}", f"seed {load['seed']}"]
    if run.cost_usd is not None:
        parts.append(usd(run.cost_usd))
    if run.stopped_by != "requests":
        parts.append(f"stopped by {run.stopped_by}")
    yield " · ".join(parts)


def _overview(found: Sequence[Figures], paint: Paint) -> Iterator[str]:
    several = len({each.step for each in found}) > 1
    names = [each.model + (f" {each.step.label}" if several else "") for each in found]
    room = min(max(map(len, names)), 29)
    width = WIDTH - room - 45
    most = max((each.middle("ttft") or 0.0 for each in found), default=0.0)
    yield paint.dim(f"{'':{room}} {'TTFT':<{width}} {'p50':>9} {'speed':>8} {'req/s':>7} {'failed':>7} {'cost':>8}")
    for name, each in zip(names, found, strict=True):
        middle = each.middle("ttft")
        approximate = "~" if middle is not None and not _p50(each.distributions["ttft"]) else ""
        failed = each.requests - each.ok
        yield (
            f"{_cut(name, room):{room}} {paint.blue(f'{bar(middle or 0.0, most, width):{width}}')}"
            f" {approximate + seconds(middle):>9} {_speed(each):>8} {digits(each.rate):>7}"
            f" {paint.bad(f'{failed:>7}') if failed else f'{0:>7}'} {usd(each.cost_usd):>8}"
        )
    if any(not _p50(each.distributions["ttft"]) for each in found):
        yield paint.dim("~ mean: too few values for a median")


def _details(each: Figures, run: Run, paint: Paint) -> Iterator[str]:
    name = each.model + (f" {each.step.label}" if len(run.levels) > 1 else "")
    facts = f"{each.ok} of {each.requests} ok · {digits(each.rate)} req/s · {digits(each.tokens_per_s)} tok/s"
    room = WIDTH - len(facts) - 2
    yield f"{paint.bold(f'{_cut(name, room):{room}}')}  {facts}"
    yield paint.dim(f"{'':7}{'mean':>9}{'p50':>9}{'p90':>9}{'p99':>9}{'95 % of p50':>18}  {'least to most':<{_SPARK}}")
    for label, metric in _shown(each):
        yield _line(label, each.distributions[metric], sparkline(_coarse(each, metric)), paint)
    if each.errors:
        classes = ", ".join(f"{name} {number}" for name, number in each.errors.items())
        yield paint.bad(f"  failed {each.requests - each.ok}: {classes}")
    if each.goodput is not None:
        low, high = each.goodput.interval
        limits = ", ".join(f"{name.upper()} ≤ {seconds(limit)}" for name, limit in run.slo.items())
        yield from _wrapped(f"  goodput {digits(each.goodput.value)}/s [{digits(low)} – {digits(high)}]: {limits}")
    tokens = f"  {each.input_tokens:,} tokens in, {each.output_tokens:,} out{' (estimated)' if each.estimated else ''}"
    cost = f" · {usd(each.cost_usd)}, {usd(each.cost_per_request)} a request" if each.cost_usd is not None else ""
    yield tokens + cost


def _shown(each: Figures) -> list[tuple[str, str]]:
    found = [("TTFT", "ttft")]
    if each.reasons:
        found.append(("TTFO", "ttfo"))
    found += [("TPOT", "tpot"), ("ICL", "icl"), ("E2E", "e2e")]
    if each.step.rate is not None:
        found += [("TTFT*", "ttft_from_planned"), ("E2E*", "e2e_from_planned")]
    return [(label, metric) for label, metric in found if each.distributions[metric] is not None]


def _line(label: str, found: Distribution | None, spark: str, paint: Paint) -> str:
    assert found is not None
    cells = [found.mean.value, *(each.value if each else None for each in found.quantiles)]
    numbers = "".join(f"{seconds(cell):>9}" if cell is not None else paint.dim(f"{'n/a':>9}") for cell in cells)
    interval = span(*found.p50.interval) if found.p50 else "n/a"
    return f"  {label:<5}{numbers}{interval:>18}  {paint.blue(spark)}"


def _coarse(each: Figures, metric: str) -> tuple[int, ...]:
    counts = each.histograms[metric].counts
    if len(counts) <= _SPARK:
        return counts
    return tuple(
        sum(counts[number * len(counts) // _SPARK : (number + 1) * len(counts) // _SPARK]) for number in range(_SPARK)
    )


def _comparison(found: Comparison, name: str, paint: Paint) -> Iterator[str]:
    yield paint.bold(f"against {name}: worse by more than {found.limit:.0%} is a regression")
    several = len({each.step for each in found.findings}) > 1
    header = f"{'':12}{'before':>8}{'after':>8}{'change':>9}{'95 %':>17}  {'effect':<11}verdict"
    for (model, step), findings in groupby(found.findings, lambda each: (each.model, each.step)):
        yield f"{model} {step}" if several else model
        yield paint.dim(header)
        for each in findings:
            yield _finding(each, paint)
    for title, texts in (("not alike", found.differences), ("not in it", found.missing)):
        for text in texts:
            yield from _wrapped(f"  {title}: {text}")


def _finding(each: Finding, paint: Paint) -> str:
    change = each.change
    name = "answered" if each.metric == "ok" else f"{each.metric.removesuffix('_s').upper()} {_FIGURE[each.figure]}"
    shown = (lambda value: f"{value:.1%}") if each.metric == "ok" else seconds
    colour = {"regression": paint.bad, "better": paint.good}.get(each.verdict, str)
    return (
        f"  {name:10}{shown(change.before):>8}{shown(change.after):>8}{percent(change.relative):>9}"
        f"{percents(*change.interval):>17}  {stats.size_of(change.delta):11}{colour(each.verdict)}"
    )


def _checks(run: Run, paint: Paint) -> Iterator[str]:
    for level in run.levels:
        found = level.check
        name = f"{level.step.label}: " if len(run.levels) > 1 else ""
        if not found.valid:
            text = f"NOT VALID {name}our own side was the bottleneck: {'; '.join(found.reasons)}"
            yield from map(paint.bad, _wrapped(text))
        elif found.lag_p99 is not None:
            yield from _wrapped(
                f"{name}own lag p99 {seconds(found.lag_p99)} (limit {seconds(found.lag_limit)}),"
                f" busiest worker {found.cpu:.0%}, wake-ups p99 {seconds(found.stall_p99)}: valid"
            )
    yield from _wrapped(clocks_told([level.check for level in run.levels]))


def _footer(paint: Paint, *, verbose: bool) -> Iterator[str]:
    if not verbose:
        yield from map(paint.dim, _SHORT)
        return
    for name, text in DEFINITIONS.items():
        yield from map(paint.dim, _wrapped(f"{name}: {text}"))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="    ")


def _p50(found: Distribution | None) -> bool:
    return found is not None and found.p50 is not None


def _speed(each: Figures) -> str:
    middle = each.middle("tokens_per_s")
    return "-" if middle is None else digits(middle)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: max(0, room - 1)] + "…"
