"""A copy that is not whole is written only when that is asked for; what is looked for, each benchmark says."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.exports import spoilt, twice
from tests.commandline import call, succeed


def test_a_damaged_copy_is_written_only_when_that_is_asked_for(clear_folder: Path, tmp_path: Path) -> None:
    folder = spoilt(clear_folder, tmp_path / "copy", "forget10", twice)
    words = ("benchmark", "write", "clear", folder, "--out", tmp_path / "data")
    outcome = call(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "forget: 1 rows are there twice: 2" in outcome.err
    assert "--allow-anomalies" in outcome.err
    assert not (tmp_path / "data").exists()
    assert succeed(*words, "--allow-anomalies", "--json").json["anomalies"] == ["forget: 1 rows are there twice: 2"]
    assert json.loads((tmp_path / "data" / "forget.jsonl").read_text().splitlines()[0])
