"""A run of `fennec complete`: options to prompts, pipeline and writer, and the status that comes of it."""

import os
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from fennec_cli import inputs, prompts, signals
from fennec_cli.admission import DEFAULT_MAX_WAIT_S
from fennec_cli.answering import Answering
from fennec_cli.assembly import Overrides
from fennec_cli.batch import Tally, run_one, run_rows
from fennec_cli.chunk import ChunkMetadata, TokenUsage
from fennec_cli.config import Config
from fennec_cli.errors import FennecError, OutputError, PartialBatch, UsageError
from fennec_cli.output.events import EventWriter, ObjectWriter, usage_fields
from fennec_cli.output.notes import Notes, wants_color
from fennec_cli.output.sink import DescriptorSink, Sink, open_output
from fennec_cli.output.text import Answer, TextWriter, Writer
from fennec_cli.pipeline import PipelineSettings, request_pipeline, unpriced
from fennec_cli.prompts import ONLY_ROW, Row
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import Attachment, CompletionRequest, Sampling, estimate_tokens
from fennec_cli.stages import Stage

if TYPE_CHECKING:
    from fennec_cli.choosing import Wanted
    from fennec_cli.selection import SelectionStrategy

DEFAULT_DEADLINE_S = 1800.0  # for each prompt, when none is given


class CompleteOptions(NamedTuple):
    """The options of `fennec complete`; durations in seconds."""

    prompt: str | None = None
    model: str | None = None
    provider: str | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    option: tuple[str, ...] = ()
    tools: str | None = None
    tool_choice: str | None = None
    schema: str | None = None
    attach: tuple[str, ...] = ()
    input_format: str = "text"
    file: tuple[str, ...] = ()
    no_stdin: bool = False
    encoding_errors: str = "strict"
    output_format: str = "text"
    output: str | None = None
    extract: bool = False
    reasoning: bool = False
    atomic: bool = False
    no_stream: bool = False
    strategy: "SelectionStrategy | None" = None
    fallback: tuple[str, ...] = ()
    timeout: float | None = None
    connect_timeout: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    deadline: float | None = None
    retries: int | None = None
    max_wait: float | None = None
    no_breaker: bool = False
    on_interrupt: str = "fail"
    rpm: float | None = None
    tpm: float | None = None
    allow_truncated: bool = False
    allow_filtered: bool = False
    usage: bool = False
    api_key_file: str | None = None
    dry_run: bool = False
    quiet: bool = False
    verbose: int = 0
    log_file: str | None = None
    metrics_file: str | None = None
    no_color: bool = False


def run_completion(options: CompleteOptions, config: Config, *, start: float) -> int:
    """Run the command; `start` is the moment (monotonic clock) its deadline counts from. Returns the exit status."""
    notes = _notes(options, config)
    registry = ProviderRegistry(config, overrides=_overrides(options), say=notes.say)
    strategy: SelectionStrategy = options.strategy or ("fallback" if options.fallback else "manual")
    if strategy in ("automatic", "cost") and options.model is None and config.candidates:
        target = registry.choose(config.candidates[0])  # any of them, until the request is known
    else:
        target = registry.choose(options.model or config.model, options.provider)
    if strategy in ("manual", "fallback"):
        notes.say(1, f"using {target.provider} ({target.reason}), model {target.model}")
    run = _Run(options, config, registry, target, strategy, notes, start)
    signals.install()
    sink = _sink(options)
    try:
        return run.dry(sink) if options.dry_run else run.go(sink)
    finally:
        sink.discard()
        _write_metrics(options.metrics_file or config.metrics.file, registry, notes)
        registry.close()


