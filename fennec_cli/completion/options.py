"""The options of `fennec complete` as one record."""

from typing import TYPE_CHECKING

from fennec_cli.tuples import NamedTuple

if TYPE_CHECKING:
    from fennec_cli.batch.policy import FailurePolicy
    from fennec_cli.batch.shard import Shard
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
    jobs: int = 1
    ordered: bool = False
    allow_row_model: bool = False
    attach_root: str | None = None
    resume: str | None = None
    dead_letter: str | None = None
    fail_fast: bool = False
    max_failures: "FailurePolicy | None" = None
    shard: "Shard | None" = None
    allow_truncated: bool = False
    allow_filtered: bool = False
    cache: str | None = None
    cache_ttl: float | None = None
    semantic: bool = False
    semantic_threshold: float | None = None
    fingerprint: bool = False
    max_cost: float | None = None
    budget: str | None = None
    usage: bool = False
    redact: str | None = None
    private: bool = False
    audit: str | None = None
    api_key_file: str | None = None
    dry_run: bool = False
    quiet: bool = False
    verbose: int = 0
    log_file: str | None = None
    metrics_file: str | None = None
    no_color: bool = False

    @property
    def holds(self) -> bool:
        """Whether nothing of an answer is shown before its end."""
        held = self.atomic or self.extract or self.schema is not None
        return held or self.output is not None or self.resume is not None or self.output_format == "json"
