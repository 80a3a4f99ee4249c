"""One model after the other: who is asked, what is said, and what is never done twice."""

from collections.abc import Callable
from contextlib import closing

import pytest

from fennec_cli.chunk import ChunkMetadata, CompletionChunk
from fennec_cli.errors import ConfigError, FennecError, NetworkError, RequestError, StreamBroken
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks, Stage
from fennec_cli.stages.route import Route, route

REQUEST = CompletionRequest.from_text("hi", model="unset")


def fails(error: FennecError, *before: str) -> Stage:
    def stage(_request: CompletionRequest) -> Chunks:
        for content in before:
            yield CompletionChunk(content=content)
        error.attempts = 1
        raise error

    return stage


def answers(request: CompletionRequest) -> Chunks:
    yield CompletionChunk(content=f"by {request.model}", metadata=ChunkMetadata(attempts=1))


def never() -> Stage:
    raise AssertionError("a model that is not reached is not opened")


def planned(*stages: Stage) -> list[Route]:
    def opened(stage: Stage) -> Callable[[], Stage]:
        return lambda: stage

    return [Route(f"p/m{number}", f"m{number}", opened(stage)) for number, stage in enumerate(stages)]


def run(routes: list[Route]) -> list[CompletionChunk]:
    return list(route(lambda _request: routes, lambda _level, _text: None)(REQUEST))


def test_the_first_that_answers_is_the_last_that_is_opened() -> None:
    chunks = run([*planned(answers), Route("p/x", "x", never)])
    assert [chunk.content for chunk in chunks] == ["by m0"]


def test_each_model_gets_the_request_under_its_own_name_and_attempts_add_up() -> None:
    chunks = run(planned(fails(NetworkError("down")), answers))
    notice = next(chunk.fallback for chunk in chunks if chunk.fallback)
    assert notice == ("p/m0", "p/m1", "unavailable")
    assert chunks[-1].content == "by m1"
    assert chunks[-1].metadata is not None
    assert chunks[-1].metadata.attempts == 2


@pytest.mark.parametrize("error", [RequestError("bad"), StreamBroken("cut")])
def test_what_does_not_fall_back_is_raised_at_once(error: FennecError) -> None:
    with pytest.raises(type(error)):
        run([*planned(fails(error)), Route("p/x", "x", never)])


def test_the_last_error_is_raised_with_the_attempts_of_all() -> None:
    last = NetworkError("last")
    with pytest.raises(NetworkError) as caught:
        run(planned(fails(NetworkError("first")), fails(last)))
    assert caught.value is last
    assert last.attempts == 2
    assert last.hint is not None
    assert last.hint.endswith("asked in this order: p/m0, p/m1")


def test_a_reader_that_goes_away_closes_the_model_that_answers() -> None:
    closed = []

    def stage(_request: CompletionRequest) -> Chunks:
        try:
            yield CompletionChunk(content="a")
            yield CompletionChunk(content="b")
        finally:
            closed.append(True)

    with closing(route(lambda _request: planned(fails(NetworkError("x")), stage), lambda *_: None)(REQUEST)) as chunks:
        while next(chunks).content is None:
            pass
    assert closed == [True]


def unbuildable() -> Stage:
    raise ConfigError("no endpoint")


def test_a_model_that_cannot_be_asked_is_passed_over_and_hides_no_better_error() -> None:
    broken = Route("p/x", "x", unbuildable)
    first, second = planned(fails(NetworkError("down")), answers)
    assert run([broken, second])[-1].content == "by m1"
    assert run([first, broken, second])[-1].content == "by m1"
    with pytest.raises(NetworkError):
        run([first, broken])
    with pytest.raises(ConfigError):
        run([broken])
