"""A run of `fennec bench`: options to steps of load, their samples to figures, and the status that comes of it."""

import os
import platform
import time
from collections.abc import Sequence

from fennec_cli import __version__, signals
from fennec_cli.bench.compare import Baseline, compare, read_baseline
from fennec_cli.bench.hosting import HostedEngines
from fennec_cli.bench.lane import Lanes, Setup
from fennec_cli.bench.options import DEFAULT_REQUESTS, BenchOptions
from fennec_cli.bench.plan import steps, workers_for
from fennec_cli.bench.result import Level, Run, as_csv, as_json, request_line, summary_line
from fennec_cli.bench.runner import Failure, Outcome, Purse, Wanted, WarmupFailed, run_step
from fennec_cli.bench.sample import Sample
from fennec_cli.bench.source import Prompts, find_prompts, find_targets, worst_cost
from fennec_cli.bench.summary import check, figures
from fennec_cli.bench.units import digits, seconds, usd
from fennec_cli.bench.worker import NO_END
from fennec_cli.config import Config
from fennec_cli.errors import BudgetExceeded, FennecError, InputError, PartialBatch, Regression, UsageError
from fennec_cli.output.notes import Notes, notes_for, wants_color
from fennec_cli.output.progress import StatusLine
from fennec_cli.output.sink import Sink, open_output
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.safeguards import Safeguards, filter_policy
from fennec_cli.store import NullStore


def run_bench(options: BenchOptions, config: Config) -> int:
    """Run the command and return its exit status."""
    notes = notes_for(options, config.log.file, config.log.level, config.notes)
    if options.measures_itself:
        from fennec_cli.bench.itself import measure_itself

        return measure_itself(options, notes)
    if options.report is not None and options.report == options.output:
        raise UsageError("--report and --output name the same file")
    baseline = _baseline(options.baseline) if options.baseline else None
    registry = ProviderRegistry(config, overrides=options.overrides, say=notes.say)
    targets = find_targets(options, config, registry)
    if baseline is not None:
        _comparable(baseline, targets, options)
    guards = Safeguards(filter_policy(config), say=notes.loud)
    found = find_prompts(options, config)
    found = found._replace(requests=[guards.outgoing(request)[0] for request in found.requests])
    worst = 0.0 if options.max_cost is None else worst_cost(targets, found, registry)
    signals.install()
    sink = open_output(options.output)
    report: Sink | None = None
    hosted = HostedEngines()
    try:
        if options.report is not None:
            report = open_output(options.report)
        for target in targets:
            notes.say(1, f"measuring {target.provider}/{target.model} ({target.reason})")
            if registry.type_of(target.provider) == "local":
                hosted.start(registry, target.provider, target.model, options.jobs if options.rate is None else 4)
        setup = Setup(
            config=config,
            overrides=options.overrides,
            targets=targets,
            requests=found.requests,
            retries=options.retries,
            breaker=options.breaker,
            cache=options.cache,
            engines=hosted.engines,
        )
        _check(setup)
        bench = _Bench(options, setup, found, Purse(options.max_cost, worst), notes, sink)
        return bench.go(baseline, report)
    finally:
        hosted.close()
        sink.discard()
        if report is not None:
            report.discard()
        registry.close()


