"""What is fuzzed: each target takes any bytes, and raises `AssertionError` where a promise is broken.

The promises: no error but the documented ones, no short or changed thing taken for whole, and the same result however
the bytes are cut. The first bytes of a stream's input choose the cuts.
"""

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from fennec_cli.aggregate import ResponseAggregator
from fennec_cli.audit.chain import numbered, verify
from fennec_cli.audit.log import AuditLog
from fennec_cli.batch.ledger import _KINDS, Entry, Ledger, _record
from fennec_cli.cache_lines import entry_of, line_of
from fennec_cli.config import load_config
from fennec_cli.dialects import chat, messages, ollama, responses
from fennec_cli.dialects.base import Dialect
from fennec_cli.envelope import seal, unseal
from fennec_cli.errors import ConfigError, FennecError, InputError, IntegrityError, ProtocolError, ProviderError
from fennec_cli.hints import observed_limits, retry_after_s
from fennec_cli.keys import Secret
from fennec_cli.keys.file_vault import FileVault
from fennec_cli.keys.index import keys_directory
from fennec_cli.keys.stored import Stored, store
from fennec_cli.providers import PROVIDERS, provider_module
from fennec_cli.recording import checked, recorded, replayed
from fennec_cli.responses import CachedResponse
from fennec_cli.rows import read_row
from fennec_cli.transport.answer import Fold, read_stream
from fennec_cli.transport.http1 import Connection
from fennec_cli.transport.network import Network
from fennec_cli.transport.patience import Limits, Patience
from fennec_cli.transport.stream import Stream
from fennec_cli.wire import check_depth
from fennec_cli.wire.inflate import Inflater
from fennec_cli.wire.ndjson import NDJSONDecoder
from fennec_cli.wire.sse import SSEDecoder
from tests.cases import FOLDER, error_cases
from tests.transport.judge import judged
from tests.wire.slow_ndjson import slow_ndjson
from tests.wire.slow_sse import slow_sse
from tests.wire.wire_cuts import cut, run

SHORT = 2000  # bytes of a seed
VALUE = "sk-the-value-of-the-key"


class Target(NamedTuple):
    call: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    runs: int = 0  # at full scale, whatever time it takes
    seconds: int = 30  # at full scale, where nothing says how many runs


def check_line(error: FennecError) -> None:
    """An error is one line, and no key is in it."""
    assert "\n" not in error.line()
    assert VALUE not in error.line()


def pieces_of(data: bytes) -> tuple[bytes, list[bytes]]:
    """The stream in an input, and the pieces that its first byte says."""
    dice, stream = random.Random(data[:1]), data[1:]
    return stream, cut(stream, [dice.randint(0, len(stream)) for _ in range(dice.randint(0, 5))])


def sse(data: bytes) -> None:
    stream, pieces = pieces_of(data)
    assert run(SSEDecoder(), pieces) == slow_sse(stream), pieces


def ndjson(data: bytes) -> None:
    stream, pieces = pieces_of(data)
    assert run(NDJSONDecoder(), pieces) == slow_ndjson(stream), pieces


def depth(data: bytes) -> None:
    """Whatever passes, a parser can take."""
    try:
        check_depth(data)
    except ProtocolError:
        return
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    assert _deepest(document) <= 64


def _deepest(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_deepest, inner), default=0)


def inflate(data: bytes) -> None:
    stream, pieces = pieces_of(data)
    encoding = "deflate" if data[:1] < b"\x80" else "gzip"
    assert _inflated(encoding, pieces) == _inflated(encoding, [stream]), pieces


def _inflated(encoding: str, pieces: list[bytes]) -> bytes | None:
    inflater = Inflater(encoding)
    try:
        out = b"".join(part for piece in pieces for part in inflater.feed(piece))
        inflater.close()
    except ProtocolError:
        return None
    return out


