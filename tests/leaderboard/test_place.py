"""A worker's model is put back before each cell: what one says does not depend on those before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tiny import examples
from unsee.data import Benchmark, Probe
from unsee.leaderboard.grids import Configuration
from unsee.leaderboard.place import REFUSING, Base, Place, Rows
from unsee.training import stopping
from unsee.types import PARTS

SETS = Benchmark("rows", examples(4), examples(4, seed=1), examples(3, seed=3))
PROBES = [Probe("forget_vqa", examples(3), role="forget"), Probe("retain_vqa", examples(3, seed=2), role="keep")]


def place(models: Path, base: Base, seed: int = 0, **more: Any) -> Place:
    common = {"model": str(models / "base"), "forget": "rows", "max_new_tokens": 3, "parts": PARTS, **more}
    return Place(Rows(SETS, PROBES, ["Ada", "Bob"]), base, str(models / "gold"), common, seed, {})


def said(here: Place, folder: Path, method: str = "", **more: Any) -> list[Any]:
    """Log-probabilities of a model that was trained, or of the base."""
    chosen = Configuration(1e-2, 2, batch_size=2, parts=PARTS, **more)
    loaded = here.trained(method, chosen, folder / "masks")[0] if method else here.untrained()
    records = here.measured(loaded, folder / str(len(list(folder.iterdir()))))["records"]
    return [(record.said, record.log_prob) for rows in records.values() for record in rows]


@pytest.mark.parametrize("common", [{}, {"lora": {"rank": 2}}, {"dtype": "bfloat16"}], ids=str)
def test_cells_do_not_depend_on_those_before_them(models: Path, tmp_path: Path, common: dict[str, Any]) -> None:
    base, alone = Base(), tmp_path
    here = place(models, base, **common)
    before = said(here, alone)
    first = said(here, alone, "npo")
    assert first != before
    assert said(here, alone, "npo", lora=4, hyper_parameters={"beta": 0.5}) not in (first, before)  # another adapter
    here.gold_model()  # in the place of the base, which is loaded anew
    assert said(place(models, base, seed=1, **common), alone, "npo") != first
    assert said(here, alone) == before
    assert said(here, alone, "npo") == first == said(place(models, Base(), **common), alone, "npo")


@pytest.mark.parametrize("common", [{}, {"stop": {}}, {"find_rate": True}], ids=str)
def test_how_far_a_training_moved_is_the_length_of_noise(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, common: dict[str, Any]
) -> None:
    monkeypatch.setattr(stopping, "right_answers", lambda policy, encoder, rows, size: [True] * len(rows))
    here = place(models, Base(), **common)
    noise = Configuration(1e-4, 1, hyper_parameters={"norm": 0.7}, parts=PARTS)
    for _ in range(2):  # from the same start
        assert here.trained("random_noise", noise, tmp_path)[1]["moved"] == pytest.approx(0.7, rel=1e-4)


def test_text_facts_are_trained_on_where_a_row_says_so(models: Path, tmp_path: Path) -> None:
    here = place(models, Base())
    plain = said(here, tmp_path, "grad_diff")
    assert said(here, tmp_path, "grad_diff", extra={"retain_preserved": True}) != plain
    assert said(here, tmp_path, "grad_diff", extra={"retain_preserved": False}) == plain


def test_a_prompt_names_those_to_be_forgotten_and_records_hold_the_question_alone(models: Path, tmp_path: Path) -> None:
    here = place(models, Base())
    asked = here._prompted(PROBES[0]).examples[0].question
    assert asked == f"{REFUSING.format(names='Ada, Bob')} {PROBES[0].examples[0].question}"
    records = here.measured(here.untrained(), tmp_path, prompted=True)["records"]["forget_vqa"]
    assert [record.question for record in records] == [row.question for row in PROBES[0].examples]
