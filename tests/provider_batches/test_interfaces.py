"""The providers' batch interfaces against what was recorded of them, and what is sent to them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from fennec_cli.dialects.base import Endpoint
from fennec_cli.errors import ProtocolError, RequestError, ServerError, UsageError
from fennec_cli.provider_batches import BatchInterface, Part, dialect_of, interface, path_of
from fennec_cli.provider_batches.files import AzureBatches, OpenAIBatches, moment
from fennec_cli.provider_batches.inline import AnthropicBatches
from fennec_cli.providers import anthropic, azure, openai
from fennec_cli.request import CompletionRequest, Sampling

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"

OPENAI = Endpoint("openai", "https://api.openai.com/v1")
AZURE = Endpoint("azure", "https://r.openai.azure.com")
DATED = AZURE._replace(extra={"api_version": "2024-10-21"})
ANTHROPIC = Endpoint("anthropic", "https://api.anthropic.com/v1")
PART = Part("/responses", "", "fennec-1-0", "file-in1")


def recorded(name: str) -> bytes:
    return (TRANSCRIPTS / name).read_bytes()


def request(text: str, model: str, max_tokens: int | None = 256) -> CompletionRequest:
    return CompletionRequest.from_text(text, model=model, sampling=Sampling(max_tokens=max_tokens), stream=False)


def test_openai_rows_are_as_recorded() -> None:
    expected = [orjson.loads(line) for line in recorded("openai-batch-input.ndjson").splitlines()]
    for number, text in enumerate(("Say hi", "Say bye")):
        call = openai.build_request(request(text, "gpt-6-luna"), OPENAI)
        row = orjson.loads(OpenAIBatches().row(f"row-{number + 1}", path_of(call), call.body, OPENAI))
        ours, theirs = row.pop("body"), expected[number].pop("body")
        assert row == expected[number]
        assert (ours["model"], ours["max_output_tokens"], ours["store"]) == ("gpt-6-luna", 256, False)
        assert theirs["input"] in orjson.dumps(ours["input"]).decode()


def test_anthropic_rows_are_as_recorded() -> None:
    calls = [anthropic.build_request(request(text, "claude-haiku-5-5"), ANTHROPIC) for text in ("Say hi", "Say bye")]
    api = AnthropicBatches()
    rows = b"\n".join(api.row(f"row-{n}", path_of(call), call.body, ANTHROPIC) for n, call in enumerate(calls, 1))
    made = api.create_call(ANTHROPIC, Part("/messages", "2026-10-21", "m"), rows + b"\n")
    assert made.url == "https://api.anthropic.com/v1/messages/batches"
    assert made.headers["anthropic-version"] == "2026-10-21"
    assert orjson.loads(made.body) == orjson.loads(recorded("anthropic-batch-input.json"))


def test_azure_rows_name_the_deployment() -> None:
    chat = AZURE._replace(api="chat")
    call = azure.build_request(request("Say hi", "my-global-batch-deployment", None), chat)
    row = orjson.loads(AzureBatches().row("task-0", path_of(call), call.body, chat))
    assert row == orjson.loads(recorded("azure-batch-input.ndjson"))
    assert orjson.loads(AzureBatches().row("t", "/chat/completions", b"{}", DATED))["url"] == "/chat/completions"


def test_azure_addresses_of_both_apis() -> None:
    api = AzureBatches()
    assert api.status_call(AZURE, PART, "b/1").url == "https://r.openai.azure.com/openai/v1/batches/b%2F1"
    dated = api.list_call(DATED, PART, None).url
    assert dated == "https://r.openai.azure.com/openai/batches?api-version=2024-10-21&limit=100"


def test_states_as_recorded() -> None:
    done = OpenAIBatches().decode_status(recorded("openai-batch.json"))
    assert (done.state, done.ended, done.total, done.done, done.failed) == ("completed", True, 2, 1, 1)
    assert done.results == ("file-out1", "file-err1")
    failed = OpenAIBatches().decode_status(recorded("openai-batch-failed.json"))
    assert failed.ended
    assert failed.problem == "This line is not parseable as valid JSON. (line 2)"
    begun = AzureBatches().decode_status(recorded("azure-batch-validating.json"))
    assert (begun.state, begun.ended, begun.total, begun.done) == ("validating", False, None, 0)
    assert begun.created == pytest.approx(1784482409.16, abs=0.01)
    ended = AnthropicBatches().decode_status(recorded("anthropic-batch.json"))
    assert (ended.ended, ended.total, ended.done, ended.failed) == (True, 3, 1, 2)


def results(api: BatchInterface, module: Any, name: str) -> Mapping[str, Any]:
    return {each.custom_id: each for each in (api.decode_result(line, module) for line in recorded(name).splitlines())}


def test_openai_results_as_recorded() -> None:
    good = results(OpenAIBatches(), openai, "openai-batch-output.ndjson")["row-1"]
    chunks = dialect_of("/responses").decode_body(good.body)
    assert "".join(chunk.content or "" for chunk in chunks) == "Hi"
    assert good.request_id == "req_1"
    bad = results(OpenAIBatches(), openai, "openai-batch-errors.ndjson")
    assert isinstance(bad["row-2"].error, RequestError)
    assert isinstance(bad["row-3"].error, ServerError)
    assert bad["row-3"].error.retryable


def test_anthropic_results_as_recorded() -> None:
    found = results(AnthropicBatches(), anthropic, "anthropic-batch-results.ndjson")
    chunks = dialect_of("/messages").decode_body(found["row-1"].body)
    assert "".join(chunk.content or "" for chunk in chunks) == "Hi"
    assert isinstance(found["row-2"].error, RequestError)
    assert isinstance(found["row-3"].error, ServerError)


def test_our_batch_is_known_by_its_mark_or_by_its_file() -> None:
    api = OpenAIBatches()
    remote = api.decode_status(recorded("openai-batch.json"))
    assert api.is_ours(remote, PART)
    assert not api.is_ours(remote, PART._replace(file_id="file-other"))
    assert api.is_ours(remote._replace(marker="fennec-1-0"), PART._replace(file_id=None))
    assert AnthropicBatches().is_ours(remote, PART) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":1}', b'{"data":[1]}', b'{"id":1,"status":2}', b"\xff"])
@pytest.mark.parametrize("api", [OpenAIBatches(), AnthropicBatches()])
def test_strange_answers_are_protocol_errors(api: BatchInterface, body: bytes) -> None:
    for read in (api.decode_status, api.decode_list, lambda data: api.decode_result(data, openai)):
        with pytest.raises(ProtocolError):
            read(body)


@pytest.mark.parametrize(
    ("api", "name", "change"),
    [
        (OpenAIBatches(), "openai-batch.json", {"request_counts": [1]}),
        (OpenAIBatches(), "openai-batch.json", {"request_counts": {"completed": "many"}}),
        (OpenAIBatches(), "openai-batch.json", {"metadata": "m"}),
        (OpenAIBatches(), "openai-batch.json", {"output_file_id": 7}),
        (OpenAIBatches(), "openai-batch.json", {"errors": {"data": ["no"]}}),
        (AnthropicBatches(), "anthropic-batch.json", {"request_counts": [1]}),
        (AnthropicBatches(), "anthropic-batch.json", {"request_counts": {"succeeded": "many"}}),
    ],
)
def test_a_batch_of_a_strange_shape_is_a_protocol_error(api: BatchInterface, name: str, change: dict[str, Any]) -> None:
    document = orjson.loads(recorded(name))
    with pytest.raises(ProtocolError):
        api.decode_status(orjson.dumps({**document, **change}))


def test_a_file_that_was_refused_is_said() -> None:
    with pytest.raises(RequestError, match="too large"):
        AzureBatches().file_is_ready(b'{"status":"error","status_details":"too large"}')


@pytest.mark.parametrize("value", [None, "", "yesterday", [], {}])
def test_a_moment_that_is_none(value: object) -> None:
    assert moment(value) is None


def test_only_some_providers_have_batches() -> None:
    with pytest.raises(UsageError, match="mine has no batch interface"):
        interface("ollama", "mine")


def test_every_page_of_a_long_list_is_reachable() -> None:
    page = b'{"data":[{"id":"batch_7","status":"completed"}],"has_more":true}'
    _, cursor = OpenAIBatches().decode_list(page)
    assert OpenAIBatches().list_call(OPENAI, PART, cursor).url.endswith("?limit=100&after=batch_7")
