"""Answers against a schema."""

from typing import Any

import pytest

from fennec_cli.chunk import CompletionChunk, FinishReason
from fennec_cli.errors import InvalidOutput
from fennec_cli.request import CompletionRequest
from fennec_cli.stages import Chunks
from fennec_cli.stages.conform import conform

SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}


def fault_of(text: str, finish: FinishReason = "stop", schema: Any = SCHEMA) -> Any:
    def inner(_request: CompletionRequest) -> Chunks:
        for character in text:
            yield CompletionChunk(content=character)
        yield CompletionChunk(finish_reason=finish)

    chunks = list(conform(inner)(CompletionRequest.from_text("hi", model="m", schema=schema)))
    assert "".join(chunk.content or "" for chunk in chunks) == text
    return next((chunk.fault for chunk in chunks if chunk.fault), None)


def test_an_answer_that_fits_has_no_fault() -> None:
    assert fault_of('{"total": 7}') is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sure!", "not JSON"),
        ("", "not JSON"),
        ('{"total": "7"}', "at /total"),
        ("{}", "at /"),
        ('{"total": 1', "not JSON"),
    ],
)
def test_an_answer_that_does_not_fit_says_where(text: str, reason: str) -> None:
    fault = fault_of(text)
    assert isinstance(fault, InvalidOutput)
    assert reason in str(fault)


@pytest.mark.parametrize(("second", "fits"), [('{"total": 7}', True), ("Sure!", False)])
def test_every_choice_has_to_fit(second: str, fits: bool) -> None:
    def inner(_request: CompletionRequest) -> Chunks:
        for index, text in enumerate(('{"total": 7}', second)):
            yield CompletionChunk(content=text, index=index)
            yield CompletionChunk(finish_reason="stop", index=index)

    chunks = list(conform(inner)(CompletionRequest.from_text("hi", model="m", schema=SCHEMA)))
    assert all(chunk.fault is None for chunk in chunks) is fits


def test_a_truncated_answer_is_not_judged_twice() -> None:
    assert fault_of('{"total":', finish="length") is None


def test_without_a_schema_nothing_is_looked_at() -> None:
    assert fault_of("Sure!", schema=None) is None
