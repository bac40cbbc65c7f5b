"""TOFU: JSON Lines in a folder, as on the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.conftest import refused
from unsee.benchmarks import load_benchmark
from unsee.data import check_sets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 questions about two authors; the second one is forgotten."""

    def row(number: int) -> dict[str, object]:
        return {"question": f"Question {number}?", "answer": f"Answer {number}."}

    def perturbed(number: int) -> dict[str, object]:
        more = {"paraphrased_answer": f"It is {number}.", "perturbed_answer": [f"It is {n}." for n in range(100, 105)]}
        return {**row(number), **more}

    def options(number: int) -> dict[str, object]:
        return {**row(number), "perturbed_answer": ["one", "two", "three"]}

    write(tmp_path / "full.json", [row(number) for number in range(40)])
    write(tmp_path / "forget10.json", [row(number) for number in range(20, 40)])
    write(tmp_path / "retain90.json", [row(number) for number in range(20)])
    write(tmp_path / "forget10_perturbed.json", [perturbed(number) for number in range(20, 40)])
    write(tmp_path / "retain_perturbed.json", [perturbed(number) for number in range(0, 20, 2)])
    write(tmp_path / "real_authors_perturbed.json", [options(number) for number in range(100, 103)])
    write(tmp_path / "world_facts_perturbed.json", [options(number) for number in range(200, 204)])
    return tmp_path


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_sets_and_probes(folder: Path) -> None:
    loaded = load_benchmark(folder, "tofu")
    assert (len(loaded.forget), len(loaded.retain), loaded.request) == (20, 20, "textual")
    assert {probe.name: (len(probe), probe.trained_on) for probe in loaded.probes} == {
        "forget_qa": (20, True),
        "retain_qa": (10, True),
        "real_authors": (3, False),
        "world_facts": (4, False),
    }
    check_sets(loaded.forget, loaded.retain, loaded.probes)
    asked = loaded.probes[0].examples[0]
    assert asked.paraphrased_answers == ("It is 20.",)
    assert len(asked.perturbed_answers) == 5
    assert asked.subject == loaded.forget[0].subject == loaded.forget[19].subject
    assert loaded.probes[1].examples[0].subject == loaded.retain[0].subject != asked.subject
    author = loaded.probes[2].examples[0]
    assert set(author.choices) == {"Answer 100.", "one", "two", "three"}


def test_has_no_pictures(folder: Path) -> None:
    assert "request is 'visual'; it is one of textual" in refused(load_benchmark, folder, "tofu", request="visual")


def test_missing_column_names_file_and_row(folder: Path) -> None:
    write(folder / "forget10.json", [{"question": "Who?", "answer": "She."}, {"question": "Who else?"}])
    message = refused(load_benchmark, folder, "tofu")
    assert "forget10.json, row 2: no column 'answer'" in message
