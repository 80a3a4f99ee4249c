"""The response cache against a plain dictionary: put, get, expire, evict, clear, prune, export and import."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from fennec_cli import cache_care
from fennec_cli.cache_lines import entries_of
from fennec_cli.config import CacheConfig
from fennec_cli.envelope import COMPRESS_FROM
from fennec_cli.errors import IntegrityError
from fennec_cli.output.notes import Notes
from fennec_cli.responses import ResponseCache
from tests.conftest import soak
from tests.test_responses import Clock, name, record

NAMES = st.integers(0, 5).map(name)
TTLS = st.sampled_from([60.0, 3600.0, 86_400.0])
TEXTS = st.sampled_from(["a", "b" * COMPRESS_FROM, "c" * 300_000])  # in a row; compressed; in a file of its own
STEPS = 20
LARGEST = 2**30


class Kept(NamedTuple):
    text: str
    created: float
    ttl: float
    timestamp: float
    reads: int = 0


class Machine(RuleBasedStateMachine):
    """Two processes use one cache; the model is what is kept, least recently used first."""

    place: Path

    @initialize(encrypt=st.booleans())
    def begin(self, encrypt: bool) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.clock = Clock()
        self.kept: dict[str, Kept] = {}
        self.encrypt = encrypt
        self.caches = [self.opened(), self.opened()]

    def opened(self) -> ResponseCache:
        home = {"HOME": str(self.place)}
        return ResponseCache(
            CacheConfig(dir=str(self.place / "responses"), encrypt=self.encrypt), environ=home, clock=self.clock
        )

    @rule(seconds=st.sampled_from([1.0, 59.0, 61.0, 3601.0, -30.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(which=st.integers(0, 1))
    def start_anew(self, which: int) -> None:
        self.caches[which].close()
        self.caches[which] = self.opened()

    @rule(which=st.integers(0, 1), key=NAMES, text=TEXTS, ttl=TTLS)
    def put(self, which: int, key: str, text: str, ttl: float) -> None:
        self.caches[which].put(key, record(text), {"fields": {"model": "m"}}, ttl=ttl)
        self.kept.pop(key, None)
        self.kept[key] = Kept(text, self.clock.now, ttl, self.clock.now)

    @rule(which=st.integers(0, 1), key=NAMES, ttl=st.none() | TTLS)
    def get(self, which: int, key: str, ttl: float | None) -> None:
        found = self.caches[which].get(key, ttl=ttl)
        kept = self.kept.get(key)
        if kept is None or not self.is_fresh(kept, ttl):
            assert found is None
            return
        assert found is not None
        assert found.response == record(kept.text)
        assert (found.timestamp, found.ttl, found.access_count) == (kept.timestamp, kept.ttl, kept.reads)

    @rule(which=st.integers(0, 1), key=NAMES)
    def touch(self, which: int, key: str) -> None:
        self.caches[which].touch(key)
        if key in self.kept:
            kept = self.kept.pop(key)
            self.kept[key] = kept._replace(reads=kept.reads + 1)

    @rule(which=st.integers(0, 1), keys=st.lists(NAMES, max_size=3))
    def drop(self, which: int, keys: list[str]) -> None:
        self.caches[which].drop(keys)
        for key in keys:
            self.kept.pop(key, None)

    @rule(which=st.integers(0, 1))
    def clear(self, which: int) -> None:
        index = ResponseCache(CacheConfig(dir=str(self.place / "index")), environ={"HOME": str(self.place)})
        assert cache_care.clear(self.caches[which], index) == len(self.kept)
        self.kept.clear()

    @rule(which=st.integers(0, 1), limit=st.sampled_from([0, 100_000, LARGEST]))
    def prune(self, which: int, limit: int) -> None:
        """The least recently used go first, and no more than have to."""
        before = list(self.kept)
        gone = cache_care.prune(self.caches[which], older_than_s=None, max_size=max(1, limit))
        left = set(self.caches[which].names())
        assert [key for key in before if key in left] == before[gone:]
        assert limit < LARGEST or gone == 0
        self.kept = {key: self.kept[key] for key in before[gone:]}

    @rule(which=st.integers(0, 1), clears=st.booleans(), spoilt=st.booleans())
    def move(self, which: int, clears: bool, spoilt: bool) -> None:
        """What is fresh goes out as lines and comes in again; a line that was changed does not, and is said."""
        lines = list(cache_care.exported(self.caches[which], with_prompts=True))
        fresh = sorted(key for key, kept in self.kept.items() if self.is_fresh(kept))
        assert len(lines) == len(fresh)
        if clears:
            self.drop(which, list(self.kept))
        if spoilt and lines:
            lines[0] = lines[0].replace(b'"ttl":', b'"ttl":1')
        with suppress(IntegrityError):
            assert cache_care.import_(self.caches[1 - which], lines, Notes(quiet=True)) == len(fresh)
            assert not (spoilt and lines)
        for key in fresh[1:] if spoilt else fresh:
            kept = self.fresh_then(fresh, key, lines)
            self.kept.pop(key, None)
            self.kept[key] = kept

    def fresh_then(self, fresh: list[str], key: str, lines: list[bytes]) -> Kept:
        found = entries_of([lines[fresh.index(key)]])
        entry = next(found)
        assert not isinstance(entry, IntegrityError)
        text = str(entry.response["choices"][0]["content"])
        return Kept(text, self.clock.now, entry.ttl, entry.timestamp)

    def is_fresh(self, kept: Kept, ttl: float | None = None) -> bool:
        age = self.clock.now - kept.created
        return -kept.ttl <= age < (kept.ttl if ttl is None else min(ttl, kept.ttl))

    @invariant()
    def holds_what_it_should(self) -> None:
        for cache in self.caches:
            assert sorted(cache.names()) == sorted(self.kept)
            assert cache.failure is None

    def teardown(self) -> None:
        for cache in getattr(self, "caches", ()):
            cache.close()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that is in memory where there is one: each example makes a database."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fennec-test-", dir=shm if shm.is_dir() else None) as directory:
        yield Path(directory)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_cache_model_stateful(memory: Path) -> None:
    class Here(Machine):
        place = memory

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Here, settings=settings(max_examples=soak(40, 10_000), stateful_step_count=STEPS, deadline=None)
    )
