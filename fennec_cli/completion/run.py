"""A run of `fennec complete`: options to prompts, pipeline and writer, and the status that comes of it."""

import os
from typing import TYPE_CHECKING

from fennec_cli import signals
from fennec_cli.answering import Answering
from fennec_cli.assembly import Overrides
from fennec_cli.batch import run_row
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.requests import Requests
from fennec_cli.config import Config
from fennec_cli.errors import FennecError, OutputError, PartialBatch, UsageError
from fennec_cli.output.events import EventWriter, ObjectWriter
from fennec_cli.output.notes import Notes, notes_for
from fennec_cli.output.sink import DescriptorSink, Sink, open_output, write_out
from fennec_cli.output.text import Answer, TextWriter, Writer
from fennec_cli.pipeline import PipelineSettings, request_pipeline, unpriced
from fennec_cli.prompts import ONLY_ROW, Row
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.safeguards import Safeguards, filter_policy, safeguards
from fennec_cli.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fennec_cli.caching import Caching
    from fennec_cli.choosing import Wanted
    from fennec_cli.completion.row_models import RowModels
    from fennec_cli.request import CompletionRequest
    from fennec_cli.selection import SelectionStrategy
    from fennec_cli.spending import Spending
    from fennec_cli.stages.cache import Keeping, Known


def run_completion(options: CompleteOptions, config: Config, *, start: float) -> int:
    """Run the command; `start` is the moment (monotonic clock) its deadline counts from. Returns the exit status."""
    notes = notes_for(options, config.log.file, config.log.level, config.notes)
    mode = options.cache or config.cache.mode
    if options.semantic and options.cache is None and mode == "off":
        mode = "use"
    guards = safeguards(config, redact=options.redact, audit_file=options.audit, say=notes.loud)
    registry = ProviderRegistry(
        config, overrides=_overrides(options), say=notes.say, record=guards.record, offline=mode == "only"
    )
    run = _made(options, config, registry, guards, notes, mode, start)
    signals.install()
    sink = _sink(options)
    try:
        if options.fingerprint:
            return run.fingerprints(sink)
        return run.dry(sink) if options.dry_run else run.go(sink)
    finally:
        sink.discard()
        run.tidy()
        _write_metrics(options.metrics_file or config.metrics.file, registry, notes)
        registry.close(ends_process=True)
        guards.close()


def offline_run(options: CompleteOptions, config: Config, *, start: float) -> "_Run":
    """Return the run that these options would be, for questions about its request. It opens no socket."""
    notes = notes_for(options, config.log.file, config.log.level, config.notes)
    registry = ProviderRegistry(config, overrides=_overrides(options), say=notes.say, offline=True)
    guards = Safeguards(filter_policy(config, options.redact), say=notes.loud)
    return _made(options, config, registry, guards, notes, "only", start)


def _made(
    options: CompleteOptions,
    config: Config,
    registry: ProviderRegistry,
    guards: Safeguards,
    notes: Notes,
    mode: str,
    start: float,
) -> "_Run":
    strategy: SelectionStrategy = options.strategy or ("fallback" if options.fallback else "manual")
    if strategy in ("automatic", "cost") and options.model is None and config.candidates:
        target = registry.choose(config.candidates[0])  # any of them, until the request is known
    else:
        target = registry.choose(options.model or config.model, options.provider)
    if strategy in ("manual", "fallback"):
        notes.say(1, f"using {target.provider} ({target.reason}), model {target.model}")
    if any(map(registry.requires_private, _who_may_answer(options, config, target, strategy))):
        options = options._replace(private=True)
    guards = guards._replace(provider=target.provider)
    return _Run(options, config, registry, target, strategy, mode, guards, notes, start)


