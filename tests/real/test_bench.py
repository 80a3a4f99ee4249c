"""`fennec bench` against the real engine: over HTTP, and embedded."""

from pathlib import Path

import orjson

from tests.e2e.events import schema
from tests.e2e.runner import Fennec
from tests.llama_server import SLOTS, LlamaServer


def test_a_real_server_is_measured_at_several_rates(fennec: Fennec, server: LlamaServer) -> None:
    load = ("--rate", "16", "--sweep", "-N", "6", "--set", "16x8", "--warmup", "1")
    run = fennec(
        "bench", "-m", "openai/scripted", *load, "--json", "--report", "r.html", env={"OPENAI_BASE_URL": server.url}
    )
    assert run.status == 0, run.stderr
    document = orjson.loads(run.stdout)
    schema("bench").validate(document)
    assert [each["rate"] for each in document["results"]] == [2.0, 4.0, 8.0, 16.0]
    for row in document["requests"]:
        assert row["ok"]
        assert 0 < row["output_tokens"] <= 8
        assert 0 < row["ttft_s"] <= row["e2e_s"] <= row["e2e_from_planned_s"]
        assert not row["estimated"]
    assert "</svg>" in (fennec.home / "r.html").read_text()


def test_the_embedded_engine_is_measured_in_a_process_of_its_own(fennec: Fennec, model: Path) -> None:
    run = fennec(
        "bench",
        "-m",
        f"local/{model}",
        "-j",
        str(SLOTS),
        "-N",
        "6",
        "--set",
        "16x8",
        "--json",
        env={"XDG_RUNTIME_DIR": str(fennec.home)},
    )
    assert run.status == 0, run.stderr
    document = orjson.loads(run.stdout)
    assert document["results"][0]["ok"] == 6
    assert document["checks"][0]["cpu"] < 0.8  # the engine's work is not ours
    assert (fennec.home / "fennec").is_dir()  # where the engine's socket was
    assert list((fennec.home / "fennec").iterdir()) == []


def test_an_embedded_model_that_cannot_be_loaded_is_one_line(fennec: Fennec) -> None:
    (fennec.home / "broken.gguf").write_bytes(b"GGUF and nothing else")
    run = fennec("bench", "-m", "local/./broken.gguf", "-N", "2")
    assert run.status == 3
    assert "not a GGUF model" in run.stderr
    assert run.stderr.count("\n") == 1
