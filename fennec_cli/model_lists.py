"""The providers' own lists of models, kept in the cache directory with the moment at which they were asked for.

A list belongs to a provider at an address: another address, another owner or another form makes it a foreign one, and
foreign lists are passed over, never an error.
"""

import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Any
from urllib.parse import quote

import orjson

from fennec_cli.dialects.base import ModelInfo
from fennec_cli.errors import OutputError
from fennec_cli.tuples import NamedTuple

FORM = 1
_LARGEST = 32 * 1024 * 1024  # bytes; OpenRouter's list of 400 models takes 100 kB
_LATEST = 1e11  # seconds since 1970; calendars of C libraries end somewhere above
_NUMBER, _TEXT = int | float | None, str | None
_TYPES: Mapping[str, Any] = {
    "id": str,
    "provider": str,
    "context_window": int | None,
    "max_output": int | None,
    "capabilities": list,
    "input_usd_per_mtok": _NUMBER,
    "output_usd_per_mtok": _NUMBER,
    "deprecated": _TEXT,
    "source": str,
}


class KeptList(NamedTuple):
    """What a provider answered at `moment`, in seconds since 1970."""

    models: list[ModelInfo]
    moment: float


class ModelLists:
    """The directory of kept lists, a file `NAME.json` for each provider. Opens nothing before it is asked."""

    def __init__(self, *, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.time) -> None:
        self._environ = environ
        self._clock = clock

    def keep(self, provider: str, address: str, models: list[ModelInfo]) -> None:
        """Put the list in the place of the older one, whole or not at all. Raises `OutputError`."""
        rows = [model._asdict() for model in models]
        document = {"form": FORM, "provider": provider, "address": address, "moment": self._clock(), "models": rows}
        path = self._path(provider)
        if path is None:
            raise OutputError(
                "there is no place for lists of models: neither XDG_CACHE_HOME nor HOME is set",
                hint="set XDG_CACHE_HOME to an absolute path",
            )
        try:
            _make_private(path.parent)
            _replace(path, orjson.dumps(document))
        except OSError as error:
            raise OutputError(
                f"cannot keep the list of models in {path} ({error.strerror or error})", hint="check space and rights"
            ) from error

    def kept(self, provider: str, address: str) -> KeptList | None:
        """Return the kept list; None when there is none that can be used."""
        path = self._path(provider)
        try:
            document = orjson.loads(_own_bytes(path)) if path else {}
            if [document["form"], document["provider"], document["address"]] != [FORM, provider, address]:
                return None
            return KeptList([_model(row, provider) for row in document["models"]], _moment(document["moment"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def age(self, kept: KeptList) -> str:
        """How old a list is, for people."""
        return age_text(self._clock() - kept.moment)

    def _path(self, provider: str) -> Path | None:
        """XDG Base Directory Specification 0.8: a relative or empty path counts as not set."""
        cache, home = self._environ.get("XDG_CACHE_HOME", ""), self._environ.get("HOME", "")
        if not os.path.isabs(cache):
            if not os.path.isabs(home):
                return None
            cache = os.path.join(home, ".cache")
        return Path(cache, "fennec", "models", quote(provider, safe="") + ".json")


def age_text(seconds: float) -> str:
    """An age in its largest unit, rounded down: `3 hours`. A moment in the future is no age."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // length)
        if count > 0:
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def _model(row: Any, provider: str) -> ModelInfo:
    """Read one model. Raises `ValueError` unless every field is what it should be."""
    if not isinstance(row, dict) or row.keys() != _TYPES.keys():
        raise ValueError("not a model")
    fits = all(isinstance(row[name], kind) for name, kind in _TYPES.items())
    if not fits or row["provider"] != provider or not all(isinstance(each, str) for each in row["capabilities"]):
        raise ValueError("not a model of this provider")
    return ModelInfo(**{**row, "capabilities": tuple(row["capabilities"])})


def _moment(value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise ValueError("not a moment")
    return float(value)


def _own_bytes(path: Path) -> bytes:
    """Read a regular file that belongs to this user. Raises `OSError` or `ValueError` for any other."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise ValueError("a file of somebody else")
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError("too large")
    return data


def _make_private(directory: Path) -> None:
    """Create `directory` and what is missing above it for this user alone (`parents=True` would use the umask)."""
    for folder in (directory.parent.parent, directory.parent, directory):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


def _replace(path: Path, data: bytes) -> None:
    fd, draft = mkstemp(prefix=".partial-", dir=path.parent)  # 0600
    try:
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(draft, path)
    finally:
        with suppress(FileNotFoundError):  # it has its name now, unless something went wrong
            os.unlink(draft)
