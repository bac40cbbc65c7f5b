"""What a cell leaves behind, whatever becomes of its training."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from unsee.errors import InputError, UnworkableError
from unsee.leaderboard.grids import Configuration
from unsee.leaderboard.place import Place
from unsee.leaderboard.work import work_off
from unsee.leaderboard.worlds import WorldSetting
from unsee.system.files import read_json


@pytest.mark.parametrize("error", [InputError, UnworkableError, FloatingPointError])
def test_only_what_its_settings_have_broken_is_the_outcome_of_a_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """What somebody can mend, such as a model that is not there, ends the bench, and the cell is done afterwards."""

    def trained(*_: Any) -> None:
        raise error("so it is")

    monkeypatch.setattr(Place, "trained", trained)
    place = Place.__new__(Place)
    chosen = Configuration(1e-4).to_dict()
    cell: dict[str, Any] = {
        "subject": "method",
        "row": "npo",
        "method": "npo",
        "configuration": chosen,
        "base_cell": str(tmp_path),
    }
    work = partial(work_off, lambda: place, WorldSetting(0, 10, "visual"), str(tmp_path / "cell"), **cell, masks="")
    if error is InputError:
        with pytest.raises(InputError, match="so it is"):
            work()
        assert not (tmp_path / "cell" / "scores.json").exists()
    else:
        work()
        assert read_json(tmp_path / "cell" / "scores.json")["failed"] == "so it is"
