"""`fennec cache`: numbers, entries, reasons, in and out."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.peer import Peer, answer
from tests.e2e.runner import Fennec, finished

Serve = Callable[..., Peer]
USE = ("--cache", "use")


@pytest.fixture
def fennec(clean_home: Path) -> Fennec:
    return Fennec(clean_home)


@pytest.fixture
def filled(fennec: Fennec) -> Fennec:
    """A cache with the answers to `one` (given twice) and `two`."""
    with Peer(answer("OK 1"), answer("OK 2")) as peer:
        fennec.base_url = peer.url
        for prompt in ("one", "two", "one"):
            fennec.complete(*USE, stdin=prompt)
    return fennec


def fingerprint(fennec: Fennec, prompt: str = "one") -> str:
    return fennec.complete("--fingerprint", stdin=prompt).text.strip()


def test_numbers(filled: Fennec) -> None:
    found = json.loads(filled("cache", "stats", "--json").text)
    assert (found["entries"], found["fresh"], found["hits"], found["misses"]) == (2, 2, 1, 2)
    assert (found["hit_rate"], found["saved_input_tokens"], found["saved_output_tokens"]) == (0.3333, 7, 3)
    assert found["saved_usd"] > 0
    assert 0 < found["bytes"] < found["max_bytes"] == 256 * 2**20
    assert json.loads(filled("cache", "stats", "--ndjson").text)["entries"] == 2
    table = filled("cache").text
    assert "2, 2 of them fresh" in table
    assert "33% (1 of 3)" in table


def test_an_empty_cache_is_not_made_by_looking(fennec: Fennec) -> None:
    assert "0, 0 of them fresh" in fennec("cache").text
    fennec("cache", "export").succeeded("")
    fennec("cache", "get", "ab" * 32).failed("cache_miss", 13)
    assert "dropped 0 answers" in fennec("cache", "clear").stderr
    assert "no answer is kept" in fennec("cache", "explain", "hi").text
    assert not (fennec.home / ".cache").exists()


def test_a_provider_from_the_environment_gives_way_to_the_one_before_the_model(filled: Fennec) -> None:
    question = ("cache", "explain", "-m", "openai/gpt-5.4-mini")
    elsewhere = filled(*question, stdin="three", env={"FENNEC_PROVIDER": "anthropic"}).text
    assert elsewhere == filled(*question, stdin="three").text


def test_an_entry(filled: Fennec) -> None:
    name = fingerprint(filled)
    filled("cache", "get", name).succeeded("OK 1")
    filled("cache", "get", name[:10].upper()).succeeded("OK 1")
    found = json.loads(filled("cache", "get", name, "--json").text)
    assert (found["fingerprint"], found["access_count"], found["prompt"]) == (name, 1, [["user", "one"]])
    filled("cache", "get", "00" * 32).failed("cache_miss", 13)
    filled("cache", "get", name[:3]).failed("cache_miss", 13)


def test_an_entry_that_somebody_changed_is_class_integrity(filled: Fennec) -> None:
    (filled.home / ".config" / "fennec" / "installation.key").write_bytes(b"x" * 32)
    filled("cache", "get", fingerprint(filled)).failed("integrity", 22)


def test_reasons(filled: Fennec) -> None:
    assert "would be given" in filled("cache", "explain", stdin="one").text
    found = json.loads(filled("cache", "explain", "--json", "--temperature", "0.5", stdin="one").text)
    assert found["verdict"] == "missing"
    assert found["nearest"] == fingerprint(filled)
    assert found["differs"] == [{"field": "temperature", "here": 0.5, "there": None}]
    text = filled("cache", "explain", "-s", "secret words", stdin="one").text
    assert "it differs in" in text
    assert "secret" not in text
    kept = json.loads(filled("cache", "explain", fingerprint(filled), "--ndjson", stdin=None).text)
    assert (kept["verdict"], kept["access_count"]) == ("kept", 1)
    assert "too old" in filled("cache", "explain", "--cache-ttl", "0", stdin="one").text
    (filled.home / ".fennec.toml").write_text("[complete]\ntemperature = 0.5\n")
    assert "temperature: 0.5 here, nothing there" in filled("cache", "explain", stdin="one").text


def test_a_round_trip_gives_the_same_bytes(filled: Fennec, tmp_path: Path) -> None:
    lines = filled("cache", "export").stdout
    assert lines.splitlines() == sorted(lines.splitlines(), key=lambda line: json.loads(line)["fingerprint"])
    assert b'"prompt"' not in lines
    assert b"two" not in lines
    assert b'"prompt":[["user","two"]]' in filled("cache", "export", "--with-prompts").stdout
    other = Fennec(tmp_path, filled.base_url)
    for _ in range(2):
        other("cache", "import", stdin=lines).succeeded("")
    assert other("cache", "export").stdout == lines
    other.complete("--offline", stdin="two").succeeded("OK 2")
    filled("cache", "export", "-o", str(tmp_path / "lines"))
    other("cache", "import", str(tmp_path / "lines")).succeeded("")


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b"OK 1", b"OK 3"),
        lambda line: line.replace(b'"v":1', b'"v":2'),
        lambda line: line[:-20],
        lambda _line: b"[]",
        lambda line: line.replace(b"OK 1", b"OK \xff"),
    ],
)
def test_a_changed_line_is_refused_and_the_others_are_kept(
    filled: Fennec, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    lines = filled("cache", "export").stdout.splitlines()
    good, bad = sorted(lines, key=lambda line: b"OK 1" in line)
    other = Fennec(tmp_path, filled.base_url)
    result = other("cache", "import", stdin=change(bad) + b"\n\n" + good + b"\n")
    assert result.status == 22
    assert "fennec: integrity: line 1 is refused" in result.stderr
    other.complete("--offline", stdin="two").succeeded("OK 2")
    other.complete("--offline", stdin="one").failed("cache_miss", 13)


def test_less_of_it(filled: Fennec) -> None:
    assert "dropped 0 answers" in filled("cache", "prune").stderr
    assert "dropped 0 answers" in filled("cache", "prune", "--older-than", "1h").stderr
    assert "dropped 2 answers" in filled("cache", "prune", "--older-than", "0").stderr
    with Peer(answer("OK")) as peer:
        filled.base_url = peer.url
        filled.complete(*USE)
    assert "dropped 1 answer" in filled("cache", "prune", "--max-size", "1KiB").stderr
    filled("cache", "clear", "-q").succeeded("")


def test_a_place_that_cannot_be_used_is_said(fennec: Fennec) -> None:
    (fennec.home / "c.toml").write_text('[cache]\ndir = "/proc/fennec"\n')
    line = fennec("cache", "import", "-c", "c.toml", stdin=b"").stderr
    assert line == ""  # nothing to keep, nothing is opened
    fennec("cache", "import", "/no/such/file").failed("input", 17)


def test_a_ci_script_of_three_lines_runs_without_a_network(filled: Fennec, tmp_path: Path) -> None:
    """Pipeline 8 of the contract, in a network namespace that has nothing in it."""
    if shutil.which("jq") is None or shutil.which("unshare") is None:
        pytest.skip("jq or unshare is not installed: the script was NOT run")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespaces here: the script was NOT run")
    ci = Fennec(tmp_path, filled.base_url, {"OPENAI_API_KEY": None})
    (tmp_path / "cache.ndjson").write_bytes(filled("cache", "export").stdout)
    (tmp_path / "case1.txt").write_text("one")
    script = (
        "set -e\n"
        "fennec cache import < cache.ndjson\n"
        "fennec complete --offline --json < case1.txt > answer.json\n"
        "jq -e '.content|test(\"OK\")' answer.json\n"
    )
    path = tmp_path / "ci.sh"
    path.write_text(script)
    env = {**ci.environment({}), "PATH": f"{Path(sys.executable).parent}:{ci.environment({})['PATH']}"}
    with subprocess.Popen(
        ["unshare", "-n", "bash", str(path)],
        env=env,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        finished(process).succeeded("true\n")
