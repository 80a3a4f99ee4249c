"""The models of an Ollama server: fetch, show and remove them, and see which are in memory."""

from collections.abc import Callable
from contextlib import closing

from fennec_cli.errors import ModelUnavailable, NetworkError, ProviderError
from fennec_cli.providers import ollama
from fennec_cli.providers.ollama import ModelFacts, RunningModel
from fennec_cli.transport import HTTPProvider

Progress = Callable[[str, int, int], None]  # phase; bytes done; bytes in all, 0 where nobody knows

# How long a server may be silent during a pull: it says nothing while it checks a layer, and one may have 50 GB.
PULL_SILENCE_S = 1800.0
_PHASES = {"verifying sha256 digest": "check"}


def pull(provider: HTTPProvider, model: str, progress: Progress = lambda _phase, _done, _total: None) -> int:
    """Fetch a model and return how many bytes it has. What an earlier pull fetched is not fetched again."""
    call = ollama.build_pull_request(provider.endpoint, model)
    try:
        with closing(provider.send_streaming(call, "ndjson", silence_s=PULL_SILENCE_S)) as events:
            layers: dict[str, tuple[int, int]] = {}
            for step in map(ollama.decode_pull, events):
                if step.digest:
                    layers[step.digest] = step.completed, step.total
                    done, total = map(sum, zip(*layers.values(), strict=True))
                    progress("download", done, total)
                elif step.status in _PHASES:
                    progress(_PHASES[step.status], 0, 0)
                elif step.status == "success":
                    return sum(total for _, total in layers.values())
        raise NetworkError("the pull ended before the model was there")
    except ProviderError as error:
        error.provider = error.provider or provider.provider_name
        if isinstance(error, NetworkError) and error.retryable:
            error.hint = error.hint or "try again: a pull goes on where it stopped"
        raise


def remove(provider: HTTPProvider, model: str) -> None:
    """Delete a model. Raises `ModelUnavailable` if it is not installed."""
    try:
        provider.send(ollama.build_delete_request(provider.endpoint, model))
    except ModelUnavailable as error:
        error.hint = "`fennec models list` shows what is installed"
        raise


def show(provider: HTTPProvider, model: str) -> ModelFacts:
    body = provider.send(ollama.build_show_request(provider.endpoint, model))
    return ollama.decode_show(body, model, provider.endpoint)


def running(provider: HTTPProvider) -> list[RunningModel]:
    """The models that are in memory."""
    return ollama.decode_running(provider.send(ollama.build_running_request(provider.endpoint)), provider.endpoint)
