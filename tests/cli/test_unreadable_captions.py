"""Captions with special tokens of the model: what a run leaves out and counts, so that the rest is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import tiny
from tests.commandline import Outcome, call, files_of
from tests.families import ALL_FAMILIES
from unsee.runs.finished import open_run

# What each family would take for an image, for its end of turn, and for another mark of its own.
SPECIAL = {"llava": ("<image>", "</s>", "<pad>"), "qwen2_vl": ("<|image_pad|>", "<|im_end|>", "<|vision_start|>")}
GOOD = ("A cat, and two dogs.", "A <b>car</b> ### \U0001f431 &amp; a bus [INST] {x}", "A table with a cup.")


@pytest.fixture(scope="module", params=list(SPECIAL))
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model` and pictures; named by its family."""
    folder = tmp_path_factory.mktemp("unreadable") / str(request.param)
    tiny.save(ALL_FAMILIES[request.param](), folder / "model")
    for number in range(6):
        (folder / f"{number}.png").write_bytes(tiny.picture(number, (40, 40)))
    return folder


def captions(path: Path, texts: dict[int, str]) -> Path:
    """A file of spans: the first word is raised, the last is lowered."""
    rows = []
    for number, text in texts.items():
        spans = [
            {"start": 0, "end": text.index(" "), "role": "positive", "score": 33.0},
            {"start": text.rindex(" ") + 1, "end": len(text), "role": "negative", "score": 20.0},
        ]
        sentence = {"role": "positive", "score": 28.0}
        picture = str(path.parent / f"{number}.png")
        rows.append({"image": picture, "question": "Look.", "caption": text, "spans": spans, "sentence": sentence})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def unlearn(folder: Path, forget: Path, out: Path, *more: object) -> Outcome:
    settings = ("max_steps=2", "batch_size=3", "learning_rate=1e-3", "max_new_tokens=2")
    given = [word for setting in settings for word in ("--set", setting)]
    return call(
        "unlearn", "--model", folder / "model", "--forget", forget, "--method", "efuf", "--out", out, *given, *more
    )


def mixed(folder: Path) -> Path:
    """Captions of which rows 2, 3 and 5 hold something special."""
    image, ending, other = SPECIAL[folder.name]
    texts = (GOOD[0], f"A cat {image} here", f"A dog{ending} there", GOOD[1], f"{other} A bus", GOOD[2])
    return captions(folder / "mixed.jsonl", dict(enumerate(texts)))


def test_unreadable_captions_are_left_out_and_change_nothing(family: Path, tmp_path: Path) -> None:
    good = captions(family / "good.jsonl", {0: GOOD[0], 3: GOOD[1], 5: GOOD[2]})
    outcome = unlearn(family, mixed(family), tmp_path / "mixed", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    expected = [{"row": row, "holds": token} for row, token in zip((2, 3, 5), SPECIAL[family.name], strict=True)]
    assert outcome.json["unreadable"] == {"forget": expected, "probe forget": expected}

    plain = unlearn(family, good, tmp_path / "good", "--json").json
    assert plain["unreadable"] == {}
    for folder in ("model", "records/base", "records/efuf"):
        assert files_of(tmp_path / "mixed" / folder) == files_of(tmp_path / "good" / folder)
    assert len(files_of(tmp_path / "mixed" / "records" / "base")["forget.jsonl"].splitlines()) == 3


def test_a_line_tells_about_them_and_the_run_is_read_again_without_them(family: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = " ".join(unlearn(family, mixed(family), out).out.split())
    assert f"left out: 3 of forget (row 2 holds {SPECIAL[family.name][0]}), 3 of probe forget" in told
    assert call("report", out, "--out", out / "again.html").code == 0
    run = open_run(out)
    assert [row.answer for row in run.benchmark.probes[0].examples] == list(GOOD)
    assert [record.expected for record in run.records["efuf"]["forget"]] == list(GOOD)


def test_a_set_without_any_other_caption_is_refused_before_anything_is_written(family: Path, tmp_path: Path) -> None:
    image, ending, _ = SPECIAL[family.name]
    only = captions(family / "only.jsonl", {0: f"A cat {image} here", 1: f"A dog {ending} there"})
    outcome = unlearn(family, only, tmp_path / "out")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"forget: all captions hold special tokens of the model ({image} in row 1)" in outcome.err
    assert not (tmp_path / "out").exists()


def test_mistakes_in_a_question_are_still_refused_by_their_row(family: Path, tmp_path: Path) -> None:
    path = mixed(family)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[3]["question"] = f"{SPECIAL[family.name][0]} Look."
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = unlearn(family, path, tmp_path / "out")
    assert outcome.code == 2
    assert "row 4, question" in outcome.err