class _Run:
    """Everything one invocation has decided."""

    def __init__(
        self,
        options: CompleteOptions,
        config: Config,
        registry: ProviderRegistry,
        target: Target,
        strategy: "SelectionStrategy",
        mode: str,
        guards: Safeguards,
        notes: Notes,
        start: float,
    ) -> None:
        self._options, self._config, self._registry, self._target = options, config, registry, target
        self._guards, self._notes = guards, notes
        self._row_models: RowModels | None = None
        self._spending = self._budgets()
        self._answering = Answering(
            registry,
            target,
            self._pipeline_settings,
            self._wanted(strategy),
            single=options.input_format == "text",
            spending=self._spending,
            say=notes.say,
        )
        self._mode = mode
        self._requests = Requests(options, config, target.model, start=start, named=self._row_target)
        self._caching = self._made_caching() if mode != "off" or options.fingerprint else None
        if options.resume is not None and options.input_format == "text":
            raise UsageError("--resume needs a batch", hint="add --input lines or --input ndjson")
        if options.on_interrupt == "restart" and not options.holds:
            raise UsageError(
                "--on-interrupt restart needs an answer that is held back", hint="add --atomic, or -o FILE"
            )
        if options.on_interrupt == "resume" and options.private:
            raise UsageError(
                "--on-interrupt resume and --private exclude each other", hint="to take an answer up, it has to be kept"
            )
        if options.on_interrupt == "resume" and options.no_stream:
            raise UsageError("--on-interrupt resume and --no-stream exclude each other")

    def go(self, sink: Sink) -> int:
        options = self._options
        # Text without --usage shows no cost: then the catalogue is not read for it.
        shows_cost = options.usage or options.output_format != "text"
        stage = request_pipeline(
            self._answering.stage(),
            self._pipeline_settings(self._target),
            self._registry.cost if shows_cost else unpriced,
            self._keeping(),
            self._guards,
        )
        stage = self._harmless(stage)
        if options.input_format == "text":
            answer = self._answer(stage, self._writer(sink, DescriptorSink(2)))
            error = answer.error
            if error is not None:
                self._notes.error(error)
            if options.usage and (error is None or answer.usage is not None):  # what was cut costs money too
                from fennec_cli.completion.usage import usage_line

                self._notes.usage(usage_line(answer, streamed=not options.no_stream))
            if error is None:
                sink.commit()
        else:
            from fennec_cli.completion.gathering import Gathering
            from fennec_cli.completion.rows import run_batch

            responses = self._caching.responses if self._caching is not None else None
            error = run_batch(
                options,
                self._requests,
                lambda row: stage(self._requests.build(row)),
                self._writer,
                sink,
                self._notes,
                Gathering(self._guards.trail, self._registry.state, responses),
                most=self._config.provider_config(self._target.provider).max_parallel,
            )
        return error.exit_status if error else 0

    def dry(self, sink: Sink) -> int:
        from fennec_cli.completion.preview import Preview

        preview = Preview(self._requests, self._answering, self._registry, sink, self._guards)
        if self._options.input_format == "text":
            preview.single(self._requests.single())
        else:
            preview.batch(self._rows())
        sink.commit()
        if self._spending is not None:
            preview.check(self._spending)
        if preview.total.failed:
            error = PartialBatch(f"{preview.total.failed} of {preview.total.rows} rows cannot be sent")
            self._notes.error(error)
            return error.exit_status
        return 0

    def fingerprints(self, sink: Sink) -> int:
        from fennec_cli.completion.preview import fingerprints

        assert self._caching is not None
        as_json = self._options.output_format != "text"
        fingerprints(self._rows(), self._requests, self._caching.identified, sink, self._guards, as_json=as_json)
        sink.commit()
        return 0

    def identified(self) -> "tuple[CompletionRequest, Known]":
        """Read the prompt, and return its request as the model would get it that is asked first."""
        assert self._caching is not None
        request, _ = self._guards.outgoing(self._requests.build(self._requests.single()))
        return request, next(iter(self._caching.identified(request, usable=False)))

    def tidy(self) -> None:
        if self._caching is not None:
            self._caching.responses.tidy()

    def _rows(self) -> "Iterable[Row]":
        if self._options.input_format == "text":
            return [self._requests.single()]
        from fennec_cli.batch.intake import taken_in

        options = self._options
        return taken_in(self._requests.rows(), shard=options.shard, named=options.input_format == "ndjson")

    def _made_caching(self) -> "Caching":
        from fennec_cli.caching import Caching

        return Caching(
            self._config,
            self._registry,
            self._answering,
            say=self._notes.say,
            patient=self._mode == "only",
            deadline=self._requests.deadline,
            sending=self._guards.sending,
        )

    def _keeping(self) -> "Keeping | None":
        options = self._options
        if self._caching is None or self._mode == "off":
            return None
        return self._caching.keeping(
            self._mode,
            ttl=options.cache_ttl,
            allow_truncated=options.allow_truncated,
            semantic=options.semantic,
            threshold=options.semantic_threshold,
        )

    def _answer(self, stage: Stage, writer: Writer) -> Answer:
        try:
            row = self._requests.single()
        except FennecError as error:  # readers of events get one for a prompt that cannot be read, too
            row = Row(ONLY_ROW, fault=error)
        return run_row(row, lambda row: stage(self._requests.build(row)), writer)

    def _wanted(self, strategy: "SelectionStrategy") -> "Wanted | None":
        options = self._options
        if strategy == "manual" and not options.fallback:
            return None
        from fennec_cli.choosing import Wanted

        named = options.model is not None
        return Wanted(strategy, named, options.fallback, self._config.candidates, options.no_breaker)

    def _pipeline_settings(self, target: Target) -> PipelineSettings:
        options, provider = self._options, self._config.provider_config(target.provider)
        retry = provider.retry
        if options.retries is not None:
            retry = retry._replace(max_attempts=options.retries + 1)
        max_wait = provider.max_wait if options.max_wait is None else options.max_wait
        if max_wait is not None:
            retry = retry._replace(max_retry_after=min(retry.max_retry_after, max_wait))
        return PipelineSettings(
            retry=retry,
            atomic=options.holds,
            shows_reasoning=options.reasoning,
            extract=options.extract,
            conform=options.schema is not None,
            allow_truncated=options.allow_truncated,
            allow_filtered=options.allow_filtered,
        )

    def _budgets(self) -> "Spending | None":
        options = self._options
        if options.max_cost is None and options.budget is None:
            return None
        from fennec_cli.completion.money import spending

        return spending(options.max_cost, options.budget, self._config, self._registry, self._notes)

    def _harmless(self, stage: Stage) -> Stage:
        """What is shown on a terminal must not drive it."""
        options = self._options
        shown = options.output is None and os.isatty(1)
        aside = os.isatty(2) if options.output_format == "text" else shown
        if not shown and not (aside and options.reasoning):
            return stage
        from fennec_cli.stages.printable import printable

        return printable(stage, content=shown, reasoning=aside)

    def _row_target(self, name: str) -> Target:
        if self._row_models is None:
            from fennec_cli.completion.row_models import RowModels

            self._row_models = RowModels(self._registry, self._target, any_provider=self._options.allow_row_model)
        return self._row_models.target(name)

    def _writer(self, sink: Sink, aside: Sink) -> Writer:
        options = self._options
        if options.output_format == "ndjson":
            return EventWriter(sink, reasoning=options.reasoning)
        if options.output_format == "json":
            return ObjectWriter(sink, reasoning=options.reasoning)
        if self._requests.raw_options.get("n", 1) != 1:
            raise UsageError("text output shows one choice", hint="use --ndjson or --json with -O n=…")
        end = {"text": b"", "lines": b"\n", "nul": b"\0", "ndjson": b"\n"}[options.input_format]
        terminal = options.output is None and os.isatty(1)
        return TextWriter(sink, end=end, final_newline=terminal, reasoning=aside if options.reasoning else None)


