"""Attachments, tool definitions and schemas from files."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from fennec_cli import inputs
from fennec_cli.errors import InputError, UsageError
from fennec_cli.request import Tool

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


@pytest.fixture
def file(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(content: Any, name: str = "file") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
    ],
)
def test_the_bytes_say_what_an_attachment_is(file, data: bytes, media_type: str) -> None:  # type: ignore[no-untyped-def]
    found = inputs.attachment(file(data, "misleading.txt"))
    assert (found.media_type, found.name, found.data) == (media_type, "misleading.txt", data)


@pytest.mark.parametrize("data", [b"", b"just text", b"RIFF\0\0\0\0WAVE", b"%PDF", b"\x89PN"])
def test_what_no_provider_takes_is_refused(file, data: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="no image or document"):
        inputs.attachment(file(data))


def test_standard_input_can_be_the_attachment() -> None:
    assert inputs.attachment("-", PNG).data == PNG
    with pytest.raises(InputError):
        inputs.attachment("-", b"")


@pytest.mark.parametrize("place", ["/no/such/file", "/", "/proc/self/mem"])
def test_a_file_that_cannot_be_read_is_said(place: str) -> None:
    with pytest.raises(InputError, match="cannot read"):
        inputs.attachment(place)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as handle:
        handle.write(PNG)
        handle.truncate(inputs.MAX_ATTACHMENT + 1)
    with pytest.raises(InputError, match="larger"):
        inputs.attachment(str(large))


@pytest.mark.parametrize(
    ("url", "image"),
    [("https://a.example/x.jpg?size=1", True), ("https://a.example/x.pdf#2", False), ("https://a.example/x", True)],
)
def test_https_urls_are_handed_on(url: str, image: bool) -> None:
    found = inputs.attachment(url)
    assert (found.url, found.is_image, found.address()) == (url, image, url)


@pytest.mark.parametrize("url", ["http://a.example/x.jpg", "file:///etc/passwd", "ftp://a.example/x.png", "data://x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="https"):
        inputs.attachment(url)


def test_a_root_is_not_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "in.png").write_bytes(PNG)
    (tmp_path / "out.png").write_bytes(PNG)
    os.symlink(tmp_path / "out.png", root / "link.png")
    assert inputs.attachment("in.png", root=str(root)).data == PNG
    for place in ("../out.png", str(tmp_path / "out.png"), "link.png", "a/../../out.png"):
        with pytest.raises(InputError, match="outside"):
            inputs.attachment(place, root=str(root))


@pytest.mark.parametrize("root", [None, "/"])
def test_a_path_has_no_nul(root: str | None) -> None:
    with pytest.raises(InputError, match="no path"):
        inputs.attachment("a\0b.png", root=root)


PARAMETERS = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "row",
    [
        {"name": "f", "description": "d", "parameters": PARAMETERS},
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": PARAMETERS}},
        {"type": "function", "name": "f", "description": "d", "parameters": PARAMETERS},
        {"name": "f", "description": "d", "input_schema": PARAMETERS},
    ],
)
def test_tools_of_every_provider_are_understood(file, row: dict[str, Any]) -> None:  # type: ignore[no-untyped-def]
    assert inputs.tools(file([row])) == (Tool("f", "d", PARAMETERS),)


@pytest.mark.parametrize(
    "rows",
    [{}, [], [7], [{}], [{"name": 7}], [{"name": "two words"}], [{"name": "x" * 65}], [{"name": "f"}, {"name": "f"}]]
    + [[{"name": "f", "parameters": []}], [{"name": "f", "description": 7}], [{"name": "f", "strict": "yes"}], b"{"],
)
def test_tools_that_cannot_be_sent_are_refused(file, rows: Any) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError):
        inputs.tools(file(rows))


def test_a_tool_choice_names_a_tool() -> None:
    known = (Tool("f"),)
    assert inputs.checked_choice(None, ()) is None
    assert inputs.checked_choice("required", known) == "required"
    assert inputs.checked_choice("f", known) == "f"
    with pytest.raises(UsageError, match="is no tool"):
        inputs.checked_choice("g", known)
    with pytest.raises(UsageError, match="needs --tools"):
        inputs.checked_choice("auto", ())


def test_a_schema_is_read_and_checked(file) -> None:  # type: ignore[no-untyped-def]
    assert inputs.schema(file({"type": "object"})) == {"type": "object"}


@pytest.mark.parametrize(
    "document", [[], {"type": "nothing"}, {"properties": 7}, b"{", {"$ref": "https://a.example/schema.json"}]
)
def test_what_is_no_schema_is_refused(file, document: Any) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError):
        inputs.schema(file(document))
