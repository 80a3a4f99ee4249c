"""One configuration file: its text, its TOML, and the line a key stands on."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fennec_cli.errors import ConfigError

KeyPath = tuple[str, ...]

LARGEST_FILE = 256 * 1024
# A project file may be hostile, and tomllib needs memory by the square of a dotted key's length: 16 KiB of `a.a.a...`
# cost 280 MB and 2 s, 8 KiB 80 MB and half a second (measured with Python 3.11).
LARGEST_PROJECT_FILE = 8 * 1024
_DEEPEST_PATH = 8  # profile.NAME.provider.NAME.prices.MODEL.input has 7 parts
_MOST_TRIES = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """The place a value came from. The line is looked for only when somebody asks."""

    file: str
    path: KeyPath
    text: str = field(repr=False)

    @property
    def line(self) -> int:
        return find_line(self.text, self.path)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read. `mode` and `owner` are those of the file that the text came from."""

    file: str
    text: str = field(repr=False)
    mode: int
    owner: int

    def origin(self, path: KeyPath) -> Origin:
        return Origin(self.file, path, self.text)


def read_source(path: str, *, wait: bool = False, limit: int = LARGEST_FILE) -> Source:
    """Read a file of at most `limit` bytes; only with `wait` a pipe in its place may keep us waiting.

    Raises ConfigError, or FileNotFoundError when there is no such file.
    """
    file = shown(path)
    try:
        with open(path, "rb", opener=None if wait else _open_at_once) as stream:
            status = os.fstat(stream.fileno())
            content = stream.read(limit + 1) or b""
    except NotADirectoryError as error:
        raise FileNotFoundError(path) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    if len(content) > limit:
        raise ConfigError(f"cannot read {file}: larger than {limit // 1024} KiB")
    return Source(file, _decode(file, content), status.st_mode, status.st_uid)


def shown(path: str) -> str:
    """A file's name that cannot disturb a terminal or a line of a log."""
    return path if path.isprintable() else ascii(path)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _decode(file: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: not UTF-8 at byte {error.start}") from error


def parse(source: Source) -> dict[str, Any]:
    """Return the TOML document, or raise ConfigError with file, line and reason."""
    import tomllib

    try:
        return tomllib.loads(source.text)
    except RecursionError as error:
        raise ConfigError(f"{source.file}: nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and an integer of more than 4300 digits
        raise _syntax_error(source, str(error)) from error


def _syntax_error(source: Source, message: str) -> ConfigError:
    reason, _, place = message.rpartition(" (at ")
    lines = source.text.split("\n")
    if not reason:
        return ConfigError(f"{source.file}: {message:.200}")
    number = int(place.split()[1].rstrip(",")) if place.startswith("line ") else len(lines)
    hint = None
    if "overwrite" in reason and lines[number - 1].lstrip().startswith(("[provider.", "[[provider.")):
        hint = "TOML allows either `provider` or [provider.NAME] in a file: name the default in [complete]"
    return ConfigError(f"{source.file}:{number}: {reason:.200}", hint=hint)


def find_line(text: str, path: KeyPath) -> int:
    """Return the line, from 1, on which `path` or else the nearest table around it is first written."""
    lines = _lines(text)
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


@lru_cache(maxsize=4)
def _lines(text: str) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, is_header, content in _statements(text):
        paths = list(_paths(content))
        if is_header:
            table = paths[-1]
        for path in paths:
            lines.setdefault(path if is_header else (*table, *path), number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Cut a valid document into statements: first line, whether it is a [header], and its own TOML.

    tomllib tells no lines. But each statement is a document of its own and no beginning of one is, so tomllib itself
    tells where it ends. Gives up, without the rest, where a value could end on more than a hundred of its lines.
    """
    import tomllib

    buffer: list[str] = []
    tries = 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        buffer.append(line)
        if len(buffer) > 1 and not any(end in line for end in ('"""', "'''", "]", "}")):
            continue
        try:
            content = tomllib.loads("\n".join(buffer))
        except ValueError:
            tries += 1
            if tries > _MOST_TRIES:
                return
            continue
        if content:
            yield number - len(buffer) + 1, buffer[0].lstrip().startswith("["), content
        buffer, tries = [], 0


def _paths(content: dict[str, Any]) -> Iterator[KeyPath]:
    """Every key of a document, tables before what is in them."""
    todo: list[tuple[KeyPath, Any]] = [((), content)]
    while todo:
        path, value = todo.pop()
        if path:
            yield path
        if isinstance(value, dict) and len(path) < _DEEPEST_PATH:
            todo += [((*path, key), below) for key, below in value.items()]


def dotted(path: KeyPath) -> str:
    """Write a path as in a TOML file, safe for a terminal: `provider.openai.prices."gpt-5.4"`."""
    return ".".join(_part(name) for name in path)


def _part(name: str) -> str:
    bare = name.replace("-", "").replace("_", "")
    if bare.isascii() and bare.isalnum() and len(name) <= 80:
        return name
    escaped = name[:80].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if escaped.isprintable() else '"' + ascii(escaped)[1:-1] + '"'
