"""The rows of a job on the disk: what will be sent, and what each row was, until its answer is fetched.

A directory a job: `rows.ndjson` has a line for every row of the input, `N.body` the rows of part N as they are sent,
`job.json` the rest, `audit.ndjson` what has to be on record before anything is sent. It appears whole, by a rename.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from fennec_cli.dialects.base import Endpoint, HTTPCall
from fennec_cli.errors import Blocked, ConfigError, FennecError, InputError, OutputError, RequestError, UsageError
from fennec_cli.private import make_directory, open_file
from fennec_cli.provider_batches import BatchInterface, path_of
from fennec_cli.tuples import NamedTuple
from fennec_cli.types import PutOnRecord

_ROWS, _JOB, _AUDIT, _COUNTED = "rows.ndjson", "job.json", "audit.ndjson", "counted"
_LEFT_S = 86_400.0  # after this long nobody writes a directory any more that is not a job's yet
_NOT_SENT = frozenset({"stream", "stream_options"})
# What a row can have wrong with it before it is sent.
_FAULTS = {cls.error_class: cls for cls in (InputError, RequestError, Blocked, ConfigError, UsageError)}


Records = Sequence[tuple[str, Mapping[str, Any]]]  # event, fields


class Entry(NamedTuple):
    """A row of the input. `custom_id` is None for one that cannot be sent, and `fault` says why."""

    custom_id: str | None
    id: str
    model: str = ""
    fingerprint: str | None = None
    meta: bytes | None = None
    fault: FennecError | None = None


class PartPlan(NamedTuple):
    """A part as it was spooled."""

    path: str
    variant: str
    rows: int


class Spool:
    """Writes a job's directory. `nonce` is in every id that the provider sees, so that they are known again."""

    def __init__(self, home: Path, api: BatchInterface, endpoint: Endpoint) -> None:
        self.nonce = os.urandom(6).hex()
        self.rows = 0
        self._home, self._api, self._endpoint = home, api, endpoint
        self._directory = home / f".{os.getpid()}-{self.nonce}"
        self._digest = sha256()
        self._parts: list[_OpenPart] = []
        self._current: dict[tuple[str, str, str], _OpenPart] = {}
        make_directory(self._directory)
        self._index = _create(self._directory / _ROWS)
        self._audit = _create(self._directory / _AUDIT)

    def add(self, row_id: str, meta: bytes | None, model: str, call: HTTPCall, records: Records = ()) -> None:
        body = orjson.loads(call.body)
        sent = orjson.dumps({key: value for key, value in body.items() if key not in _NOT_SENT})
        path, variant = path_of(call), self._api.variant(call)
        group = (path, variant, str(body.get("model")))
        part = self._current.get(group) or self._begin(group)
        custom_id, line = self._line(part, sent)
        if part.plan.rows >= self._api.LIMITS.rows or part.size + len(line) + 1 > self._api.LIMITS.size:
            part = self._begin(group)
            custom_id, line = self._line(part, sent)
        part.add(line)
        self._record(custom_id, records)
        self._note(Entry(custom_id, row_id, model, call.fingerprint, meta), call.url.encode() + sent)

    def fail(self, row_id: str, meta: bytes | None, fault: FennecError, records: Records = ()) -> None:
        """Keep a row that is not sent: its answer is `fault`."""
        self._record(os.urandom(8).hex(), records)
        self._note(Entry(None, row_id, meta=meta, fault=fault), fault.message.encode("utf-8", "replace"))

    def close(self) -> str:
        """Return a digest of all rows."""
        plan = [self.nonce, self.rows, [tuple(part.plan) for part in self._parts]]
        with _create(self._directory / _JOB) as file:
            file.write(orjson.dumps(plan))
        for file in (self._index, self._audit, *(part.file for part in self._parts)):
            file.flush()
            os.fsync(file.fileno())
            file.close()
        return self._digest.hexdigest()

    def keep(self, job: str) -> None:
        """Make the directory the job's, in the place of one that is of no use any more."""
        forget(self._home, job)
        os.rename(self._directory, self._home / job)

    def discard(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    def _begin(self, group: tuple[str, str, str]) -> "_OpenPart":
        part = _OpenPart(len(self._parts), _create(self._directory / f"{len(self._parts)}.body"), group)
        self._parts.append(part)
        self._current[group] = part
        return part

    def _line(self, part: "_OpenPart", sent: bytes) -> tuple[str, bytes]:
        custom_id = f"{prefix(self.nonce, part.number)}{part.plan.rows}"
        return custom_id, self._api.row(custom_id, part.plan.path, sent, self._endpoint)

    def _record(self, identity: str, records: Records) -> None:
        for event, fields in records:
            self._audit.write(orjson.dumps([event, {"id": identity, **fields}], option=orjson.OPT_APPEND_NEWLINE))

    def _note(self, entry: Entry, content: bytes) -> None:
        self.rows += 1
        self._digest.update(orjson.dumps([entry.id, len(content)]) + content + (entry.meta or b""))
        fault = [entry.fault.error_class, entry.fault.message, entry.fault.hint] if entry.fault else None
        meta = entry.meta.decode() if entry.meta is not None else None
        row = [entry.custom_id, entry.id, entry.model, entry.fingerprint, meta, fault]
        self._index.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


class _OpenPart:
    def __init__(self, number: int, file: BinaryIO, group: tuple[str, str, str]) -> None:
        self.number, self.file = number, file
        self.plan = PartPlan(group[0], group[1], 0)
        self.size = 0

    def add(self, line: bytes) -> None:
        self.file.write(line + b"\n")
        self.size += len(line) + 1
        self.plan = self.plan._replace(rows=self.plan.rows + 1)


def prefix(nonce: str, part: int) -> str:
    """What the ids of a part's rows begin with."""
    return f"{nonce}-{part}-"


def read_body(home: Path, job: str, part: int) -> bytes:
    """Return the rows of a part as they are sent."""
    try:
        return (home / job / f"{part}.body").read_bytes()
    except OSError as error:
        raise OutputError(f"the rows of {job} are gone ({error.strerror})", hint="submit them again") from error


def forget_body(home: Path, job: str, part: int) -> None:
    """Remove what was sent: the provider has it."""
    with suppress(OSError):
        (home / job / f"{part}.body").unlink()


def put_on_record(home: Path, job: str, record: PutOnRecord) -> None:
    """Hand what an audit log should say of the rows to `record`: once, or again if that is killed."""
    path = home / job / _AUDIT
    if path.exists():
        with open(open_file(path, os.O_RDONLY), "rb") as file:
            for line in file:
                record(*orjson.loads(line))
        path.unlink()


def is_counted(home: Path, job: str) -> bool:
    """Whether the answers of a job are in the counters and the audit log already."""
    return (home / job / _COUNTED).exists()


def note_counted(home: Path, job: str) -> None:
    with suppress(OSError):
        os.close(open_file(home / job / _COUNTED, os.O_WRONLY | os.O_CREAT))


def entries(home: Path, job: str) -> Iterator[Entry]:
    """Yield what every row of a job was, in the order of the input."""
    try:
        file = open(open_file(home / job / _ROWS, os.O_RDONLY), "rb")  # noqa: SIM115
    except OSError as error:
        raise InputError(
            f"the rows of {job} are not on this machine ({error.strerror})", hint="fetch it where it was submitted"
        ) from error
    with file:
        for line in file:
            custom_id, row_id, model, fingerprint, meta, fault = orjson.loads(line)
            text = meta.encode() if meta is not None else None
            yield Entry(custom_id, row_id, model, fingerprint, text, _fault(fault))


def plan_of(home: Path, job: str) -> tuple[str, int, list[PartPlan]] | None:
    """Return nonce, number of rows and parts of a job whose rows are there to be sent, None where there is none."""
    try:
        nonce, rows, plans = orjson.loads((home / job / _JOB).read_bytes())
    except FileNotFoundError:
        return None
    if not all((home / job / f"{part}.body").exists() for part in range(len(plans))):
        return None
    return nonce, rows, [PartPlan(*plan) for plan in plans]


def forget(home: Path, job: str) -> None:
    shutil.rmtree(home / job, ignore_errors=True)


def sweep(home: Path, now: float) -> None:
    """Remove what submissions that were killed have left."""
    for path in home.glob(".*-*"):
        with suppress(OSError):
            if now - path.stat().st_mtime > _LEFT_S:
                shutil.rmtree(path, ignore_errors=True)


def _fault(stored: Any) -> FennecError | None:
    if stored is None:
        return None
    error_class, message, hint = stored
    return _FAULTS.get(error_class, InputError)(message, hint=hint)


def _create(path: Path) -> BinaryIO:
    return open(open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")
