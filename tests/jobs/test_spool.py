"""Rows on the disk between submit and fetch: cut into parts at the providers' limits."""

from pathlib import Path

import orjson

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import InputError
from fennec_cli.jobs.spool import Spool, entries, forget_body, plan_of, prefix, read_body, sweep
from fennec_cli.provider_batches import Limits
from fennec_cli.provider_batches.files import OpenAIBatches
from fennec_cli.provider_batches.inline import AnthropicBatches
from fennec_cli.providers import anthropic, openai
from fennec_cli.request import CompletionRequest, Sampling

OPENAI = Endpoint("openai", "https://api.openai.com/v1")
ANTHROPIC = Endpoint("anthropic", "https://api.anthropic.com/v1")


def spooled(home: Path, limits: Limits, texts: list[str]) -> Spool:
    api = OpenAIBatches()
    api.LIMITS = limits
    spool = Spool(home, api, OPENAI)
    for number, text in enumerate(texts):
        request = CompletionRequest.from_text(text, model="m", stream=False)
        spool.add(str(number), None, "m", openai.build_request(request, OPENAI))
    spool.close()
    spool.keep("job")
    return spool


def test_parts_are_cut_at_the_most_rows(tmp_path: Path) -> None:
    spool = spooled(tmp_path, Limits(3, 10**6), ["x"] * 8)
    nonce, rows, plans = plan_of(tmp_path, "job") or ("", 0, [])
    assert (nonce, rows, [plan.rows for plan in plans]) == (spool.nonce, 8, [3, 3, 2])
    lines = [line for part in range(3) for line in read_body(tmp_path, "job", part).splitlines()]
    ids = [orjson.loads(line)["custom_id"] for line in lines]
    assert ids == [entry.custom_id for entry in entries(tmp_path, "job")]
    assert len(set(ids)) == 8
    assert ids[3].startswith(prefix(spool.nonce, 1))


def test_parts_are_cut_at_the_largest_size(tmp_path: Path) -> None:
    spooled(tmp_path, Limits(1000, 2000), ["x" * 500] * 9)
    _, _, plans = plan_of(tmp_path, "job") or ("", 0, [])
    sizes = [len(read_body(tmp_path, "job", part)) for part in range(len(plans))]
    assert sum(plan.rows for plan in plans) == 9
    assert all(1000 < size <= 2000 for size in sizes)


def test_rows_of_two_models_or_versions_are_parts_of_their_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path, AnthropicBatches(), ANTHROPIC)
    for number, (model, temperature) in enumerate([("a", None), ("a", 0.5), ("b", None), ("a", None)]):
        request = CompletionRequest.from_text("hi", model=model, sampling=Sampling(temperature), stream=False)
        spool.add(str(number), None, model, anthropic.build_request(request, ANTHROPIC))
    spool.close()
    spool.keep("job")
    _, _, plans = plan_of(tmp_path, "job") or ("", 0, [])
    assert [(plan.variant, plan.rows) for plan in plans] == [("2026-10-21", 2), ("2023-06-01", 1), ("2026-10-21", 1)]


def test_what_a_row_was_comes_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path, OpenAIBatches(), OPENAI)
    request = CompletionRequest.from_text("hi", model="m", stream=False)
    call = openai.build_request(request, OPENAI)
    spool.add("ö\n", b'{"n":1.50}', "m", call)
    spool.fail("2", None, InputError("line 2 is empty", hint="remove it"))
    spool.close()
    spool.keep("job")
    good, bad = entries(tmp_path, "job")
    assert (good.id, good.meta, good.model, good.fingerprint) == ("ö\n", b'{"n":1.50}', "m", call.fingerprint)
    assert bad.custom_id is None
    assert isinstance(bad.fault, InputError)
    assert (bad.fault.message, bad.fault.hint) == ("line 2 is empty", "remove it")


def test_the_digest_tells_rows_apart_and_nothing_else(tmp_path: Path) -> None:
    def digest(*rows: tuple[str, str]) -> str:
        spool = Spool(tmp_path, OpenAIBatches(), OPENAI)
        for row_id, text in rows:
            request = CompletionRequest.from_text(text, model="m", stream=False)
            spool.add(row_id, None, "m", openai.build_request(request, OPENAI))
        found = spool.close()
        spool.discard()
        return found

    first = digest(("1", "a"), ("2", "b"))
    assert first == digest(("1", "a"), ("2", "b"))
    assert len({first, digest(("2", "b"), ("1", "a")), digest(("1", "a")), digest(("1", "b"), ("2", "b"))}) == 4
    assert not list(tmp_path.iterdir())


def test_rows_that_were_sent_and_that_nobody_knows_of_give_way(tmp_path: Path) -> None:
    spooled(tmp_path, Limits(3, 10**6), ["x"] * 8)
    forget_body(tmp_path, "job", 1)
    assert plan_of(tmp_path, "job") is None
    spool = spooled(tmp_path, Limits(3, 10**6), ["x"] * 8)
    assert (plan_of(tmp_path, "job") or ("",))[0] == spool.nonce


def test_what_a_kill_has_left_is_swept_after_a_day(tmp_path: Path) -> None:
    spool = Spool(tmp_path, OpenAIBatches(), OPENAI)
    (left,) = tmp_path.iterdir()
    sweep(tmp_path, left.stat().st_mtime + 3600)
    assert left.exists()
    sweep(tmp_path, left.stat().st_mtime + 90_000)
    assert not left.exists()
    spool.discard()
