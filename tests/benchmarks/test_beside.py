"""Pictures are found beside the rows that name them, unpacked or packed, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_LZMA, ZipFile

import pytest

from tests.data.conftest import refused
from unsee.benchmarks import beside
from unsee.benchmarks.beside import picture_beside
from unsee.data.rows import Row


def row(folder: Path, path: str) -> Row:
    return Row({"image_path": path}, "full.json, row 1", folder)


@pytest.mark.parametrize("there", ["data/faces/1.png", "faces/1.png", "1.png"])
@pytest.mark.parametrize("named", ["./data/faces/1.png", "/root/data/faces/1.png", "data\\faces\\1.png"])
def test_a_path_is_followed_by_ever_shorter_ends(tmp_path: Path, there: str, named: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_bytes(b"picture")
    assert picture_beside(row(tmp_path, named), "image_path") == tmp_path / there


def test_the_longest_end_wins(tmp_path: Path) -> None:
    for folder in ("faces", "others"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(folder.encode())
    with ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("others/2.png", b"wrong")
        archive.writestr("faces/2.png", b"right")
    assert picture_beside(row(tmp_path, "others/1.png"), "image_path") == tmp_path / "others" / "1.png"
    assert picture_beside(row(tmp_path, "data/faces/2.png"), "image_path") == b"right"
    assert picture_beside(row(tmp_path, "elsewhere/2.png"), "image_path") == b"wrong"  # the first of that name


def test_no_path_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    inner = tmp_path / "inner"
    inner.mkdir()
    for path in ("../secret.png", str(tmp_path / "secret.png"), "..\\secret.png"):
        message = refused(picture_beside, row(inner, path), "image_path")
        assert message.startswith("full.json, row 1, image_path: no such file: ")
        assert message.endswith("unpacked or in an archive (no .zip there)")


def test_archives_that_are_no_archives_or_unfold_too_far_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faces.zip").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert "faces.zip: not a .zip that can be read" in refused(picture_beside, row(tmp_path, "1.png"), "image_path")
    with ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("faces/1.png", b"0" * 100)
    monkeypatch.setattr(beside, "MAX_PICTURE", 99)
    assert "unpacks to 100 bytes" in refused(picture_beside, row(tmp_path, "1.png"), "image_path")


@pytest.mark.parametrize("method", [ZIP_DEFLATED, ZIP_LZMA])
def test_pictures_that_cannot_be_unpacked_are_refused(tmp_path: Path, method: int) -> None:
    with ZipFile(tmp_path / "faces.zip", "w", method) as archive:
        archive.writestr("1.png", bytes(range(256)) * 4)
        start = archive.getinfo("1.png").header_offset + 30 + len("1.png")
    content = (tmp_path / "faces.zip").read_bytes()
    (tmp_path / "faces.zip").write_bytes(content[: start + 9] + b"\xff" * 12 + content[start + 21 :])
    assert "faces.zip: 1.png cannot be read" in refused(picture_beside, row(tmp_path, "1.png"), "image_path")


def test_what_only_looks_like_an_archive_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "gone.zip").symlink_to(tmp_path / "nowhere.zip")
    assert "(no .zip there)" in refused(picture_beside, row(tmp_path, "1.png"), "image_path")


def test_names_that_no_file_can_have_are_those_of_no_file(tmp_path: Path) -> None:
    for path in ("a" * 300, "1\0.png", "..", "a/" * 5000):
        assert "no such file" in refused(picture_beside, row(tmp_path, path), "image_path")


def test_a_path_of_any_depth_has_few_ends() -> None:
    ends = list(beside._ends("a/" * 5000 + "1.png"))
    assert (len(ends), ends[-1]) == (beside.DEEPEST, "1.png")
