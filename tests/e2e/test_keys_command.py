"""`fennec keys`, and where a request takes its key from."""

import stat
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.e2e.peer import Connection, Peer, Script, Step, answer, failure, sleep, whole
from tests.e2e.runner import CANARY, Fennec, finished
from tests.e2e.test_modules import modules

Serve = Callable[..., Peer]
MODELS = whole(200, b'{"data": [{"id": "m-1"}]}')
OLD, NEW = f"{CANARY}-old", f"{CANARY}-new"


@pytest.fixture(autouse=True)
def no_variable(fennec: Fennec) -> None:
    fennec.env["OPENAI_API_KEY"] = None


def sent_keys(peer: Peer) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in peer.requests]


def events(fennec: Fennec) -> list[object]:
    """What the audit log says of keys, without the requests."""
    lines = (fennec.home / ".local/state/fennec/audit/audit.jsonl").read_bytes().splitlines()
    names = [orjson.loads(line)["event"] for line in lines]
    return [name for name in names if str(name).startswith("key_")]


def takes_only(key: str, script: Script) -> Script:
    """A server that answers 401 to every other key."""

    def step(connection: Connection) -> None:
        good = connection.request.headers.get("authorization") == f"Bearer {key}"
        for each in script if good else failure(401, "Incorrect API key provided"):
            each(connection)

    steps: list[Step] = [step]
    return steps


def rows(fennec: Fennec) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = orjson.loads(fennec("keys", "list", "--json").stdout)
    return listed


def test_a_key_goes_in_by_standard_input_and_out_to_the_provider_only(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    result = fennec("keys", "set", "openai", stdin=f"  {OLD}\n")
    assert (result.status, result.stdout) == (0, b"")
    assert "keys.enc" in result.stderr
    fennec.complete().succeeded("Hello")
    assert sent_keys(peer) == [OLD]
    assert [(row["name"], row["place"], row["slot"], row["used"]) for row in rows(fennec)] == [
        ("openai", "the encrypted file", "active", True)
    ]
    stored = [path for path in fennec.home.rglob("*") if path.is_file()]
    assert stored
    assert not any(CANARY.encode() in path.read_bytes() for path in stored)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in stored if "keys" in path.parts)


@pytest.mark.parametrize("given", ["", "  \n", "two words", "caf\u00e9"])
def test_what_is_no_key_is_not_stored(fennec: Fennec, given: str) -> None:
    fennec("keys", "set", "openai", stdin=given).failed("auth", 4)
    assert rows(fennec) == []


def test_no_option_and_no_argument_takes_a_key(fennec: Fennec) -> None:
    assert "unexpected extra argument" in fennec("keys", "set", "openai", CANARY).failed("usage", 2)
    assert "unexpected extra argument" in fennec("complete", "one", CANARY).failed("usage", 2)
    assert fennec("keys", "set", "../../etc", stdin="k").status == 2