class _Run:
    """Everything one invocation has decided."""

    def __init__(
        self,
        options: CompleteOptions,
        config: Config,
        registry: ProviderRegistry,
        target: Target,
        strategy: "SelectionStrategy",
        notes: Notes,
        start: float,
    ) -> None:
        self._options, self._config, self._registry, self._target = options, config, registry, target
        self._notes = notes
        self._answering = Answering(
            registry,
            target,
            self._pipeline_settings,
            self._wanted(strategy),
            single=options.input_format == "text",
            say=notes.say,
        )
        self._raw_options = raw_options(options.option)
        given = options.deadline if options.deadline is not None else config.deadline
        self._deadline = start + given if given else None
        self._each_s = DEFAULT_DEADLINE_S if given is None else None
        self._replace = options.encoding_errors == "replace"
        self._system = prompts.system_text(options.system, replace=self._replace)
        self._head = [prompts.read_file(path, replace=self._replace) for path in options.file]
        if options.prompt:
            self._head.append(options.prompt)
        self._tools = inputs.tools(options.tools) if options.tools else ()
        self._tool_choice = inputs.checked_choice(options.tool_choice, self._tools)
        self._schema = inputs.schema(options.schema) if options.schema else None
        self._attachments = self._read_attachments()
        if options.on_interrupt == "restart" and not self._holds:
            raise UsageError(
                "--on-interrupt restart needs an answer that is held back", hint="add --atomic, or -o FILE"
            )
        if options.on_interrupt == "resume" and options.no_stream:
            raise UsageError("--on-interrupt resume and --no-stream exclude each other")

    def go(self, sink: Sink) -> int:
        options = self._options
        writer = self._writer(sink)
        # Text without --usage shows no cost: then the catalogue is not read for it.
        shows_cost = options.usage or options.output_format != "text"
        stage = request_pipeline(
            self._answering.stage(), self._pipeline_settings(self._target), self._cost if shows_cost else unpriced
        )
        if options.input_format == "text":
            answer = self._answer(stage, writer)
            self._say_usage(answer)
            error = answer.error
            if error is not None:
                self._notes.error(error)
        else:
            tally = run_rows(self._rows(), stage, self._request, writer, self._notes)
            error = tally.verdict()
            if isinstance(error, PartialBatch):
                self._notes.error(error)
            self._say_total(tally)
        if error is None or isinstance(error, PartialBatch):
            sink.commit()
        return error.exit_status if error else 0

    def _answer(self, stage: Stage, writer: Writer) -> Answer:
        try:
            row = self._single()
        except FennecError as error:  # readers of events get one for a prompt that cannot be read, too
            writer.failure(ONLY_ROW, error)
            return Answer(error, None, ChunkMetadata())
        return run_one(row, stage, self._request, writer)

    def dry(self, sink: Sink) -> int:
        """Print each request as it would be sent, with an estimate of tokens and cost."""
        rows = [self._single()] if self._options.input_format == "text" else self._rows()
        for row in rows:
            if row.fault is not None:
                raise row.fault
            request = self._request(row)
            target = self._answering.first(request)
            provider = self._registry.get_provider(target.provider, target.model)
            call = provider.preview(request._replace(model=target.model))
            prompt = (self._system or "") + row.prompt
            preview = {
                "id": row.id,
                "method": call.method,
                "url": call.url,
                "headers": dict(call.headers),
                "body": orjson.loads(call.body),
                "fingerprint": call.fingerprint,
                "estimate": self._estimate(target, prompt),
            }
            sink.write(orjson.dumps(preview, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        sink.commit()
        return 0

    def _estimate(self, target: Target, prompt: str) -> dict[str, Any]:
        tokens_in, tokens_out = estimate_tokens(prompt), self._options.max_tokens
        price = self._registry.price(target.provider, target.model)
        cost = None
        if price is not None:
            cost = (tokens_in * price.input + (tokens_out or 0) * price.output) / 1e6
        return {"input_tokens": tokens_in, "max_output_tokens": tokens_out, "cost_usd": cost}

    def _cost(self, provider: str, model: str, usage: TokenUsage) -> float | None:
        price = self._registry.price(provider, model)
        return price.cost_usd(usage) if price else None

    def _single(self) -> Row:
        data = None
        if self._reads_stdin:
            data = prompts.read_all(0, self._deadline)
        return prompts.single_row(self._head, data, replace=self._replace)

    def _rows(self) -> Iterator[Row]:
        if not self._reads_stdin:
            raise UsageError(f"--input {self._options.input_format} needs standard input", hint="drop --no-stdin")
        lines = self._options.input_format == "lines"
        records = prompts.read_records(0, b"\n" if lines else b"\0", self._deadline)
        return prompts.rows(records, self._head, lines=lines, replace=self._replace)

    def _read_attachments(self) -> tuple[Attachment, ...]:
        if "-" not in self._options.attach:
            return tuple(inputs.attachment(place) for place in self._options.attach)
        if self._options.input_format != "text" or self._options.no_stdin:
            raise UsageError("-a - takes standard input", hint="give the prompt as an argument, without --input")
        data = prompts.read_all(0, self._deadline)
        return tuple(inputs.attachment(place, data) for place in self._options.attach)

    @property
    def _reads_stdin(self) -> bool:
        return not self._options.no_stdin and "-" not in self._options.attach and not os.isatty(0)

    def _request(self, row: Row) -> CompletionRequest:
        options = self._options
        deadline = self._deadline
        if self._each_s is not None:
            deadline = time.monotonic() + self._each_s
        return CompletionRequest.from_text(
            row.prompt,
            model=self._target.model,
            system=self._system,
            sampling=Sampling(
                temperature=options.temperature,
                top_p=options.top_p,
                max_tokens=options.max_tokens,
                seed=options.seed,
                stop=options.stop,
                reasoning_effort=options.reasoning_effort,
            ),
            options=self._raw_options,
            tools=self._tools,
            tool_choice=self._tool_choice,
            schema=self._schema,
            reasoning=options.reasoning,
            attachments=self._attachments,
            stream=not options.no_stream,
            resume=options.on_interrupt == "resume",
            deadline=deadline,
        )

    def _wanted(self, strategy: "SelectionStrategy") -> "Wanted | None":
        options = self._options
        if strategy == "manual" and not options.fallback:
            return None
        from fennec_cli.choosing import Wanted

        named = options.model is not None
        return Wanted(strategy, named, options.fallback, self._config.candidates, options.no_breaker)

    @property
    def _holds(self) -> bool:
        """Whether nothing of an answer is shown before its end."""
        options = self._options
        held = options.atomic or options.extract or self._schema is not None
        return held or options.output is not None or options.output_format == "json"

    def _pipeline_settings(self, target: Target) -> PipelineSettings:
        options, provider = self._options, self._config.provider_config(target.provider)
        retry = provider.retry
        if options.retries is not None:
            retry = retry._replace(max_attempts=options.retries + 1)
        max_wait = next(wait for wait in (options.max_wait, provider.max_wait, DEFAULT_MAX_WAIT_S) if wait is not None)
        retry = retry._replace(max_retry_after=min(retry.max_retry_after, max_wait))
        return PipelineSettings(
            retry=retry,
            atomic=self._holds,
            shows_reasoning=options.reasoning,
            extract=options.extract,
            conform=self._schema is not None,
            allow_truncated=options.allow_truncated,
            allow_filtered=options.allow_filtered,
        )

    def _writer(self, sink: Sink) -> Writer:
        options = self._options
        if options.output_format == "ndjson":
            return EventWriter(sink, reasoning=options.reasoning)
        if options.output_format == "json":
            return ObjectWriter(sink, reasoning=options.reasoning)
        if self._raw_options.get("n", 1) != 1:
            raise UsageError("text output shows one choice", hint="use --ndjson or --json with -O n=…")
        end = {"text": b"", "lines": b"\n", "nul": b"\0"}[options.input_format]
        terminal = options.output is None and os.isatty(1)
        return TextWriter(
            sink, end=end, final_newline=terminal, reasoning=DescriptorSink(2) if options.reasoning else None
        )

    def _say_usage(self, answer: Answer) -> None:
        if self._options.usage and answer.error is None:
            self._notes.usage(usage_line(answer))

    def _say_total(self, tally: Tally) -> None:
        if self._options.usage:
            fields = usage_fields(tally.usage)
            cost = "unknown cost" if tally.cost_usd is None else f"${tally.cost_usd:.6f}"
            self._notes.usage(
                f"usage: {tally.rows} rows, {fields['input_tokens']} tokens in,"
                f" {fields['output_tokens']} tokens out, {cost}"
            )


def usage_line(answer: Answer) -> str:
    """One line: tokens, cost, time to first token, tokens per second of the stream."""
    fields, metadata = usage_fields(answer.usage), answer.metadata
    parts = [f"{fields['input_tokens']} tokens in", f"{fields['output_tokens']} tokens out"]
    if fields["estimated"]:
        parts.append("estimated")
    parts.append("unknown cost" if metadata.cost_usd is None else f"${metadata.cost_usd:.6f}")
    if metadata.ttft_s is not None:
        parts.append(f"TTFT {metadata.ttft_s:.3f} s")
        streaming_s = (metadata.total_s or 0.0) - metadata.ttft_s
        if streaming_s > 0 and fields["output_tokens"] > 1:
            parts.append(f"{(fields['output_tokens'] - 1) / streaming_s:.1f} tokens/s")
    return "usage: " + ", ".join(parts)


def raw_options(pairs: tuple[str, ...]) -> Mapping[str, Any]:
    """Read `K=V` pairs; V is JSON where it parses, else text. Raises `UsageError`."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError(f"-O takes K=V, not {key or pair!r}")
        try:
            options[key] = orjson.loads(value)
        except orjson.JSONDecodeError:
            options[key] = value
    return options


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
    )


def _notes(options: CompleteOptions, config: Config) -> Notes:
    notes = Notes(
        verbosity=options.verbose,
        quiet=options.quiet,
        log_file=options.log_file or config.log.file,
        color=wants_color(os.environ, no_color=options.no_color),
    )
    for note in config.notes:
        notes.warn(note)
    return notes


def _write_metrics(path: str | None, registry: ProviderRegistry, notes: Notes) -> None:
    """Write the counters of all processes; that it fails costs nobody an answer."""
    if path is None:
        return
    from fennec_cli.metrics_report import collect, prometheus

    try:
        sink = open_output(path)
        try:
            sink.write(prometheus(collect(registry)))
            sink.commit()
        finally:
            sink.discard()
    except OutputError as error:
        notes.warn(error.line())


def _sink(options: CompleteOptions) -> Sink:
    if options.output is None:
        import sys

        return DescriptorSink(1, closed=sys.stdout is None)
    return open_output(options.output)
