"""What large sets cost, in operations: nothing is done again for each row, and nothing that nobody looks at."""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny
from tests.cli.conftest import write_rows
from unsee.data import Example, Probe, load_examples, pictures
from unsee.data.pairing import Mismatched
from unsee.errors import InputError
from unsee.evaluation.records import Record
from unsee.mining.object_arrays import read_ragged
from unsee.report import Report, assemble, photo
from unsee.report.contents import ModelResult, ProbeInfo
from unsee.report.sections.answers import MOST_PER_PROBE


class Counted(str):
    """A word that knows how often words were compared for their order."""

    comparisons = 0

    def __lt__(self, other: str) -> bool:
        Counted.comparisons += 1
        return str.__lt__(self, other)


def test_a_wrong_answer_is_drawn_without_sorting_the_set_again(monkeypatch: pytest.MonkeyPatch) -> None:
    size, draws = 4096, 4096
    forget = [Example("Where?", Counted(f"{place:06}")) for place in np.random.default_rng(0).permutation(size)]
    monkeypatch.setattr(Counted, "comparisons", 0)
    draw = Mismatched(forget, seed=0)
    once = Counted.comparisons
    assert 0 < once <= 2 * size * math.log2(size)
    for position in range(draws):
        draw(position % size, position)
    assert Counted.comparisons - once <= 2 * draws * math.log2(size)


@pytest.mark.parametrize("seed", range(5))
def test_the_wrong_answer_is_that_of_the_sorted_others(seed: int) -> None:
    """The definition that `Mismatched` counts its way to."""
    words = np.random.default_rng(seed).integers(0, 12, size=20)
    forget = [Example("?", f"{w}", paraphrased_answers=(f"{(w + 1) % 12}", "none of them")) for w in words]
    draw = Mismatched(forget, seed)
    for position in range(60):
        asked = forget[position % 20]
        others = sorted({one.answer for one in forget} - {asked.answer, *asked.paraphrased_answers})
        expected = others[int(np.random.default_rng([seed, 2, position]).integers(len(others)))]
        assert draw(position % 20, position).answer == expected


def ragged(path: Path, rows: Any) -> Path:
    """An .npy file with a pickle of our own."""
    array = np.empty(len(rows), dtype=object)
    array[:] = rows
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (len(rows),)})
    path.write_bytes(file.getvalue() + pickle.dumps(array, protocol=3))
    return path


@pytest.mark.parametrize("leaf", [[1.0] * 10, []])
def test_lists_that_are_named_again_and_again_are_not_unfolded(tmp_path: Path, leaf: list[Any]) -> None:
    for _ in range(7):
        leaf = [leaf] * 10
    path = ragged(tmp_path / "norm.npy", [leaf, [1.0, 2.0]])
    assert path.stat().st_size < 1000
    with pytest.raises(InputError, match="more than 4096 numbers and lists in so few bytes"):
        read_ragged(path)


def test_a_list_that_holds_itself_is_refused_and_one_named_twice_is_read(tmp_path: Path) -> None:
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(InputError, match="nothing in it was run"):
        read_ragged(ragged(tmp_path / "a.npy", [itself, [1.0]]))
    row = [1.0, 2.0, 3.0]
    assert [one.tolist() for one in read_ragged(ragged(tmp_path / "b.npy", [row, row, [4.0]]))] == [row, row, [4.0]]


def test_the_page_makes_thumbnails_of_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def thumbnail(image: bytes) -> str:
        made.append(image)
        return "data:image/png;base64,AAAA"

    monkeypatch.setattr(photo, "photo_data_uri", thumbnail)
    rows = [Example(f"Who is {n}?", "Ada", str(n).encode(), subject=f"s{n % 7}") for n in range(500)]
    probe = Probe("forget_vqa", rows, role="forget")
    records = {
        model: {
            "forget_vqa": [
                Record("forget_vqa", n, None, row.subject, None, row.question, "Ada", "Ada", right, -1.0, 1)
                for n, row in enumerate(rows)
            ]
        }
        for model, right in (("base", True), ("npo", False))
    }
    report = Report(
        title="t",
        created="now",
        models={
            "base": ModelResult(label="base", role="base", scores={}),
            "npo": ModelResult(label="npo", role="method", scores={}),
        },
        probes=[ProbeInfo(name="forget_vqa", forget=True)],
        answers=assemble.answers([probe], records),
    )
    assert not made
    page = assemble.illustrated(report, [probe])
    assert MOST_PER_PROBE <= len(made) <= MOST_PER_PROBE + 12  # a dozen more may be drawn to be read first
    assert sum(answer.photo is not None for answer in page.answers) == len(made)
    assert len(page.answers) == 500


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The pictures that are decoded to see whether they are whole."""
    found: list[Any] = []
    decode = pictures.decode

    def counting(source: Any) -> Any:
        found.append(source)
        return decode(source)

    monkeypatch.setattr(pictures, "decode", counting)
    return found


def test_a_picture_of_several_sets_is_decoded_once_and_again_when_it_has_changed(
    tmp_path: Path, decoded: list[Any]
) -> None:
    data = write_rows(tmp_path / "rows.jsonl", "Ada", 6, 0)
    for _ in range(3):
        load_examples(data)
    assert len(decoded) == len({*decoded}) == 4
    decoded[0].write_bytes(tiny.picture(7, (48, 48)))
    load_examples(data)
    assert len(decoded) == 5
    decoded[0].write_bytes(b"broken")
    with pytest.raises(InputError, match="image"):
        load_examples(data)
    with pytest.raises(InputError, match="image"):
        load_examples(data)