class _Bench:
    """Everything one run has decided, and what has come of it so far."""

    def __init__(
        self, options: BenchOptions, setup: Setup, found: Prompts, purse: Purse, notes: Notes, sink: Sink
    ) -> None:
        self._options, self._setup, self._prompts, self._purse = options, setup, found, purse
        self._notes, self._sink = notes, sink
        self._models = [setup.name(number) for number in range(len(setup.targets))]
        self._outcomes: list[Outcome] = []
        self._cold: FennecError | None = None  # of a warm-up, once other levels are measured
        self._began = 0.0
        self._wall_clock = time.time()
        self._line = StatusLine(shown=os.isatty(2) and not options.quiet and os.environ.get("TERM") != "dumb")

    def go(self, baseline: Baseline | None, report: Sink | None) -> int:
        stopped: signals.Interrupted | None = None
        try:
            self._measure()
        except signals.Interrupted as stop:  # what was measured is shown, then we end as the signal wants it
            stopped = stop
            self._outcomes[-1].stopped_by = "signal"
        finally:
            self._line.clear()
        run = self._result(baseline)
        self._write(run)
        if report is not None:
            from fennec_cli.bench.page import page

            report.write(page(run).encode())
            report.commit()
        self._sink.commit()
        if stopped is not None:
            raise stopped
        return self._verdict(run)

    def _measure(self) -> None:
        options = self._options
        for step in steps(options.jobs, options.rate, options.arrival, sweep=options.sweep):
            outcome = Outcome(step, workers=workers_for(step, os.cpu_count() or 1))
            self._outcomes.append(outcome)
            self._began = time.monotonic()
            try:
                run_step(outcome, self._wanted(), self._purse, self._seen, self._tick)
            except WarmupFailed:
                self._cold = _revived(outcome.failures[0])
                self._outcomes.pop()
                if not self._outcomes:
                    raise self._cold from None
                break
            if outcome.stopped_by == "cost":
                break

    def _wanted(self) -> Wanted:
        options, models = self._options, len(self._models)
        each = options.requests or (None if options.duration is not None else DEFAULT_REQUESTS)
        total = NO_END if each is None else each * models
        return Wanted(self._setup, total, options.warmup * models, options.duration, options.seed)

    def _seen(self, sample: Sample) -> None:
        if self._options.output_format == "ndjson":
            self._sink.write(request_line(sample, self._outcomes[-1].step, self._options.slo or {}))

    def _tick(self) -> None:
        outcome = self._outcomes[-1]
        done, passed = len(outcome.samples), time.monotonic() - self._began
        if not done:
            self._line.show(f"{outcome.step.label}: warming up, {seconds(passed)}")
            return
        total = self._wanted().total
        first = sorted(sample.ttft for sample in outcome.samples[-200:] if sample.ttft is not None)
        failed = sum(not sample.ok for sample in outcome.samples)
        parts = [
            f"{outcome.step.label}: {done:,}{'' if total == NO_END else f' of {total:,}'}",
            f"TTFT {seconds(first[len(first) // 2])}" if first else "",
            f"{digits(sum(sample.output_tokens for sample in outcome.samples) / passed)} tok/s",
            f"{failed} failed" if failed else "",
            usd(self._purse.spent_usd) if self._purse.spent_usd else "",
            seconds(passed),
        ]
        self._line.show(" · ".join(part for part in parts if part))

    def _result(self, baseline: Baseline | None) -> Run:
        options, slo = self._options, self._options.slo or {}
        levels, found = [], []
        for outcome in self._outcomes:
            judged = check(outcome.samples, outcome.step, outcome.cpu, outcome.stalls, options.seed)
            levels.append(Level(outcome.step, outcome.samples, judged, outcome.workers, outcome.stopped_by))
            found += [figures(outcome.samples, model, outcome.step, slo, options.seed) for model in self._models]
        run = Run(
            models=self._models,
            levels=levels,
            figures=found,
            load=self._load(),
            environment=_environment(self._wall_clock),
            slo=slo,
            cost_usd=self._purse.spent_usd if any(each.cost_usd is not None for each in found) else None,
        )
        if baseline is None:
            return run
        comparison = compare(baseline, list(run.rows()), run.load, options.max_regression, options.seed)
        return run._replace(comparison=comparison, baseline=os.path.basename(options.baseline or ""))

    def _load(self) -> dict[str, object]:
        options = self._options
        return {
            "mode": "closed" if options.rate is None else "open",
            "jobs": options.jobs if options.rate is None else None,
            "rate": options.rate,
            "arrival": None if options.rate is None else options.arrival,
            "sweep": options.sweep,
            "requests": self._wanted().total // len(self._models) if self._wanted().total != NO_END else None,
            "duration_s": options.duration,
            "warmup": options.warmup,
            "prompts": self._prompts.name,
            "seed": options.seed,
            "slo_s": dict(options.slo or {}),
            "max_cost_usd": options.max_cost,
            "retries": options.retries,
            "breaker": options.breaker,
            "cache": options.cache,
        }

    def _write(self, run: Run) -> None:
        options = self._options
        if options.output_format == "table":
            from fennec_cli.bench.table import rendered

            color = options.output is None and os.isatty(1) and wants_color(os.environ, no_color=options.no_color)
            self._sink.write(rendered(run, color=color, verbose=options.verbose > 0).encode())
            return
        form = {"json": as_json, "ndjson": summary_line, "csv": as_csv}[options.output_format]
        self._sink.write(form(run))

    def _verdict(self, run: Run) -> int:
        """Say what went wrong, and return the status for it."""
        failures = [failure for outcome in self._outcomes for failure in outcome.failures if failure.counts]
        counts = {each.model: [0, 0] for each in run.figures}
        for each in run.figures:
            counts[each.model][0] += each.requests - each.ok
            counts[each.model][1] += each.requests
        for failure in {(failure.model, failure.error_class): failure for failure in failures}.values():
            self._notes.warn(f"{failure.model}: requests failed, the first with {failure.line}")
        for level in run.levels:
            if not level.check.valid:
                self._notes.warn(f"{level.step.label} is not valid: {'; '.join(level.check.reasons)}")
        if not any(total for _, total in counts.values()):
            if run.stopped_by == "cost":
                raise BudgetExceeded("not one request fits into --max-cost", hint="raise it, or lower --max-tokens")
            raise InputError("nothing was measured", hint="raise --duration")
        if self._cold is not None:
            raise self._cold
        dead = [model for model, (failed, total) in counts.items() if total and failed == total]
        if len(dead) == len(counts):
            classes = {failure.error_class for failure in failures}
            if len(classes) == 1:
                raise _revived(failures[0])
        if dead:
            raise PartialBatch(f"no request to {', '.join(dead)} was answered")
        if run.comparison is not None and run.comparison.regressions:
            raise _regression(run)
        if run.comparison is not None and not run.comparison.findings:
            if run.stopped_by == "cost":
                raise BudgetExceeded(f"--max-cost ended the run before it came to what {run.baseline} holds")
            raise InputError(f"nothing was measured of what {run.baseline} holds", hint="raise --duration")
        return 0


