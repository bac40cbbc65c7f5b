"""`unsee demo hallucination`: its figures against captions worked out by hand, and once the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commandline import succeed
from unsee.demos.hallucination import LABELS, METHODS, ORACLE, PROJECTOR, _write_data, true_spans
from unsee.demos.hallucination_outcome import Outcome
from unsee.evaluation.records import Record
from unsee.system.files import read_json, write_json, write_jsonl
from unsee.world.scenes.captions import CaptionWorld
from unsee.world.scenes.scenes import OBJECTS


class SmallWorld(CaptionWorld):
    """A world whose first scenes are all there is to see."""

    held_out = property(lambda self: self._scenes[:3])
    unlabelled = property(lambda self: self._scenes[3:6])


WORLD = SmallWorld(0)


def absent(objects: tuple[str, ...]) -> str:
    return next(name for name in OBJECTS if name not in objects)


def place(caption: str, name: str) -> dict[str, object]:
    return {"text": name, "start": caption.index(name), "end": caption.index(name) + len(name)}


def record(probe: str, number: int, expected: str, said: str) -> Record:
    return Record(probe, number, None, None, None, "?", expected, said, said == expected, -1.0, 3)


def write_records(folder: Path, captions: list[str], answers: list[str]) -> None:
    asked = ["yes", "no", "yes", "no"]
    said = [record("captions", n, "", text) for n, text in enumerate(captions)]
    answered = [record("questions", n, right, text) for n, (right, text) in enumerate(zip(asked, answers, strict=True))]
    write_jsonl(folder / "captions.jsonl", [one.row() for one in said])
    write_jsonl(folder / "questions.jsonl", [one.row() for one in answered])


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """The files of a demo in which the base hallucinates in every caption, at its end, and EFUF in one of three."""
    _write_data(WORLD, tmp_path / "data")
    clean = ["a " + ", a ".join(scene.objects) for scene in WORLD.held_out]
    base = [f"{text}, a {absent(scene.objects)}" for text, scene in zip(clean, WORLD.held_out, strict=True)]
    late = (
        f"{clean[0]} and there is also a {absent(WORLD.held_out[0].objects)}"  # hallucinates behind the base's length
    )
    write_records(tmp_path / "records" / "base", base, ["yes", "yes", "no", "no"])
    write_records(tmp_path / "records" / "gold", clean, ["yes", "no", "yes", "no"])
    for name in METHODS:
        write_records(tmp_path / "runs" / name / "records" / "base", base, ["yes", "yes", "no", "no"])
        write_records(tmp_path / "runs" / name / "records" / "efuf", [late, "nothing", clean[2]], ["no"] * 4)
    mining, images = tmp_path / "mining", [f"{n:04d}.png" for n in range(3)]
    objects = [(scene.objects[0], absent(scene.objects)) for scene in WORLD.unlabelled]
    captions = [
        {"image": image, "question": "?", "caption": f"a {a}, a {b}"}
        for image, (a, b) in zip(images, objects, strict=True)
    ]
    phrases = [
        {"image": one["image"], "phrases": [place(one["caption"], name) for name in named], "dropped": 0}
        for one, named in zip(captions, objects, strict=True)
    ]
    scores = [[90.0, 40.0], [50.0, 20.0], [70.0, 95.0]]  # the second is hallucinated
    write_jsonl(mining / "captions" / "00000.jsonl", captions)
    write_jsonl(mining / "phrases" / "00000.jsonl", phrases)
    write_jsonl(
        mining / "relevance" / "00000.jsonl", [{"image": i, "scores": s} for i, s in zip(images, scores, strict=True)]
    )
    write_json(mining / "relevance" / "stage.json", {"unit": "cosine_100"})
    limits = {"positive": 80.0, "negative": 60.0, "sentence": 75.0, "unit": "cosine_100"}
    write_json(mining / "thresholds.json", limits)
    return tmp_path


def test_the_page_shows_where_the_method_fails_and_then_a_sample_that_nobody_chose(demo: Path) -> None:
    found = Outcome(WORLD, demo).pictures({name: name for name in ("base", "efuf", "gold")})
    assert [(group.title, group.total, group.of) for group in found] == [
        ("efuf still hallucinates", 1, 3),
        ("efuf no longer names what is there", 1, 3),
        ("A fair sample", 3, 3),
    ]
    assert [[picture.objects for picture in group.shown] for group in found] == [
        [WORLD.held_out[0].objects],
        [WORLD.held_out[1].objects],
        [scene.objects for scene in WORLD.held_out],
    ]


def test_figures_are_those_of_captions_worked_out_by_hand(demo: Path) -> None:
    outcome = Outcome(WORLD, demo)
    there = [len(scene.objects) for scene in WORLD.held_out]
    base, efuf = outcome.numbers("base"), outcome.numbers("efuf")
    assert (base["chair_s"], base["recall"]) == (1.0, 1.0)
    assert base["chair_s_matched"] == base["chair_s"]
    assert base["chair_i"] == pytest.approx(3 / (sum(there) + 3))
    assert base["pope_f1"] == pytest.approx(0.5)  # 2 TP / (2 TP + FP + FN) = 2 / (2 + 1 + 1)
    assert efuf["chair_s"] == pytest.approx(1 / 3)
    assert efuf["recall"] == pytest.approx((there[0] + there[2]) / sum(there))
    assert outcome.numbers("gold")["pope_f1"] == 1.0
    assert efuf["pope_f1"] == 0.0


def test_a_run_is_read_by_its_method_whatever_that_is_called(demo: Path) -> None:
    before = Outcome(WORLD, demo).numbers("efuf")
    records = demo / "runs" / "efuf" / "records"
    for method in ("aaa_first", "zzz_last"):
        next(place for place in records.iterdir() if place.name != "base").rename(records / method)
        assert Outcome(WORLD, demo).numbers("efuf") == before


def test_length_matched_rates_do_not_count_what_stands_behind_the_bases_length(demo: Path) -> None:
    efuf = Outcome(WORLD, demo).numbers("efuf")
    assert (efuf["chair_s_matched"], efuf["chair_i_matched"]) == (0.0, 0.0)


def test_a_base_that_is_merely_shorter_names_less_of_what_is_there(demo: Path) -> None:
    outcome = Outcome(WORLD, demo)
    base, gold = outcome.captions("base"), outcome.captions("gold")
    share = sum(len(text.split()) for text in gold) / sum(len(text.split()) for text in base)
    cut = [" ".join(text.split()[: round(share * len(text.split()))]) for text in base]
    there = sum(len(scene.objects) for scene in WORLD.held_out)
    named = sum(f" {name}" in text for text, scene in zip(cut, WORLD.held_out, strict=True) for name in scene.objects)
    found = outcome.merely_shorter("gold")
    assert found["recall"] == pytest.approx(named / there)
    assert found["recall"] < outcome.numbers("gold")["recall"]
    assert found["mean_words"] == pytest.approx(sum(len(text.split()) for text in cut) / 3)
    assert [outcome.row(name, "", "").role for name in ("base", "gold", "efuf")] == ["base", "gold", "method"]
    assert outcome.control("efuf", "", "").role == "control"


def test_precision_and_recall_of_labels_are_those_of_phrases_taken_for_hallucinated(demo: Path) -> None:
    # Below 60: 40 and 20, which are hallucinated, and 50, which is there; 95 is hallucinated and taken for real.
    assert Outcome(WORLD, demo).labels() == {"precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3)}


def test_pictures_show_what_the_base_hallucinates_and_what_a_method_leaves_out(demo: Path) -> None:
    shown = Outcome(WORLD, demo).pictures({"base": "Base", "efuf": "EFUF"})[-1].shown
    assert len(shown) == 3
    assert all(any(kind == "hallucinated" for _, kind in one.said[0].pieces) for one in shown)
    assert list(shown[1].said[1].missing) == sorted(WORLD.held_out[1].objects)


def test_perfect_labels_raise_what_is_there_and_lower_what_is_not(demo: Path) -> None:
    rows = list(true_spans(WORLD, demo))
    for row, scene in zip(rows, WORLD.unlabelled, strict=True):
        roles = {span.phrases: span.role for span in row.spans}
        assert roles == {(scene.objects[0],): "positive", (absent(scene.objects),): "negative"}
        assert row.sentence.role is None


def test_everything_has_a_label() -> None:
    assert set(LABELS) == {"base", "gold", *METHODS}


@pytest.mark.world
@pytest.mark.slow
def test_the_whole_demo_hallucinates_less_at_matched_length_and_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    found = succeed("demo", "hallucination", "--out", out, "--json").json
    assert found == read_json(out / "summary.json")
    assert list(found) == ["seed", "seconds", "models", "labels"]
    assert list(found["models"]) == [name for name in LABELS if name not in (ORACLE, PROJECTOR)]
    base, gold, efuf = (found["models"][name] for name in ("base", "gold", "efuf"))
    assert base["recall"] >= 0.93
    assert base["chair_s"] >= 0.4
    assert gold["chair_s"] < 0.1
    assert efuf["chair_s_matched"] <= base["chair_s"] / 2
    assert efuf["chair_i_matched"] <= base["chair_i"] / 2
    assert efuf["recall"] >= base["recall"] - 0.02
    assert efuf["pope_f1"] >= base["pope_f1"] - 0.01
    assert found["labels"]["precision"] >= 0.9
    report = (out / "report.html").read_text("utf-8")
    assert 'class="hallucinated"' in report
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").rglob("*.safetensors")}
    again = succeed("demo", "hallucination", "--out", out, "--json").json
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert again["models"] == found["models"]
    chair = ("metrics", "chair", "--captions", out / "captions" / "efuf.jsonl", "--gold", out / "data" / "gold.json")
    told = succeed(*chair, "--synonyms", out / "data" / "objects.txt", "--json").json
    assert told["chair_s"] == pytest.approx(100 * efuf["chair_s"])
