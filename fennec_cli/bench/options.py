"""The options of `fennec bench` as one record."""

from collections.abc import Mapping

from fennec_cli.assembly import Overrides
from fennec_cli.bench.plan import Arrival
from fennec_cli.tuples import NamedTuple

DEFAULT_REQUESTS = 20  # what a median needs


class BenchOptions(NamedTuple):
    """The options of `fennec bench`; durations in seconds, `max_regression` a share."""

    model: tuple[str, ...] = ()
    models_from: str | None = None
    prompt_set: str | None = None
    input_format: str = "text"
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    option: tuple[str, ...] = ()
    measures_itself: bool = False
    requests: int | None = None
    duration: float | None = None
    jobs: int = 1
    rate: float | None = None
    arrival: Arrival = "poisson"
    sweep: bool = False
    warmup: int = 3
    seed: int = 1
    max_cost: float | None = None
    slo: Mapping[str, float] | None = None
    baseline: str | None = None
    max_regression: float = 0.10
    output_format: str = "table"
    output: str | None = None
    report: str | None = None
    timeout: float | None = None
    connect_timeout: float | None = None
    first_token_timeout: float | None = None
    idle_timeout: float | None = None
    retries: int = 0
    breaker: bool = False
    cache: str = "off"
    api_key_file: str | None = None
    quiet: bool = False
    verbose: int = 0
    log_file: str | None = None
    no_color: bool = False

    @property
    def overrides(self) -> Overrides:
        return Overrides(
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            first_token_timeout=self.first_token_timeout,
            idle_timeout=self.idle_timeout,
            api_key_file=self.api_key_file,
            many=True,
        )
