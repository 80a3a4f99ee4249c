"""No recorded answer lies about untested: each is a case of a test, or is named here with the reason why not."""

import re
from pathlib import Path

from tests.cases import EXPECTED, FOLDER, error_cases, streams

SOURCES = [path.read_text() for path in Path(__file__).parent.rglob("*.py") if path != Path(__file__)]
CALLED = re.compile(r'\b(streams|error_cases)\("([^"]+)"\)')
BEGINNING = re.compile(r'name\.startswith\((?:"([a-z-]+)"|\(("[^)]*)\))\)')
# Recorded by those who wrote the protocols down, of calls that fennec does not make.
NOT_ASKED_FOR = {
    "anthropic-count-tokens.json",
    "azure-arm-deployments.json",  # needs another token than the one for completions
    "ollama-generate.ndjson",  # the chat is asked instead
    "ollama-version.json",
    "openrouter-key.json",  # asked for, but only its status counts
}


def covered() -> set[str]:
    found = set()
    for source in SOURCES:
        for kind, prefix in CALLED.findall(source):
            found |= set(streams(prefix)) if kind == "streams" else {case.name for case in error_cases(prefix)}
        for one, several in BEGINNING.findall(source):
            prefixes = (one,) if one else tuple(re.findall(r'"([^"]+)"', several))
            found |= {name for name in EXPECTED if name.startswith(prefixes)}
    return found | {path.name for path in recorded() if any(f'"{path.name}"' in source for source in SOURCES)}


def recorded() -> list[Path]:
    return [
        path
        for path in sorted(FOLDER.iterdir())
        if not path.name.endswith(".headers.json") and path.name not in ("README.md", "expected.json")
    ]


def test_every_recorded_stream_and_error_is_a_case() -> None:
    assert set(EXPECTED) - covered() == set()


def test_every_other_recorded_answer_is_read_by_a_test() -> None:
    later = re.compile(r"-batch|-embed")  # provider batches and embeddings have tests of their own parts
    left = {path.name for path in recorded() if not later.search(path.name)} - covered()
    assert left == NOT_ASKED_FOR


def test_every_case_of_the_table_was_recorded() -> None:
    assert {path.name for path in recorded()} >= set(EXPECTED)
