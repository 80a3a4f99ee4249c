"""Places of our own on the disk, and files and directories there that nobody else reads or writes.

Directories have mode 0700 and files 0600, set explicitly: the umask is not trusted. A directory that belongs to
somebody else, or that others may write, is refused. Files are opened without following a link at their end.
"""

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

Kind = Literal["config", "cache", "state", "data"]
FilePath = str | os.PathLike[str]

_DEFAULTS: dict[Kind, str] = {"config": ".config", "cache": ".cache", "state": ".local/state", "data": ".local/share"}
INSTALLATION_KEY_BYTES = 32


class NotPrivate(PermissionError):
    """A directory or file that somebody else owns or may write."""


def home_of(kind: Kind, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return our directory for `kind` (XDG Base Directory Specification 0.8), or None where the environment names none.

    A relative path in a variable counts as not set, as the specification demands.
    """
    given = environ.get(f"XDG_{kind.upper()}_HOME", "")
    if given.startswith("/"):
        return os.path.join(given, "fennec")
    home = environ.get("HOME", "")
    return os.path.join(home, _DEFAULTS[kind], "fennec") if home.startswith("/") else None


def make_directory(path: FilePath) -> None:
    """Make a directory of ours and what is missing above it. Raises `OSError`, `NotPrivate` among them."""
    try:
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)
    except FileNotFoundError:
        above = os.path.dirname(path)
        if not os.path.exists(above):
            make_directory(above)
        make_directory(path)
        return
    except FileExistsError:
        pass
    check_directory(path)


def check_directory(path: FilePath) -> None:
    """Raise `NotPrivate` for a directory that is not ours alone to write; close it to readers if it is ours."""
    found = os.stat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, "not a directory", str(path))
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise NotPrivate(1, "not a directory of yours alone", str(path))
    if found.st_mode & 0o077:
        os.chmod(path, 0o700)


def open_file(path: FilePath, flags: int) -> int:
    """Open a file of ours, made with mode 0600 where `flags` has O_CREAT. Raises `OSError`, `NotPrivate` among them."""
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(fd)
        raise NotPrivate(1, "not a file of yours", str(path))
    if stat.S_IMODE(found.st_mode) != 0o600:
        os.fchmod(fd, 0o600)
    return fd


def replace_file(path: FilePath, data: bytes) -> None:
    """Put `data` in the place of a file of ours, whole or not at all, also when the power fails. Raises `OSError`."""
    temporary = _beside(path)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.fchmod(fd, 0o600)
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _beside(path: FilePath) -> str:
    """A name in the same directory that nobody else uses."""
    directory, name = os.path.split(path)
    return os.path.join(directory, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")


def installation_key(purpose: str, environ: Mapping[str, str] = os.environ) -> bytes:
    """Return 32 secret bytes of this installation, different ones for each `purpose` (at most 16 ASCII characters).

    They come from a random file in the configuration directory that is made when it is first asked for. Two processes
    that make it at once get the same. Raises `OSError` where there is no place for it or it cannot be read.
    """
    directory = home_of("config", environ)
    if directory is None:
        raise FileNotFoundError(2, "there is no configuration directory: HOME is not set")
    path = os.path.join(directory, "installation.key")
    try:
        root = _read_key(path)
    except FileNotFoundError:
        root = _make_key(path)
    from fennec_cli.hashes import blake2b

    return blake2b(key=root, person=purpose.encode(), digest_size=32).digest()


def _read_key(path: FilePath) -> bytes:
    fd = open_file(path, os.O_RDONLY)
    try:
        root = os.read(fd, INSTALLATION_KEY_BYTES + 1)
    finally:
        os.close(fd)
    if len(root) != INSTALLATION_KEY_BYTES:
        raise OSError(5, "not an installation key", str(path))
    return root


def _make_key(path: FilePath) -> bytes:
    make_directory(os.path.dirname(path))
    temporary = _beside(path)
    fd = open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        try:
            os.write(fd, os.urandom(INSTALLATION_KEY_BYTES))
            os.fsync(fd)
        finally:
            os.close(fd)
        with suppress(FileExistsError):
            os.link(temporary, path)  # unlike a rename it leaves alone what another process has made meanwhile
    finally:
        os.unlink(temporary)
    return _read_key(path)
