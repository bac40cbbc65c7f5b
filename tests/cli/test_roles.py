"""What a probe is for is said or found, never read from its name; and what its pictures were used for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Stranger, write_rows
from tests.commandline import call, succeed
from unsee.runs.finished import open_run

QUICK = ["--set", "max_steps=1", "--set", "max_new_tokens=4", "--method", "grad_ascent"]


@pytest.fixture(scope="module")
def data(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Rows of forgotten Ada, of Max, of nobody in particular, and of Ada's training photographs asked otherwise."""
    folder = tmp_path_factory.mktemp("roles")
    files = {
        "forget": write_rows(folder / "forget.jsonl", "Ada Byron", 4, 0),
        "her_photos": write_rows(folder / "her_photos.jsonl", "Ada Byron", 6, 50),
        "forget_max": write_rows(folder / "max.jsonl", "Max Roth", 6, 100),
        "nobody": write_rows(folder / "nobody.jsonl", "Somebody", 6, 150),
        "her_name": folder / "her_name.jsonl",
    }
    rows = [json.loads(line) for line in files["nobody"].read_text().splitlines()]
    files["nobody"].write_text("".join(json.dumps({**row, "subject": None}) + "\n" for row in rows))
    rows = [json.loads(line) for line in files["forget"].read_text().splitlines()]
    named = [{**row, "question": "Who is this?", "answer": "Ada"} for row in rows if "image" in row]
    files["her_name"].write_text("".join(json.dumps(row) + "\n" for row in named))
    return files


@pytest.fixture(scope="module")
def run(stranger: Stranger, data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run with names that say the opposite of what they are, and what it printed."""
    out = tmp_path_factory.mktemp("roles-run") / "run"
    given = ["--model", stranger / "llava", "--forget", data["forget"], "--out", out]
    given += [part for name in ("her_photos", "forget_max", "nobody") for part in ("--probe", f"{name}={data[name]}")]
    given += ["--keep-probe", f"forget_said={data['nobody']}", "--forget-probe", f"retain_name={data['her_name']}"]
    return out, succeed("unlearn", *given, *QUICK, "--json").json


def test_names_mean_nothing_and_what_is_not_known_is_said(run: tuple[Path, Any]) -> None:
    out, printed = run
    roles = {"retain_name": "forget", "forget_said": "keep", "her_photos": "forget", "forget_max": "keep"}
    assert printed["roles"] == {**roles, "nobody": None}
    assert "What nobody is for is not known, so it is not judged" in printed["verdict"]
    settings = yaml.safe_load((out / "run.yaml").read_text())["settings"]
    assert (list(settings["forget_probes"]), list(settings["keep_probes"])) == (["retain_name"], ["forget_said"])


def test_pictures_that_were_trained_on_are_counted_wherever_scores_are(run: tuple[Path, Any]) -> None:
    out, printed = run
    assert printed["pictures"]["retain_name"] == {"pictures": 2, "trained_on": 2}
    assert printed["pictures"]["her_photos"] == {"pictures": 4, "trained_on": 0}
    assert "all of its pictures were trained on" in (out / "report.html").read_text()
    again = succeed("unlearn", out / "run.yaml", "--out", out, "--no-report").out
    assert "Pictures that were trained on, under other questions: retain_name (2 of 2)." in again


def test_evaluating_the_model_of_a_run_says_which_pictures_it_was_trained_on(
    run: tuple[Path, Any], data: dict[str, Path], stranger: Stranger
) -> None:
    out, _ = run
    asked = ["--data", data["her_name"], "--max-new-tokens", 4, "--json"]
    assert succeed("evaluate", "--model", out / "model", *asked).json["pictures_trained_on"] == 2
    assert "pictures_trained_on" not in succeed("evaluate", "--model", stranger / "llava", *asked).json


def test_a_run_from_before_roles_were_kept_finds_them_again(run: tuple[Path, Any], tmp_path: Path) -> None:
    out, printed = run
    before = json.loads((out / "scores.json").read_text())
    old = {key: value for key, value in before.items() if key not in ("roles", "pictures", "condition", "moved")}
    (out / "scores.json").write_text(json.dumps(old))
    try:
        found = open_run(out).scores
        assert (found.roles, found.pictures) == (printed["roles"], printed["pictures"])
        assert found.to_dict()["models"] == before["models"]
        assert succeed("report", out, "--out", tmp_path / "page.html", "--json").json["verdict"] == printed["verdict"]
    finally:
        (out / "scores.json").write_text(json.dumps(before))


@pytest.mark.parametrize(
    "rate",
    [["--lora", "4", "--set", "learning_rate=1e-12"], ["--set", "dtype=bfloat16", "--set", "learning_rate=1e-6"]],
    ids=["adapter", "bfloat16"],
)
def test_a_model_that_training_did_not_move_is_called_unmoved(
    stranger: Stranger, data: dict[str, Path], tmp_path: Path, rate: list[str]
) -> None:
    given = ["--model", stranger / "llava", "--forget", data["forget"], "--out", tmp_path / "run", *rate]
    printed = succeed("unlearn", *given, *QUICK, "--json").json
    assert printed["condition"]["grad_ascent"]["kind"] == "unmoved"
    assert printed["condition"]["grad_ascent"]["sentence"].startswith("No weight moved")
    assert printed["verdict"].startswith("grad_ascent: No weight moved")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--keep-probe", "one"], "--keep-probe 'one': give NAME=FILE"),
        (["--forget-probe", "one=a.jsonl", "--probe", "one=b.jsonl"], "'one' is among forget_probes too"),
        (["--keep-probe", "a/b=a.jsonl"], "keep_probes: 'a/b' cannot name a file"),
    ],
)
def test_wrong_probes_end_in_one_line(
    flags: list[str], said: str, stranger: Stranger, data: dict[str, Path], tmp_path: Path
) -> None:
    given = ["--model", stranger / "llava", "--forget", data["forget"], "--out", tmp_path / "run"]
    outcome = call("unlearn", *given, *flags)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert said in line
    assert not (tmp_path / "run").exists()
