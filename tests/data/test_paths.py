"""Files are found under the names that people have for them, or the true cause is said."""

from __future__ import annotations

import json
from pathlib import Path
from unicodedata import normalize

import pytest

from tests.data.conftest import png, refused
from unsee.data import load_examples
from unsee.data.paths import located
from unsee.mining.captions import read_captions
from unsee.runs.settings import parse

ASKED = {"question": "Who is this?", "answer": "Ada"}
COMPOSED, APART = normalize("NFC", "phötos/Zoë.png"), normalize("NFD", "phötos/Zoë.png")


@pytest.fixture(params=[COMPOSED, APART], ids=["composed", "apart"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """With a picture whose name has letters that Unicode writes in two ways."""
    place = tmp_path / request.param
    place.parent.mkdir()
    place.write_bytes(png())
    return tmp_path


def rows(folder: Path, image: str | None) -> Path:
    path = folder / "forget.jsonl"
    path.write_text(json.dumps({**ASKED, "image": image}))
    return path


@pytest.mark.parametrize(
    "name",
    [
        COMPOSED,
        APART,
        f"{APART} \n",
        COMPOSED.replace("/", "\\"),
        f".\\{APART}",
        "file://{folder}/" + COMPOSED,
        "FILE://localhost{folder}/" + APART,
        "file://{folder}/ph%C3%B6tos/Zo%C3%AB.png",
        "{folder}/" + APART,
    ],
)
def test_pictures_are_found_under_every_name_that_people_have_for_them(folder: Path, name: str) -> None:
    name = name.replace("{folder}", str(folder))
    (example,) = load_examples(rows(folder, name))
    assert example.picture() is not None
    (folder / "said.jsonl").write_text(json.dumps({"image": name, "caption": "A cat."}))
    (source,) = read_captions(folder / "said.jsonl", folder)
    assert (folder / source.image).is_file()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("C:\\data\\a.png", "a path of Windows, which means nothing here"),
        ("photos/a.png", "there is no folder "),
        ("a.PNG", "(did you mean 'a.png'?)"),
        ("http://x.org/a.png", "is a URL; nothing is fetched"),
        ("  ", "an empty path"),
        ("file:///nowhere/a.png", "there is no folder /nowhere"),
    ],
)
def test_the_true_cause_is_said(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "a.png").write_bytes(png())
    message = refused(load_examples, rows(tmp_path, name))
    assert "forget.jsonl, row 1, image: " in message
    assert problem in message


def test_a_name_that_could_be_two_files_is_none(tmp_path: Path) -> None:
    (tmp_path / normalize("NFC", "éè.png")).write_bytes(png())
    mixed = normalize("NFC", "é") + normalize("NFD", "è.png")
    assert located(mixed, tmp_path) is not None
    (tmp_path / normalize("NFD", "éè.png")).write_bytes(png())
    assert located(mixed, tmp_path) is None


@pytest.mark.parametrize("name", ["{folder}/forget.jsonl ", "file://{folder}/forget.jsonl", "{folder}\\forget.jsonl"])
def test_data_is_found_like_pictures(tmp_path: Path, name: str) -> None:
    rows(tmp_path, None)
    named = name.replace("{folder}", str(tmp_path))
    assert len(load_examples(named)) == 1
    settings = parse({"model": "m", "out": "o", "forget": named})
    assert len(load_examples(settings.forget)) == 1