def _who_may_answer(
    options: CompleteOptions, config: Config, target: Target, strategy: "SelectionStrategy"
) -> set[str]:
    """Providers that a request of this run may go to, or more: what is kept here of one is kept before one answers."""
    several = strategy != "manual" or options.allow_row_model
    return {target.provider, *config.providers} if several else {target.provider}


def _overrides(options: CompleteOptions) -> Overrides:
    return Overrides(
        timeout=options.timeout,
        connect_timeout=options.connect_timeout,
        first_token_timeout=options.first_token_timeout,
        idle_timeout=options.idle_timeout,
        api_key_file=options.api_key_file,
        rpm=options.rpm,
        tpm=options.tpm,
        max_wait=options.max_wait,
        no_breaker=options.no_breaker,
        many=options.input_format != "text",
    )


def _write_metrics(path: str | None, registry: ProviderRegistry, notes: Notes) -> None:
    """Write the counters of all processes; that it fails costs nobody an answer."""
    if path is None:
        return
    from fennec_cli.metrics_report import collect, prometheus

    try:
        write_out(prometheus(collect(registry), registry.state), path)
    except OutputError as error:
        notes.warn(error.line())


def _sink(options: CompleteOptions) -> Sink:
    if options.output is None or options.resume is None:
        return open_output(options.output)
    if options.dry_run or options.fingerprint:  # the file has results in it
        return open_output()
    from fennec_cli.output.sink import open_appending

    return open_appending(options.output)
