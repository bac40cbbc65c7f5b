"""Mining from end to end: it goes on where it was stopped, leaves out what cannot be read, and changes no text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.commandline import files_of
from unsee.errors import InputError
from unsee.mining import stages
from unsee.mining.calibration import read_scored
from unsee.mining.captions import Decoding, pictures_in
from unsee.mining.mining import mine
from unsee.mining.options import Mining
from unsee.mining.released import captions_of
from unsee.mining.selection import Thresholds
from unsee.mining.windows import Grid
from unsee.system.files import read_jsonl, write_jsonl
from unsee.vlm import Said

TEXTS = [
    "A cat and two dogs sit near a hot dog, and <b>a person</b>.",
    "A table ### with a \U0001f431 cat &amp; {braces} %s \\n, <image> [INST] a cup </s>[/INST]",
    "",
    "No thing at all.",
    "A car " * 1666 + "here",  # ten thousand characters
    "Zwei St\u00fchle\u2028and a dog\x85by a boat\tand\r\na bus",
]
LIMITS = Thresholds(35.0, 29.0, 30.0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stranger's folder: pictures of several sizes, also below, one broken, one cut off, one that is a text."""
    folder = tmp_path_factory.mktemp("stranger") / "photos"
    (folder / "more").mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.png").write_bytes(tiny.picture(number, (40 + 15 * number, 50)))
    (folder / "more" / "\u00fc 5.PNG").write_bytes(tiny.picture(5, (33, 70)))
    (folder / "broken.jpg").write_text("this is no picture")
    (folder / "cut.png").write_bytes(tiny.picture(1)[:300])
    (folder / "empty.webp").write_bytes(b"")
    (folder / "notes.txt").write_text("not looked at")
    (folder / "phone.HEIC").write_bytes(b"not looked at")
    (folder / ".hidden.png").write_bytes(b"not looked at")
    return folder


@pytest.fixture(scope="module")
def captions(pictures: Path) -> Path:
    names = ["0.png", "1.png", "2.png", "broken.jpg", "3.png", "4.png", "more/\u00fc 5.PNG", "none.png", "0.png"]
    texts = [*TEXTS, "A dog again, and a chair.", "A bird.", "A horse and a cow."]
    path = pictures.parent / "said.jsonl"
    path.write_text("".join(json.dumps({"image": n, "caption": t}) + "\n" for n, t in zip(names, texts, strict=True)))
    return path


def settings(checkpoints: Path, pictures: Path, out: Path, **changes: Any) -> Mining:
    given = {"grid": Grid(patch=8), "shard_size": 2, "thresholds": LIMITS, "windows": 16}
    return Mining(pictures, out, str(checkpoints / "clip"), **{**given, **changes})


def test_the_models_own_captions_are_mined(checkpoints: Path, pictures: Path, tmp_path: Path) -> None:
    mining = settings(
        checkpoints, pictures, tmp_path / "run", model=str(checkpoints / "llava"), decoding=Decoding(6), batch_size=4
    )
    found = mine(mining)
    assert (found["captions"], found["skipped"]) == (6, 3)
    assert found["passed_over"] == {
        "broken": 1, "empty": 1, "hidden": 1, "named .heic": 1, "named .txt": 1, "not a picture": 1,
    }  # fmt: skip
    assert type(found["sentences"]) is int
    assert [row["image"] for row in read_jsonl(tmp_path / "run" / "skipped.jsonl")] == [
        "broken.jpg", "cut.png", "empty.webp",
    ]  # fmt: skip
    rows = [row for path in sorted((tmp_path / "run" / "captions").glob("*.jsonl")) for row in read_jsonl(path)]
    assert [row["image"] for row in rows] == [source.image for source in pictures_in(pictures)]
    assert all(("caption" in row) != ("skipped" in row) for row in rows)
    how = json.loads((tmp_path / "run" / "captions" / "stage.json").read_text())
    assert (how["max_new_tokens"], how["temperature"], how["prompt"]) == (6, 0.0, "Please describe the image.")


def test_captions_pass_through_unharmed(checkpoints: Path, pictures: Path, captions: Path, tmp_path: Path) -> None:
    found = mine(settings(checkpoints, pictures, tmp_path / "run", captions=captions))
    assert (found["captions"], found["skipped"]) == (7, 2)
    given = {row["caption"]: row["image"] for row in read_jsonl(captions)}
    rows = read_jsonl(tmp_path / "run" / "spans.jsonl")
    assert len(rows) == found["rows"] >= 5
    for row in rows:
        assert (tmp_path / "run" / row["image"]).resolve() == (pictures / given[row["caption"]]).resolve()
        for span in row["spans"]:
            assert all(phrase in row["caption"][span["start"] : span["end"]] for phrase in span["phrases"])
    long = next(row for row in rows if len(row["caption"]) == 10_000)
    assert sum(len(span["phrases"]) for span in long["spans"]) == 1666
    assert sum(span["weight"] for span in long["spans"]) == pytest.approx(1)  # one phrase, however often it is said
    for role in ("positive", "negative"):
        assert found[role] == sum(span["role"] == role for row in rows for span in row["spans"]) > 0


