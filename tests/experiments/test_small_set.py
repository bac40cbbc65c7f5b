"""The table of small sets, and the data that it is made from, of `experiments/small_set.py`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.experiments.scripts import script
from unsee.data import load_examples
from unsee.runs.settings import Settings
from unsee.world import World


@pytest.fixture(scope="module")
def small_set() -> ModuleType:
    return script("small_set")


def test_every_photograph_is_asked_about_once_and_nothing_that_is_measured_is_trained_on(
    small_set: ModuleType, tmp_path: Path
) -> None:
    world = World(0, people=10, photos=4, held_out_photos=1)
    places = small_set.write_data(world, tmp_path)
    forget, retain = load_examples(places["forget"]), load_examples(places["retain"])
    person, *_ = world.forget_people()
    assert [row.subject for row in forget] == [person.name] * world.photos
    assert len({row.subject for row in retain} - {one.name for one in world.forget_people()}) == world.photos
    trained = {row.image for row in (*forget, *retain)}
    assert len(trained) == 2 * world.photos
    asked = [*places["forget_probes"].values(), *places["keep_probes"].values()]
    assert len(asked) == len(small_set.PROBES)
    assert not trained & {row.image for path in asked for row in load_examples(path)}


def test_the_table_has_what_runs_do_by_default_in_bold(
    small_set: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unlearn(settings: Settings) -> Any:
        base, npo = (SimpleNamespace(ungated=share) for share in (1.0, (settings.max_steps or 0) / 100))
        models = {"base": dict.fromkeys(small_set.PROBES, base), "npo": dict.fromkeys(small_set.PROBES, npo)}
        return SimpleNamespace(scores=SimpleNamespace(models=models, moved={"length": settings.learning_rate}))

    monkeypatch.setattr(small_set, "unlearn", unlearn)
    _, _, before, *lines = small_set.table({"model": "m", "forget": "f", "retain": "r", "method": "npo"}, tmp_path)
    assert before == "| before | | | 1.00 | 1.00 | 1.00 | 1.00 | |"
    assert len(lines) == sum(map(len, small_set.GRID.values()))
    bold = [line for line in lines if line.startswith("| **")]
    assert bold == [
        "| **LoRA 16, language** | **1e-4** | **50** | 0.50 | 0.50 | 0.50 | 0.50 | 0.010 % |",
        "| **LoRA 16** | **1e-4** | **50** | 0.50 | 0.50 | 0.50 | 0.50 | 0.010 % |",
        "| **whole** | **1e-5** | **50** | 0.50 | 0.50 | 0.50 | 0.50 | 0.0010 % |",
    ]
