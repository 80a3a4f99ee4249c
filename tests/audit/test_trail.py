"""What a run writes, and what follows when it cannot."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from fennec_cli.audit.log import AuditLog
from fennec_cli.audit.records import Outcome
from fennec_cli.audit.trail import Trail
from fennec_cli.errors import OutputError
from fennec_cli.keys import Secret
from fennec_cli.request import CompletionRequest

REQUEST = CompletionRequest.from_text("a key: ghp_aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2", model="m")
HOW = Outcome(1.0, "stop")


def made(place: Path, **settings: Any) -> Trail:
    return Trail(AuditLog(place / "audit.jsonl", own_directory=False), key=lambda: b"key", **settings)


def written(place: Path) -> list[dict[str, Any]]:
    return [orjson.loads(each) for each in (place / "audit.jsonl").read_bytes().splitlines()]


def test_two_records_with_one_id_and_who_wrote_them(tmp_path: Path) -> None:
    trail = made(tmp_path, about={"fennec.config": "x"})
    identity = trail.began(REQUEST, "openai")
    trail.ended(identity, REQUEST, HOW, "answer", "openai")
    trail.close()
    first, second = written(tmp_path)
    assert [each["event"] for each in (first, second)] == ["request", "response"]
    assert first["id"] == second["id"] == identity
    assert len(identity) == 16
    for each in (first, second):
        assert each["gen_ai.provider.name"] == "openai"
        assert (each["fennec.uid"], each["fennec.host"]) == (os.geteuid(), os.uname().nodename)
        assert each["fennec.config"] == "x"
        assert not any("prompt" in name or "answer" in name for name in each)
    assert trail.began(REQUEST) != identity


@pytest.mark.parametrize("content", ["hash", "redacted", "full"])
def test_texts_are_kept_as_asked_for_and_never_of_a_private_request(tmp_path: Path, content: Any) -> None:
    trail = made(tmp_path, content=content)
    assert trail.keeps(REQUEST)
    assert not trail.keeps(REQUEST._replace(private=True))
    trail.ended(trail.began(REQUEST), REQUEST, HOW, "an answer")
    trail.began(REQUEST._replace(private=True))
    question, answer, private = written(tmp_path)
    name = "_hmac" if content == "hash" else ""
    assert f"fennec.prompt{name}" in question
    assert f"fennec.answer{name}" in answer
    assert not any("prompt" in name for name in private)
    assert ("ghp_" in str(question)) == (content == "full")


def test_a_loaded_key_that_no_rule_knows_is_not_kept_in_a_redacted_text(tmp_path: Path) -> None:
    Secret("correct-horse-battery")
    trail = made(tmp_path, content="redacted")
    request = CompletionRequest.from_text("use correct-horse-battery now", model="m")
    trail.ended(trail.began(request), request, HOW, "correct-horse-battery it is")
    question, answer = written(tmp_path)
    assert "use *** now" in question["fennec.prompt"]
    assert answer["fennec.answer"] == "*** it is"


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert not made(tmp_path).keeps(REQUEST)
    assert not made(tmp_path).question(REQUEST, "p").keys() & {"fennec.prompt", "fennec.prompt_hmac"}


def test_a_log_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    said: list[str] = []
    trail = made(tmp_path / "nowhere", say=said.append)
    trail.ended(trail.began(REQUEST), REQUEST, HOW)
    trail.event("more", {})
    trail.close()
    path = tmp_path / "nowhere" / "audit.jsonl"
    assert said == [f"the audit log {path} cannot be written (No such file or directory); going on without it"]


def test_without_a_record_nothing_is_sent_where_that_is_asked_for(tmp_path: Path) -> None:
    trail = made(tmp_path / "nowhere", required=True)
    for _ in range(2):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            trail.began(REQUEST)
        assert "audit.required" in caught.value.line()
