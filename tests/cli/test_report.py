"""`unsee report`: the page of a run from nothing but its files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Stranger, write_rows
from tests.commandline import call, files_of, succeed


@pytest.fixture(scope="module")
def run(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    forget = write_rows(folder / "forget.jsonl", "Ada Byron", 4, 0)
    quick = ["--set", "max_steps=1", "--set", "max_new_tokens=4"]
    given = ["--model", stranger / "llava", "--forget", forget, "--method", "grad_ascent", "--out", folder / "run"]
    shown = succeed("unlearn", *given, *quick).out
    assert "Measured on training rows: forget" in shown
    assert "count whether the model knew it or not: 4 of forget" in " ".join(shown.split())
    return folder / "run"


def without_time(page: Path) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", page.read_text())


def test_the_page_is_drawn_again(run: Path, tmp_path: Path) -> None:
    first = without_time(run / "report.html")
    (run / "report.html").unlink()
    before = files_of(run)
    shown = succeed("report", run).out
    assert str(run / "report.html") in shown
    assert "<title>llava is made to forget Ada Byron, by grad_ascent</title>" in first
    assert without_time(run / "report.html") == first
    assert {name: content for name, content in files_of(run).items() if name != "report.html"} == before
    found = succeed("report", run, "--out", tmp_path / "deep" / "page.html", "--json").json
    assert found["report"] == str(tmp_path / "deep" / "page.html")
    assert without_time(tmp_path / "deep" / "page.html") == first


@pytest.mark.parametrize(
    ("spoil", "keywords"),
    [
        ("nowhere", ["no such folder"]),
        ("unfinished", ["no finished run (scores.json is missing)"]),
        ("records", ["cannot read", "records/grad_ascent/forget.jsonl"]),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(run: Path, tmp_path: Path, spoil: str, keywords: list[str]) -> None:
    folder = tmp_path / "run"
    if spoil != "nowhere":
        shutil.copytree(run, folder)
    if spoil == "unfinished":
        (folder / "scores.json").unlink()
    if spoil == "records":
        (folder / "records" / "grad_ascent" / "forget.jsonl").unlink()
    before = files_of(tmp_path)
    outcome = call("report", folder, "--out", tmp_path / "page.html")
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert all(keyword in line for keyword in keywords), line
    assert files_of(tmp_path) == before


@pytest.fixture
def moved(run: Path, tmp_path: Path) -> Path:
    """A copy of the run whose data are a copy too, to be taken away."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(run.parent, folder)
    settings = folder / "run" / "run.yaml"
    settings.write_text(settings.read_text().replace(str(run.parent), str(folder)))
    return folder


def shown(page: Path) -> tuple[str, set[str]]:
    """The text of a page, and its pictures."""
    html = page.read_text()
    return html, set(re.findall(r"data:image/[a-z]+;base64,[^\"']+", html))


@pytest.mark.parametrize("gone", ["photos", "rows", "both", "one photo", "another photo", "other rows"])
def test_a_page_is_drawn_from_records_when_data_or_pictures_have_gone(moved: Path, gone: str) -> None:
    before, pictures = shown(moved / "run" / "report.html")
    if gone in ("photos", "both"):
        (moved / "photos").rename(moved / "away")
    if gone in ("rows", "both"):
        (moved / "forget.jsonl").unlink()
    if gone == "one photo":
        (moved / "photos" / "1.png").unlink()
    if gone == "another photo":
        shutil.copy(moved / "photos" / "2.png", moved / "photos" / "1.png")
    if gone == "other rows":
        (moved / "forget.jsonl").write_text('{"question": "Who?", "answer": "Ada"}\n')
    found = succeed("report", moved / "run", "--json").json
    after, squares = shown(moved / "run" / "report.html")
    assert len(squares) == len(pictures) == 2  # rows about two pictures stay apart, and those in words have none
    assert len(squares & pictures) == (1 if gone in ("one photo", "another photo") else 0)
    assert "a grey square" in found["lost"]
    assert "\n" not in found["lost"]
    assert "llava is made to forget Ada Byron, by grad_ascent" in after or gone == "other rows"
    for words in ("Where does Ada Byron live? 0", "Where does this person live?", "Riga", "San Francisco"):
        assert after.count(words) == before.count(words) > 0, words
    assert found["verdict"] in " ".join(succeed("report", moved / "run").out.split())


def test_nothing_is_said_to_be_lost_when_all_is_there(run: Path) -> None:
    assert "lost" not in succeed("report", run, "--json").json
