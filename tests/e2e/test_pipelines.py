"""The pipelines that must work, by their numbers in the contract, word for word where a test can be.

7 is in test_money.py, 8 in tests/commands/test_cache_command.py.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.bench.known import KnownServer
from tests.e2e.events import read_events
from tests.e2e.peer import ROLE, Peer, answer, delta, failure, finish, head, send, sleep
from tests.e2e.runner import Fennec, command

Serve = Callable[..., Peer]
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def named(script: str) -> str:
    """A script in which `fennec` is a command like any other: it does not take the shell's place."""
    return f'fennec() {{ {" ".join(command())} "$@"; }}\n{script}'


def test_1_a_file_in_and_a_file_out(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Tea comes ", "from China.\n"))
    (fennec.home / "prompt.txt").write_text("Where does tea come from?")
    fennec.shell("cat prompt.txt | fennec complete > answer.txt").succeeded("")
    assert (fennec.home / "answer.txt").read_text() == "Tea comes from China.\n"
    assert peer.requests[0].prompt == "Where does tea come from?"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_2_a_commit_message(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("tea: brew it hotter"))
    identity = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
    setup = "git init -q . && echo 'hot: 95' > tea.conf && git add tea.conf\n"
    pipeline = "git diff --staged | fennec complete -s 'Write a commit message' | git commit -q -F -\n"
    fennec.shell(f"{identity}{setup}{pipeline}git log --format=%s").succeeded("tea: brew it hotter\n")
    assert "+hot: 95" in peer.requests[0].prompt


@needs_jq
def test_3_events_through_jq(fennec: Fennec, serve: Serve) -> None:
    serve(answer("one ", "two ", "thrée"))
    (fennec.home / "p.txt").write_text("Count.")
    script = "fennec complete --ndjson < p.txt | jq -rj 'select(.type==\"chunk\").content // empty'"
    fennec.shell(script).succeeded("one two thrée")


def test_4_a_reader_that_has_enough(fennec: Fennec, serve: Serve) -> None:
    lines = [f"{number}\n" for number in range(1, 1001)]
    peer = serve([send(head(), ROLE), *(step for line in lines for step in (send(delta(line)), sleep(0.02)))])
    script = "yes 'count to 1000' | head -1 | fennec complete | head -3; echo ${PIPESTATUS[2]}"
    fennec.shell(named(script)).succeeded("1\n2\n3\n141\n")
    assert peer.left.wait(5.0)
    assert peer.requests[0].prompt == "count to 1000\n"


@pytest.mark.parametrize(("status", "wanted"), [(503, 75), (429, 75), (400, 1)])
def test_9_a_status_for_the_one_who_called(fennec: Fennec, serve: Serve, status: int, wanted: int) -> None:
    serve(failure(status))
    (fennec.home / "q.txt").write_text("Hi")
    (fennec.home / ".config" / "fennec").mkdir(parents=True)
    retry = "retry = {max_attempts = 1}\n"
    text = f'[provider.openai]\n{retry}[provider.x]\ntype = "openai"\nbase_url = "{fennec.base_url}"\n{retry}'
    (fennec.home / ".config" / "fennec" / "config.toml").write_text(text)
    asked = "fennec complete --strategy fallback --fallback x/one --fallback x/two < q.txt"
    result = fennec.shell(named(f"{asked} || case $? in 6|7|8|14) exit 75;; *) exit 1;; esac"))
    assert (result.status, result.text) == (wanted, "")


@needs_jq
def test_10_data_out_of_a_page(fennec: Fennec, serve: Serve) -> None:
    serve(answer('{"total": ', "41.5}"))
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    (fennec.home / "invoice.schema.json").write_bytes(orjson.dumps(schema))
    (fennec.home / "page.html").write_text("<p>Total: 41.50</p>")
    script = "cat page.html | fennec complete --schema invoice.schema.json | jq .total"  # `curl -fsS "$URL"` in life
    fennec.shell(script).succeeded("41.5\n")


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
    slow = [sleep(0.05), send(head(), ROLE), send(delta("classified"), finish())]
    peer = serve(failure(400), slow)
    commits = [{"sha": f"c{number:03}", "msg": f"message {number}"} for number in range(40)]
    (fennec.home / "commits.json").write_bytes(b"".join(map(orjson.dumps, commits)))
    script = (
        "jq -c '{id:.sha,prompt:.msg}' commits.json |"
        " fennec complete --input ndjson -j16 --resume run.ledger --dead-letter bad.ndjson --ndjson > out.ndjson"
    )
    killed = fennec.shell(
        f"touch out.ndjson; {script} &\n"
        'until [ $(grep -c \'"type":"end"\' out.ndjson) -ge 10 ] && [ -s bad.ndjson ]; do sleep 0.01; done\n'
        "kill -9 $!; wait $!"
    )
    assert killed.status == 128 + 9
    done = sum(event["type"] == "end" for event in read_events((fennec.home / "out.ndjson").read_bytes()))
    assert 10 <= done < 40
    (letter,) = map(orjson.loads, (fennec.home / "bad.ndjson").read_bytes().splitlines())
    assert letter["error"]["class"] == "request"
    fennec.shell(script).succeeded("")  # `>` has emptied the file
    events = read_events((fennec.home / "out.ndjson").read_bytes())
    assert sorted(event["id"] for event in events if event["type"] == "end") == [row["sha"] for row in commits]
    assert events[-1]["rows"] == 40
    assert done <= events[-1]["resumed"] < 40
    assert len(peer.requests) <= 40 + 1 + 16  # one was refused, and no more than these were under way
    assert (fennec.home / "bad.ndjson").read_bytes() == b""


@needs_jq
def test_11_the_cheap_models_of_all_providers_are_measured(fennec: Fennec) -> None:
    with KnownServer(0.005, 0.001, 5) as server:
        providers = (f'[provider.{name}]\ntype = "openai"\nbase_url = "{server.url}"\n' for name in ("one", "two"))
        (fennec.home / "two.toml").write_text("".join(providers))
        script = (
            "fennec models list --ndjson | jq -r 'select(.input_usd_per_mtok<0.5).id' | "
            "fennec bench --models-from - -N 20 --ndjson > bench.ndjson"
        )
        environment = {"FENNEC_CONFIG": str(fennec.home / "two.toml"), "OPENAI_API_KEY": None, "OPENAI_BASE_URL": None}
        fennec.shell(named(script), env=environment).succeeded("")
    *rows, last = map(orjson.loads, (fennec.home / "bench.ndjson").read_bytes().splitlines())
    assert last["models"] == ["one/gpt-6-luna", "two/gpt-6-luna"]  # gpt-6-sol costs more
    assert [sum(row["model"] == name and row["ok"] for row in rows) for name in last["models"]] == [20, 20]


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
