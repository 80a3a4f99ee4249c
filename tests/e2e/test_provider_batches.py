"""`fennec batch` against services that do what the providers' references say, killed at every step."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.events import read_events
from tests.e2e.runner import Fennec, Result, finished
from tests.fake_batches import AnthropicService, AzureService, BatchService, OpenAIService


class Shop(NamedTuple):
    """A service and the command that is set up for it."""

    service: BatchService
    fennec: Fennec
    config: str
    model: str

    def __call__(self, *arguments: str, rows: str | None = None) -> Result:
        return self.fennec("batch", *arguments, "-c", self.config, stdin=rows)

    def submit(self, rows: str, *options: str) -> str:
        result = self("submit", "-m", self.model, *options, rows=rows)
        assert result.status == 0, result.stderr
        return result.text.strip()

    def submit_killed(self, rows: str, step: str, moment: str) -> None:
        """Submit, and be killed when the service has come to `step`."""
        arguments = ["batch", "submit", "-m", self.model, "-c", self.config]
        with self.fennec.start(*arguments, stdin=subprocess.PIPE) as process:
            self.service.kill = (step, moment, process.pid)
            process.communicate(rows.encode(), timeout=20)
        assert process.returncode == -9
        time.sleep(0.05)

    def fetched(self, job: str, *options: str) -> dict[str, dict[str, object]]:
        """Every answer by its id; no id may come twice."""
        result = self("fetch", job, "--wait", "2s", *options)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        found = {line["id"]: line for line in lines}
        assert len(found) == len(lines)
        return found


def opened(service: BatchService, fennec: Fennec, tmp_path: Path) -> Shop:
    provider, url, key, model = {
        "openai": ("openai", f"{service.url}/v1", "sk-test", "gpt-6-luna"),
        "azure": ("azure", service.url, "az-test", "my-batch"),
        "anthropic": ("anthropic", f"{service.url}/v1", "sk-ant-test", "claude-haiku-5-5"),
    }[service.dialect]
    config = tmp_path / "batch.toml"
    api = 'api = "responses"\n' if provider == "openai" else ""
    config.write_text(
        f'[provider.{provider}]\nbase_url = "{url}"\napi_key = "{key}"\n{api}'
        f'[provider.{provider}.prices."{model}"]\ninput = 2.0\noutput = 10.0\n'
    )
    config.chmod(0o600)
    return Shop(service, fennec, str(config), f"{provider}/{model}")


SERVICES = [OpenAIService, AzureService, AnthropicService]


@pytest.fixture(params=SERVICES, ids=lambda kind: kind.dialect)
def shop(request: pytest.FixtureRequest, fennec: Fennec, tmp_path: Path) -> Iterator[Shop]:
    with request.param() as service:
        yield opened(service, fennec, tmp_path)


@pytest.fixture
def one(fennec: Fennec, tmp_path: Path) -> Iterator[Shop]:
    """For what is the same with all of them."""
    with OpenAIService() as service:
        yield opened(service, fennec, tmp_path)


def rows(*prompts: str) -> str:
    return "".join(json.dumps({"id": f"r{number}", "prompt": text}) + "\n" for number, text in enumerate(prompts))


def test_rows_go_out_and_answers_come_back(shop: Shop) -> None:
    text = rows("one", "two FAIL", "three LATE")
    text += '{"id":"m","messages":[{"role":"user","content":"four"}],"meta":{"n":1.50},"options":{"max_tokens":7}}\n'
    text += 'not JSON\n{"id":"r0","prompt":"a repeated id"}\n'
    job = shop.submit(text, "-s", "Be brief.")
    assert shop("fetch", job).status in (0, 7, 16)
    result = shop("fetch", job, "--wait", "2s")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.status == 16
    assert sorted(each["id"] for each in answers) == ["5", "m", "r0", "r0", "r1", "r2"]
    by_id = {each["id"]: each for each in answers if each.get("class") != "input"}
    assert by_id["r0"]["content"] == "to one"
    assert by_id["r0"]["usage"]["output_tokens"] == 14
    assert by_id["r0"]["metadata"]["cost_usd"] == pytest.approx((9 * 2 + 14 * 10) / 1e6 / 2)
    assert (by_id["r1"]["class"], by_id["r1"]["retryable"]) == ("request", False)
    assert (by_id["r2"]["class"], by_id["r2"]["retryable"]) == ("unavailable", True)
    assert by_id["m"]["content"] == "to four"
    assert b'"meta":{"n":1.50}' in result.stdout
    assert sum(each.get("class") == "input" for each in answers) == 2
    assert "4 of 6 rows failed" in result.stderr
    assert sorted(shop.service.submitted()) == ["four", "one", "three LATE", "two FAIL"]


def test_answers_as_events(one: Shop) -> None:
    job = one.submit(rows("one"))
    events = read_events(one("fetch", job, "--wait", "2s", "--ndjson").stdout)
    assert [event["type"] for event in events] == ["start", "chunk", "end", "summary"]
    assert events[0]["fingerprint"]


def test_a_batch_that_is_not_ready_is_unavailable(one: Shop) -> None:
    one.service.polls = 1000
    job = one.submit(rows("one", "two"))
    begin = time.monotonic()
    line = one("fetch", job, "--wait", "1s").failed("unavailable", 7)
    assert 1.0 <= time.monotonic() - begin < 8.0
    assert f"{job} is not ready" in line
    shown = json.loads(one("status", job, "--ndjson").text)
    assert (shown["id"], shown["rows"], shown["ready"]) == (job, 2, False)


def test_status_and_cancel(shop: Shop) -> None:
    shop.service.polls = 1000
    job = shop.submit(rows("one", "two"))
    assert job in shop("status").text
    assert "cancelled" in shop("cancel", job).text
    answers = shop.fetched(job)
    assert {each["class"] for each in answers.values()} == {"unavailable"}
    assert shop.submit(rows("one", "two")) != job  # the same rows anew


def test_the_same_rows_are_the_same_batch_while_it_is_open(one: Shop) -> None:
    first = one.submit(rows("one"))
    assert one.submit(rows("one")) == first
    assert one.submit(rows("two")) != first
    assert len(one.service.batches) == 2
    one.fetched(first)
    again = one.submit(rows("one"))
    assert again != first
    assert len(one.service.batches) == 3


def test_an_id_that_nobody_knows(one: Shop) -> None:
    assert "batch status" in one("fetch", "b123").failed("input", 17)
    assert one("status").text == "there are no batches\n"


def test_no_rows_at_all(one: Shop) -> None:
    one("submit", "-m", one.model, rows="\n").failed("input", 17)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (OpenAIService, "upload"),
        (OpenAIService, "create"),
        (AzureService, "upload"),
        (AzureService, "file"),
        (AzureService, "create"),
        (AnthropicService, "create"),
    ],
)
def test_a_submit_killed_at_any_step_is_taken_up_again(
    fennec: Fennec, tmp_path: Path, kind: type[BatchService], step: str, moment: str
) -> None:
    with kind() as service:
        shop = opened(service, fennec, tmp_path)
        text = rows("one", "two", "three")
        shop.submit_killed(text, step, moment)
        job = shop.submit(text)
        assert sorted(service.submitted()) == ["one", "three", "two"]  # none lost, none doubled
        answers = shop.fetched(job)
        assert {name: each["content"] for name, each in answers.items()} == {
            "r0": "to one", "r1": "to two", "r2": "to three",
        }  # fmt: skip


@pytest.mark.parametrize("step", ["status", "results"])
def test_a_fetch_killed_at_any_step_is_made_again(one: Shop, tmp_path: Path, step: str) -> None:
    job = one.submit(rows("one", "two"))
    target = tmp_path / "answers"
    with one.fennec.start("batch", "fetch", job, "--wait", "2s", "-c", one.config, "-o", str(target)) as process:
        one.service.kill = (step, "after", process.pid)
        process.communicate(timeout=20)
    assert process.returncode == -9
    assert not target.exists()
    assert one("fetch", job, "--wait", "2s", "-o", str(target)).status == 0
    assert sorted(json.loads(line)["content"] for line in target.read_text().splitlines()) == ["to one", "to two"]


def test_an_answer_to_the_creation_that_is_lost_makes_no_second_batch(shop: Shop) -> None:
    """The batch was made, and the service said 500."""
    shop.service.fail.append(("create", 500))
    job = shop.submit(rows("one", "two"))
    assert len(shop.service.batches) == 1
    assert len(shop.fetched(job)) == 2


def test_a_refused_creation_can_be_repeated(one: Shop) -> None:
    one.service.fail.append(("create", 429))
    one("submit", "-m", one.model, rows=rows("one")).failed("rate_limit", 6)
    one.submit(rows("one"))
    assert len(one.service.batches) == 1


def test_results_that_break_off_are_read_again(one: Shop) -> None:
    job = one.submit(rows(*[f"number {number}" for number in range(40)]))
    one.service.cut_results = [2000]
    answers = one.fetched(job)
    assert len(answers) == 40
    assert all(each["type"] == "end" for each in answers.values())


def test_somebody_elses_batch_is_not_taken_for_ours(fennec: Fennec, tmp_path: Path) -> None:
    """Anthropic's batches carry no mark: another one of the same size, made at the same time, is found out."""
    with AnthropicService() as service:
        shop = opened(service, fennec, tmp_path)
        text = rows("one", "two")
        shop.submit_killed(text, "create", "before")
        service._create({"requests": [
            {"custom_id": f"x{number}", "params": {"model": "m", "max_tokens": 1, "messages": [{"content": "theirs"}]}}
            for number in range(2)
        ]})  # fmt: skip
        job = shop.submit(text)
        assert "somebody else's batch" in shop("fetch", job, "--wait", "2s").failed("unavailable", 7)
        assert shop.submit(text) == job
        assert sorted(service.submitted()) == ["one", "theirs", "theirs", "two"]
        assert sorted(str(each["content"]) for each in shop.fetched(job).values()) == ["to one", "to two"]


