"""EFUF's released files: read without running them, and written so that its code can read them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unsee.errors import InputError
from unsee.mining.object_arrays import read_ragged
from unsee.mining.released import read_released, write_released
from unsee.mining.selection import PUBLISHED

CAPTION = "A cat on a mat, a dog and\nanother cat. A ### bird"
PLACES = [(2, 5, 33.0), (18, 21, 20.0), (34, 37, 33.0), (45, 49, 25.0)]


def ragged(rows: list[list[float]]) -> np.ndarray[Any, Any]:
    array = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        array[place] = np.array(row)
    return array


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_arrays_of_arrays_are_read_without_unpickling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, kind: Any
) -> None:
    rows = [[33.5, -1.0], [], [20.25]]
    with (tmp_path / "norm.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (3,)})
        array = ragged(rows)
        for place in range(3):
            array[place] = array[place].astype(kind)
        pickle.dump(array, file, protocol=protocol)
    monkeypatch.setattr(pickle, "load", None)
    monkeypatch.setattr(pickle, "loads", None)
    assert [row.tolist() for row in read_ragged(tmp_path / "norm.npy")] == rows


def test_rows_of_one_length_are_read_too(tmp_path: Path) -> None:
    np.save(tmp_path / "norm.npy", np.array([[1.0, 2.0], [3.0, 4.0]], dtype=object), allow_pickle=True)
    assert [row.tolist() for row in read_ragged(tmp_path / "norm.npy")] == [[1, 2], [3, 4]]


class Trap:
    """Would make a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_a_trap_is_refused_in_one_line_and_does_nothing(tmp_path: Path) -> None:
    array = ragged([[1.0]])
    array[0] = Trap(tmp_path / "sprung")
    np.save(tmp_path / "norm.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match="nothing in it was run"):
        read_ragged(tmp_path / "norm.npy")
    (tmp_path / "norm.npy").write_bytes((tmp_path / "norm.npy").read_bytes()[:-9])
    with pytest.raises(InputError, match="nothing in it was run"):
        read_ragged(tmp_path / "norm.npy")
    assert not (tmp_path / "sprung").exists()


def test_what_is_exported_can_be_imported(tmp_path: Path) -> None:
    write_released(tmp_path / "efuf", [("1.jpg", CAPTION, PLACES), ("2.jpg", "Nothing.", [])])
    assert (tmp_path / "efuf" / "objects.txt").read_text().splitlines() == [
        "1.jpg ### 0 ### cat, dog, bird",
        "2.jpg ### 0 ### ",
    ]
    loaded = np.load(tmp_path / "efuf" / "norm.npy", allow_pickle=True)  # as EFUF's code does
    assert [row.tolist() for row in loaded] == [[33.0, 20.0, 25.0], []]
    samples = json.loads((tmp_path / "efuf" / "pos_neg.json").read_text())
    assert [row["sentence"][row["position"] :] for row in samples[:3]] == [
        "A cat on a mat",
        " a dog and another cat",
        " a dog and another cat",
    ]
    (row,) = read_released(tmp_path / "efuf", tmp_path, PUBLISHED)
    assert row.caption == CAPTION.replace("\n", " ")
    assert [(row.caption[s.start : s.end], s.role, s.score) for s in row.spans] == [
        ("A cat on a mat", "positive", 33.0),
        ("dog", "negative", 20.0),  # beside a real cat in its sub-sentence
        ("cat", "positive", 33.0),
    ]
    assert row.sentence.role == "positive"  # mean 27.75


def test_samples_alone_can_be_imported(tmp_path: Path) -> None:
    write_released(tmp_path, [("1.jpg", CAPTION, PLACES)])
    for name in ("objects.txt", "captions.txt", "norm.npy"):
        (tmp_path / name).unlink()
    (row,) = read_released(tmp_path, tmp_path, PUBLISHED)
    assert [(row.caption[s.start : s.end], s.role, s.weight) for s in row.spans] == [
        ("A cat on a mat", "positive", 1.0),
        (" a dog and another cat", "negative", 1.0),
        (" a dog and another cat", "positive", 1.0),
    ]
    assert row.sentence.role == "positive"
    (tmp_path / "sentences.json").unlink()
    (row,) = read_released(tmp_path, tmp_path, PUBLISHED)
    assert (row.caption, row.sentence.role) == (CAPTION.replace("\n", " "), None)
    with pytest.raises(InputError, match=r"needs captions\.txt"):
        read_released(tmp_path / "none", tmp_path, PUBLISHED)


SEVERAL = [
    ("1.jpg", "A cat sleeps.", [(2, 5, 33.0)]),
    ("1.jpg", "A dog sleeps.", [(2, 5, 20.0)]),
    ("2.jpg", "A bus.", [(2, 5, 33.0)]),
]


def test_several_captions_of_one_picture_keep_their_own_phrases(tmp_path: Path) -> None:
    write_released(tmp_path, SEVERAL)
    rows = read_released(tmp_path, tmp_path, PUBLISHED)
    assert [(row.image.name, row.caption, [span.phrases for span in row.spans]) for row in rows] == [
        ("1.jpg", "A cat sleeps.", [("cat",)]),
        ("1.jpg", "A dog sleeps.", [("dog",)]),
        ("2.jpg", "A bus.", [("bus",)]),
    ]


def test_captions_in_another_order_are_found_by_their_picture(tmp_path: Path) -> None:
    write_released(tmp_path, SEVERAL[1:])
    (tmp_path / "captions.txt").write_text("3.jpg ### No.\n2.jpg ### A bus.\n1.jpg ### A dog sleeps.\n")
    assert [row.caption for row in read_released(tmp_path, tmp_path, PUBLISHED)] == ["A dog sleeps.", "A bus."]


@pytest.mark.parametrize(
    "captions",
    ["2.jpg ### A bus.\n1.jpg ### A cat sleeps.\n1.jpg ### A dog sleeps.\n", "1.jpg ### A cat.\n2.jpg ### A bus.\n"],
)
def test_captions_that_cannot_be_told_apart_are_refused(tmp_path: Path, captions: str) -> None:
    write_released(tmp_path, SEVERAL)
    (tmp_path / "captions.txt").write_text(captions)
    with pytest.raises(InputError, match=r"objects\.txt, line 1: 1\.jpg comes 2 times here and \d times in captions"):
        read_released(tmp_path, tmp_path, PUBLISHED)


@pytest.mark.parametrize(("image", "caption"), [("\ud800.jpg", "A cat."), ("1.jpg", "A \ud800 cat.")])
def test_text_that_no_file_can_hold_is_not_exported(tmp_path: Path, image: str, caption: str) -> None:
    with pytest.raises(InputError, match="half a surrogate pair"):
        write_released(tmp_path / "efuf", [(image, caption, [])])
    assert not (tmp_path / "efuf").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pos_neg.json", '[{"image": "1.jpg"}]', "sample 1: sentence"),
        ("pos_neg.json", '{"image": "1.jpg"}', "dict where a list"),
        ("captions.txt", "1.jpg A cat", "captions.txt, line 1: no ###"),
        ("objects.txt", "1.jpg ### cat", "objects.txt, line 1: 2 columns"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    write_released(tmp_path, [("1.jpg", CAPTION, PLACES)])
    if name == "pos_neg.json":
        (tmp_path / "norm.npy").unlink()
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        read_released(tmp_path, tmp_path, PUBLISHED)
