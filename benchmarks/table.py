"""The rows of the table: from samples to figures, goals and verdicts. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Sample

Samples = Mapping[tuple[str, str], Sequence[Sample]]  # (tool, case) -> runs
TOOLS = (
    "fennec",
    "llm",
    "sgpt",
    "openai",
    "anthropic",
    "curl",
)  # all but anthropic's SDK are asked in Chat Completions
LIVE = "live answer, 1 chunk"
P = "python -c pass"  # the row that is the unit of the others


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of fennec's stays within `factor` times another one, plus `plus`.

    `of` is a tool (its figure in the same row), the name of a row (fennec's figure there), or empty for a plain number.
    """

    sense: str  # "<=" or ">="
    factor: float
    of: str = ""
    plus: float = 0.0

    def __str__(self) -> str:
        if self.plus:
            return f"{self.sense} {self.of} + {self.plus:g}"
        return f"{self.sense} {self.factor:g} {'P' if self.of == P else self.of}".rstrip()

    def met(self, figure: float, reference: float | None) -> bool | None:
        """None when there is nothing to compare with."""
        if self.of and reference is None:
            return None
        limit = self.factor * (reference if reference is not None else 1.0) + self.plus
        return figure <= limit if self.sense == "<=" else figure >= limit


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table; `figure` makes its number from the samples of one tool in `cases`."""

    name: str
    unit: str
    cases: tuple[str, ...]
    figure: Callable[..., float]
    goals: tuple[Goal, ...] = ()
    tools: tuple[str, ...] = ("fennec",)


def wall_ms(samples: Sequence[Sample]) -> float:
    return median(sample.wall_s for sample in samples) * 1000


def cpu_us(samples: Sequence[Sample]) -> float:
    return median(sample.cpu_s for sample in samples) * 1e6


def peak(samples: Sequence[Sample]) -> float:
    return median(sample.peak_mib for sample in samples)


ROWS = (
    Row(P, "ms", ("pass",), wall_ms),
    Row("fennec --version", "ms", ("version",), wall_ms, (Goal("<=", 5.5, P),)),
    Row("fennec --help", "ms", ("help",), wall_ms, (Goal("<=", 5.5, P), Goal("<=", 0.1, "llm")), ("fennec", "llm")),
    Row("fennec complete --help", "ms", ("complete help",), wall_ms, (Goal("<=", 5.5, P),)),
    Row(
        LIVE,
        "ms",
        ("live",),
        wall_ms,
        (Goal("<=", 13.5, P), Goal("<=", 0.25, "llm"), Goal("<=", 0.25, "openai")),
        TOOLS,
    ),
    Row("the same in Messages", "ms", ("live messages",), wall_ms, (Goal("<=", 13.5, P),)),
    Row("the same over verified TLS", "ms", ("live tls",), wall_ms),
    Row(
        "verified TLS, on top",
        "ms",
        ("live tls", "live"),
        lambda secure, plain: wall_ms(secure) - wall_ms(plain),
        (Goal("<=", 1.5, P),),
    ),
    Row("the same, no shared state", "ms", ("live alone",), wall_ms, (Goal("<=", 12, P),)),
    Row(
        "shared state, live answer",
        "ms",
        ("live", "live alone"),
        lambda shared, alone: wall_ms(shared) - wall_ms(alone),
        (Goal("<=", 1.5, P),),
    ),
    Row("shared state, both transactions", "ms", ("transactions",), wall_ms, (Goal("<=", 3),)),
    Row("16 x 1,000 counter updates, p99", "ms", ("updates",), wall_ms, (Goal("<=", 25),)),
    Row("one update on Redis, loopback", "ms", ("redis",), wall_ms, (Goal("<=", 1),)),
    Row(
        "20,000 chunks",
        "chunks/s",
        ("20k",),
        lambda samples: 20_000_000 / wall_ms(samples),
        (Goal(">=", 6, "openai"), Goal(">=", 8, "llm")),
        TOOLS,
    ),
    Row("the same in Messages, CPU", "x Chat", ("20k messages", "20k"), lambda told, chat: cpu_us(told) / cpu_us(chat)),
    Row(
        "200,000 chunks, CPU",
        "us/chunk",
        ("200k",),
        lambda samples: cpu_us(samples) / 200_000,
        (Goal("<=", 16),),
        TOOLS,
    ),
    Row(
        "NDJSON, 20,000 chunks, CPU",
        "x text",
        ("20k ndjson", "20k"),
        lambda ndjson, text: cpu_us(ndjson) / cpu_us(text),
        (Goal("<=", 1.3),),
    ),
    Row("cached answer, 1 chunk", "ms", ("cached",), wall_ms, (Goal("<=", 6.5, P), Goal("<=", 0.6, LIVE))),
    Row("cached answer, 1 KB", "ms", ("cached 1k",), wall_ms, (Goal("<=", 6.5, P), Goal("<=", 0.6, LIVE))),
    Row("cached answer, 100 KB", "ms", ("cached 100k",), wall_ms, (Goal("<=", 6.5, P), Goal("<=", 0.6, LIVE))),
    Row("lookup and store, in the process", "ms", ("store",), wall_ms, (Goal("<=", 5),)),
    Row(
        "cached answer among 100,000",
        "x 100",
        ("many entries", "few entries"),
        lambda many, few: wall_ms(many) / wall_ms(few),
        (Goal("<=", 1.5),),
    ),
    Row("batch, 16 rows at once", "rows/s", ("batch 16",), lambda samples: 5_000_000 / wall_ms(samples)),
    Row(
        "the same, by a loop of threads",
        "x loop",
        ("batch 16", "loop 16"),
        lambda batch, loop: wall_ms(loop) / wall_ms(batch),
        (Goal(">=", 0.8),),
    ),
    Row(
        "batch, 256 rows at once",
        "x 16",
        ("batch 256", "batch 16"),
        lambda many, few: wall_ms(few) / wall_ms(many),
        (Goal(">=", 0.75),),
    ),
    Row(
        "batch from the cache",
        "rows/s",
        ("batch cached",),
        lambda samples: 5_000_000 / wall_ms(samples),
        (Goal(">=", 2000),),
    ),
    Row(
        "start with a ledger of 1,000,000 rows",
        "s",
        ("ledger",),
        lambda samples: wall_ms(samples) / 1000,
        (Goal("<=", 10),),
    ),
    Row("peak memory, that ledger", "MiB", ("ledger",), peak, (Goal("<=", 80),)),
    Row("peak memory, 256 at once", "MiB", ("batch 256",), peak, (Goal("<=", 72),)),
    Row("peak memory, 10,000 rows", "MiB", ("10k",), peak),
    Row(
        "peak memory, 100,000 rows",
        "MiB",
        ("100k",),
        peak,
        (Goal("<=", 80), Goal("<=", 1, "peak memory, 10,000 rows", plus=8)),
    ),
    Row("peak memory, live", "MiB", ("live",), peak, (Goal("<=", 32),), TOOLS),
    Row("peak memory, 20,000", "MiB", ("20k",), peak, (), TOOLS),
    Row("peak memory, 200,000", "MiB", ("200k",), peak, (Goal("<=", 1, "peak memory, 20,000", plus=8),), TOOLS),
)

Figures = dict[str, dict[str, float]]  # row -> tool -> figure


def figures(samples: Samples) -> Figures:
    """Every figure for which there are samples."""
    return {
        row.name: {
            tool: row.figure(*(samples[tool, case] for case in row.cases))
            for tool in row.tools
            if all(samples.get((tool, case)) for case in row.cases)
        }
        for row in ROWS
    }


def verdict(row: Row, known: Figures) -> str:
    """`ok`, `MISS` with the goals that are missed, or nothing where there is no goal or no figure."""
    if "fennec" not in known[row.name] or not row.goals:
        return ""
    figure = known[row.name]["fennec"]
    missed = [
        goal
        for goal in row.goals
        if goal.met(figure, known[row.name].get(goal.of, known.get(goal.of, {}).get("fennec"))) is False
    ]
    return "MISS " + ", ".join(map(str, missed)) if missed else "ok"


def render(samples: Samples) -> str:
    """The table as text."""
    known = figures(samples)
    unit = known[P].get("fennec")
    lines: list[tuple[str, ...]] = [("", "fennec", "", "in P", "must", "verdict", *TOOLS[1:])]
    for row in ROWS:
        own = known[row.name].get("fennec")
        if own is None:
            continue
        in_p = f"{own / unit:.1f}" if unit and row.unit == "ms" else ""
        others = (shown(known[row.name].get(tool)) for tool in TOOLS[1:])
        goals = ", ".join(map(str, row.goals))
        lines.append((row.name, shown(own), row.unit, in_p, goals, verdict(row, known), *others))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = {1, 3, *range(6, 5 + len(TOOLS))}  # columns of numbers
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def shown(figure: float | None) -> str:
    """Three digits that count; thousands in full."""
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
