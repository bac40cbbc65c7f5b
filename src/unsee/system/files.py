"""Reading and writing small files; a file that is written is there whole or not at all."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.system.atomic import whole_file
from unsee.system.strict import parse_json

MAX_FILE = 2**30  # bytes of a text; pictures are files beside it
MAX_LINE = 2**24  # bytes of a row in JSON Lines
MAX_LINES = 10_000_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Line breaks to str.splitlines and to some editors, yet legal inside a JSON string: written as escapes.
_LINE_BREAKS = {ord(letter): f"\\u{ord(letter):04x}" for letter in "\x85\u2028\u2029"}


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; see `unsee.system.atomic.whole_file`.

    Raises:
        InputError: if the folder cannot be made or written to, or the disk is full.
    """
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically; line ends stay as they are."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write one JSON value, indented, atomically. NaN and infinities become null: JSON has no word for them."""
    write_bytes(path, _encode(value, indent=2) + b"\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write one JSON value per line, atomically. NaN and infinities become null."""
    write_bytes(path, b"".join(_encode(row) + b"\n" for row in rows))


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, with "\\n" for every kind of line end and no byte order mark.

    Raises:
        InputError: if there is no such file, it may not be read, or it is not text in UTF-8.
    """
    text = _decode(_read(path), str(path)).removeprefix("\ufeff")
    if "\0" in text:
        raise InputError(f"{path}: holds NUL bytes, which no text does; give a text file in UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        InputError: if the file cannot be read or is broken (see `unsee.system.strict`); the message names the line.
    """
    return parse_json(read_text(path), str(path))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file; see `numbered_jsonl`."""
    return [row for _, row in numbered_jsonl(path)]


def numbered_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a JSON Lines file, each with the number of its line (from 1); empty lines are passed over.

    Raises:
        InputError: if the file cannot be read, or a line is not a JSON object; the message names the line.
    """
    # Every kind of line end: JSON has none within a string. U+2028 is a letter like others.
    content = _read(path)
    if content.count(b"\n") + content.count(b"\r") > 2 * MAX_LINES:  # of "\r\n" both
        raise InputError(f"{path}: more than {MAX_LINES:,} lines; split the file")
    for number, line in enumerate(re.split(rb"\r\n|\n|\r", content), start=1):
        text = line.removeprefix(_BYTE_ORDER_MARK)  # also behind the first line, where files were joined
        if text.strip():
            yield number, _row(text, f"{path}, line {number}")


def _row(line: bytes, where: str) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise InputError(f"{where}: {len(line)} bytes; a row has at most {MAX_LINE}, and every line is one JSON object")
    row = parse_json(_decode(line, where), where, "; every line is one JSON object", one_line=True)
    if not isinstance(row, dict):
        raise InputError(f"{where}: {type(row).__name__} where an object is expected; every line is one JSON object")
    return row


def _read(path: Path) -> bytes:
    try:
        if (size := Path(path).stat().st_size) > MAX_FILE:
            raise InputError(f"{path}: {size} bytes; at most {MAX_FILE} are read as text, so split it")
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _decode(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error


def _encode(value: Any, indent: int | None = None) -> bytes:
    text = json.dumps(finite(value), ensure_ascii=False, allow_nan=False, indent=indent)
    # A lone surrogate has no UTF-8; backslashreplace turns it into the very escape that JSON wants.
    return text.translate(_LINE_BREAKS).encode("utf-8", errors="backslashreplace")


def finite(value: Any) -> Any:
    """A value as JSON can hold it, which has no NaN and no infinity: those are None."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