class Peer:
    """A socket whose other end says these pieces and hangs up."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter([piece for piece in pieces if piece])

    def settimeout(self, seconds: float) -> None: ...

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, _size: int) -> bytes:
        return next(self._pieces, b"")

    def close(self) -> None: ...


def http1(data: bytes) -> None:
    """An answer is what h11 makes of it, to the last byte; where h11 refuses it we do."""
    stream, pieces = pieces_of(data)
    network = Network()
    network.patience = Patience(Limits())
    connection = Connection(Stream(Peer(pieces), network, "peer"))  # type: ignore[arg-type]
    connection.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"")
    heard: tuple[int, bytes] | None = None
    try:
        head, body = connection.receive("POST")
        heard = head.status, b"".join(body)
    except ProviderError:
        pass
    assert heard == judged(stream), (heard, judged(stream), pieces)


DIALECTS: tuple[tuple[Dialect, str], ...] = (
    (chat, "openai-chat"),
    (responses, "openai-responses"),
    (messages, "anthropic"),
    (ollama, "ollama"),
)


def answers(data: bytes) -> None:
    """An answer is whole only if the wire said so; its parts are the same however it is cut."""
    number = data[0] % len(DIALECTS) if data else 0
    dialect = DIALECTS[number][0]
    stream, pieces = pieces_of(data)
    whole = _told(dialect, [stream])
    assert _told(dialect, pieces)[-1] == whole[-1], pieces
    text = "".join(part for part in whole if isinstance(part, str))
    assert "".join(part for part in _told(dialect, pieces) if isinstance(part, str)) == text, pieces
    if whole[-1] is None:
        assert any(map(_ends, _documents(dialect, stream))), "complete without a word of it"


def _told(dialect: Dialect, pieces: list[bytes]) -> list[Any]:
    """The texts of an answer, and as the last its error's class or None."""
    told: list[Any] = []
    error_class = None
    chunks = read_stream(iter(pieces), dialect.FRAMING, dialect.decode, Patience(Limits()), Fold())
    try:
        told.extend(chunk.content or "" for chunk in chunks)
    except ProviderError as error:
        error_class = error.error_class
    return [*told, error_class]


def _documents(dialect: Dialect, stream: bytes) -> Iterator[dict[str, Any]]:
    outcome = slow_sse(stream) if dialect.FRAMING == "sse" else slow_ndjson(stream)
    for event in outcome.events:
        try:
            document = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict):
            yield document


def _ends(document: dict[str, Any]) -> bool:
    """Whether this event says, in some dialect, why the answer ended."""
    if document.get("done") is True or document.get("type") in ("response.completed", "response.incomplete"):
        return True
    delta = document.get("delta")
    if isinstance(delta, dict) and delta.get("stop_reason"):
        return True
    choices = document.get("choices")
    return isinstance(choices, list) and any(isinstance(each, dict) and each.get("finish_reason") for each in choices)


def failures(data: bytes) -> None:
    """Any status and body is an error of ours, and its wait a number of seconds."""
    names = sorted(PROVIDERS)
    module = provider_module(names[(data[0] if data else 0) % len(names)])
    status = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529, 302, 418)[(data[1:2] or b"\0")[0] % 15]
    head, _, body = data[2:].partition(b"\n\n")
    lines = (line.partition(":") for line in head.decode("latin-1").split("\n"))
    headers = {name.lower(): value.strip() for name, _, value in lines}
    error = module.decode_error(status, headers, body)
    check_line(error)
    for wait in (error.retry_after, retry_after_s(headers, now=1e9)):
        assert wait is None or 0 <= wait < float("inf")
    observed_limits(headers, now=1e9)


BODY = b'{"response":{"form":1},"request":{},"timestamp":1.0}'


def envelope(data: bytes) -> None:
    """Nothing opens but what we sealed, under its own name and key."""
    for name, key in (("a", b"k" * 32), ("b", b"k" * 32), ("a", b"l" * 32)):
        opened = unseal(data, name=name, key=key)
        assert opened is None or (name, key, data) in (("a", b"k" * 32, sealed) for sealed in _sealed())


@cache
def _sealed() -> tuple[bytes, ...]:
    return tuple(seal(BODY * size, name="a", key=b"k" * 32, created=1.0, ttl=60.0) for size in (0, 1, 40))


def cache_lines(data: bytes) -> None:
    """A line is refused as such, or it can be given as an answer and exported again."""
    try:
        entry = entry_of(data, 1)
    except IntegrityError:
        pass
    else:
        assert entry_of(line_of(entry, with_prompt=True), 1) == entry
    try:
        record = checked(orjson.loads(data))
    except ValueError:
        return
    _given_again(record)


def _given_again(record: dict[str, Any]) -> None:
    from fennec_cli.chunk import ChunkMetadata

    fold = ResponseAggregator()
    for chunk in replayed(record, ChunkMetadata(cached=True)):
        fold.add_chunk(chunk)
    assert [choice["content"] for choice in recorded(fold.finalize())["choices"]] == [
        choice["content"] for choice in record["choices"]
    ]


