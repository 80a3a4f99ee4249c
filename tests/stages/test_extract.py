"""The first fenced block."""

import pytest

from fennec_cli.chunk import CompletionChunk
from fennec_cli.errors import ContentFiltered, InvalidOutput
from fennec_cli.request import CompletionRequest, Message
from fennec_cli.stages import Chunks
from fennec_cli.stages.conform import conform
from fennec_cli.stages.extract import extract, first_block
from fennec_cli.stages.judge import judge

REQUEST = CompletionRequest((Message("user", "hi"),), "m")


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("```\na\n```", "a\n"),
        ("Sure:\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```\na\n```\n```\nb\n```", "a\n"),
        ("~~~\na\n~~~\n", "a\n"),
        ("````\n```\ninner\n```\n````", "```\ninner\n```\n"),
        ("```\na\n`````\n", "a\n"),
        ("  ```\n  a\n  ```", "  a\n"),
        ("```\r\na\r\n```", "a\r\n"),
        ("```\n```", ""),
        ("```\nnever closed", None),
        ("``` not `a` fence\n", None),
        ("    ```\n    indented code\n    ```", None),
        ("no block", None),
        ("", None),
    ],
)
def test_first_block(text: str, block: str | None) -> None:
    assert first_block(text) == block


def answer(text: str) -> list[CompletionChunk]:
    def inner(_request: CompletionRequest) -> Chunks:
        yield from (CompletionChunk(content=character) for character in text)
        yield CompletionChunk(finish_reason="stop")

    return list(extract(inner)(REQUEST))


def test_the_block_replaces_the_text() -> None:
    chunks = answer("Here:\n```\nls\n```\n")
    assert [chunk.content for chunk in chunks if chunk.content] == ["ls\n"]
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]


def test_an_answer_without_a_block_is_a_fault_and_no_text() -> None:
    chunks = answer("Nothing here.")
    assert not any(chunk.content for chunk in chunks)
    assert isinstance(chunks[-1].fault, InvalidOutput)


def test_each_choice_has_its_block() -> None:
    def inner(_request: CompletionRequest) -> Chunks:
        for index in (0, 1):
            yield CompletionChunk(content=f"```\n{index}\n```\n", index=index)
            yield CompletionChunk(finish_reason="stop", index=index)

    chunks = list(conform(extract(inner))(REQUEST._replace(schema={"type": "integer"})))
    assert [(chunk.index, chunk.content) for chunk in chunks if chunk.content] == [(0, "0\n"), (1, "1\n")]
    assert all(chunk.fault is None for chunk in chunks)


def test_a_refusal_stays_one() -> None:
    def inner(_request: CompletionRequest) -> Chunks:
        yield CompletionChunk(content="I cannot.", refusal=True)
        yield CompletionChunk(finish_reason="stop")

    chunks = list(judge(extract(inner))(REQUEST))
    assert not any(chunk.content for chunk in chunks)
    assert isinstance(chunks[-1].fault, ContentFiltered)
