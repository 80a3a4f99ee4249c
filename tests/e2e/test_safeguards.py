"""Filter, audit log and private mode, through the installed command."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.e2e.peer import Peer, Script, answer, delta, failure, head, reset, send
from tests.e2e.runner import CANARY, Fennec
from tests.e2e.test_terminal import on_terminal
from tests.rules import samples

Serve = Callable[..., Peer]
RNG = random.Random(21)
KEY = samples.filled("ghp_{ALNUM:36}", RNG)
MAIL = "jane.doe@example.com"


def log_of(fennec: Fennec) -> Path:
    return fennec.home / ".local/state/fennec/audit/audit.jsonl"


def records(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def configure(fennec: Fennec, text: str) -> None:
    directory = fennec.home / ".config/fennec"
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    (directory / "config.toml").write_text(text)
    (directory / "config.toml").chmod(0o600)


def test_secrets_in_a_prompt_are_said_and_sent(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    done = fennec.complete(stdin=f"use {KEY}")
    assert (done.status, done.text, peer.requests[0].prompt) == (0, "ok", f"use {KEY}")
    assert "github-token at character 5 of message 1" in done.stderr
    assert KEY not in done.stderr


def test_quiet_and_off_say_nothing(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"), answer("ok"))
    fennec.complete("-q", stdin=f"use {KEY}").succeeded("ok")
    fennec.complete("--redact", "off", stdin=f"use {KEY}").succeeded("ok")


def test_a_masked_prompt_comes_back_whole(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("x"))
    assert fennec.complete("--redact", "mask", stdin=f"mail {MAIL}, {KEY}").status == 0
    sent = peer.requests[0].prompt
    mask = sent.split()[1].rstrip(",")
    assert MAIL not in sent
    assert KEY not in sent
    serve(answer("I wrote", f" to {mask[:4]}", f"{mask[4:]}."))
    fennec.complete("--redact", "mask", stdin=f"mail {MAIL}, {KEY}").succeeded(f"I wrote to {MAIL}.")


def test_a_blocked_prompt_is_not_sent(fennec: Fennec, serve: Serve) -> None:
    peer = serve()
    done = fennec.complete("--redact", "block", stdin=f"call {MAIL}")
    assert MAIL not in done.failed("blocked", 19)
    assert peer.requests == []
    assert records(log_of(fennec))[-1]["error.type"] == "blocked"


def test_a_dry_run_shows_what_would_be_masked(fennec: Fennec) -> None:
    done = fennec.complete("--redact", "mask", "-n", stdin=f"call {MAIL}")
    shown = orjson.loads(done.stdout)
    assert MAIL not in done.text
    assert shown["body"]["messages"][-1]["content"] == f"call {shown['masked'][0]}"
    assert fennec.complete("--redact", "block", "-n", stdin=f"call {MAIL}").status == 19
    assert not log_of(fennec).exists()


def test_rules_and_modes_come_from_the_configuration(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    configure(
        fennec,
        '[filter]\nrequest = { pii = "mask" }\n[[filter.rules]]\nname = "employee"\nclass = "pii"\n'
        'pattern = "EMP-[0-9]{6}"\n',
    )
    fennec.complete(stdin="who is EMP-123456?").succeeded("ok")
    assert peer.requests[0].prompt.startswith("who is [EMPLOYEE_1_")


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ('rules = [{ name = "a", class = "pii", pattern = "a+" }]', "without an end"),
        ('rules = [{ name = "a", class = "x", pattern = "a" }]', "secrets or pii"),
        ('rules = [{ name = "a" }]', "name, pattern and class"),
        ('request = "maybe"', "must be one of off, warn, mask, block"),
        ('preset = "lax"', "must be one of strict"),
    ],
)
def test_a_wrong_filter_is_a_wrong_configuration(fennec: Fennec, table: str, reason: str) -> None:
    configure(fennec, f"[filter]\n{table}\n")
    assert reason in fennec.complete().failed("config", 3)


def test_a_project_may_make_the_filter_stricter_only(fennec: Fennec) -> None:
    project = fennec.home / ".fennec.toml"
    configure(fennec, '[filter]\nrequest = { secrets = "mask" }\n')
    project.write_text('[filter]\nrequest = { secrets = "warn" }\n')
    assert "laxer than yours (mask)" in fennec.complete().failed("config", 3)
    project.write_text('[filter]\nrequest = "off"\n')
    assert "laxer than yours" in fennec.complete().failed("config", 3)
    project.write_text('[filter]\nrequest = "block"\n')
    assert fennec.complete(stdin=MAIL).status == 19
    configure(fennec, "[complete]\nprivate = true\n")
    project.write_text("[complete]\nprivate = false\n")
    assert "laxer than yours (true)" in fennec.complete().failed("config", 3)
    project.write_text("[complete]\nredact = 'off'\n")
    assert "project file" in fennec.complete().failed("config", 3)


def test_terminal_escape_stripped(fennec: Fennec, serve: Serve) -> None:
    evil = "a\x1b[2Jb\x07\x9b5mc\r\td\n"
    serve(answer(evil), answer(evil), answer(evil))
    shown, status = on_terminal(fennec, "hi", streams="stdout")
    assert (shown.replace("\r\n", "\n"), status) == ("a[2Jb5mc\td\n", 0)
    fennec.complete().succeeded(evil)
    shown, _ = on_terminal(fennec, "hi", "--ndjson", streams="stdout")
    assert "\\u001b" not in shown
    assert "\x9b" not in shown


def test_terminal_escape_stripped_from_what_was_kept(fennec: Fennec, serve: Serve) -> None:
    serve(answer("a\x1b[2Jb\x07\x9b5mc\td\n"))
    configure(fennec, '[audit]\ncontent = "full"\n')
    fennec.complete("--cache", "use", stdin="\x9bhi")
    fingerprint = fennec.complete("--fingerprint", stdin="\x9bhi").text.split()[0]
    assert on_terminal(fennec, "get", fingerprint, command="cache", streams="stdout") == ("a[2Jb5mc\td\n", 0)
    assert "\x1b" in fennec("cache", "get", fingerprint).text
    for command, *arguments in (
        ("cache", "get", "--json", fingerprint),
        ("cache", "export", "--with-prompts"),
        ("audit", "tail", "--json"),
    ):
        assert "\x9b" in fennec(command, *arguments).text
        shown, status = on_terminal(fennec, *arguments, command=command, streams="stdout")
        assert ("\x9b" in shown, status) == (False, 0)


def test_every_interaction_is_on_record_without_its_text(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello there"), failure(400, "bad"))
    fennec.complete(stdin="a prompt").succeeded("Hello there")
    fennec.complete(stdin="a prompt")
    data = log_of(fennec).read_bytes()
    assert b"a prompt" not in data
    assert b"Hello" not in data
    assert CANARY.encode() not in data
    begun, ended, _, failed = records(log_of(fennec))
    assert (begun["event"], ended["event"], begun["id"]) == ("request", "response", ended["id"])
    assert begun["gen_ai.request.model"] == "gpt-5.4-mini"
    assert ended["gen_ai.provider.name"] == "openai"
    assert ended["gen_ai.response.finish_reasons"] == ["stop"]
    assert (ended["server.address"], ended["server.port"]) == ("127.0.0.1", int(fennec.base_url.split(":")[2][:-3]))
    assert (ended["http.response.status_code"], ended["fennec.bytes_out"]) == (200, 11)
    assert ended["fennec.duration_ms"] > 0
    assert (failed["error.type"], failed["http.response.status_code"]) == ("request", 400)
    assert fennec("audit", "verify").text.startswith("4 records, whole; the last is 3:")


@pytest.mark.parametrize("script", [answer("Hello"), failure(500), [send(head(), delta("Hel")), reset()], [reset()]])
def test_our_own_id_of_an_attempt_is_on_record(fennec: Fennec, serve: Serve, script: Script) -> None:
    """Support finds an attempt by it, also one that has failed or was never answered."""
    peer = serve(script)
    fennec.complete("--retries", "0")
    _, ended = records(log_of(fennec))
    sent = [request.headers["x-client-request-id"] for request in peer.requests]
    assert [ended["fennec.client_request_id"]] == sent


@pytest.mark.parametrize("content", ["hash", "redacted", "full"])
def test_contents_are_kept_as_configured(fennec: Fennec, serve: Serve, content: str) -> None:
    serve(answer("the answer"))
    configure(fennec, f'[audit]\ncontent = "{content}"\n')
    fennec.complete("-q", stdin=f"use {KEY}").succeeded("the answer")
    begun, ended = records(log_of(fennec))
    if content == "hash":
        assert len(begun["fennec.prompt_hmac"]) == len(ended["fennec.answer_hmac"]) == 64
    else:
        assert ended["fennec.answer"] == "the answer"
        assert "use " in begun["fennec.prompt"]
    assert (KEY in log_of(fennec).read_text()) == (content == "full")


def test_audit_private_has_no_content(fennec: Fennec, serve: Serve) -> None:
    for env in ({}, {"FENNEC_PRIVATE": "1"}):
        serve(answer("the answer"))
        configure(fennec, '[audit]\ncontent = "full"\n')
        fennec.complete(*([] if env else ["--private"]), stdin="a prompt", env=env).succeeded("the answer")
    data = log_of(fennec).read_bytes()
    assert b"a prompt" not in data
    assert b"the answer" not in data
    assert [record["event"] for record in records(log_of(fennec))] == ["request", "response"] * 2


def test_private_asks_the_provider_to_keep_nothing(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    fennec.complete("--private", "-O", "store=true").succeeded("ok")
    assert peer.requests[0].json.get("store") is False


def test_private_and_resume_exclude_each_other(fennec: Fennec) -> None:
    fennec.complete("--private", "--on-interrupt", "resume").failed("usage", 2)


def test_a_provider_that_must_be_private_and_cannot_be_is_refused(fennec: Fennec, serve: Serve) -> None:
    configure(
        fennec,
        '[provider.other]\ntype = "openai"\nbase_url = "https://api.other.example/v1"\napi = "chat"\n'
        'api_key = "key-of-other"\nprivate = "required"\n',
    )
    assert "private" in fennec.complete("-m", "other/m").failed("blocked", 19)
    assert fennec.complete("-m", "other/m", "-n").status == 19
    peer = serve(answer("ok"))
    configure(fennec, '[provider.openai]\nprivate = "required"\n')
    fennec.complete("-O", "store=true").succeeded("ok")
    assert peer.requests[0].json.get("store") is False


def test_a_log_that_cannot_be_written_stops_nothing_unless_it_is_required(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"), answer("ok"))
    place = fennec.home / "taken"
    place.write_text("no directory")
    said = fennec.complete("--audit", str(place / "audit.jsonl"))
    assert (said.status, said.text) == (0, "ok")
    assert "audit log" in said.stderr
    configure(fennec, f'[audit]\nrequired = true\nfile = "{place}/audit.jsonl"\n')
    assert "audit" in fennec.complete().failed("output", 18)
    assert len(peer.requests) == 1


def test_an_unwritable_state_directory_is_said_with_v_only(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"), answer("ok"))
    (fennec.home / "state").write_text("no directory")
    env = {"XDG_STATE_HOME": str(fennec.home / "state")}
    fennec.complete(env=env).succeeded("ok")
    assert "going on without it" in fennec.complete("-v", env=env).stderr


def test_audit_can_be_off_and_elsewhere(fennec: Fennec, serve: Serve) -> None:
    serve(answer("ok"), answer("ok"))
    configure(fennec, "[audit]\nenabled = false\n")
    fennec.complete().succeeded("ok")
    assert not log_of(fennec).exists()
    fennec.complete("--audit", "here.jsonl").succeeded("ok")
    assert len(records(fennec.home / "here.jsonl")) == 2
    assert (fennec.home / "here.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_interrupted_answer_is_on_record(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello", *["x" * 1000] * 300))
    with fennec.start("complete", "hi") as process:
        assert process.stdout is not None
        process.stdout.read(5)
        process.stdout.close()
        process.wait(10)
    ended = records(log_of(fennec))[-1]
    assert (ended["error.type"], ended["fennec.partial"]) == ("interrupted", True)


def test_rows_of_a_batch_are_on_record_one_by_one(fennec: Fennec, serve: Serve) -> None:
    serve(answer("a"), answer("b"))
    assert fennec.complete("--input", "lines", stdin="one\ntwo\n").status == 0
    assert [record["event"] for record in records(log_of(fennec))] == ["request", "response"] * 2


def test_the_log_is_read_and_checked_by_its_command(fennec: Fennec, serve: Serve) -> None:
    serve(answer("a"), answer("b"))
    fennec.complete("--input", "lines", stdin="one\ntwo\n")
    head = fennec("audit", "head").text.strip()
    assert head.startswith("3:")
    assert fennec("audit", "tail", "-N", "1").text.count("\n") == 1
    assert len(orjson.loads(fennec("audit", "tail", "--json").stdout)) == 4
    assert orjson.loads(fennec("audit", "export").stdout.splitlines()[0])["seq"] == 0
    table = fennec("audit", "export", "--format", "csv").text.splitlines()
    assert table[0].startswith("ts,seq,event,id,")
    assert len(table) == 5
    lines = log_of(fennec).read_bytes().splitlines(keepends=True)
    log_of(fennec).write_bytes(b"".join(lines[:-1]))
    assert fennec("audit", "verify").status == 0
    assert "tail is cut" in fennec("audit", "verify", "--head", head).failed("integrity", 22)
    log_of(fennec).write_bytes(b"".join([lines[0], *lines[2:]]))
    assert "line 2" in fennec("audit", "verify").failed("integrity", 22)
    assert "line 2" in fennec("audit", "verify", str(log_of(fennec))).failed("integrity", 22)
    assert "line 2" in fennec("audit", "head").failed("integrity", 22)
    fennec("audit", "verify", "--head", "nonsense").failed("usage", 2)
    fennec("audit", "head", "nowhere.jsonl").failed("input", 17)


def test_a_log_of_another_installation_is_checked_by_its_chain(fennec: Fennec, serve: Serve) -> None:
    serve(answer("a"))
    fennec.complete("--audit", "there.jsonl")
    os.unlink(fennec.home / ".config/fennec/installation.key")
    assert "--chain-only" in fennec("audit", "verify", "there.jsonl").failed("integrity", 22)
    assert fennec("audit", "verify", "--chain-only", "there.jsonl").status == 0


def test_a_log_is_checked_by_its_chain_where_there_is_no_home(fennec: Fennec, serve: Serve) -> None:
    serve(answer("a"))
    fennec.complete("--audit", "there.jsonl")
    homeless = {"HOME": None, "XDG_CONFIG_HOME": None}
    assert "--chain-only" in fennec("audit", "verify", "there.jsonl", env=homeless).failed("config", 3)
    assert fennec("audit", "verify", "--chain-only", "there.jsonl", env=homeless).status == 0


def test_a_circuit_that_opens_and_the_slot_of_the_key_are_on_record(fennec: Fennec, serve: Serve) -> None:
    configure(fennec, "[provider.openai.breaker]\nthreshold = 2\n[provider.openai.retry]\nmax_attempts = 1\n")
    serve(answer("ok"), failure(503, "no"), failure(503, "no"))
    for _ in range(3):
        fennec.complete()
    assert records(log_of(fennec))[1]["fennec.key_slot"] == "active"
    opened = [record for record in records(log_of(fennec)) if record["event"] == "circuit"]
    assert [(each["fennec.circuit_before"], each["fennec.circuit_state"]) for each in opened] == [("closed", "open")]
    assert opened[0]["fennec.circuit"] == "openai/gpt-5.4-mini"


def test_an_answer_from_the_cache_and_an_import_are_on_record(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("ok"))
    for _ in range(2):
        fennec.complete("--cache", "use", "--redact", "mask", stdin=f"call {MAIL}").succeeded("ok")
    assert len(peer.requests) == 1  # the same prompt has the same masks, and so the same fingerprint
    _, first, _, second = records(log_of(fennec))
    assert (first["fennec.cache"], first["http.response.status_code"]) == ("miss", 200)
    assert second["fennec.cache"] == "hit"
    assert {"server.address", "http.response.status_code", "http.request.resend_count"} & second.keys() == set()
    exported = fennec("cache", "export").stdout
    assert MAIL.encode() not in exported
    assert fennec("cache", "import", stdin=exported).status == 0
    last = records(log_of(fennec))[-1]
    assert (last["event"], last["fennec.answers"], last["fennec.refused"]) == ("cache_import", 1, 0)
