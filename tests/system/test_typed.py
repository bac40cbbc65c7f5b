"""Files of ours that were changed by hand: one line with the file and the field, whatever file and whatever change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from unsee.errors import InputError
from unsee.evaluation.records import Record, read_records
from unsee.leaderboard.board import MARK, check_out
from unsee.leaderboard.cells import cell
from unsee.leaderboard.plan import plan
from unsee.leaderboard.worlds import Worlds, WorldSetting
from unsee.mining.calibration import read_scored
from unsee.mining.mined import KINDS, Left
from unsee.mining.released import captions_of
from unsee.mining.selection import read_thresholds
from unsee.mining.stages import Stage
from unsee.training.guard import HeldOutGuard
from unsee.training.saliency import SaliencyMask
from unsee.world.layouts.exported import exported_world

SAID = {"image": "a.png", "question": "What?", "caption": "A cat and a dog.", "truncated": True}
NAMED = {
    "image": "a.png",
    "phrases": [{"start": 2, "end": 5, "text": "cat"}, {"start": 12, "end": 15, "text": "dog"}],
    "dropped": 0,
}
SCORED = {"image": "a.png", "scores": [30.0, 20.0]}
ROWS = {"captions": SAID, "phrases": NAMED, "relevance": SCORED}
RECORD = asdict(
    Record("p", 0, None, "Ada", None, "Where?", "Riga", "Riga", True, -1.0, 2, choices=("a", "b"), chosen="a")
)


@dataclass(frozen=True)
class Content:
    """Of a whole file, as it stands there."""

    text: str


def _json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value.text if isinstance(value, Content) else json.dumps(value))
    return path


def _mined(folder: Path, **rows: Any) -> Path:
    """A mining of one picture, with some of its rows changed."""
    for name, row in {**ROWS, **rows}.items():
        _json(folder / name / "00000.jsonl", row)
    _json(folder / "relevance" / "stage.json", rows.get("stage", {"unit": "cosine_100"}))
    return folder


def _stage(folder: Path, name: str) -> list[Any]:
    return list(Stage(folder / name, 1, 64, KINDS[name], Left))


def _claimed(folder: Path, value: Any) -> None:
    _json(folder / "captions" / "stage.json", value)
    Stage(folder / "captions", 0, 64, KINDS["captions"], Left).run({"unit": "x"}, lambda start, end: [], "")


def _bench(folder: Path, value: Any) -> None:
    _json(folder / MARK, value)
    check_out(plan(folder, ("npo",), ground=Worlds(10)))


def _cell(folder: Path, value: Any) -> Any:
    one = cell(folder, WorldSetting(0, 10, "both"), "base", "base")
    _json(one.folder / "scores.json", value)
    return one.scores


def _world(folder: Path, value: Any) -> None:
    _json(folder / "world.json", value)
    exported_world(folder)


READERS: dict[str, tuple[Any, Callable[[Path, Any], Any]]] = {
    "captions": (SAID, lambda folder, value: _stage(_mined(folder, captions=value), "captions")),
    "phrases": (NAMED, lambda folder, value: _stage(_mined(folder, phrases=value), "phrases")),
    "relevance": (SCORED, lambda folder, value: _stage(_mined(folder, relevance=value), "relevance")),
    "scored phrases": (NAMED, lambda folder, value: read_scored(_mined(folder, phrases=value))),
    "scores of phrases": (SCORED, lambda folder, value: read_scored(_mined(folder, relevance=value))),
    "captions to be exported": (SAID, lambda folder, value: list(captions_of(_mined(folder, captions=value)))),
    "unit of scores": ({"unit": "cosine_100"}, lambda folder, value: read_scored(_mined(folder, stage=value))),
    "thresholds": (
        {"positive": 3.0, "negative": 2.0, "sentence": 2.5, "lowest": 1.0, "unit": "probability"},
        lambda folder, value: read_thresholds(_json(folder / "thresholds.json", value)),
    ),
    "bench": ({"people": 10, "request": "visual"}, _bench),
    "cell": ({"scores": {"p": {"score": 0.5}}, "failed": "why", "moved": 1.0, "train_seconds": 3}, _cell),
    "world": ({"layout": "clear", "world": {"seed": 0, "people": 10, "photos": 2, "held_out_photos": 1}}, _world),
    "records": (RECORD, lambda folder, value: read_records(_json(folder / "p.jsonl", value))),
}

DAMAGES: dict[str, Callable[[Any], Any]] = {
    "another kind": lambda value: [value] if not isinstance(value, list) else {"0": 1},
    "text for a number": lambda value: 3 if value is None or isinstance(value, str) else "3",
    "NaN": lambda value: float("nan"),
}
MAY_LACK = {("truncated",), ("lowest",), ("failed",), ("moved",), ("train_seconds",)}


def _fields(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a value, itself first."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in below for place in _fields(item, (*path, key)))]


def _changed(value: Any, place: tuple[Any, ...], damage: Callable[[Any], Any]) -> Any:
    if not place:
        return damage(value)
    items = list(value) if isinstance(value, list) else dict(value)
    items[place[0]] = _changed(items[place[0]], place[1:], damage)
    return items


def _refused(file: str, folder: Path, value: Any, place: tuple[Any, ...]) -> None:
    with pytest.raises(InputError) as error:
        READERS[file][1](folder, value)
    said = str(error.value)
    assert "\n" not in said
    assert len(said) < 400 + len(str(folder))
    assert str(folder) in said
    if place:
        assert str(place[0]) in said


@pytest.mark.parametrize("file", READERS)
def test_a_file_as_it_was_written_is_read(file: str, tmp_path: Path) -> None:
    READERS[file][1](tmp_path, READERS[file][0])


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", READERS)
def test_a_value_of_another_kind_is_named_with_its_file_and_field(file: str, damage: str, tmp_path: Path) -> None:
    good = READERS[file][0]
    for number, place in enumerate(_fields(good)):
        _refused(file, tmp_path / str(number), _changed(good, place, DAMAGES[damage]), place if damage != "NaN" else ())


@pytest.mark.parametrize("file", READERS)
def test_a_missing_key_and_a_null_are_named_with_their_file(file: str, tmp_path: Path) -> None:
    good = READERS[file][0]
    needed = [key for key in good if (key,) not in MAY_LACK]
    if file == "records":
        needed = [one for one in needed if one in ("probe", "index", "said", "correct", "log_prob", "tokens")]
    for key in needed:
        left = {name: value for name, value in good.items() if name != key}
        _refused(file, tmp_path / key, left, (key,))
        if key != "log_prob":  # one that is no number is null in JSON
            _refused(file, tmp_path / f"null {key}", {**good, key: None}, (key,))


@pytest.mark.parametrize("content", ["null", "[]", "3", '"x"', "{", "x", "\0", '{"a": 1, "a": 2}', "[" * 5000])
@pytest.mark.parametrize("file", READERS)
def test_content_that_is_none_of_ours_is_named_with_its_file(file: str, content: str, tmp_path: Path) -> None:
    _refused(file, tmp_path, Content(content), ())


@pytest.mark.parametrize("value", [None, [], 3])
def test_a_stage_that_says_nothing_is_named(value: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"stage\.json"):
        _claimed(tmp_path, value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"relevance": {**SCORED, "scores": [1.0]}}, "scores"),
        ({"relevance": {**SCORED, "image": "b.png"}}, "image"),
        ({"phrases": {**NAMED, "phrases": [{"start": 2, "end": 900, "text": "cat"}] * 2}}, "phrases"),
        ({"phrases": {"image": "a.png", "skipped": "too small"}}, "skipped"),
    ],
)
def test_rows_of_a_mining_that_do_not_belong_together_are_named(
    change: dict[str, Any], field: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"00000\.jsonl, row 1: {field}"):
        read_scored(_mined(tmp_path, **change))


HEADER = {"theta": [[3], 1, 2]}


def _mask(path: Path, metadata: dict[str, str] | None, bits: torch.Tensor | None = None) -> Path:
    save_file({"theta": torch.zeros(1, dtype=torch.uint8) if bits is None else bits}, path, metadata=metadata)
    return path


@pytest.mark.parametrize(
    "about",
    [
        *("null", "[]", "3", "{", '{"theta": 3}', '{"theta": [3, 1, 2]}', '{"theta": [["3x"], 1, 2]}'),
        *('{"theta": [[3], 1]}', '{"theta": [[-3], 1, 2]}', '{"theta": [[3], NaN, 2]}', '{"other": [[3], 1, 2]}'),
        *('{"theta": [[9], 1, 2]}', '{"theta": null}', '{"theta": [[null], 1, 2]}'),
    ],
)
def test_a_mask_whose_header_is_broken_is_named(about: str, tmp_path: Path) -> None:
    good = {"key": "k", "shape, passing, reached": json.dumps(HEADER)}
    assert SaliencyMask.load(_mask(tmp_path / "good.safetensors", good)).shapes["theta"] == torch.Size([3])
    path = _mask(tmp_path / "mask.safetensors", {**good, "shape, passing, reached": about})
    with pytest.raises(InputError, match=r"mask\.safetensors: .* remove") as error:
        SaliencyMask.load(path)
    assert "\n" not in str(error.value)


def test_a_mask_without_a_key_or_of_other_numbers_is_named(tmp_path: Path) -> None:
    about = json.dumps(HEADER)
    for number, (metadata, bits) in enumerate(
        [
            (None, None),
            ({"shape, passing, reached": about}, None),
            ({"key": "k", "shape, passing, reached": about}, torch.zeros(1)),
            ({"key": "k", "shape, passing, reached": about}, torch.zeros(1, 1, dtype=torch.uint8)),
        ]
    ):
        path = _mask(tmp_path / f"{number}.safetensors", metadata, bits)
        with pytest.raises(InputError, match=rf"{number}\.safetensors"):
            SaliencyMask.load(path)
    path = tmp_path / "cut.safetensors"
    path.write_bytes(
        _mask(tmp_path / "whole.safetensors", {"key": "k", "shape, passing, reached": about}).read_bytes()[:-1]
    )
    with pytest.raises(InputError, match=r"cut\.safetensors"):
        SaliencyMask.load(path)


@pytest.mark.parametrize(
    "known", [None, "null", "{", '{"looks": [], "kept": 0}', '{"looks": [{"step": 0}], "kept": 0}', '{"looks": 3}']
)
def test_a_guards_state_that_is_damaged_is_named(known: str | None, tmp_path: Path) -> None:
    save_file({}, tmp_path / "guard.safetensors", metadata=None if known is None else {"guard": known})
    watch = HeldOutGuard.__new__(HeldOutGuard)  # what it reads has nothing to do with a model
    with pytest.raises(InputError, match=r"guard\.safetensors: not what a guard wrote"):
        watch.resume(tmp_path)