def test_a_provider_without_batches_says_so(fennec: Fennec) -> None:
    assert "no batch interface" in fennec("batch", "submit", "-m", "ollama/x", stdin=rows("one")).failed("usage", 2)


def test_a_state_that_cannot_be_used_forbids_a_batch(one: Shop) -> None:
    state = one.fennec.home / ".local" / "state" / "fennec" / "state"
    state.parent.mkdir(parents=True)
    state.write_text("in the way")
    assert "must not be forgotten" in one("submit", "-m", one.model, rows=rows("one")).failed("output", 18)
    assert not one.service.batches


def test_rows_on_the_disk_are_private_and_forgotten(one: Shop) -> None:
    job = one.submit(rows("a secret prompt"))
    kept = one.fennec.home / ".local" / "state" / "fennec" / "batches"
    for path in [kept, *kept.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
        assert not path.is_file() or b"a secret prompt" not in path.read_bytes(), path
    assert job in {path.name for path in kept.iterdir()}


def test_two_submissions_of_the_same_rows_at_once_are_one_batch(one: Shop) -> None:
    arguments = ["batch", "submit", "-m", one.model, "-c", one.config]
    running = [one.fennec.start(*arguments, stdin=subprocess.PIPE) for _ in range(3)]
    found = {finished(process, rows("one").encode()).text for process in running}
    assert len(found) == 1
    assert len(one.service.batches) == 1


def test_answers_enter_the_cache(shop: Shop) -> None:
    job = shop.submit(rows("one", "two FAIL"), "-s", "Be brief.")
    shop("fetch", job, "--wait", "2s")
    ask = ("-m", shop.model, "-s", "Be brief.", "-c", shop.config, "--cache", "only")
    shop.fennec.complete(*ask, stdin="one").failed("cache_miss", 13)
    shop("fetch", job, "--cache", "use")
    shop.fennec.complete(*ask, stdin="one").succeeded("to one")
    shop.fennec.complete(*ask, stdin="two FAIL").failed("cache_miss", 13)


@pytest.mark.parametrize(
    ("table", "environment"),
    [
        ("", {"FENNEC_PRIVATE": "1"}),
        ("", {"FENNEC_REDACT": "mask"}),
        ('[filter]\npreset = "strict"\n', {}),
        ('[filter]\nrequest = { secrets = "block" }\n', {}),
        ("[complete]\nprivate = true\n", {}),
        ("[audit]\nrequired = true\n", {}),
    ],
)
def test_rows_that_a_guard_should_see_are_refused(one: Shop, table: str, environment: dict[str, str]) -> None:
    path = Path(one.config)
    path.write_text(path.read_text() + table)
    arguments = ("batch", "submit", "-m", one.model, "-c", one.config)
    assert "complete --input ndjson" in one.fennec(*arguments, stdin=rows("x"), env=environment).failed("blocked", 19)
    assert not one.service.steps
