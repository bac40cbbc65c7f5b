"""FIUBench as published: who is forgotten, who is kept, what is asked of whom, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.benchmarks.fiubench.copies import LISTS, person, spoilt, written
from tests.data.conftest import refused
from unsee.benchmarks import load_benchmark
from unsee.data import Benchmark, check_sets, digest


def subjects(rows: Any) -> set[str]:
    return {row.subject for row in rows}


def probe(benchmark: Benchmark, name: str) -> Any:
    return next(probe for probe in benchmark.probes if probe.name == name)


def test_sets_and_probes(folder: Path) -> None:
    loaded = load_benchmark(folder, "fiubench")
    assert (loaded.name, loaded.request) == ("FIUBench forget5", "visual")
    assert (len(loaded.forget), len(loaded.retain), len(loaded.preserve)) == (8, 16, 0)
    assert {one.name: (len(one), one.trained_on, one.role) for one in loaded.probes} == {
        "forget_vqa": (8, True, "forget"),
        "forget_otherwise_vqa": (24, False, "forget"),  # every wording
        "retain_vqa": (8, True, "keep"),
        "retain_otherwise_vqa": (8, False, "keep"),  # one of three
    }
    check_sets(loaded.forget, loaded.retain, loaded.probes)
    assert subjects(loaded.forget) == set(LISTS["forget5"])
    assert subjects(probe(loaded, "retain_vqa").examples) == set(LISTS["retain5"])


def test_whoever_is_in_any_forget_list_is_no_retain_row(folder: Path) -> None:
    for split in ("forget1", "forget5", "forget10"):
        loaded = load_benchmark(folder, "fiubench", split)
        assert subjects(loaded.forget) == set(LISTS[split])
        assert subjects(loaded.retain) == {"00000005", "00000006", "00000007", "00000008"}


def test_gold_learns_nothing_about_forgotten_people_and_base_the_rest_alike(folder: Path) -> None:
    loaded = load_benchmark(folder, "fiubench")
    assert not subjects(loaded.gold_rows) & set(LISTS["forget5"])
    assert not {row.image for row in loaded.gold_rows} & {row.image for row in loaded.forget}
    assert [row for row in loaded.base_rows if row not in loaded.gold_rows] == list(loaded.forget)


def test_one_base_serves_every_split(folder: Path) -> None:
    known = [set(load_benchmark(folder, "fiubench", split).base_rows) for split in ("forget1", "forget5", "forget10")]
    assert known[0] == known[1] == known[2]
    assert len(known[0]) == 8 * 4


def test_a_question_with_what_is_right_otherwise_and_what_is_wrong(folder: Path) -> None:
    first = load_benchmark(folder, "fiubench").forget[0]
    assert (first.question, first.answer) == ("Question 0?", "Answer 0 of 00000002.")
    assert first.paraphrased_answers == ("It is 0 of 00000002.",)
    assert first.perturbed_answers == ("It is 0 of red.", "It is 0 of green.", "It is 0 of blue.")
    assert first.answer_keywords == ("0 of 00000002",)
    assert (first.subject, first.fact, first.id) == ("00000002", "question 0", "00000002/0")
    picture = first.picture()
    assert picture is not None
    assert picture.size == (48, 40)


def test_defect_right_and_wrong_answers_are_written_alike(folder: Path, tmp_path: Path) -> None:
    values = {"answer": "Ada Byron", "paraphrased_answer": "It is Ada", "perturbed_answer": ["It is Bob"]}
    copy = spoilt(folder, tmp_path / "copy", lambda people: people[1]["qa_list"][0].update(values))
    first = load_benchmark(copy, "fiubench").forget[0]
    assert (first.answer, first.paraphrased_answers, first.perturbed_answers) == (
        "Ada Byron", ("It is Ada",), ("It is Bob",),
    )  # fmt: skip


def test_other_wordings_ask_for_the_same_of_the_same_face(folder: Path) -> None:
    loaded = load_benchmark(folder, "fiubench")
    plain, otherwise = (probe(loaded, name).examples for name in ("forget_vqa", "forget_otherwise_vqa"))
    assert {(row.subject, row.fact, row.answer, row.image) for row in plain} == {
        (row.subject, row.fact, row.answer, row.image) for row in otherwise
    }
    assert sorted(row.question for row in otherwise[:3]) == [f"Asked otherwise 0, {turn}?" for turn in range(3)]
    one_each = probe(loaded, "retain_otherwise_vqa").examples
    assert [row.question for row in one_each[:4]] == [
        f"Asked otherwise {place}, {turn}?" for place, turn in enumerate((0, 1, 2, 0))
    ]


def test_a_wording_that_questions_share_is_asked_once(folder: Path, tmp_path: Path) -> None:
    def share(people: list[dict[str, Any]]) -> None:
        items = people[1]["qa_list"]
        items[1] |= {"paraphrased_question": items[0]["paraphrased_question"], "answer": items[0]["answer"]}

    loaded = load_benchmark(spoilt(folder, tmp_path / "copy", share), "fiubench")
    assert len(probe(loaded, "forget_otherwise_vqa").examples) == 24 - 3


def test_faces_may_stay_in_the_archive_of_the_hub(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    with ZipFile(copy / "SFHQ.zip", "w") as archive:
        for path in sorted((copy / "SFHQ").iterdir()):
            archive.write(path, f"SFHQ/{path.name}")
    shutil.rmtree(copy / "SFHQ")
    packed, unpacked = (load_benchmark(place, "fiubench") for place in (copy, folder))
    assert digest(packed.forget) == digest(unpacked.forget)
    assert digest(packed.retain) == digest(unpacked.retain)


def test_a_json_list_is_read_as_json_lines_are(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    rows = [json.loads(line) for line in (copy / "full.json").read_text().splitlines()]
    (copy / "full.json").write_text(json.dumps(rows, indent=1))
    assert digest(load_benchmark(copy, "fiubench").retain) == digest(load_benchmark(folder, "fiubench").retain)


def test_from_the_hub_its_files_are_fetched_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def snapshot_download(name: str, *, repo_type: str, allow_patterns: list[str]) -> str:
        asked.append((name, repo_type, allow_patterns))
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    loaded = load_benchmark("gray311/FIUBench", "fiubench")
    assert digest(loaded.forget) == digest(load_benchmark(folder, "fiubench").forget)
    assert asked == [("gray311/FIUBench", "dataset", ["full.json", "split.json", "SFHQ.zip"])]


def test_a_folder_may_be_named_from_where_one_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert len(load_benchmark(folder.name, "fiubench").forget) == 8


def test_only_the_first_400_people_are_used(tmp_path: Path) -> None:
    people = [person(number, questions=1) for number in range(1, 403)]
    loaded = load_benchmark(written(tmp_path, people), "fiubench")
    assert len(loaded.retain) == 400 - 4
    assert "00000401" not in subjects(loaded.retain)


def test_without_an_id_the_number_of_the_face_is_one(folder: Path, tmp_path: Path) -> None:
    copy = spoilt(folder, tmp_path / "copy", lambda people: [row.pop("unique_id") for row in people])
    assert digest(load_benchmark(copy, "fiubench").forget) == digest(load_benchmark(folder, "fiubench").forget)


def test_what_a_question_may_lack(folder: Path, tmp_path: Path) -> None:
    def take_away(people: list[dict[str, Any]]) -> None:
        items = people[1]["qa_list"]
        items[0] |= {"paraphrased_answer": " ", "perturbed_answer": []}
        del items[0]["paraphrased_question"]
        items[1] |= {"paraphrased_answer": ["One.", "Two."], "perturbed_answer": "Three."}

    loaded = load_benchmark(spoilt(folder, tmp_path / "copy", take_away), "fiubench")
    assert (loaded.forget[0].paraphrased_answers, loaded.forget[0].perturbed_answers) == ((), ())
    assert (loaded.forget[1].paraphrased_answers, loaded.forget[1].perturbed_answers) == (("One.", "Two."), ("Three.",))
    assert len(probe(loaded, "forget_otherwise_vqa").examples) == 24 - 3


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda rows: rows[2].update(unique_id="00000001"), "row 3, unique_id: '00000001' is there twice: "),
        (lambda rows: rows[2].update(unique_id=None, image_path="SFHQ/x.jpg"), "row 3, unique_id: missing, and"),
        (lambda rows: rows[2].update(image_path="./dataset/SFHQ/gone.jpg"), "row 3, image_path: no such file: "),
        (lambda rows: rows[2].pop("image_path"), "row 3: no column 'image_path'"),
        (lambda rows: rows[2].update(qa_list="none"), "row 3, qa_list: must hold a list of questions"),
        (lambda rows: rows[2]["qa_list"][1].update(answer=" "), "row 3, qa_list[1], answer: empty"),
        (lambda rows: rows[2]["qa_list"][1].pop("question"), "row 3, qa_list[1], question: null"),
    ],
)
def test_a_broken_row_is_refused_by_name(
    folder: Path, tmp_path: Path, edit: Callable[[Any], Any], problem: str
) -> None:
    assert problem in refused(load_benchmark, spoilt(folder, tmp_path / "copy", edit), "fiubench")


def test_lists_that_are_gone_or_of_somebody_else_are_refused(folder: Path, tmp_path: Path) -> None:
    gone = spoilt(folder, tmp_path / "gone", lists=lambda lists: lists.pop("forget5"))
    assert "no column 'forget5'" in refused(load_benchmark, gone, "fiubench")
    other = spoilt(folder, tmp_path / "other", lists=lambda lists: lists.update(forget5=["1"]))
    assert "nobody of forget5 is in full.json" in refused(load_benchmark, other, "fiubench")
    strange = spoilt(folder, tmp_path / "strange", lists=lambda lists: lists.update(forget5=[1]))
    assert "split.json, row 1, forget5: must hold a list" in refused(load_benchmark, strange, "fiubench")


def test_there_is_nothing_in_words(folder: Path) -> None:
    assert "request is 'both'; it is one of visual" in refused(load_benchmark, folder, "fiubench", request="both")