class KilledError(Exception):
    """Stands for a signal: nothing of ours catches it."""


@pytest.mark.parametrize("written", range(14))
def test_stopped_anywhere_it_ends_with_the_same_files(
    checkpoints: Path,
    pictures: Path,
    captions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: dict[str, bytes],
    written: int,
) -> None:
    mining = settings(checkpoints, pictures, tmp_path / "run", captions=captions)
    left = written

    def write(path: Path, rows: Iterator[Any]) -> None:
        nonlocal left
        for number, _ in enumerate(kept := list(rows)):
            if left == 0 and number == len(kept) - 1:
                raise KilledError  # amid a shard
        left -= 1
        write_jsonl(path, kept)

    with monkeypatch.context() as patched:
        patched.setattr(stages, "write_jsonl", write)
        with pytest.raises(KilledError):
            mine(mining)
    before = files_of(tmp_path / "run")
    assert len([name for name in before if name.endswith(".jsonl")]) == written
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*/0*.jsonl")}
    mine(mining)
    assert all(path.stat().st_mtime_ns == written_at for path, written_at in shards.items())  # none is made again
    assert files_of(tmp_path / "run") == whole
    assert before.items() <= whole.items()


@pytest.fixture(scope="module")
def whole(
    checkpoints: Path, pictures: Path, captions: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The files of a run that nothing stopped; as deep as those of the tests, as images are named from there."""
    out = tmp_path_factory.mktemp("whole") / "run"
    mine(settings(checkpoints, pictures, out, captions=captions))
    return files_of(out)


def test_thresholds_may_change_in_a_finished_run_and_nothing_else(
    checkpoints: Path, pictures: Path, captions: Path, tmp_path: Path
) -> None:
    def again(**changes: Any) -> dict[str, Any]:
        return mine(settings(checkpoints, pictures, tmp_path / "run", **{"captions": captions, **changes}))

    first = again()
    scored = files_of(tmp_path / "run" / "relevance")
    assert again(thresholds=Thresholds(100, -100, 100))["rows"] == 0
    assert again() == first
    assert files_of(tmp_path / "run" / "relevance") == scored
    with pytest.raises(InputError, match=r"relevance was made otherwise \(aggregator was \"max\""):
        again(aggregator="patch_top4")
    with pytest.raises(InputError, match=r"remove captions and phrases and relevance"):
        again(prompt="What?")
    with pytest.raises(InputError, match="holds no mining"):
        mine(settings(checkpoints, pictures, pictures, captions=captions))


@pytest.mark.parametrize("brought", [True, False])
def test_the_same_folders_spelt_otherwise_are_the_same(
    checkpoints: Path, pictures: Path, captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brought: bool
) -> None:
    here = tmp_path / "here"
    shutil.copytree(checkpoints / "llava", here / "llava")
    shutil.copytree(pictures, here / "photos")
    shutil.copy(captions, here / "said.jsonl")
    (here / "words.txt").write_text("dog, puppy\n")
    (tmp_path / "link").symlink_to(here)
    given = {"decoding": Decoding(3), "limit": 4}

    def again(folder: Path | str, out: Path | str) -> dict[str, Any]:
        origin: dict[str, Any] = {"captions": Path(f"{folder}/said.jsonl")} if brought else {"model": f"{folder}/llava"}
        origin["lexicons"] = ("coco", f"{folder}/words.txt")
        return mine(settings(checkpoints, Path(f"{folder}/photos"), Path(out), **given, **origin))

    first = again(here, tmp_path / "run")
    shards = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*/0*.jsonl")}
    monkeypatch.chdir(tmp_path)
    for folder, out in (("here", "run"), ("here/../here/", "./run/"), (tmp_path / "link", tmp_path / "run")):
        assert again(folder, out) == first
    assert {path: path.stat().st_mtime_ns for path in shards} == shards  # none is made again
    # what lies there counts, under the same name too
    if brought:
        (here / "said.jsonl").write_text(captions.read_text().replace("hot dog", "pizza"))
    else:
        (here / "llava" / "notes.txt").write_text("another one")
    with pytest.raises(InputError, match=f"captions was made otherwise .{'listing' if brought else 'fingerprint'} was"):
        again(here, tmp_path / "run")
    shutil.copytree(here, tmp_path / "there")
    with pytest.raises(InputError, match=f"captions was made otherwise .{'captions' if brought else 'model'} was"):
        again("there", tmp_path / "run")


def test_captions_that_name_pictures_by_whole_paths_are_the_same_behind_a_link(
    checkpoints: Path, pictures: Path, captions: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(pictures)
    path = tmp_path / "said.jsonl"
    rows = [{**row, "image": str(pictures / row["image"])} for row in read_jsonl(captions)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = mine(settings(checkpoints, pictures, tmp_path / "run", captions=path))
    assert mine(settings(checkpoints, tmp_path / "link", tmp_path / "run", captions=path)) == first


def test_rows_never_go_with_other_rows_than_they_were_made_from(
    checkpoints: Path, pictures: Path, captions: Path, tmp_path: Path
) -> None:
    mining = settings(checkpoints, pictures, tmp_path / "run", captions=captions)
    mine(mining)
    shard = tmp_path / "run" / "captions" / "00000.jsonl"
    shard.write_text(shard.read_text().replace("hot dog", "pizza"))
    with pytest.raises(InputError, match="phrases was made otherwise"):
        mine(mining)


def test_a_second_scorer_has_to_agree(checkpoints: Path, pictures: Path, captions: Path, tmp_path: Path) -> None:
    alone = mine(settings(checkpoints, pictures, tmp_path / "alone", captions=captions))
    nothing = Thresholds(1.0, 0.0, 1.0, unit="probability")
    second = {"second_scorer": str(checkpoints / "owl"), "second_thresholds": nothing, "captions": captions}
    both = mine(settings(checkpoints, pictures, tmp_path / "both", **second))
    assert (both["positive"], both["negative"], both["sentences"]) == (0, 0, alone["sentences"])
    real = Thresholds(0.0, 0.0, 1.0, unit="probability")  # to the second, everything is there
    agreed = mine(settings(checkpoints, pictures, tmp_path / "both", **{**second, "second_thresholds": real}))
    assert agreed["negative"] == 0
    assert agreed["positive"] > 0


def test_sampled_captions_differ_from_greedy_ones_and_come_again(
    checkpoints: Path, pictures: Path, tmp_path: Path
) -> None:
    def said(name: str, decoding: Decoding) -> list[Any]:
        model = str(checkpoints / "llava")
        mine(settings(checkpoints, pictures, tmp_path / name, model=model, decoding=decoding))
        return [read_jsonl(path) for path in sorted((tmp_path / name / "captions").glob("*.jsonl"))]

    greedy, sampled = said("greedy", Decoding(5)), said("sampled", Decoding(5, temperature=1.5))
    assert sampled == said("again", Decoding(5, temperature=1.5))
    assert sampled != said("other", Decoding(5, temperature=1.5, seed=1))
    assert sampled != greedy


def test_probabilities_ask_for_calibration(checkpoints: Path, pictures: Path, captions: Path, tmp_path: Path) -> None:
    mining = settings(checkpoints, pictures, tmp_path / "run", captions=captions, thresholds=None)
    mining = replace(mining, scorer=str(checkpoints / "siglip"))
    with pytest.raises(InputError, match="unsee mine calibrate"):
        mine(mining)
    assert (tmp_path / "run" / "relevance" / "00000.jsonl").is_file()
    with pytest.raises(InputError, match="its unit is cosine_100"):
        mine(replace(mining, thresholds=LIMITS))


def test_half_a_word_of_a_caption_that_was_cut_is_no_phrase(
    checkpoints: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter([Said("A cat and a car", True), Said("A cat and a car", False)])
    monkeypatch.setattr("unsee.mining.captioning.generate", lambda _, examples, __: [next(said) for _ in examples])
    found = mine(settings(checkpoints, pictures, tmp_path / "run", model=str(checkpoints / "llava"), limit=2))
    shards = sorted((tmp_path / "run" / "phrases").glob("*.jsonl"))
    phrases = [[phrase["text"] for phrase in row["phrases"]] for path in shards for row in read_jsonl(path)]
    assert phrases == [["cat"], ["cat", "car"]]
    assert (found["captions"], found["truncated"]) == (2, 1)


def test_a_phrase_that_the_scorer_would_cut_is_no_evidence(checkpoints: Path, pictures: Path, tmp_path: Path) -> None:
    """Its beginning alone was scored, without a word."""
    long = " ".join(["Riga Oslo Lima"] * 12)
    (tmp_path / "names.txt").write_text(f"cat\n{long}\n")
    (tmp_path / "said.jsonl").write_text(json.dumps({"image": "0.png", "caption": f"A cat and {long}."}) + "\n")
    given = {"captions": tmp_path / "said.jsonl", "lexicons": (str(tmp_path / "names.txt"),)}
    found = mine(settings(checkpoints, pictures, tmp_path / "run", **given))
    assert (found["phrases"], found["too_long_phrases"]) == (2, 1)
    (row,) = read_jsonl(tmp_path / "run" / "relevance" / "00000.jsonl")
    assert [score is None for score in row["scores"]] == [False, True]
    assert [text for _, phrases in read_scored(tmp_path / "run").captions for text, _ in phrases] == ["cat"]
    assert [len(phrases) for _, _, phrases in captions_of(tmp_path / "run")] == [1]