def _regression(run: Run) -> Regression:
    assert run.comparison is not None
    worst = max(run.comparison.regressions, key=lambda each: each.worse)
    number = len(run.comparison.regressions)
    valid = "" if run.valid else "; the run itself is not valid"
    return Regression(
        f"{worst.model}: {worst.metric.removesuffix('_s')} is {worst.worse:.1%} worse than in {run.baseline}"
        f"{f', and {number - 1} more' if number > 1 else ''}{valid}"
    )


def _revived(failure: Failure) -> FennecError:
    """The error that a worker met, so that it is told and ends the run as everywhere."""
    kinds: Sequence[type[FennecError]] = [FennecError]
    while kinds:
        for kind in kinds:
            if kind.error_class == failure.error_class and kind is not FennecError:
                return kind(failure.message, hint=failure.hint, provider=failure.provider)
        kinds = [below for kind in kinds for below in kind.__subclasses__()]
    return PartialBatch(failure.message, hint=failure.hint, provider=failure.provider)


def _check(setup: Setup) -> None:
    """Build a lane here, so that what is wrong with the configuration is said once, before anything is sent."""
    lanes = Lanes(setup, NullStore())
    try:
        lanes.open()
    finally:
        lanes.close()


def _comparable(baseline: Baseline, targets: Sequence[Target], options: BenchOptions) -> None:
    """Raise `InputError` before anything is sent that could be compared with nothing."""
    planned = steps(options.jobs, options.rate, options.arrival, sweep=options.sweep)
    names = [f"{target.provider}/{target.model}" for target in targets]
    if not any(baseline.has(name, step.label) for name in names for step in planned):
        raise InputError(
            f"{options.baseline} holds nothing of these models at this load",
            hint="measure the same models and load",
        )


def _baseline(path: str) -> Baseline:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})") from error
    return read_baseline(data, path)


def _environment(began: float) -> dict[str, object]:
    return {
        "fennec": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
    }
