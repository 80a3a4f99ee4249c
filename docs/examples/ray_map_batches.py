"""Ray Data with fennec's library: rows in, rows with an answer out.

    python ray_map_batches.py rows.ndjson answers/

Each worker reads the configuration of its machine. With `[cache] backend = "redis://…"` all workers share rate limits,
circuits and the cache.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray

from fennec_cli import FennecError, complete


def answer(prompt: str) -> tuple[str, str]:
    """The answer, and the class of what went wrong, one of them empty."""
    try:
        return complete(prompt).content, ""
    except FennecError as error:
        return "", error.error_class


def answers(batch: dict[str, Any]) -> dict[str, Any]:
    with ThreadPoolExecutor(8) as threads:  # most of the time is waiting
        found = list(threads.map(answer, batch["prompt"]))
    return {**batch, "content": [text for text, _ in found], "error": [fault for _, fault in found]}


if __name__ == "__main__":
    rows, target = sys.argv[1:]
    ray.data.read_json(rows, file_extensions=None).map_batches(answers, batch_size=64).write_json(target)
