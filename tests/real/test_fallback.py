"""Two real servers behind `--strategy fallback`: one dies in the middle, comes back, and nobody loses an answer."""

import json
import time
from pathlib import Path

from tests.e2e.runner import Fennec, finished
from tests.llama_server import LlamaServer
from tests.tiny_gguf import ANSWER

PROMPTS = 100
CONFIG = """
[provider.one]
type = "openai"
base_url = "{one}"
[provider.two]
type = "openai"
base_url = "{two}"
[provider.one.breaker]
timeout = "1s"
[provider.one.retry]
initial_delay = "10ms"
max_delay = "20ms"
"""


def circuits(fennec: Fennec) -> list[str]:
    shown = fennec("models", "check", "-c", "two.toml", "--provider", "one", "--ndjson")
    return [each["state"] for each in json.loads(shown.stdout)["circuits"]]


def test_one_of_two_servers_is_killed_in_the_middle_of_a_hundred_prompts(fennec: Fennec, model: Path) -> None:
    with LlamaServer(model) as one, LlamaServer(model) as two:
        (fennec.home / "two.toml").write_text(CONFIG.format(one=one.url, two=two.url))
        asked = ("complete", "-c", "two.toml", "-m", "one/scripted", "--fallback", "two/scripted")
        arguments = (*asked, "--strategy", "fallback", "--atomic", "--input", "lines", "--ndjson")
        with fennec.start(*arguments, stdin=-1, bufsize=0) as process:
            assert process.stdin is not None
            process.stdin.write(b"".join(b"hi %d\n" % number for number in range(PROMPTS)))
            process.stdin.close()
            assert process.stdout is not None
            first = b"".join(process.stdout.readline() for _ in range(40))
            one.kill()
            process.stdin = None
            result = finished(process)
        events = [json.loads(line) for line in (first + result.stdout).splitlines()]
        assert result.status == 0, result.stderr
        ends = [event for event in events if event["type"] == "end"]
        assert sorted(int(event["id"]) for event in ends) == list(range(1, PROMPTS + 1))  # all of them, none twice
        texts: dict[str, str] = {}
        for event in events:
            if event["type"] == "chunk":
                texts[event["id"]] = texts.get(event["id"], "") + event["content"]
        assert set(texts.values()) == {ANSWER}
        assert {event["metadata"]["provider"] for event in ends} == {"one", "two"}
        assert circuits(fennec) in (["open"], ["half_open"])

        with LlamaServer(model, port=one.port):
            time.sleep(2.1)  # its circuit may have been opened twice: one second, then two
            result = fennec(*asked, "--json", stdin="hi")
            assert json.loads(result.stdout)["metadata"]["provider"] == "one", result
            assert circuits(fennec) == []
