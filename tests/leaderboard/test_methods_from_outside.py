"""Methods of files and packages as rows of a leaderboard: by their own name, with the budget of every other row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commandline import call, succeed
from unsee.errors import InputError
from unsee.leaderboard import cells, worlds
from unsee.leaderboard.grids import BUDGET, STEP_CHOICES, rows
from unsee.leaderboard.ground import Models
from unsee.leaderboard.plan import plan
from unsee.leaderboard.worlds import Worlds, WorldSetting
from unsee.methods.registry import code_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "hinge.py"


@pytest.fixture
def place(tmp_path: Path) -> str:
    shutil.copy(EXAMPLE, tmp_path / "hinge.py")
    return f"{tmp_path / 'hinge.py'}:Hinge"


def _change(place: str, old: str, new: str) -> str:
    """The place of the same method in a file of another name, with something changed."""
    file = Path(place.rpartition(":")[0])
    other = file.with_name(f"changed{len(list(file.parent.iterdir()))}.py")
    other.write_text(file.read_text().replace(old, new))
    return f"{other}:Hinge"


def test_a_file_gives_a_row_with_its_own_name_and_the_default_grid(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [(row.name, row.kind, row.method) for row in rows(["npo", "hinge.py:Hinge", place])]
    assert names == [
        ("retain_finetune", "control", "retain_finetune"),
        ("npo", "method", "npo"),
        ("hinge", "method", place),
    ]
    row = rows([place])[-1]
    assert len(row.configurations) == BUDGET
    assert {one.hyper_parameters["forget_weight"] for one in row.configurations} == {0.3, 1.0, 3.0}
    narrow = _change(place, "forget_weight: Annotated[NonNegative", "forget_weight: Annotated[Fraction")
    narrow = _change(narrow, "NonNegative, ", "Fraction, NonNegative, ")
    assert {one.max_steps for one in rows([narrow])[-1].configurations} == set(STEP_CHOICES)


def test_other_code_makes_another_cell_and_another_place_does_not(place: str, tmp_path: Path) -> None:
    def folder(method: str) -> Path:
        made = plan(tmp_path / "board", [method], ground=Worlds(10))
        return made.tried(made.rows[-1], 100)[0].folder

    assert folder(_change(place, "", "")) == folder(place)
    assert folder(_change(place, "4.0", "5.0")) != folder(place)
    made = plan(tmp_path / "board", ["npo"], ground=Worlds(10))
    assert "code" not in made.tried(made.rows[-1], 100)[0].describe()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Needs(retain=True)", "Needs(retain=True, spans=True)", "trains on spans of captions"),
        ('"hinge"', '"refusing_prompt"', "a_short_name"),
        ("", "", "'hinge' is the name of two of them"),
    ],
)
def test_what_cannot_be_a_row_is_refused(old: str, new: str, said: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        rows([place, _change(place, old, new)])
    assert said in str(caught.value)


def test_a_bench_reports_the_method_by_its_name(scripted_bench: Callable[..., Any], place: str, tmp_path: Path) -> None:
    scripted_bench(tmp_path / "board", methods=("npo", place))
    given = ("--out", tmp_path / "board", "--methods", f"npo,{place}", "--seeds", "0,1", "--people", 10)
    found = succeed("bench", *given, "--json").json
    assert "hinge" in {row["row"] for row in found["rows"]}
    assert "| hinge" in (tmp_path / "board" / "leaderboard.md").read_text()
    assert str(tmp_path / "hinge.py") not in (tmp_path / "board" / "leaderboard.html").read_text()


def test_a_worker_refuses_a_file_that_has_changed_meanwhile(place: str, tmp_path: Path) -> None:
    cell = cells.cell(tmp_path, WorldSetting(0, 10, "visual"), "hinge", "method", place, None, code_of(place))
    job = cells.job(cell, Models("b", "g"), tmp_path, tmp_path)
    Path(place.rpartition(":")[0]).write_text("# nothing left\n")
    with pytest.raises(InputError, match=r"the code of .*hinge.py:Hinge has changed since the bench was started"):
        worlds.run_cell(**json.loads(json.dumps(job.arguments)))
    assert not cell.folder.exists()


def test_wrong_names_are_one_line(tmp_path: Path) -> None:
    outcome = call("bench", "--out", tmp_path / "x", "--methods", f"npo,{tmp_path / 'none.py'}:Mine")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "none.py is no file" in outcome.err
    assert not (tmp_path / "x").exists()
