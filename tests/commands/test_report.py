"""`unsee report`: the page of a run from nothing but its files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.commandline import call, files_of, succeed
from tests.commands.conftest import Stranger, write_rows


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
        ("data", ["no such file", "forget.jsonl"]),
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
    if spoil == "data":
        settings = (
            (folder / "run.yaml").read_text().replace(str(run.parent / "forget.jsonl"), str(tmp_path / "forget.jsonl"))
        )
        (folder / "run.yaml").write_text(settings)
    before = files_of(tmp_path)
    outcome = call("report", folder, "--out", tmp_path / "page.html")
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert all(keyword in line for keyword in keywords), line
    assert files_of(tmp_path) == before
