"""CLEAR: a request names a modality, every result shows both, and what is asked never changes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.benchmarks.exports import Rows, rows_of, spoilt, without_column
from tests.data.conftest import refused
from unsee.benchmarks import load_benchmark
from unsee.data import Benchmark, Example, check_sets
from unsee.metrics.answers import normalise

PROBES = [
    *("forget_caption_vqa", "forget_name_vqa", "forget_qa"),
    *("retain_caption_vqa", "retain_name_vqa", "retain_qa"),
    *("real_faces", "real_world"),
]
REQUESTS = ("visual", "textual", "both")


def probe(benchmark: Benchmark, name: str) -> list[Example]:
    return next(list(probe.examples) for probe in benchmark.probes if probe.name == name)


def kinds(rows: Sequence[Example]) -> set[bool]:
    return {row.image is not None for row in rows}


@pytest.mark.parametrize("request_", REQUESTS)
def test_request_decides_what_is_forgotten_and_every_result_shows_both_modalities(
    clear_folder: Path, request_: str
) -> None:
    loaded = load_benchmark(clear_folder, "clear", "forget10", request_)
    photos, union = len(rows_of(clear_folder, "forget10")), len(rows_of(clear_folder, "forget10+tofu"))
    assert len(loaded.forget) == {"visual": photos, "textual": union - photos, "both": union}[request_]
    assert kinds(loaded.forget) == {"visual": {True}, "textual": {False}, "both": {True, False}}[request_]
    assert kinds(loaded.retain) == ({True} if request_ == "visual" else {True, False})
    retained = "retain90" if request_ == "visual" else "retain90+tofu"
    assert len(loaded.retain) == len(rows_of(clear_folder, retained))
    assert [probe.name for probe in loaded.probes] == PROBES
    assert all(probe.examples for probe in loaded.probes)
    assert loaded.request == request_
    sight, words = {"forget_caption_vqa", "forget_name_vqa"}, {"forget_qa"}
    gone = {"visual": sight, "textual": words, "both": sight | words}[request_]
    assert {probe.name: probe.role for probe in loaded.probes} == {
        name: "forget" if name in gone else "keep" for name in PROBES
    }
    check_sets(loaded.forget, loaded.retain, loaded.probes)


@pytest.mark.parametrize("request_", REQUESTS)
def test_no_evaluation_question_is_in_the_preserve_set(clear_folder: Path, request_: str) -> None:
    loaded = load_benchmark(clear_folder, "clear", "forget10", request_)
    asked = {(row.image, normalise(row.question)) for probe in loaded.probes for row in probe.examples}
    assert not [row for row in loaded.preserve if (row.image, normalise(row.question)) in asked]
    assert bool(loaded.preserve) == (request_ != "both")


def test_spared_modality_is_half_measured_and_half_preserved(clear_folder: Path) -> None:
    visual = load_benchmark(clear_folder, "clear", "forget10", "visual")
    people = {row.subject for row in visual.forget}
    kept = [row for row in visual.preserve if row.subject in people]
    measured = probe(visual, "forget_qa")
    assert len(kept) == len(measured) == 10 * len(people)
    assert {(row.subject, row.answer) for row in kept} == {(row.subject, row.answer) for row in measured}

    textual = load_benchmark(clear_folder, "clear", "forget10", "textual")
    measured_photos = {row.image for row in probe(textual, "forget_caption_vqa")}
    assert measured_photos.isdisjoint(row.image for row in textual.preserve)
    assert len(measured_photos) + len(textual.preserve) == len(visual.forget)


def test_probes_that_repeat_training_rows_say_so(clear_folder: Path) -> None:
    marked = {
        request: {
            probe.name
            for probe in load_benchmark(clear_folder, "clear", "forget10", request).probes
            if probe.trained_on
        }
        for request in REQUESTS
    }
    assert marked == {
        "visual": {"forget_caption_vqa", "retain_caption_vqa"},
        "textual": {"forget_qa", "retain_qa", "retain_caption_vqa"},
        "both": {"forget_caption_vqa", "retain_caption_vqa", "forget_qa", "retain_qa"},
    }


@pytest.mark.parametrize("split", ["forget01", "forget05", "forget10"])
def test_split_decides_who_is_forgotten(clear_folder: Path, split: str) -> None:
    loaded = load_benchmark(clear_folder, "clear", split, "both")
    people = {row["name"] for row in rows_of(clear_folder, split)}
    assert {row.subject for row in loaded.forget} == people
    assert people.isdisjoint(row.subject for row in loaded.retain)
    assert None not in {row.subject for row in [*loaded.forget, *loaded.retain]}


def test_each_row_is_asked_one_question_that_stays(clear_folder: Path) -> None:
    first, again, other = (load_benchmark(clear_folder, "clear", request="both", seed=seed) for seed in (0, 0, 1))
    assert first == again
    ours, theirs = ([row.question for row in loaded.forget if row.image] for loaded in (first, other))
    assert ours != theirs
    assert len(set(ours)) > 1
    # The photograph is asked the same where it is trained on and where it is measured.
    trained = {row.image: row.question for row in first.forget if row.image}
    assert all(row.image and trained[row.image] == row.question for row in probe(first, "forget_caption_vqa"))


def test_alternatives_and_choices_come_from_the_columns(clear_folder: Path) -> None:
    loaded = load_benchmark(clear_folder, "clear")
    row, photo = rows_of(clear_folder, "forget10_perturbed")[0], probe(loaded, "forget_caption_vqa")[0]
    assert (photo.answer, photo.subject) == (row["caption"], row["name"])
    assert photo.paraphrased_answers == (row["paraphrased_caption"],)
    assert photo.perturbed_answers == tuple(row["perturbed_captions"])
    name = probe(loaded, "forget_name_vqa")[0]
    assert name.answer == row["name"]
    assert sorted(name.choices) == sorted({row["name"], *row["perturbed_names"]})
    row, scene = rows_of(clear_folder, "real_world")[0], probe(loaded, "real_world")[0]
    assert (scene.question, scene.answer, scene.image) == (row["question"], row["answer"], row["image"]["bytes"])
    assert scene.perturbed_answers == tuple(row["options"])
    assert probe(loaded, "real_faces")[0].question.endswith(("?", "."))


def test_options_may_hold_the_right_answer(clear_folder: Path, tmp_path: Path) -> None:
    def insert(rows: Rows) -> None:
        rows[0]["options"].append(rows[0]["answer"])

    folder = spoilt(clear_folder, tmp_path / "copy", "real_faces", insert)
    row = probe(load_benchmark(folder, "clear"), "real_faces")[0]
    assert row.answer not in row.perturbed_answers
    assert row.choices.count(row.answer) == 1


def test_pictures_are_held_once(clear_folder: Path) -> None:
    loaded = load_benchmark(clear_folder, "clear")
    photo = probe(loaded, "forget_caption_vqa")[0].image
    assert any(row.image is photo for row in loaded.forget)
    assert probe(loaded, "forget_name_vqa")[0].image is photo


def test_few_probe_rows_still_reach_everybody(clear_folder: Path) -> None:
    loaded = load_benchmark(clear_folder, "clear", probe_rows=4)
    assert all(len(probe) == 4 for probe in loaded.probes)
    assert len({row.subject for row in probe(loaded, "forget_qa")}) == 4
    assert "probe_rows is 0" in refused(load_benchmark, clear_folder, "clear", probe_rows=0)


def test_questions_that_name_nobody_are_about_the_person_of_their_block(clear_folder: Path, tmp_path: Path) -> None:
    def anonymous(rows: Rows) -> None:
        first = next(row for row in rows if row["question"])
        first["question"], first["answer"] = "What does the author like best?", "Tea"

    folder = spoilt(clear_folder, tmp_path / "copy", "forget10+tofu", anonymous)
    loaded = load_benchmark(folder, "clear", request="textual")
    assert loaded.forget[0].question == "What does the author like best?"
    assert loaded.forget[0].subject == loaded.forget[1].subject


@pytest.mark.parametrize(
    ("config", "column", "value", "expected"),
    [
        ("forget10", "caption", None, "row 2, caption: null where a string is expected"),
        ("forget10", "image", None, "row 2, image: null; this row needs a picture"),
        ("forget10_perturbed", "perturbed_names", [], "row 2, perturbed_names: an empty list; it needs texts"),
        ("real_world", "question", " ", "row 2, question: empty"),
        ("forget10", "image", {"bytes": None, "path": None}, "row 2, image: neither bytes nor path"),
    ],
)
def test_bad_cells_end_in_one_line_with_file_column_and_row(
    clear_folder: Path, tmp_path: Path, config: str, column: str, value: object, expected: str
) -> None:
    def spoil(rows: Rows) -> None:
        rows[1][column] = value

    folder = spoilt(clear_folder, tmp_path / "copy", config, spoil)
    message = refused(load_benchmark, folder, "clear")
    assert f"{config}/train-00000-of-00001.parquet" in message
    assert expected in message


def test_missing_columns_and_configurations_are_named(clear_folder: Path, tmp_path: Path) -> None:
    message = refused(load_benchmark, without_column(clear_folder, tmp_path / "a", "forget10", "name"), "clear")
    assert "no column 'name'; found image, caption" in message
    shutil.copytree(clear_folder, tmp_path / "b")
    shutil.rmtree(tmp_path / "b" / "retain_perturbed")
    message = refused(load_benchmark, tmp_path / "b", "clear")
    assert "no configuration 'retain_perturbed'" in message
    assert "forget10_perturbed" in message


def test_unknown_words_are_refused(clear_folder: Path, tmp_path: Path) -> None:
    assert "did you mean 'clear'" in refused(load_benchmark, clear_folder, "claer")
    assert "one of forget01, forget05, forget10" in refused(load_benchmark, clear_folder, "clear", "forget20")
    assert "one of visual, textual, both" in refused(load_benchmark, clear_folder, "clear", request="audio")
    assert "belong to mllmu" in refused(load_benchmark, clear_folder, "clear", training=clear_folder)
    assert "no such folder" in refused(load_benchmark, tmp_path / "nowhere", "clear")