def _cache_line_seeds() -> list[bytes]:
    choice = {"content": "Hi", "reasoning": "", "tool_calls": [["1", "f", "{}"]], "finish_reason": "stop"}
    record = {"form": 1, "choices": [choice], "usage": None, "metadata": {"model": "m"}}
    line = line_of(CachedResponse("a" * 64, record, {"fields": {}, "prompt": [["user", "Hi"]]}, 1.0, 2.0))
    return [line, orjson.dumps(record)]


@cache
def scratch() -> Path:
    """A directory in memory, where there is one."""
    shm = "/dev/shm"
    keep = tempfile.TemporaryDirectory(prefix="fennec-fuzz-", dir=shm if os.access(shm, os.W_OK) else None)
    _KEPT.append(keep)
    return Path(keep.name)


_KEPT: list[Any] = []


def ledger(data: bytes) -> None:
    """Damage is an error of ours or cut off the end, and what is given out of it was appended."""
    path = scratch() / "ledger"
    for content in (data, _as_ledger(data)):
        path.write_bytes(content)
        try:
            opened = Ledger(str(path), "ndjson")
        except FennecError as error:
            fault = error.message
        else:
            fault = ""
        assert "another process" not in fault  # what failed before has not kept its lock
        if fault:
            continue
        try:
            given = list(opened.results(0))
            opened.last_bytes(opened.total, 16)
            opened.content_of("a")
            opened.append([Entry("z", bytes(16), b"{}\n", True)])
            list(opened.failures())
        except FennecError:
            continue
        finally:
            opened.close()
        assert all(result in content for result in given)
        again = Ledger(str(path), "ndjson")
        assert again.content_of("z") == bytes(16)
        again.close()


def _as_ledger(data: bytes) -> bytes:
    """Records whose check sums are right, whatever else is wrong with them."""
    kinds, out, place = sorted(_KINDS), [b"fennec ledger 1 ndjson\n"], 0
    while place < len(data):
        kind, size = kinds[data[place] % len(kinds)], data[place] // 8
        payload = data[place + 2 : place + 2 + size]
        position = data[place + 1] if place + 1 < len(data) else 0
        out.append(_record(kind, payload, position))
        place += 2 + size
    return b"".join(out)


def _ledger_seeds() -> list[bytes]:
    path = scratch() / "seed"
    path.unlink(missing_ok=True)
    made = Ledger(str(path), "ndjson")
    made.append([Entry(name, bytes(16), b'{"id":"%b"}\n' % name.encode(), name != "b") for name in "abc"])
    made.mark_delivered()
    made.mark_tail(3)
    made.close()
    return [path.read_bytes(), bytes([8 * 12 + 3, 0]) + b'{"id":"a"}\n\n' + b"\x00\x0b"]


def config(data: bytes) -> None:
    path = scratch() / "config.toml"
    path.write_bytes(data)
    project = scratch() / ".fennec.toml"
    for kind in ("named", "project"):
        project.write_bytes(data if kind == "project" else b"")
        try:
            load_config(
                environ={}, cwd=scratch(), explicit=path if kind == "named" else None, system_file=scratch() / "none"
            )
        except ConfigError as error:
            check_line(error)


def _config_seeds() -> list[bytes]:
    from tests.test_config import SPECIFICATION_EXAMPLE

    parts = [
        '[alias]\nfast = "openai/gpt-5.4-mini"\n[cache]\nmode = "use"\nttl = "7d"\nmax_size = "256MiB"\n',
        '[[provider.azure.regions]]\nname = "eu"\nendpoint = "https://x.openai.azure.com"\ndeployment = "d"\n',
        '[provider.openai.prices."gpt-5"]\ninput = 1.5\noutput = 3\n[budget.daily]\nusd = 1.5\nper = "day"\n',
        '[[filter.rules]]\nname = "ticket"\npattern = "T-[0-9]{4}"\nclass = "pii"\n[filter]\nrequest = "mask"\n',
        '[profile.x]\nmodel = "a/b"\n[complete]\nretries = 2\nstop = ["a"]\n[bench]\nrate = 2.5\n',
        '[provider.groq]\ntype = "openai"\nbase_url = "https://api.groq.com/v1"\nkey_command = ["pass", "x"]\n',
    ]
    return [SPECIFICATION_EXAMPLE.encode(), *[part.encode() for part in parts]]


@cache
def _chain() -> tuple[bytes, ...]:
    path = scratch() / "audit.jsonl"
    log = AuditLog(path, key=lambda: b"key", own_directory=False, clock=lambda: 1e9)
    for number in range(4):
        log.append({"event": "request", "id": f"{number}", "fennec.version": "1"})
    log.close()
    return tuple(path.read_bytes().splitlines())