def test_the_environment_comes_before_what_is_stored(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec.complete(env={"OPENAI_API_KEY": NEW}).succeeded("Hello")
    assert sent_keys(peer) == [NEW]
    listed = fennec("keys", "list", env={"OPENAI_API_KEY": NEW}).text
    assert "OPENAI_API_KEY" in listed
    assert "not used" in listed
    assert "comes first" in fennec("keys", "set", "openai", stdin=OLD, env={"OPENAI_API_KEY": NEW}).stderr


def test_a_key_under_another_name_is_found_by_api_key(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    assert 'api_key = "store:work"' in fennec("keys", "set", "work", stdin=OLD).stderr
    (fennec.home / "c.toml").write_text('[provider.openai]\napi_key = "store:work"\n')
    fennec.complete("-c", "c.toml").succeeded("Hello")
    assert sent_keys(peer) == [OLD]
    (fennec.home / "c.toml").write_text('[provider.openai]\napi_key = "store:play"\n')
    assert "fennec keys set play" in fennec.complete("-c", "c.toml").failed("auth", 4)


def test_a_systemd_credential_is_found(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    (fennec.home / "openai_api_key").write_text(OLD)
    fennec.complete(env={"CREDENTIALS_DIRECTORY": str(fennec.home)}).succeeded("Hello")
    assert sent_keys(peer) == [OLD]


def test_key_command_is_run_without_our_keys(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    script = f"echo {OLD}$(env | grep -c API_KEY)"
    (fennec.home / "c.toml").write_text(f"[provider.openai]\nkey_command = ['sh', '-c', '{script}']\n")
    fennec.complete("-c", "c.toml", env={"ANTHROPIC_API_KEY": CANARY}).succeeded("Hello")
    assert sent_keys(peer) == [f"{OLD}0"]


def test_a_descriptor_is_read_once_and_serves_all_attempts(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(503), answer("Hello"))
    done = fennec.shell(f"exec 7< <(echo {OLD}); fennec complete --no-stdin --api-key-file /dev/fd/7 -m openai/m-1 hi")
    assert (done.stdout, done.status) == (b"Hello", 0)
    assert sent_keys(peer) == [OLD, OLD]


def test_keys_401_then_next(fennec: Fennec, serve: Serve) -> None:
    peer = serve(takes_only(NEW, answer("Hello")))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    result = fennec.complete()
    assert (result.stdout, result.status) == (b"Hello", 0)
    assert "the next one works and is active now" in result.stderr
    assert sent_keys(peer) == [OLD, NEW]
    assert [row["slot"] for row in rows(fennec)] == ["active", "retired"]
    fennec.complete().succeeded("Hello")
    assert sent_keys(peer) == [OLD, NEW, NEW]


def test_the_answer_to_another_key_may_take_its_time_in_a_batch(fennec: Fennec, serve: Serve) -> None:
    """The end of the refusal is waited for only shortly, for the sake of the connection; not so what comes after it."""
    serve(takes_only(NEW, [sleep(0.5), *answer("Hello")]))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    result = fennec.complete("--input", "lines", "-j", "2", "--retries", "0", stdin="one\ntwo\n")
    assert (result.stdout, result.status) == (b"Hello\nHello\n", 0)


def test_a_next_key_that_is_refused_too_changes_nothing(fennec: Fennec, serve: Serve) -> None:
    peer = serve(failure(401))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    fennec.complete().failed("auth", 4)
    assert sent_keys(peer) == [OLD, NEW]
    assert [row["slot"] for row in rows(fennec)] == ["active", "next"]


@pytest.mark.parametrize("status", [403, 429, 500])
def test_other_failures_do_not_rotate(fennec: Fennec, serve: Serve, status: int) -> None:
    peer = serve(failure(status))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    assert fennec.complete("--retries", "0").status != 0
    assert sent_keys(peer) == [OLD]


def test_several_keys_of_the_configuration(fennec: Fennec, serve: Serve) -> None:
    peer = serve(takes_only(NEW, answer("Hello")))
    (fennec.home / "c.toml").write_text('[provider.openai]\napi_keys = ["${A}", "${B}"]\n')
    keys: dict[str, str | None] = {"A": OLD, "B": NEW}
    for _ in range(2):
        result = fennec.complete("-c", "c.toml", env=keys)
        assert (result.stdout, result.status) == (b"Hello", 0)
    assert sent_keys(peer) == [OLD, NEW, NEW]


def test_rotate_tries_the_new_key_and_then_makes_it_the_active_one(fennec: Fennec, serve: Serve) -> None:
    peer = serve(takes_only(NEW, MODELS))
    assert "no key is stored" in fennec("keys", "rotate", "openai", stdin=NEW).failed("auth", 4)
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "rotate", "openai", stdin=f"{CANARY}-wrong").failed("auth", 4)
    assert [row["slot"] for row in rows(fennec)] == ["active"]  # what is refused is not kept
    assert "standard input" in fennec("keys", "rotate", "openai").failed("auth", 4)
    result = fennec("keys", "rotate", "openai", stdin=NEW)
    assert (result.status, result.stdout) == (0, b"")
    assert [row["slot"] for row in rows(fennec)] == ["active", "retired"]
    assert sent_keys(peer) == [f"{CANARY}-wrong", NEW]
    assert events(fennec) == ["key_stored", "key_rotated"]


def test_rotate_from_cron_takes_the_key_that_is_next(fennec: Fennec, serve: Serve) -> None:
    serve(takes_only(NEW, MODELS))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    fennec("keys", "rotate", "openai", "--no-stdin", "-q").succeeded("")


def test_a_server_that_cannot_be_asked_keeps_the_next_key_waiting(fennec: Fennec) -> None:
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "rotate", "openai", stdin=NEW).failed("unavailable", 7)
    assert [row["slot"] for row in rows(fennec)] == ["active", "next"]


def test_test_says_which_key_works(fennec: Fennec, serve: Serve) -> None:
    serve(takes_only(NEW, MODELS))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    result = fennec("keys", "test", "--json")
    states = [(row["slot"], row["ok"], row["class"]) for row in orjson.loads(result.stdout)]
    assert states == [("active", False, "auth"), ("next", True, "ok")]
    assert result.status == 4


def test_removed_keys_are_gone(fennec: Fennec) -> None:
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    fennec("keys", "rm", "openai", "--slot", "next").succeeded("")
    assert [row["slot"] for row in rows(fennec)] == ["active"]
    fennec("keys", "rm", "openai").succeeded("")
    assert rows(fennec) == []
    fennec("keys", "rm", "openai").failed("auth", 4)


def lose_the_keyring(fennec: Fennec) -> Path:
    """Store a key, and have the index say that it is in a keyring, which nobody can reach."""
    fennec("keys", "set", "openai", stdin=OLD)
    index = fennec.home / ".local/share/fennec/keys/index.json"
    index.write_bytes(index.read_bytes().replace(b'"file"', b'"keyring"'))
    return index


def test_a_key_takes_the_place_of_one_in_a_keyring_that_is_gone(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    lose_the_keyring(fennec)
    result = fennec("keys", "set", "openai", "--vault", "file", stdin=NEW)
    warning = "the key of openai that was stored before cannot be removed: there is no keyring in this session"
    assert (result.status, result.stderr.count(warning)) == (0, 1)
    assert events(fennec) == ["key_stored", "key_stored"]
    fennec.complete().succeeded("Hello")
    assert sent_keys(peer) == [NEW]


def test_a_key_in_a_keyring_that_cannot_be_reached_is_not_forgotten(fennec: Fennec) -> None:
    index = lose_the_keyring(fennec)
    before = index.read_bytes()
    fennec("keys", "rm", "openai").failed("auth", 4)
    assert index.read_bytes() == before


def test_a_key_that_is_stored_for_a_provider_of_another_name_is_used_by_it(fennec: Fennec) -> None:
    (fennec.home / "c.toml").write_text('[provider.openai]\napi_key = "store:work"\n')
    assert fennec("keys", "set", "work", "-q", "-c", "c.toml", stdin=OLD).status == 0
    result = fennec("keys", "set", "work", "-c", "c.toml", stdin=OLD, env={"FENNEC_OPENAI_API_KEY": NEW})
    assert result.status == 0
    assert "openai does not use it: the key in FENNEC_OPENAI_API_KEY comes first" in result.stderr


def test_a_passphrase_instead_of_a_key_file(fennec: Fennec, serve: Serve) -> None:
    peer = serve(answer("Hello"))
    (fennec.home / "phrase").write_text("correct horse battery")
    fennec("keys", "set", "openai", "--lock", "passphrase", "--passphrase-file", "phrase", stdin=OLD)
    fennec.complete(env={"FENNEC_PASSPHRASE_FILE": "phrase"}).succeeded("Hello")
    assert sent_keys(peer) == [OLD]
    assert "FENNEC_PASSPHRASE_FILE" in fennec.complete().failed("auth", 4)
    (fennec.home / "phrase").write_text("wrong horse battery")
    assert "wrong" not in fennec.complete(env={"FENNEC_PASSPHRASE_FILE": "phrase"}).failed("integrity", 22)
    assert "already" in fennec("keys", "set", "x", "--vault", "file", "--lock", "key-file", stdin=OLD).failed(
        "usage", 2
    )


def test_a_key_of_the_user_chooses_the_provider_without_opening_anything(fennec: Fennec) -> None:
    fennec("keys", "set", "anthropic", stdin=OLD)
    result = fennec.complete("-v", env={"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, stdin="hi")
    assert "using anthropic (its key is present)" in result.stderr


def test_keys_env_never_imports_keyring(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec("keys", "set", "openai", stdin=OLD)
    fennec.env["OPENAI_API_KEY"] = NEW
    loaded = modules(fennec, "complete", "hi")
    assert loaded & {"keyring", "cryptography", "fennec_cli.keys.stored", "fennec_cli.keys.index"} == set()


def test_the_encrypted_file_needs_no_keyring(fennec: Fennec, serve: Serve) -> None:
    serve(answer("Hello"))
    fennec("keys", "set", "openai", stdin=OLD)
    assert modules(fennec, "complete", "hi") & {"keyring", "secretstorage", "jeepney"} == set()


def test_old_keys_are_told_by_list(fennec: Fennec) -> None:
    fennec("keys", "set", "openai", stdin=OLD)
    index = next(fennec.home.rglob("index.json"))
    record = orjson.loads(index.read_bytes())
    record["keys"]["openai"]["slots"]["active"]["created"] -= 100 * 86400
    index.write_bytes(orjson.dumps(record))
    result = fennec("keys", "list", "--json")
    assert orjson.loads(result.stdout)[0]["old"] is True
    assert "100 days old" in result.stderr


class Revocation:
    """A server that takes the old key until it has answered `after` requests, and the new one always."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.good: dict[str, int] = {}
        self.refused = 0
        self._lock = threading.Lock()

    def script(self) -> Script:
        def step(connection: Connection) -> None:
            key = connection.request.headers.get("authorization", "").removeprefix("Bearer ")
            with self._lock:
                valid = key == NEW or (key == OLD and self.good.get(OLD, 0) < self.after)
                if valid:
                    self.good[key] = self.good.get(key, 0) + 1
                else:
                    self.refused += 1
            for each in answer("Hello") if valid else failure(401, "Incorrect API key provided"):
                each(connection)

        return [step]


def test_a_key_that_is_revoked_among_200_prompts_of_several_processes_fails_none(fennec: Fennec, serve: Serve) -> None:
    """Four processes with four threads each, fifty prompts each; one of them says that it has rotated."""
    server = Revocation(after=60)
    serve(server.script())
    fennec("keys", "set", "openai", stdin=OLD)
    fennec("keys", "set", "openai", "--next", stdin=NEW)
    lines = b"hi\n" * 50
    words = ("complete", "--input", "lines", "-j", "4")
    running = [fennec.start(*words, stdin=subprocess.PIPE) for _ in range(4)]
    feeders = [threading.Thread(target=feed, args=(process, lines)) for process in running]
    for thread in feeders:
        thread.start()
    results = [finished(process) for process in running]
    assert [(result.status, result.stdout) for result in results] == [(0, b"Hello\n" * 50)] * 4
    assert server.good == {OLD: 60, NEW: 140}
    assert sum("is active now" in result.stderr for result in results) == 1
    assert events(fennec) == ["key_stored", "key_stored", "key_rotated"]
    assert fennec("audit", "verify").status == 0
    assert [row["slot"] for row in rows(fennec)] == ["active", "retired"]


def feed(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.close()
    process.stdin = None
