"""`fennec keys rotate` while two hundred prompts (in CI fewer) wait for an answer: none fails, and one key wins."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import pytest

from tests.conftest import soak
from tests.e2e.peer import Connection, Peer, Script, answer, failure, whole
from tests.e2e.runner import CANARY, Fennec, Result, finished
from tests.e2e.test_keys_command import events, feed, rows, sent_keys

Serve = Callable[..., Peer]
MODELS = whole(200, b'{"data": [{"id": "m-1"}]}')
OLD, NEW, OTHER = f"{CANARY}-old", f"{CANARY}-new", f"{CANARY}-other"
PROCESSES, JOBS = soak(3, 8), 25
pytestmark = pytest.mark.soak
ANSWERED = 20  # prompts with the old key, before the server holds on
ROWS = soak(JOBS + ANSWERED, 200)  # of each process: enough for all its threads to wait


class Provider:
    """A server that at first takes the old key only, and whose old key goes off while `PROCESSES * JOBS` prompts wait.

    It holds back what it answers from the prompt number `ANSWERED` on, until the old key is off, and each trial of a
    new key until `tries` have come and `proofs` prompts were answered with a new key.
    """

    def __init__(self, *, tries: int = 1, proofs: int = 0, off_by_trial: bool = False) -> None:
        self.full, self.off = threading.Event(), threading.Event()
        self._tries, self._proofs, self._off_by_trial = tries, proofs, off_by_trial
        self._change = threading.Condition()
        self._tried = self._waiting = 0
        self.good = dict.fromkeys((OLD, NEW, OTHER), 0)

    def revoke(self) -> None:
        with self._change:
            self.off.set()

    def script(self) -> Script:
        return [self._step]

    def _step(self, connection: Connection) -> None:
        key = connection.request.headers.get("authorization", "").removeprefix("Bearer ")
        trial = connection.request.path.endswith("/models")
        if trial:
            self._try()
        elif key == OLD:
            self._wait()
        with self._change:
            valid = key in (NEW, OTHER) or (key == OLD and not self.off.is_set())
            if not trial:
                self.good[key] += valid
                self._change.notify_all()
        said = failure(401, "Incorrect API key provided") if not valid else MODELS if trial else answer("Hello")
        for each in said:
            each(connection)

    def _wait(self) -> None:
        with self._change:
            if self.good[OLD] < ANSWERED:
                return
            self._waiting += 1
            if self._waiting == PROCESSES * JOBS:
                self.full.set()
        assert self.off.wait(20)

    def _try(self) -> None:
        with self._change:
            self._tried += 1
            self._change.notify_all()
            assert self._change.wait_for(lambda: self._tried >= self._tries, 20)
            if self._off_by_trial:
                self.off.set()
            assert self._change.wait_for(lambda: self.good[NEW] + self.good[OTHER] >= self._proofs, 20)


@pytest.fixture
def fennec(fennec: Fennec) -> Fennec:
    fennec.env["OPENAI_API_KEY"] = None
    fennec("keys", "set", "openai", stdin=OLD)
    (fennec.home / "c.toml").write_text("[provider.openai]\nmax_parallel = 256\n")
    return fennec


@contextmanager
def prompts_under_way(fennec: Fennec, provider: Provider) -> Iterator[None]:
    """Start the prompts, hand over when all of them wait for the server, and see at the end that none failed."""
    words = ("complete", "-c", "c.toml", "--input", "lines", "-j", str(JOBS))
    running = [fennec.start(*words, stdin=subprocess.PIPE) for _ in range(PROCESSES)]
    feeders = [threading.Thread(target=feed, args=(process, b"hi\n" * ROWS)) for process in running]
    for thread in feeders:
        thread.start()
    try:
        assert provider.full.wait(20)
        yield
    finally:
        provider.revoke()
        results = [finished(process) for process in running]
    assert [(result.status, result.stdout) for result in results] == [(0, b"Hello\n" * ROWS)] * PROCESSES
    assert (provider.good[OLD], sum(provider.good.values())) == (ANSWERED, PROCESSES * ROWS)


def check_one_rotation(fennec: Fennec) -> None:
    assert events(fennec) == ["key_stored", "key_rotated"]
    assert fennec("audit", "verify").status == 0
    assert [row["slot"] for row in rows(fennec)] == ["active", "retired"]


def test_a_rotation_by_hand_while_both_keys_work_fails_no_prompt(fennec: Fennec, serve: Serve) -> None:
    provider = Provider()
    peer = serve(provider.script())
    with prompts_under_way(fennec, provider):
        assert fennec("keys", "rotate", "openai", stdin=NEW).status == 0
        check_one_rotation(fennec)
    check_one_rotation(fennec)
    fennec.complete().succeeded("Hello")
    assert sent_keys(peer)[-1] == NEW


@pytest.mark.parametrize("proofs", [0, 50], ids=["the-command-is-first", "a-run-is-first"])
def test_a_rotation_by_hand_as_the_old_key_goes_off_fails_no_prompt(fennec: Fennec, serve: Serve, proofs: int) -> None:
    """Runs whose key is refused take the new one before it is the active one, and may make it that."""
    provider = Provider(off_by_trial=True, proofs=proofs)
    peer = serve(provider.script())
    with prompts_under_way(fennec, provider):
        result = fennec("keys", "rotate", "openai", stdin=NEW)
        assert (result.status, "is active now" in result.stderr) == (0, True)
    check_one_rotation(fennec)
    fennec.complete().succeeded("Hello")
    assert sent_keys(peer)[-1] == NEW


@pytest.mark.parametrize("off_by_trial", [False, True], ids=["both-work", "old-is-off"])
def test_of_two_rotations_at_once_one_wins_and_the_other_says_so(
    fennec: Fennec, serve: Serve, off_by_trial: bool
) -> None:
    provider = Provider(tries=2, off_by_trial=off_by_trial)
    peer = serve(provider.script())
    results: dict[str, Result] = {}

    def rotate(key: str) -> None:
        results[key] = fennec("keys", "rotate", "openai", stdin=key)

    with prompts_under_way(fennec, provider):
        threads = [threading.Thread(target=rotate, args=(key,)) for key in (NEW, OTHER)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    winner, loser = sorted(results, key=lambda key: results[key].status)
    assert results[winner].status == 0
    assert "another process has changed the keys" in results[loser].failed("config", 3)
    check_one_rotation(fennec)
    fennec.complete().succeeded("Hello")
    assert sent_keys(peer)[-1] == winner
    trials = [orjson.loads(line) for line in fennec("keys", "test", "--ndjson").stdout.splitlines()]
    assert [(trial["slot"], trial["ok"]) for trial in trials] == [("active", True)]
