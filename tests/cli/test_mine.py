"""`unsee mine`: the contract of its JSON, its files, and its mistakes."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.commandline import Outcome, call, succeed
from tests.mining import encoders
from unsee.mining.calibration import from_groups, read_scored
from unsee.mining.released import write_released


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("mine")
    encoders.clip(made / "clip")
    encoders.siglip(made / "siglip")
    encoders.owl(made / "owl")
    encoders.llama(made / "llama")
    tiny.save(tiny.llava(), made / "llava")
    for of, name, lost in (
        ("clip", "weightless", "*.safetensors"),
        ("clip", "wordless", "tokenizer*"),
        ("clip", "blind", "*processor*"),
        ("owl", "wordless_owl", "tokenizer*"),
        ("llama", "wordless_llama", "tokenizer*"),
    ):
        shutil.copytree(made / of, made / name, ignore=shutil.ignore_patterns(lost))
    (made / "photos").mkdir()
    texts = ["A cat, a dog and a bus.", "Two cups on a table.", "A person."]
    for number in range(3):
        (made / "photos" / f"{number}.png").write_bytes(tiny.picture(number, (60, 50)))
    (made / "photos" / "3.png").write_bytes(b"broken")
    rows = [{"image": f"{number}.png", "caption": text} for number, text in enumerate([*texts, "A dog."])]
    (made / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


GRID = ("--patch", 8, "--shard-size", 2)


def given(folder: Path, out: Path, scorer: str = "clip") -> list[object]:
    inputs = ["--images", folder / "photos", "--captions", folder / "said.jsonl", "--scorer", folder / scorer]
    return ["mine", *inputs, "--out", out, *GRID]


def test_json_counts_what_the_files_hold(folder: Path, tmp_path: Path) -> None:
    found = succeed(*given(folder, tmp_path / "run"), "--positive", 0, "--negative", 0, "--json").json
    assert (found["captions"], found["skipped"], found["phrases"]) == (3, 1, 6)
    assert found["thresholds"] == {
        "positive": 0.0, "negative": 0.0, "sentence": 27.5, "lowest": None, "unit": "cosine_100",
    }  # fmt: skip
    rows = [json.loads(line) for line in Path(found["spans"]).read_text().splitlines()]
    assert len(rows) == found["rows"] == 3
    spans = [span for row in rows for span in row["spans"]]
    assert sum(span["weight"] for span in spans) == 6
    assert len([span for span in spans if span["role"] == "negative"]) == found["negative"]
    assert f"Only {found['negative']} phrases are judged hallucinated, in 3 captions with 6 phrases" in found["advice"]


def test_table_for_people_names_the_files(folder: Path, tmp_path: Path) -> None:
    lines = [" ".join(line.split()) for line in succeed(*given(folder, tmp_path / "run")).out.splitlines()]
    assert "captions 3" in lines
    assert "pictures skipped 1" in lines
    assert "passed over: not a picture 1" in lines
    assert f"spans {tmp_path / 'run' / 'spans.jsonl'}" in lines
    assert "judged hallucinated, in 3 captions with 6 phrases: too few to change what a model says." in " ".join(lines)
    assert f"skipped {tmp_path / 'run' / 'skipped.jsonl'}" in lines


def test_probabilities_are_calibrated_and_then_mined(folder: Path, tmp_path: Path) -> None:
    command = given(folder, tmp_path / "run", "siglip")
    refused = call(*command)
    assert refused.code == 2
    assert f"unsee mine calibrate {tmp_path / 'run'}" in refused.err
    found = succeed("mine", "calibrate", tmp_path / "run", "--share", 0.34, "--json").json
    assert found["unit"] == "probability"
    assert 0 < found["negative"] < found["positive"] < 1
    page = Path(found["plot"]).read_text()
    assert "<svg" in page
    assert f"{found['positive']:.4g}" in page
    mined = succeed(*command, "--thresholds", found["thresholds"], "--json").json
    assert mined["positive"] >= 1
    assert mined["negative"] >= 1


def test_labels_calibrate_too(folder: Path, tmp_path: Path) -> None:
    succeed(*given(folder, tmp_path / "run"))
    labels = [("0.png", "Cat", True), ("0.png", "bus", False), ("1.png", "cups", True), ("1.png", "table", False)]
    rows = [{"image": image, "phrase": phrase, "real": real} for image, phrase, real in labels]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = succeed(
        *("mine", "calibrate", tmp_path / "run", "--labels", tmp_path / "labels.jsonl", "--error", 0.4),
        *("--out", tmp_path / "own.json", "--json"),
    ).json
    assert found["labelled"] == 4
    assert found["positive_wrong"] <= 0.4
    assert json.loads((tmp_path / "own.json").read_text())["from"] == "labels"
    assert (tmp_path / "own.html").is_file()


def test_two_groups_calibrate_without_labels_or_a_share(folder: Path, tmp_path: Path) -> None:
    succeed(*given(folder, tmp_path / "run"))
    found = succeed("mine", "calibrate", tmp_path / "run", "--groups", "--json").json
    expected = from_groups(read_scored(tmp_path / "run"))
    assert {key: found[key] for key in asdict(expected)} == asdict(expected)
    stored = json.loads((tmp_path / "run" / "thresholds.json").read_text())
    assert (stored["from"], stored["negative"]) == ("groups", expected.negative)
    quantiles = succeed("mine", "calibrate", tmp_path / "run", "--json").json
    assert (quantiles["from"], quantiles["share"]) == ("quantiles", 0.1)
    assert "judged hallucinated, in 3 captions with 6 phrases" in quantiles["advice"]
    shown = " ".join(succeed("mine", "calibrate", tmp_path / "run").out.split())
    assert quantiles["advice"] in shown
    assert quantiles["negative"] != found["negative"]


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        (["--groups", "--share", 0.1], "--share and --groups: one of them"),
        (["--groups", "--labels", "l.jsonl"], "--labels and --groups: one of them"),
        (["--labels", "l.jsonl", "--share", 0.2], "--labels and --share: one of them"),
    ],
)
def test_there_is_one_way_to_thresholds_at_a_time(tmp_path: Path, ways: list[object], said: str) -> None:
    outcome = call("mine", "calibrate", tmp_path, *ways)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


def test_exported_files_come_back_as_the_same_spans(folder: Path, tmp_path: Path) -> None:
    limits = ["--positive", 0, "--negative", 0, "--sentence", 0]
    mined = succeed(*given(folder, tmp_path / "run"), *limits, "--json").json
    succeed("mine", "export", tmp_path / "run", "--out", tmp_path / "efuf")
    (tmp_path / "t.json").write_text(json.dumps(mined["thresholds"]))
    spans = tmp_path / "run" / "again.jsonl"
    back = ("mine", "import", tmp_path / "efuf", "--images", folder / "photos", "--out", spans)
    found = succeed(*back, "--thresholds", tmp_path / "t.json", "--json").json
    assert found["rows"] == mined["rows"]
    assert spans.read_text() == Path(mined["spans"]).read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--scorer", "none"], "none: no such model folder"),
        (["--images", "none"], "none: no such folder"),
        (["--model", "llava"], "--model and --captions"),
        (["--extractor", "lexikon"], "did you mean 'lexicon'?"),
        (["--extractor", "llm"], "--extractor-model"),
        (["--conflict", "keep"], "conflict 'keep' is unknown"),
        (["--aggregator", "mean"], "aggregator 'mean' is unknown"),
        (["--positive", "10"], "negative 23 is above positive 10"),
        (["--lexicon", "none.txt"], "cannot read none.txt"),
        (["--template", "a photo"], "template 'a photo'"),
    ],
)
def test_mistakes_end_in_one_line(folder: Path, tmp_path: Path, change: list[str], said: str) -> None:
    outcome = call(*given(folder, tmp_path / "run"), *change)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("given_as", "name", "said"),
    [
        ("--model", "none", "no such model folder"),
        ("--model", "clip", "'clip' does not generate text"),
        ("--model", "llama", "text-only"),
        ("--model", "weightless", "weightless: 'clip'"),
        ("--scorer", "llava", "'llava' is no dual encoder"),
        ("--scorer", "llama", "'llama' is no dual encoder"),
        ("--scorer", "weightless", "holds no weights"),
        ("--scorer", "wordless", "tokenizer"),
        ("--scorer", "wordless_owl", "tokenizer"),
        ("--scorer", "blind", "cannot load its image processor"),
        ("--second-scorer", "llava", "'llava' is no dual encoder"),
        ("--extractor-model", "clip", "'clip' does not generate text"),
        ("--extractor-model", "none", "no such model folder"),
        ("--extractor-model", "wordless_llama", "tokenizer"),
    ],
)
def test_a_model_of_the_wrong_kind_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path, given_as: str, name: str, said: str
) -> None:
    models = {"--model": "llava", "--scorer": "clip", "--extractor-model": "llama", given_as: name}
    words = [word for option, model in models.items() for word in (option, folder / model)]
    command = ("mine", "--images", folder / "photos", *words, "--extractor", "llm", "--out", tmp_path / "run")
    outcome = call(*command, "--max-new-tokens", 2)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome.err
    assert f"{folder / name}: " in outcome.err
    assert said in outcome.err
    assert not (tmp_path / "run").exists()


def test_finished_captions_need_no_model_any_more(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    inputs = ("--images", folder / "photos", "--model", folder / "llava", "--scorer", folder / "clip", *GRID)
    command = ("mine", *inputs, "--max-new-tokens", 2, "--out", tmp_path / "run", "--json")
    found = succeed(*command).json
    assert (found["captions"], found["skipped"]) == (3, 1)
    monkeypatch.setattr("unsee.vlm.load", None)
    assert succeed(*command).json == found


@pytest.mark.parametrize("key", ["caption", "question"])
def test_captions_that_no_file_can_hold_are_refused_by_their_line(folder: Path, tmp_path: Path, key: str) -> None:
    rows = [
        {"image": "0.png", "caption": "A \U0001f431."},
        {"image": "1.png", "caption": "A cat.", key: "A \ud800 cat."},
    ]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = call(*given(folder, tmp_path / "run"), "--captions", tmp_path / "said.jsonl")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"said.jsonl, line 2: {key}: half a surrogate pair at character 3" in outcome.err
    assert not (tmp_path / "run").exists()


def test_import_skips_pictures_that_are_not_there_and_refuses_a_wrong_folder(folder: Path, tmp_path: Path) -> None:
    captions = [(f"{name}.png", "A cat.", [(2, 5, 33.0)]) for name in (0, 1, "none")]
    write_released(tmp_path / "efuf", captions)

    def read(images: Path) -> Outcome:
        return call("mine", "import", tmp_path / "efuf", "--images", images, "--out", tmp_path / "s.jsonl", "--json")

    (tmp_path / "empty").mkdir()
    for images, said in ((tmp_path / "no", "no such folder"), (tmp_path / "empty", "none of the pictures is in it")):
        outcome = read(images)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert f"--images {images}: {said}" in outcome.err
        assert not (tmp_path / "s.jsonl").exists()
    found = read(folder / "photos").json
    assert (found["rows"], found["positive"], found["skipped"]) == (2, 2, 1)
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"positive": "x"}, "positive: input should be a valid number, not 'x'"),
        ({"positive": 3, "negative": 2, "sentence": 2.5}, "unit: field required"),
    ],
)
def test_a_file_of_thresholds_is_blamed_for_what_is_wrong_first(
    folder: Path, tmp_path: Path, values: dict[str, object], said: str
) -> None:
    (tmp_path / "t.json").write_text(json.dumps(values))
    outcome = call(*given(folder, tmp_path / "run"), "--thresholds", tmp_path / "t.json")
    assert outcome.code == 2
    assert f"t.json: {said}" in outcome.err


def test_calibration_tells_what_share_is_reached_when_scores_are_the_same(folder: Path, tmp_path: Path) -> None:
    rows = [{"image": "0.png", "caption": text} for text in ("A cat.", "A cat.", "A cat.", "A dog.")]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    succeed(*given(folder, tmp_path / "run"), "--captions", tmp_path / "said.jsonl")
    told = succeed("mine", "calibrate", tmp_path / "run", "--share", 0.25).out
    lines = {" ".join(line.split()) for line in told.splitlines()}
    assert "share asked for 0.25" in lines
    reached = sorted(line for line in lines if line.startswith(("positive share", "negative share")))
    assert [line.split()[-1] for line in reached] in (["0", "0.25"], ["0.25", "0"])  # three score the same


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert "--images is missing" in call("mine").err
    assert "nobody to caption" in call("mine", "--images", tmp_path, "--scorer", "x", "--out", tmp_path / "o").err
    assert "holds no scores" in call("mine", "calibrate", tmp_path).err
    assert "holds no scores" in call("mine", "export", tmp_path, "--out", tmp_path / "e").err
    assert "needs captions.txt" in call("mine", "import", tmp_path, "--images", tmp_path, "--out", tmp_path / "s").err


def test_help_shows_examples() -> None:
    text = succeed("mine", "--help").out
    assert "unsee mine calibrate runs/mined" in " ".join(text.split())
    assert "--groups" in succeed("mine", "calibrate", "--help").out
