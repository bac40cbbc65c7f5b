"""Pictures and rows for the tests of the data."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unsee.errors import InputError

Write = Callable[..., Path]


def png(color: tuple[int, int, int] = (200, 30, 40), size: tuple[int, int] = (6, 4)) -> bytes:
    """A small one-coloured PNG."""
    return encoded(Image.new("RGB", size, color), "PNG")


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as the bytes of a file."""
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header promises more pixels than it holds: 70 bytes that would unfold to gigabytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def refused(call: Callable[..., object], *arguments: Any, **options: Any) -> str:
    """The message of the InputError that the call must raise: one printable line."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    return message


@pytest.fixture
def rows_file(tmp_path: Path) -> Write:
    """Write rows to forget.jsonl beside a picture face.png; the path of the file."""
    (tmp_path / "face.png").write_bytes(png())

    def write(*rows: dict[str, Any] | str, name: str = "forget.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in as_lines(rows)), encoding="utf-8")
        return path

    return write


def as_lines(rows: Iterable[dict[str, Any] | str]) -> list[str]:
    """Each row as JSON; a string is written as it stands."""
    return [row if isinstance(row, str) else json.dumps(row) for row in rows]
