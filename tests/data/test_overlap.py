"""What a probe is for, by whom it is about; and whose pictures it shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import picture
from unsee.data.example import Example
from unsee.data.overlap import PictureOverlap, picture_overlap, role_by_subject

ADA, BEN, NEW = picture(1), picture(2), picture(3)


def seen(subject: str | None, image: bytes | None = NEW) -> Example:
    return Example("Who is this?", "x", image, subject)


def told(subject: str | None) -> Example:
    return seen(subject, None)


FORGET = [seen("Ada Byron", ADA), seen("Cleo", BEN)]


@pytest.mark.parametrize(
    ("rows", "role"),
    [
        ([seen("Ada Byron"), seen("Cleo")], "forget"),
        ([seen(" ada  byron")], "forget"),
        ([seen("Ben"), told("Dan")], "keep"),
        ([seen("Ada Byron"), seen("Ben")], None),
        ([seen("Ada Byron"), seen(None)], None),
        ([seen(None)], None),
        ([seen(None, ADA), seen("Cleo")], "forget"),  # no name, but her picture
        ([told("Ada Byron")], None),  # what forget rows show is asked in words: nobody said whether that is to go
    ],
)
def test_the_role_of_a_probe_follows_from_its_subjects(rows: list[Example], role: str | None) -> None:
    assert role_by_subject(rows, FORGET) == role


@pytest.mark.parametrize(
    ("request_", "rows", "role"),
    [
        ("visual", [seen("Cleo")], "forget"),
        ("visual", [told("Cleo")], "keep"),
        ("visual", [told("Cleo"), seen("Cleo")], None),
        ("textual", [told("Cleo")], "forget"),
        ("textual", [seen("Cleo")], "keep"),
        ("both", [told("Cleo"), seen("Cleo")], "forget"),
        ("both", [seen("Ben")], "keep"),
    ],
)
def test_a_request_spares_a_kind_of_rows(request_: str, rows: list[Example], role: str | None) -> None:
    assert role_by_subject(rows, FORGET, request_) == role


def test_nothing_is_known_to_stay_where_forget_rows_do_not_say_whom_they_are_about() -> None:
    unnamed = [replace(row, subject=None) for row in FORGET]
    assert role_by_subject([seen("Ben")], unnamed) is None
    assert role_by_subject([seen("Ben", ADA)], [*unnamed, seen("Ben", ADA)]) == "forget"


def test_the_same_picture_counts_under_another_name_and_another_question(tmp_path: Path) -> None:
    copies: list[Path] = [tmp_path / "a.png", tmp_path / "deep" / "b.png"]
    for copy in copies:
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(ADA)
    pictures: list[Path | bytes] = [*copies, ADA]
    rows = [Example("What is her name?", "Ada", picture) for picture in pictures]
    rows += [Example("Who?", "Ben", NEW), told("Ada Byron")]
    assert picture_overlap(rows, (FORGET, [])) == PictureOverlap(pictures=4, trained_on=3)
    assert picture_overlap(rows, ([], FORGET[:1])) == PictureOverlap(4, 3)
    assert picture_overlap([told("Ada Byron")], (FORGET,)) == PictureOverlap(0, 0)


def test_a_file_is_read_once_however_many_rows_show_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    plain = Path.open

    def opened(path: Path, *rest: Any, **named: Any) -> Any:
        reads.append(path)
        return plain(path, *rest, **named)

    monkeypatch.setattr(Path, "open", opened)
    for name in "abc":
        (tmp_path / name).write_bytes(picture(ord(name)))
    rows = [Example("Who?", "x", tmp_path / "abc"[n % 3]) for n in range(3000)]
    reads.clear()
    assert picture_overlap(rows, (rows,)).trained_on == 3000
    assert len(reads) <= 3
