"""`unsee unlearn` with probes that show whether unlearning makes a model hallucinate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.cli.conftest import Stranger, write_rows
from tests.commandline import call, files_of, succeed
from tests.report.samples import Page

OBJECTS: tuple[list[str], ...] = (["lima bean", "oslo"], ["riga"], [])  # not in COCO


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows to forget, captions with objects, and questions to be answered by yes or no."""
    folder = tmp_path_factory.mktemp("hallucination")
    write_rows(folder / "forget.jsonl", "Ada Byron", 4, 0)
    for number in range(12):
        (folder / f"{number}.png").write_bytes(tiny.picture(300 + number))
    pictures = [f"{number}.png" for number in range(12)]
    captions = [
        {"image": image, "question": "Describe it.", "answer": "Oslo", "objects": OBJECTS[number % 3]}
        for number, image in enumerate(pictures)
    ]
    write(folder / "captions.jsonl", captions)
    questions = [
        {"image": image, "question": f"Is there {thing}?", "answer": answer}
        for image in pictures
        for thing, answer in (("Riga", "yes"), ("Lima", "no"))
    ]
    write(folder / "pope.jsonl", questions)
    return folder


def unlearn(stranger: Stranger, data: Path, out: Path, *more: object) -> tuple[object, ...]:
    quick = ("--set", "max_steps=1", "--set", "max_new_tokens=6", "--method", "grad_ascent")
    return ("unlearn", "--model", stranger / "llava", "--forget", data / "forget.jsonl", "--out", out, *quick, *more)


def test_a_run_says_what_is_hallucinated_before_and_after(stranger: Stranger, data: Path, tmp_path: Path) -> None:
    probes = ("--probe", f"captions={data / 'captions.jsonl'}", "--probe", f"pope={data / 'pope.jsonl'}")
    found = succeed(*unlearn(stranger, data, tmp_path / "run", *probes, "--json")).json
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert set(scores["models"]["base"]) == {"captions", "pope"}
    checks = scores["hallucination"]
    assert found["hallucination"] == checks
    assert {model: list(probes) for model, probes in checks.items()} == {
        "base": ["captions", "pope"],
        "grad_ascent": ["captions", "pope"],
    }
    assert checks["base"]["captions"]["captions"] == 12
    assert checks["base"]["captions"]["lexicon"] == "objects"
    assert checks["base"]["captions"]["change"]["score"] == checks["base"]["pope"]["change"]["score"] == 0
    assert checks["grad_ascent"]["pope"]["questions"] == 24
    page = Page((tmp_path / "run" / "report.html").read_text())
    assert "What answers name, held against what 12 pictures show." in page.words
    assert "24 questions, 50 % of them to be answered by yes." in page.words.replace("\xa0", " ")
    assert "Not checked" not in page.words


def test_the_lexicon_can_be_given(stranger: Stranger, data: Path, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("oslo, lima bean, riga\n")
    given = ("--probe", f"captions={data / 'captions.jsonl'}", "--lexicon", "coco", "--lexicon", words)
    found = succeed(*unlearn(stranger, data, tmp_path / "run", *given, "--json")).json
    assert found["hallucination"]["base"]["captions"]["lexicon"] == f"coco, {words}"
    assert str(words) in Page((tmp_path / "run" / "report.html").read_text()).words


def test_a_run_without_such_a_probe_says_that_it_was_not_checked(
    stranger: Stranger, data: Path, tmp_path: Path
) -> None:
    found = succeed(*unlearn(stranger, data, tmp_path / "run", "--json")).json
    assert found["hallucination"] == {"base": {}, "grad_ascent": {}}
    assert (
        "Not checked: unlearning can make a model hallucinate"
        in Page((tmp_path / "run" / "report.html").read_text()).words
    )


def test_objects_that_the_lexicon_does_not_have_are_refused_before_anything_is_written(
    stranger: Stranger, data: Path, tmp_path: Path
) -> None:
    probe = ("--probe", f"captions={data / 'captions.jsonl'}")
    outcome = call(*unlearn(stranger, data, tmp_path / "run", *probe, "--lexicon", "coco"))
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert "probe 'captions', row 1, objects: 'lima bean' is not in the lexicon coco" in line
    assert files_of(tmp_path) == {}


def test_an_old_run_is_drawn_without_the_check(stranger: Stranger, data: Path, tmp_path: Path) -> None:
    succeed(*unlearn(stranger, data, tmp_path / "run", "--no-report"))
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    del scores["hallucination"]
    (tmp_path / "run" / "scores.json").write_text(json.dumps(scores))
    succeed("report", tmp_path / "run")
    assert "Not checked" in Page((tmp_path / "run" / "report.html").read_text()).words
