"""`fennec batch` against services that do what the providers' references say, killed at every step."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.events import read_events
from tests.e2e.runner import Fennec, Result, finished
from tests.e2e.test_terminal import on_terminal
from tests.fake_batches import AnthropicService, AzureService, Batch, BatchService, OpenAIService, Refused


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


def test_what_is_fetched_does_not_drive_a_terminal(one: Shop) -> None:
    job = one.submit('{"id":"a","prompt":"one\\u009b2J"}\n')
    assert "to one\x9b2J" in one("fetch", job, "--wait", "2s").text
    shown, status = on_terminal(one.fennec, "fetch", job, "-c", one.config, command="batch", streams="stdout")
    assert "to one2J" in shown
    assert ("\x9b" in shown, status) == (False, 0)


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


class OneModelService(OpenAIService):
    """Makes batches of `gpt-6-luna` only."""

    def _create(self, given: dict[str, Any]) -> Batch:
        if b'"gpt-6-luna"' not in self.files[given["input_file_id"]]:
            raise Refused(400, "this model has no batches")
        return super()._create(given)


def test_what_is_answered_is_fetched_though_another_part_was_never_made(fennec: Fennec, tmp_path: Path) -> None:
    with OneModelService() as service:
        shop = opened(service, fennec, tmp_path)
        configured(shop, DAILY)
        text = '{"id":"a","prompt":"one"}\n{"id":"b","prompt":"two","model":"gpt-6-sol"}\n'
        shop("submit", "-m", shop.model, *THOUSAND, "--budget", "daily", rows=text).failed("request", 5)
        (shown,) = json.loads(shop("status", "--json").text)
        assert (shown["state"], shown["ready"]) == ("submitting", False)
        job = shown["id"]
        assert f"fennec batch cancel {job}" in shop("fetch", job).failed("unavailable", 7)
        (shown,) = json.loads(shop("cancel", job, "--json").text)
        assert (shown["state"], shown["ready"]) == ("cancelled", True)
        answers = shop.fetched(job)
        assert (answers["a"]["content"], answers["b"]["class"]) == ("to one", "unavailable")
        assert left_usd(shop) == pytest.approx(0.015 - 0.000079)


def test_rows_are_submitted_anew_where_their_record_is_lost(one: Shop) -> None:
    one.submit(rows("one"))
    shutil.rmtree(one.fennec.home / ".local" / "state" / "fennec" / "state")
    assert [each["content"] for each in one.fetched(one.submit(rows("one"))).values()] == ["to one"]


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


def test_a_row_is_what_complete_would_send_for_its_model(one: Shop) -> None:
    """The configured temperature is left out for a model that is known to refuse it."""
    path = Path(one.config)
    path.write_text(path.read_text().replace("[provider.openai]", "[provider.openai]\ntemperature = 0.7"))
    job = one.submit(rows("one"))
    assert "temperature" not in one.service.batches[0].rows[0]["body"]
    one("fetch", job, "--wait", "2s", "--cache", "use")
    one.fennec.complete("-m", one.model, "-c", one.config, "--cache", "only", stdin="one").succeeded("to one")


SECRET = "sk-proj-" + "Zx9Kq2Lm7Tn4Vb8Rc1Wd" * 3
MAIL = "joe.user@example.org"


def configured(one: Shop, table: str) -> None:
    path = Path(one.config)
    path.write_text(path.read_text() + table)


def records(one: Shop, *names: str) -> list[tuple[object, ...]]:
    log = one.fennec("audit", "export", "-c", one.config).text
    return [tuple(json.loads(line).get(name) for name in names) for line in log.splitlines()]


@pytest.mark.parametrize(
    ("table", "options"),
    [
        ("", ("--private",)),
        ("[complete]\nprivate = true\n", ()),
        ("[provider.openai.headers]\n[complete]\nprivate = true\n", ("--redact", "off")),
    ],
)
def test_no_batch_is_private(one: Shop, table: str, options: tuple[str, ...]) -> None:
    configured(one, table)
    said = one("submit", "-m", one.model, *options, rows=rows("x")).failed("blocked", 19)
    assert "keeps the rows and answers" in said
    assert "complete --input ndjson" in said
    assert not one.service.steps


def test_a_provider_that_must_be_private_gets_no_batch(one: Shop) -> None:
    path = Path(one.config)
    path.write_text(path.read_text().replace("[provider.openai]\n", '[provider.openai]\nprivate = "required"\n', 1))
    one("submit", "-m", one.model, rows=rows("x")).failed("blocked", 19)
    assert not one.service.steps


def test_secrets_of_rows_are_said_and_sent(one: Shop) -> None:
    result = one("submit", "-m", one.model, rows=rows("hello", f"use {SECRET}"))
    assert result.status == 0
    assert "row r1: the request holds secrets" in result.stderr
    assert SECRET not in result.stderr
    assert f"use {SECRET}" in one.service.submitted()


def test_rows_that_are_blocked_stay_here(one: Shop) -> None:
    configured(one, '[filter]\nrequest = { secrets = "block" }\n')
    job = one.submit(rows("hello", f"use {SECRET}"))
    assert one.service.submitted() == ["hello"]
    answers = one.fetched(job)
    assert (answers["r1"]["class"], answers["r1"]["exit"]) == ("blocked", 19)
    assert answers["r0"]["content"] == "to hello"
    found = records(one, "event", "id", "error.type", "fennec.filter_hits")
    blocked = [each for each in found if each[2] == "blocked"]
    assert [(each[0], each[3]) for each in blocked] == [("response", 1)]
    assert {each[1] for each in found if each[0] == "request"} == {each[1] for each in found if each[0] == "response"}
    assert len(found) == 4


def test_masks_of_rows_stay_in_the_answers(one: Shop) -> None:
    text = rows("hello", f"write to {MAIL}")
    result = one("submit", "-m", one.model, "--redact", "mask", rows=text)
    assert "1 rows go out with masks" in result.stderr
    (sent,) = [prompt for prompt in one.service.submitted() if prompt != "hello"]
    assert sent.startswith("write to [EMAIL_1_")
    assert MAIL not in sent
    answers = one.fetched(result.text.strip())
    assert answers["r1"]["content"] == f"to {sent}"
    assert one.submit(text, "--redact", "mask") != result.text.strip()  # it was fetched
    assert len([prompt for prompt in one.service.submitted() if prompt == sent]) == 2  # masked alike


def test_the_same_masked_rows_are_the_same_batch(one: Shop) -> None:
    text = rows(f"write to {MAIL}")
    assert one.submit(text, "--redact", "mask") == one.submit(text, "--redact", "mask")
    assert len(one.service.batches) == 1


@pytest.mark.parametrize("mode", ["mask", "block", "warn"])
def test_answers_of_a_batch_pass_the_filter(one: Shop, mode: str) -> None:
    job = one.submit(rows("hello", f"say {SECRET}"), "--redact", "off")
    configured(one, f'[filter]\nresponse = {{ secrets = "{mode}" }}\n')
    result = one("fetch", job, "--wait", "2s")
    answers = {line["id"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert answers["r0"]["content"] == "to hello"
    if mode == "mask":
        assert str(answers["r1"]["content"]).startswith("to say [")
        assert SECRET.encode() not in result.stdout
    elif mode == "block":
        assert (answers["r1"]["class"], answers["r1"]["exit"]) == ("blocked", 19)
        assert SECRET.encode() not in result.stdout
    else:
        assert SECRET in str(answers["r1"]["content"])
        assert "the answer holds" in result.stderr
    assert SECRET not in result.stderr


def test_redact_mask_at_the_fetch_masks_secrets(one: Shop) -> None:
    job = one.submit(rows(f"say {SECRET}"), "--redact", "off")
    assert SECRET not in str(one.fetched(job, "--redact", "mask")["r0"]["content"])


@pytest.mark.parametrize("content", ["none", "full"])
def test_every_row_is_on_record_twice(shop: Shop, content: str) -> None:
    configured(shop, f'[audit]\ncontent = "{content}"\nrequired = true\n')
    job = shop.submit(rows("one", "two FAIL") + "not JSON\n")
    assert [each[0] for each in records(shop, "event")] == ["request", "request"]
    shop.fetched(job)
    names = ("event", "id", "error.type", "gen_ai.usage.output_tokens", "fennec.prompt", "fennec.answer")
    found = records(shop, *names)
    asked, told = found[:2], found[2:]
    assert [each[0] for each in told] == ["response", "response"]
    assert {each[1] for each in asked} == {each[1] for each in told}
    assert {each[2:4] for each in told} == {(None, 14), ("request", None)}
    assert ("one" in "".join(str(each[4]) for each in asked).replace("None", "")) is (content == "full")
    assert ("to one" in str(told)) is (content == "full")
    assert shop.fennec("audit", "verify", "-c", shop.config).status == 0
    shop.fetched(job)
    assert [each[0] for each in records(shop, "event")[4:]] == ["batch_fetched_again"]


@pytest.mark.parametrize("step", ["upload", "create"])
def test_a_submit_that_was_killed_is_on_record_once(one: Shop, step: str) -> None:
    text = rows("one", "two")
    one.submit_killed(text, step, "before")
    assert len(records(one, "id")) == 2
    one.submit(text)
    assert len(records(one, "id")) == 2


def test_without_its_record_no_row_is_sent(one: Shop) -> None:
    configured(one, f'[audit]\nrequired = true\nfile = "{one.fennec.home}/missing/audit.jsonl"\n')
    text = rows("one")
    assert "audit" in one("submit", "-m", one.model, rows=text).failed("output", 18)
    assert not one.service.steps
    (one.fennec.home / "missing").mkdir()
    one.submit(text)  # goes on where it stopped
    assert [each[0] for each in records(one, "event")] == ["request"]


def test_rows_that_are_fetched_count_once(one: Shop) -> None:
    job = one.submit(rows("one", "two FAIL", "three"))
    one.fetched(job)
    one.fetched(job)
    shown = json.loads(one.fennec("metrics", "show", "--json", "-c", one.config).stdout)
    (model,) = shown
    assert model["request_count"] == 3, model
    assert model["token_usage"]["output_tokens"] == 28, model
    assert model["cost_usd"] == pytest.approx(2 * (9 * 2 + 14 * 10) / 1e6 / 2), model


# -- money: with 1000 tokens a row may cost half a cent, and really costs 79 millionths of a dollar

DAILY = "[budget.daily]\nusd = 0.015\n"
THOUSAND = ("--max-tokens", "1000")


def left_usd(one: Shop) -> float:
    """What is left of the budget, which a request that is far too dear is told."""
    options = ("-c", one.config, "-m", one.model, "--budget", "daily", "--max-tokens", "9999999")
    line = one.fennec.complete(*options).failed("budget", 12)
    return float(line.partition("budget daily has $")[2].split()[0])


def refused(one: Shop, text: str, *options: str) -> str:
    return one("submit", "-m", one.model, *options, rows=text).failed("budget", 12)


def test_rows_that_may_cost_more_than_allowed_are_not_submitted(one: Shop) -> None:
    line = refused(one, rows("one", "two"), *THOUSAND, "--max-cost", "0.01")
    assert "the batch may cost $0.010020, and --max-cost has $0.010000 left" in line
    assert (one.service.submitted(), one("status").text) == ([], "there are no batches\n")
    assert one.submit(rows("one", "two"), *THOUSAND, "--max-cost", "0.0101")


@pytest.mark.parametrize("where", ["option", "configuration"])
def test_a_budget_is_charged_at_the_submit_and_settled_at_the_fetch(one: Shop, where: str) -> None:
    configured(one, DAILY + ('[complete]\nbudget = "daily"\n' if where == "configuration" else ""))
    options = (*THOUSAND, "--budget", "daily") if where == "option" else THOUSAND
    job = one.submit(rows("one", "two"), *options)
    assert left_usd(one) == pytest.approx(0.015 - 0.010020)
    assert one.submit(rows("one", "two"), *options) == job
    assert left_usd(one) == pytest.approx(0.015 - 0.010020)
    refused(one, rows("three", "four"), *options)
    for _ in range(2):
        assert len(one.fetched(job)) == 2
        assert left_usd(one) == pytest.approx(0.015 - 2 * 0.000079)
    one.submit(rows("three", "four"), *options)
    assert sorted(one.service.submitted()) == ["four", "one", "three", "two"]


@pytest.mark.parametrize("step", ["upload", "create"])
def test_a_submit_that_was_killed_is_charged_once(one: Shop, step: str) -> None:
    configured(one, DAILY + '[complete]\nbudget = "daily"\n')
    one.submit_killed(rows("one"), step, "before")
    before = left_usd(one)
    assert before < 0.015
    job = one.submit(rows("one"))
    assert left_usd(one) == before
    one.fetched(job)
    assert left_usd(one) == pytest.approx(0.015 - 0.000079)


def test_a_batch_that_was_cancelled_before_anything_was_answered_costs_nothing(shop: Shop) -> None:
    configured(shop, DAILY)
    shop.service.polls = 1000
    job = shop.submit(rows("one", "two"), *THOUSAND, "--budget", "daily")
    assert left_usd(shop) < 0.006
    shop("cancel", job)
    shop.fetched(job)
    assert left_usd(shop) == 0.015


def test_a_price_that_is_not_known_is_refused_where_a_budget_needs_it(one: Shop) -> None:
    model = ("submit", "-m", "openai/new")
    line = one(*model, "--max-cost", "1", rows=rows("one")).failed("budget", 12)
    assert "the price of openai/new is not known" in line
    assert one.service.submitted() == []
    configured(one, '[budget.loose]\nusd = 1\nunknown_price = "allow"\n')
    assert one(*model, "--budget", "loose", rows=rows("one")).status == 0


def test_a_budget_that_is_not_configured_is_refused(one: Shop) -> None:
    one("submit", "-m", one.model, "--budget", "weekly", rows=rows("one")).failed("config", 3)
