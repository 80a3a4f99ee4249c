"""The line that a terminal shows."""

from fennec_cli.batch.progress import Progress, line
from fennec_cli.batch.tally import Tally
from fennec_cli.chunk import ChunkMetadata, TokenUsage
from fennec_cli.errors import NetworkError
from fennec_cli.output.text import Answer


def tally() -> Tally:
    made = Tally()
    for _ in range(9):
        made.add(Answer(None, TokenUsage(10, 20), ChunkMetadata(cost_usd=0.001)))
    made.add(Answer(NetworkError("no"), None, ChunkMetadata()))
    return made


def test_the_line_says_rows_rate_tokens_cost_and_what_is_left() -> None:
    assert line(tally(), 2.0, 0.25) == "10 rows, 1 failed, 5.0 rows/s, 90 tokens/s, $0.0090, 25%, 6s left"
    assert line(Tally(), 0.0, None) == "0 rows, 0.0 rows/s, 0 tokens/s"
    assert line(tally(), 3600.0, 0.25).endswith("25%, 3h00m left")
    assert line(tally(), 100.0, 0.5).endswith("50%, 1m40s left")


def test_it_is_shown_now_and_then() -> None:
    shown: list[str] = []
    moments = iter([0.0, 0.1, 0.25, 0.3, 0.5])
    progress = Progress(shown.append, 100, clock=lambda: next(moments))
    for _ in range(4):
        progress.tick(Tally())
    assert len(shown) == 2
    progress.end()
    assert shown[-1] == ""
