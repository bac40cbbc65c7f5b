"""What a run trains on by its settings: held-out rows are left out, preserve rows join where that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from unsee.data import Benchmark, Example, Probe
from unsee.data.sets import asked
from unsee.errors import InputError
from unsee.runs.folder import check_same
from unsee.runs.settings import STOP_EPOCHS, STOP_STEPS, Settings, parse
from unsee.runs.stopping import UNTRAINED, watched
from unsee.runs.trainer import config, course, rows_of
from unsee.vlm import LoadedModel

FORGET = [Example("Who is it?", "Ada", tiny.picture(n), subject="Ada") for n in range(4)]
RETAIN = [Example("Who is it?", "Ben", tiny.picture(10 + n), subject="Ben") for n in range(3)]
PRESERVE = [Example(f"Where does Ada live, in {year}?", "Riga", subject="Ada") for year in range(2001, 2006)]
SETS = Benchmark("rows", FORGET, RETAIN, PRESERVE)


@pytest.fixture
def loaded() -> LoadedModel:
    return tiny.llava()


def settings_of(folder: Path, method: str = "npo", **more: Any) -> Settings:
    return parse({"model": "m", "forget": "f", "out": str(folder), "method": method, "batch_size": 2, **more})


def drawn(settings: Settings, loaded: LoadedModel, folder: Path) -> set[str]:
    """Questions of the retain rows that are drawn in as many steps as all of them need."""
    trainer = course(settings, SETS, loaded, config(settings, folder)).trainer
    return {trainer.retain[trainer.pairing[position]["retain"]].question for position in range(len(trainer.retain))}


def test_preserve_rows_are_drawn_where_that_is_asked_for_alone(loaded: LoadedModel, tmp_path: Path) -> None:
    assert drawn(settings_of(tmp_path), loaded, tmp_path) == {"Who is it?"}
    with_preserved = drawn(settings_of(tmp_path, retain_preserved=True), loaded, tmp_path)
    assert with_preserved == {"Who is it?", *(row.question for row in PRESERVE)}


def test_a_method_without_retain_rows_trains_on_nothing_more(loaded: LoadedModel, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "grad_ascent", retain_preserved=True)
    trainer = course(settings, SETS, loaded, config(settings, tmp_path)).trainer
    assert "retain" not in trainer.pairing[0]
    assert (trainer.retain, trainer.preserve) == (RETAIN, PRESERVE)


def test_a_mask_protects_the_same_rows_either_way(loaded: LoadedModel, tmp_path: Path) -> None:
    masks = []
    for chosen in (False, True):
        settings = settings_of(tmp_path, gate="saliency", retain_preserved=chosen)
        masks.append(course(settings, SETS, loaded, config(settings, tmp_path / str(chosen))).trainer.mask)
    plain, preserved = masks
    assert plain is not None
    assert preserved is not None
    assert plain.key == preserved.key
    assert all(torch.equal(bits, preserved.bits[name]) for name, bits in plain.bits.items())


def test_rows_that_are_looked_at_are_not_trained_on(tmp_path: Path) -> None:
    forget = [Example("Who is it?", "Ada", tiny.picture(100 + n), subject="Ada") for n in range(40)]
    probes = [Probe("some", forget[:20], trained_on=True)]
    seen = watched(settings_of(tmp_path, stop={}), Benchmark("rows", forget, RETAIN, PRESERVE, probes))
    assert (len(seen.sets.forget), len(seen.rows["forget"])) == (30, 10)
    assert not asked(seen.rows["forget"]).keys() & (asked(seen.sets.forget).keys() | asked(forget[:20]).keys())
    assert seen.held_out == {"forget": "picture", "retain": "", "preserve": UNTRAINED}
    assert (seen.rows["retain"], seen.sets.retain, seen.rows["preserve"]) == (RETAIN, RETAIN, PRESERVE)


def test_preserve_rows_that_are_trained_on_are_looked_at_on_their_own(tmp_path: Path) -> None:
    preserve = [Example(f"Where does Ada live, in {year}?", "Riga", subject="Ada") for year in range(1960, 2000)]
    settings = settings_of(tmp_path, stop={}, retain_preserved=True)
    sets = Benchmark("rows", FORGET, RETAIN, preserve)
    seen = watched(settings, sets)
    assert (len(seen.rows["retain"]), len(seen.rows["preserve"])) == (3, 10)
    assert (seen.held_out["retain"], seen.held_out["preserve"]) == ("", "question")
    assert rows_of(settings, seen.sets).retain == [*RETAIN, *seen.sets.preserve]
    assert not asked(seen.rows["preserve"]).keys() & asked(rows_of(settings, seen.sets).retain).keys()


def test_rows_that_a_method_does_not_train_on_need_not_be_held_out(tmp_path: Path) -> None:
    retain = [Example(f"Question {n}?", "Ben") for n in range(40)]
    seen = watched(settings_of(tmp_path, "grad_ascent", stop={"rows": 20}), Benchmark("rows", FORGET, retain))
    assert (len(seen.rows["retain"]), len(seen.sets.retain), seen.held_out["retain"]) == (20, 40, UNTRAINED)


def test_a_run_that_an_earlier_version_began_goes_on_without_preserve_rows(tmp_path: Path) -> None:
    check_same(tmp_path, {"seed": 0}, {"seed": 0, "retain_preserved": False, "stop": None})
    with pytest.raises(InputError, match="retain_preserved there is null, here true"):
        check_same(tmp_path, {"seed": 0}, {"seed": 0, "retain_preserved": True})


@pytest.mark.parametrize(
    ("rows", "more", "steps"),
    [
        (5, {}, 50),  # as ever
        (5, {"stop": {}}, STOP_STEPS),
        (5000, {"stop": {}}, int(STOP_EPOCHS * 5000 / 8)),
        (5000, {"stop": {}, "epochs": 2}, 1250),
        (5000, {"stop": {}, "max_steps": 70}, 70),
    ],
)
def test_steps_are_an_upper_limit_where_a_run_ends_by_itself(
    rows: int, more: dict[str, Any], steps: int, tmp_path: Path, loaded: LoadedModel
) -> None:
    from unsee.methods import build
    from unsee.training.trainer import UnlearnTrainer

    arguments = config(settings_of(tmp_path, "grad_ascent", **{"batch_size": 8, **more}), tmp_path)
    trainer = UnlearnTrainer(loaded, arguments, method=build("grad_ascent"), forget=[FORGET[0]] * rows)
    assert trainer.config.max_steps == steps
