"""`--max-cost`, `--budget`, and what a dry run says that an input would cost."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.e2e.events import read_events
from tests.e2e.peer import ROLE, Peer, answer, delta, head, send, sleep
from tests.e2e.runner import Fennec, finished
from tests.e2e.test_batch import NDJSON, numbered

Serve = Callable[..., Peer]
# With 7 tokens in and 3 out, a request costs 13 dollars.
PRICES = '[provider.openai.prices."m-1"]\ninput = 1_000_000\noutput = 2_000_000\n'


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "money.toml"
        path.write_text(PRICES + text)
        return str(path)

    return write


def test_nothing_is_sent_that_could_cost_more(fennec: Fennec, serve: Serve, config: Callable[[str], str]) -> None:
    peer = serve(answer("ok"))
    command = ("-c", config(""), "-m", "m-1", "--max-tokens", "9", "--max-cost")
    line = fennec.complete(*command, "27.5").failed("budget", 12)
    assert "may cost $28.000000, and --max-cost has $27.500000 left" in line
    assert peer.requests == []
    fennec.complete(*command, "28").succeeded("ok")


def test_a_batch_goes_on_while_there_is_money(fennec: Fennec, serve: Serve, config: Callable[[str], str]) -> None:
    peer = serve(answer("ok"))
    command = (*NDJSON, "-j8", "-c", config(""), "-m", "m-1", "--max-tokens", "3", "--max-cost", "100")
    result = fennec.complete(*command, stdin=numbered(12))
    assert result.status == 16
    summary = read_events(result.stdout)[-1]
    assert summary["by_class"] == {"budget": 12 - summary["ok"]}
    assert summary["cost_usd"] == 13 * summary["ok"] <= 100
    assert len(peer.requests) == summary["ok"] == 7  # nine dollars are left then


def test_a_named_budget_is_shared_by_all_processes(fennec: Fennec, serve: Serve, config: Callable[[str], str]) -> None:
    peer = serve(answer("ok"))
    path = config("[budget.daily]\nusd = 30\n")
    command = ("complete", "-c", path, "-m", "m-1", "--max-tokens", "3", "--budget", "daily", "--no-stdin", "hi")
    results = [finished(process) for process in [fennec.start(*command) for _ in range(6)]]
    assert {result.status for result in results} == {0, 12}
    while fennec(*command).status == 0:
        pass
    assert len(peer.requests) == 2
    assert "budget daily has $4.000000 left" in fennec(*command).failed("budget", 12)
    fennec.complete("--budget", "weekly").failed("config", 3)


def test_an_unknown_price_is_refused(fennec: Fennec, serve: Serve, config: Callable[[str], str]) -> None:
    peer = serve(answer("ok"))
    line = fennec.complete("-c", config(""), "-m", "nobody-knows", "--max-cost", "1").failed("budget", 12)
    assert "the price of openai/nobody-knows is not known" in line
    assert peer.requests == []
    path = config('[budget.loose]\nusd = 1\nunknown_price = "allow"\n')
    fennec.complete("-c", path, "-m", "nobody-knows", "--budget", "loose").succeeded("ok")


def test_an_answer_without_a_limit_is_stopped_midway(
    fennec: Fennec, serve: Serve, config: Callable[[str], str]
) -> None:
    # The first answer's length is the expected one of the next: 3 tokens, about 12 characters.
    peer = serve(
        answer("ok"), [send(head(), ROLE), *[s for _ in range(9) for s in (send(delta("x" * 8)), sleep(0.05))]]
    )
    command = ("-c", config(""), "-m", "m-1", "--max-cost", "7000")
    fennec.complete(*command).succeeded("ok")
    result = fennec.complete("-c", config(""), "-m", "m-1", "--max-cost", "30", "--ndjson")
    assert result.status == 12
    events = read_events(result.stdout)
    assert (events[-1]["class"], events[-1]["partial"]) == ("budget", True)
    assert 2 <= [event["type"] for event in events].count("chunk") <= 4
    assert "the rest of the answer" in result.stderr
    assert len(peer.requests) == 2


def test_what_was_not_sent_costs_nothing(fennec: Fennec, config: Callable[[str], str]) -> None:
    path = config("[budget.daily]\nusd = 20\n")
    command = ("-c", path, "-m", "m-1", "--max-tokens", "3", "--budget", "daily", "--retries", "0", "--no-breaker")
    for _ in range(3):
        fennec.complete(*command).failed("unavailable", 7)


def test_a_dry_run_adds_up_the_whole_input(fennec: Fennec, config: Callable[[str], str]) -> None:
    command = ("-n", "--input", "lines", "-c", config(""), "-m", "m-1", "--max-tokens", "2")
    result = fennec.complete(*command, "--max-cost", "100", stdin="1234\n12345678\n")
    assert (result.stderr, result.status) == ("", 0)
    total = orjson.loads(result.stdout[result.stdout.rindex(b'{\n  "total"') :])["total"]
    assert total == {"rows": 2, "failed": 0, "input_tokens": 3, "output_tokens": 4, "cost_usd": 11.0}
    result = fennec.complete(*command, "--max-cost", "10", stdin="1234\n12345678\n")
    assert (result.status, result.stdout.count(b'"method"')) == (12, 2)
    assert "would cost about $11.000000, and $10.000000 is left" in result.stderr


def test_a_dry_run_takes_the_rows_that_the_run_would_take(fennec: Fennec) -> None:
    rows = "".join(f'{{"id":"r{number}","prompt":"x"}}\n' for number in range(20))
    parts = [("--input", "ndjson", "--shard", part) for part in ("1/2", "2/2")]
    sizes = [fennec.complete("-n", *part, stdin=rows).text.count('"method"') for part in parts]
    assert (sum(sizes), 0 in sizes) == (20, False)
    assert [len(fennec.complete("--fingerprint", *part, stdin=rows).text.splitlines()) for part in parts] == sizes
    result = fennec.complete("-n", "--input", "ndjson", stdin=rows + '{"id":"r0","prompt":"y"}\n')
    assert (result.status, "an earlier row has this id" in result.text) == (16, True)


def test_rows_that_cannot_be_sent_are_told_by_a_dry_run_too(fennec: Fennec) -> None:
    result = fennec.complete("-n", "--input", "ndjson", stdin='{"id":"a","prompt":"x"}\n{"id":"b"}\n')
    assert result.status == 16
    assert b'"class": "input"' in result.stdout
    assert b'"failed": 1' in result.stdout


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("[budget.daily]\nusd = 5\n", 0),
        ("[budget.daily]\nusd = 11\n", 3),
        ('[budget.daily]\nunknown_price = "allow"\n', 3),
        ('[budget.daily]\nper = "month"\n', 3),
        ("[budget.own]\nusd = 100\n", 0),
        ("[complete]\nmax_cost = 1\n", 0),
        ("[complete]\nmax_cost = 3\n", 3),
        ('[complete]\nbudget = "other"\n', 3),
    ],
)
def test_a_project_may_only_tighten_budgets(fennec: Fennec, text: str, status: int) -> None:
    user = fennec.home / ".config" / "fennec"
    user.mkdir(parents=True)
    (user / "config.toml").write_text('[budget.daily]\nusd = 10\n[complete]\nmax_cost = 2\nbudget = "daily"\n')
    (fennec.home / ".fennec.toml").write_text(text)
    result = fennec("config", "check")
    assert result.status == status
    assert ("may only be stricter than yours" in result.text + result.stderr) is (status == 3)


def test_cron_keeps_its_budget_and_writes_its_metrics(
    fennec: Fennec, serve: Serve, config: Callable[[str], str]
) -> None:
    """Pipeline 7 of the contract."""
    serve(answer("the report"))
    path = config("[budget.daily]\nusd = 2000\n")
    script = (
        f"fennec complete -c {path} -m m-1 -q --deadline 10m --budget daily --metrics-file fennec.prom -o report.txt"
    )
    (fennec.home / "prompt.txt").write_text("What happened?")
    fennec.shell(f"{script} --max-tokens 500 < prompt.txt").succeeded("")
    assert (fennec.home / "report.txt").read_text() == "the report"
    assert "fennec_successes_total" in (fennec.home / "fennec.prom").read_text()
    (fennec.home / "report.txt").unlink()
    fennec.shell(f"{script} --max-tokens 1000 < prompt.txt").failed("budget", 12)
    assert not (fennec.home / "report.txt").exists()
