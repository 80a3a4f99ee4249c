"""Pipelines of the contract's section 7 that are about many prompts, word for word where a test can be."""

import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.e2e.events import read_events
from tests.e2e.peer import Peer, answer, failure
from tests.e2e.runner import Fennec, command

Serve = Callable[..., Peer]
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def test_5_eight_processes_share_what_they_know(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("short"))
    docs = fennec.home / "docs"
    docs.mkdir()
    for number in range(12):
        (docs / f"part {number}.md").write_text(f"Text {number}.")
    script = "find docs -name '*.md' -print0 | xargs -0 -P8 -I{} "
    words = f"{' '.join(command())} complete -q --no-stdin -f {{}} -o {{}}.sum 'Summarise'"
    fennec.shell(script + words).succeeded("")
    assert sorted(path.read_text() for path in docs.glob("*.sum")) == ["short"] * 12
    assert sorted(request.prompt for request in peer.requests) == sorted(
        f"Text {number}.\n\nSummarise" for number in range(12)
    )
    counted = orjson.loads(fennec("metrics", "show", "--ndjson").stdout)
    assert (counted["request_count"], counted["success_count"]) == (12, 12)


@needs_jq
def test_6_a_batch_from_jq_that_is_killed_goes_on(fennec: Fennec, serve: Serve) -> None:
    serve(failure(400), answer("classified"))
    commits = [{"sha": f"c{number:03}", "msg": f"message {number}"} for number in range(40)]
    (fennec.home / "commits.json").write_bytes(b"".join(map(orjson.dumps, commits)))
    script = (
        "jq -c '{id:.sha,prompt:.msg}' commits.json |"
        " fennec complete --input ndjson -j16 --resume run.ledger --dead-letter bad.ndjson --ndjson >> out.ndjson"
    )
    first = fennec.shell(script)
    assert first.status == 16
    (letter,) = map(orjson.loads, (fennec.home / "bad.ndjson").read_bytes().splitlines())
    assert letter["error"]["class"] == "request"
    fennec.shell(script).succeeded("")
    events = read_events((fennec.home / "out.ndjson").read_bytes())
    assert sorted(event["id"] for event in events if event["type"] == "end") == [row["sha"] for row in commits]
    assert (events[-1]["rows"], events[-1]["resumed"]) == (40, 39)
    assert (fennec.home / "bad.ndjson").read_bytes() == b""


def test_12_a_stored_key_and_what_a_file_would_cost(fennec: Fennec, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    (fennec.home / "big.txt").write_text("Summarise the history of tea.\n" * 500)
    config = tmp_path / "c.toml"
    config.write_text('[provider.openai]\nmodel = "gpt-5.4-mini"\nmax_tokens = 500\n')
    without: dict[str, str | None] = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None}
    script = (
        f'fennec() {{ {" ".join(command())} "$@"; }}\n'
        f"echo sk-stored-0123456789 | fennec keys set openai && "
        f"fennec complete -c {config} -n --max-cost 0.50 --input lines < big.txt"
    )
    result = fennec.shell(script, env=without)
    total = orjson.loads(result.stdout[result.stdout.rindex(b'{\n  "total"') :])["total"]
    assert (total["rows"], total["output_tokens"]) == (500, 250_000)
    assert total["cost_usd"] > 0.50
    assert result.status == 12
    assert "would cost about $" in result.stderr
    assert b"sk-stored" not in result.stdout
    assert result.stdout.count(b'"method"') == 500
