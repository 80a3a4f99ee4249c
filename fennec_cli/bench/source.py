"""What is measured: models and prompts, from options, files and standard input."""

import hashlib
import os
import time
from collections.abc import Sequence

from fennec_cli import prompts
from fennec_cli.bench import sets
from fennec_cli.bench.options import BenchOptions
from fennec_cli.completion.options import CompleteOptions
from fennec_cli.completion.requests import Requests
from fennec_cli.config import Config
from fennec_cli.errors import BudgetExceeded, InputError, UsageError
from fennec_cli.prompts import Row
from fennec_cli.registry import ProviderRegistry, Target
from fennec_cli.request import CompletionRequest
from fennec_cli.stages.budget import reservation
from fennec_cli.tuples import NamedTuple

_LONGEST_NAME = 256


class Prompts(NamedTuple):
    """Requests without their model, and how results name them: by a set or a hash, never by their text."""

    requests: Sequence[CompletionRequest]
    name: str


def find_targets(options: BenchOptions, config: Config, registry: ProviderRegistry) -> list[Target]:
    """Return the models to measure, each once. Raises `InputError` and `ConfigError`."""
    names: list[str | None] = list(options.model)
    if options.models_from is not None:
        names += _names(options.models_from)
    found = [registry.choose(name or config.model) for name in names or [None]]
    return list({(target.provider, target.model): target for target in found}.values())


def find_prompts(options: BenchOptions, config: Config) -> Prompts:
    """Return the prompts: standard input's, else those of a set."""
    data = b"" if _is_taken(options) else prompts.read_all(0, None)
    if data.strip():
        requests = _requests(options, config, options.max_tokens)
        built = [requests.build(row) for row in _rows(options, data)]
        number = f"{len(built):,} given" if len(built) > 1 else "given"
        return Prompts(built, f"{number} ({hashlib.sha256(data).hexdigest()[:8]})")
    name = options.prompt_set or sets.DEFAULT
    tokens_in, tokens_out = sets.sizes(name)
    requests = _requests(options, config, options.max_tokens or tokens_out)
    texts = sets.prompts(tokens_in, options.seed)
    size = f"{tokens_in}x{tokens_out}"
    built = [requests.build(Row(str(number), text)) for number, text in enumerate(texts, 1)]
    return Prompts(built, name if name == size else f"{name} ({size})")


def worst_cost(targets: Sequence[Target], found: Prompts, registry: ProviderRegistry) -> float:
    """Return the most that a request may cost, as estimated. Raises `BudgetExceeded` where nobody can say."""
    if any(request.sampling.max_tokens is None for request in found.requests):
        raise UsageError("--max-cost needs --max-tokens: without it an answer may cost anything")
    worst = 0.0
    for target in targets:
        purse = registry.purse(target.provider, target.model)
        if purse.price is None:
            raise BudgetExceeded(
                f"nobody knows the price of {target.provider}/{target.model}",
                hint="set it under prices in the configuration, or drop --max-cost",
            )
        worst = max([worst, *(reservation(request, purse) for request in found.requests)])
    return worst


def _requests(options: BenchOptions, config: Config, max_tokens: int | None) -> Requests:
    """What makes a request of a prompt, as in `fennec complete`."""
    given = CompleteOptions(
        system=options.system,
        max_tokens=max_tokens,
        temperature=options.temperature,
        option=options.option,
        input_format=options.input_format,
        no_stdin=True,
    )
    return Requests(given, config, "", start=time.monotonic(), named=_no_model)


def _no_model(name: str) -> Target:
    raise InputError(f"a row names the model {name!r:.80}", hint="name models with -m: each gets all prompts")


def _is_taken(options: BenchOptions) -> bool:
    """Whether standard input is not for prompts."""
    return options.prompt_set is not None or options.models_from == "-" or os.isatty(0)


def _rows(options: BenchOptions, data: bytes) -> list[Row]:
    if options.input_format == "text":
        return [prompts.single_row([], data, replace=False)]
    separator = b"\0" if options.input_format == "nul" else b"\n"
    records = iter(data.removesuffix(separator).split(separator))
    if options.input_format == "ndjson":
        from fennec_cli.rows import read_rows

        found = list(read_rows(records))
    else:
        found = list(prompts.rows(records, [], lines=options.input_format == "lines", replace=False))
    for row in found:
        if row.fault is not None:
            raise row.fault
    return found


def _names(place: str) -> list[str]:
    data = prompts.read_all(0, None) if place == "-" else prompts.read_file(place).encode()
    text = prompts.decode_text(data, "standard input" if place == "-" else place)
    names = [line.strip() for line in text.splitlines()]
    names = [name for name in names if name and not name.startswith("#")]
    if not names:
        raise InputError("--models-from names no model", hint="give one name a line")
    if not all(name.isprintable() and len(name) <= _LONGEST_NAME for name in names):
        raise InputError("--models-from holds a line that is no name of a model")
    return names