def audit(data: bytes) -> None:
    """With its key a chain is whole only as far as it is ours; without it, a verdict at least."""
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    verify(numbered("audit.jsonl", lines))
    verdict = verify(numbered("audit.jsonl", lines), key=b"key")
    if verdict.problem is None:
        assert tuple(lines) == _chain()[: len(lines)], "a changed chain is taken for whole"


def _audit_seeds() -> list[bytes]:
    return [b"\n".join(_chain()) + b"\n", b"\n".join(_chain()[:2]) + b"\n" + _chain()[2][:40] + b"\n"]


@cache
def _vault() -> tuple[dict[str, str], Path, bytes]:
    environ = {"HOME": str(scratch() / "home")}
    store("openai", Secret(VALUE), FileVault(environ), environ)
    path = keys_directory(environ) / "keys.enc"
    return environ, path, path.read_bytes()


def key_file(data: bytes) -> None:
    environ, path, whole = _vault()
    path.write_bytes(data)
    try:
        value = Stored("openai", environ).active().secret.reveal()
    except FennecError as error:
        check_line(error)
        return
    assert (value, data) == (VALUE, whole), "a changed file is taken for whole"


def rows(data: bytes) -> None:
    """A row, or a row with its fault; `meta` comes out as it went in."""
    row = read_row(data, 1)
    if row.fault is not None:
        assert isinstance(row.fault, InputError)
        check_line(row.fault)
    elif row.meta is not None:
        assert orjson.loads(row.meta) == orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))["meta"]


def _row_seeds() -> list[bytes]:
    return [
        b'{"id":"a","prompt":"Hi","meta":{"n":[1,"x"]},"options":{"temperature":0.5,"stop":["a"]}}',
        b'{"messages":[{"role":"user","content":"Hi"}],"system":"s","model":"m","attachments":["a.png"]}',
        b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user",'
        b'"content":[{"type":"text","text":"Hi"}]}],"max_tokens":5,"tools":[]}}',
    ]


def _streams(pattern: str, mark: Callable[[str], bytes] = lambda _name: b"\0") -> list[bytes]:
    return [mark(path.name) + path.read_bytes()[:SHORT] for path in sorted(FOLDER.glob(pattern))]


def _answer_seeds() -> list[bytes]:
    return [
        bytes([number]) + path.read_bytes()
        for number, (_, prefix) in enumerate(DIALECTS)
        for path in sorted(FOLDER.glob(f"{prefix}*.*"))
        if path.suffix in (".sse", ".ndjson") and path.stat().st_size < 2 * SHORT
    ]


def _failure_seeds() -> list[bytes]:
    seeds = []
    for number, name in enumerate(sorted(PROVIDERS)):
        for case in error_cases(f"{name}-error"):
            head = "\n".join(f"{key}: {value}" for key, value in case.headers.items())
            seeds.append(bytes([number, case.status % 15]) + head.encode() + b"\n\n" + case.body)
    return seeds


def _http_seeds() -> list[bytes]:
    from tests.transport.test_http1 import ANSWERS

    return [b"\0" + answer for answer in ANSWERS]


def _packed_seeds() -> list[bytes]:
    import gzip
    import zlib

    text = b"data: hello\n\n" * 20
    return [b"\xff" + gzip.compress(text, mtime=0), b"\0" + zlib.compress(text), b"\0" + zlib.compress(text)[2:-4]]


TARGETS = {
    "sse": Target(sse, lambda: _streams("*.sse"), runs=1_000_000),
    "ndjson": Target(ndjson, lambda: _streams("*.ndjson"), runs=1_000_000),
    "http1": Target(http1, _http_seeds, seconds=60),
    "answers": Target(answers, _answer_seeds, seconds=60),
    "failures": Target(failures, _failure_seeds),
    "inflate": Target(inflate, _packed_seeds),
    "depth": Target(depth, lambda: [b'{"a":[[{"b":"[{"}]]}', b"[" * 64 + b"]" * 64, b'["\\"[",{}]']),
    "envelope": Target(envelope, lambda: list(_sealed())),
    "cache_lines": Target(cache_lines, _cache_line_seeds),
    "ledger": Target(ledger, _ledger_seeds),
    "config": Target(config, _config_seeds, seconds=60),
    "audit": Target(audit, _audit_seeds),
    "key_file": Target(key_file, lambda: [_vault()[2]]),
    "rows": Target(rows, _row_seeds),
}
