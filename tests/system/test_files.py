"""A file is written whole or not at all, and what is written can be read."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from tests.data.conftest import refused
from unsee.errors import InputError
from unsee.system import files
from unsee.system.files import (
    MAX_LINE,
    read_json,
    read_jsonl,
    read_text,
    write_json,
    write_jsonl,
    write_text,
)


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    write_text(tmp_path / "new/a.txt", "ä\r\n\u2028")
    assert (tmp_path / "new/a.txt").read_bytes() == "ä\r\n\u2028".encode()


def test_rows_survive_and_stay_one_line_each(tmp_path: Path) -> None:
    rows = [{"a": "\u2028\u2029\x85\n\r"}, {"b": "\ud83d", "c": [1.5, None, True]}, {"d": "ä😀"}]
    write_jsonl(tmp_path / "a.jsonl", rows)
    assert read_jsonl(tmp_path / "a.jsonl") == rows
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3
    assert "ä😀" in (tmp_path / "a.jsonl").read_text()


def test_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": math.nan, "b": [(-math.inf, 1.0)]})
    assert read_json(tmp_path / "a.json") == {"a": None, "b": [[None, 1.0]]}


def test_failure_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", object())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot write .*a\.json: No space left on device; name a place"):
        write_json(tmp_path / "a.json", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == 1


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_text(tmp_path / "a/b.txt", "x")


def test_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("nothing is forbidden to root")
    with pytest.raises(InputError, match="Permission denied; name a place that can be written"):
        write_text(tmp_path / "a.txt", "x")


def test_others_may_read_what_the_umask_allows(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(previous)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{\n"a": 1,\n}')
    with pytest.raises(InputError, match=r"a\.json, line [23]: broken JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"cannot read .*b\.json: No such file"):
        read_json(tmp_path / "b.json")


ROWS = [{"a": "one\u2028two"}, {"a": "three"}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_and_every_mark_of_byte_order_is_read(tmp_path: Path, end: str) -> None:
    lines = [f"\ufeff{json.dumps(row, ensure_ascii=False)}" for row in ROWS]  # as of files that were joined
    (tmp_path / "a.jsonl").write_bytes(end.join([*lines, "  ", ""]).encode())
    assert read_jsonl(tmp_path / "a.jsonl") == ROWS
    (tmp_path / "a.txt").write_bytes(f"\ufeffone{end}two{end}".encode())
    assert read_text(tmp_path / "a.txt") == "one\ntwo\n"


def test_a_line_of_megabytes_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unsee.system.files.parse_json", lambda *_, **__: pytest.fail("parsed"))
    (tmp_path / "a.jsonl").write_bytes(b'{"a": "' + b"x" * MAX_LINE + b'"}\n')
    assert f"a.jsonl, line 1: {MAX_LINE + 9} bytes; a row has at most" in refused(read_jsonl, tmp_path / "a.jsonl")


def test_a_key_twice_in_a_row_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 1, "a": 2}\n')
    assert "a.jsonl, line 2: 'a' twice in one object; keep one" in refused(read_jsonl, tmp_path / "a.jsonl")


def test_json_lines_of_too_many_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n" * 40)
    assert read_jsonl(tmp_path / "a.jsonl") == []
    monkeypatch.setattr(files, "MAX_LINES", 10)
    assert "a.jsonl: more than 10 lines; split the file" in refused(read_jsonl, tmp_path / "a.jsonl")
