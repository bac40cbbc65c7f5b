"""Plan, cells, resume and files, with cells that are made up."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.leaderboard.scripted import PROBES
from tests.report.test_directions import HOSTILE, Directions
from unsee.errors import InputError
from unsee.leaderboard import output
from unsee.leaderboard.board import Outcome, all_cells
from unsee.leaderboard.cells import Cell
from unsee.leaderboard.plan import plan
from unsee.leaderboard.results import people, results
from unsee.leaderboard.worlds import Worlds
from unsee.system.executors import Local

Bench = Callable[..., Outcome]


def log(out: Path) -> list[str]:
    return (out / "log").read_text().split()


def test_every_cell_is_run_once_and_has_a_folder_of_its_own(scripted_bench: Bench, tmp_path: Path) -> None:
    outcome = scripted_bench(tmp_path)
    assert len(log(tmp_path)) == len(set(log(tmp_path))) == outcome.plan.count()
    # base and gold of 3 worlds, the prompt on 2; 3 rows of 9 developed, 3 rows and noise on 2 seeds
    assert outcome.plan.count() == 8 + 27 + 6 + 2
    scripted_bench(tmp_path)
    assert len(log(tmp_path)) == outcome.plan.count()


def test_more_rows_and_seeds_join_a_bench(scripted_bench: Bench, tmp_path: Path) -> None:
    scripted_bench(tmp_path, methods=("npo",))
    before = len(log(tmp_path))
    outcome = scripted_bench(tmp_path, methods=("npo", "kl"), seeds=(0, 1, 2))
    after = log(tmp_path)
    # base, gold, prompt of seed 2; kl: 9 developed and 3 reported; npo, retain only and noise on seed 2
    assert len(after) == len(set(after)) == before + 3 + 12 + 3
    assert "kl" in outcome.reported


def test_a_killed_worker_costs_its_own_cell_alone(scripted_bench: Bench, tmp_path: Path) -> None:
    scripted_bench(tmp_path, methods=("kl",))
    (tmp_path / "kill").touch()
    before = log(tmp_path)
    with pytest.raises(RuntimeError, match="exit code -9"):
        scripted_bench(tmp_path, methods=("kl", "grad_diff", "npo"), executor=Local(1))
    done = log(tmp_path)
    assert len(done) == len(before) + 9  # grad_diff was through, npo had just begun
    outcome = scripted_bench(tmp_path, methods=("kl", "grad_diff", "npo"))
    assert log(tmp_path)[: len(done)] == done
    assert len(log(tmp_path)) == len(set(log(tmp_path)))
    assert all(one.done for _, one in all_cells(outcome))


def test_selection_is_made_on_development_seeds_alone(scripted_bench: Bench, tmp_path: Path) -> None:
    outcome = scripted_bench(tmp_path)
    chosen = {one.row.name: one.configuration.learning_rate for one in outcome.selected}
    assert chosen["grad_diff"] == chosen["npo"] == 1e-4
    developed = {one.setting.seed for one in outcome.plan.developed()}
    reported = {one.setting.seed for found in outcome.reported.values() for one in found}
    assert (developed, reported) == ({100}, {0, 1})


def test_noise_is_as_long_as_what_grad_diff_moved(scripted_bench: Bench, tmp_path: Path) -> None:
    noise = scripted_bench(tmp_path).reported["random_noise"]
    assert [one.configuration.hyper_parameters for one in noise if one.configuration] == [{"norm": 1.5}] * 2


def test_results_know_who_reaches_gold(scripted_bench: Bench, tmp_path: Path) -> None:
    found = results(scripted_bench(tmp_path))
    assert found.people("forget_vqa") == 8  # four on each of two seeds, by the script
    assert {found.standing("grad_diff", probe) for probe in PROBES} == {"too few people"}
    assert not found.reaches_gold("grad_diff")  # though no answer differs
    assert found.standing("base", "forget_vqa") == "differs"
    assert found.distance("gold").value == 0
    assert found.distance("base").value == pytest.approx(0.5)
    (one,) = found.compare([("base", "gold")], ["forget_vqa"])
    assert (one.difference.value, one.significant) == (1.0, True)


def test_rows_about_nobody_are_not_one_person_on_two_probes(scripted_bench: Bench, tmp_path: Path) -> None:
    outcome = scripted_bench(tmp_path)
    record = replace(outcome.reported["gold"][0].records()["retain_vqa"][0], subject=None)
    (one,), (other,) = (people([each], [each], "keep") for each in (record, replace(record, probe="celebrity_vqa")))
    assert one != other


def test_a_broken_training_is_reported_and_not_chosen(
    scripted_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = scripted_bench(tmp_path)
    for one in outcome.reported["npo"]:
        (one.folder / "scores.json").write_text(json.dumps({"scores": {}, "failed": "npo: <b>loss</b> is nan"}))
    again = scripted_bench(tmp_path)
    assert next(s for s in again.selected if s.row.name == "npo").configuration.learning_rate == 1e-4
    summary = output.write(again)
    assert next(row for row in summary["rows"] if row["name"] == "npo")["failed"] == "npo: <b>loss</b> is nan"
    html = (tmp_path / "leaderboard.html").read_text()
    assert "<b>loss</b>" not in html
    assert "&lt;b&gt;loss&lt;/b&gt;" in html


def test_files_hold_every_score(scripted_bench: Bench, tmp_path: Path) -> None:
    outcome = scripted_bench(tmp_path)
    summary = output.write(outcome)
    lines = list(csv.DictReader((tmp_path / "leaderboard.csv").open()))
    assert len(lines) == 7 * 2 * len(PROBES)  # rows (3, base, gold, prompt, noise), seeds, probes
    gold = [one for one in lines if one["row"] == "gold" and one["probe"] == "forget_vqa"]
    assert [(one["seed"], float(one["score"]), one["n"]) for one in gold] == [("0", 0.0, "12"), ("1", 0.0, "12")]
    cells = list(csv.DictReader((tmp_path / "cells.csv").open()))
    assert len(cells) == outcome.plan.count()
    assert sum(one["selected"] == "yes" for one in cells if one["role"] == "development") == 3
    text = (tmp_path / "leaderboard.md").read_text()
    assert text.count("\n| npo |") >= 2
    assert "### Which methods reach gold?" in text
    assert summary["rows"][0]["name"] in ("gold", "grad_diff")
    for name in ("forget-retain.svg", "probes.svg"):
        assert (tmp_path / name).read_text().startswith('<svg xmlns="http://www.w3.org/2000/svg"')


def test_page_is_self_contained_and_says_what_the_markdown_says(scripted_bench: Bench, tmp_path: Path) -> None:
    output.write(scripted_bench(tmp_path))
    html = (tmp_path / "leaderboard.html").read_text()
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    assert "Which methods reach gold?" in html


def test_why_a_training_broke_turns_no_words_of_the_page(scripted_bench: Bench, tmp_path: Path) -> None:
    outcome = scripted_bench(tmp_path)
    summary = output.write(outcome)
    for text in HOSTILE:
        summary["rows"][0] |= {"scores": {}, "distance": None, "failed": f"cannot read {text}"}
        found = output.page(outcome, summary, [], [])
        assert "training broke" in found
        assert not Directions(found).faults, text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"seeds": (0, 100)}, "seeds: 100 is among the development seeds"),
        ({"seeds": ()}, "at least one"),
        ({"ground": Worlds(3)}, "people"),
    ],
)
def test_wrong_plans(tmp_path: Path, more: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan(tmp_path, ["npo"], **more)


def test_a_folder_of_something_else_is_refused(scripted_bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="holds other files"):
        scripted_bench(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_another_world_is_refused_in_the_same_folder(scripted_bench: Bench, tmp_path: Path) -> None:
    scripted_bench(tmp_path)
    with pytest.raises(InputError, match="people 10, not 20"):
        scripted_bench(tmp_path, people=20)


def test_cells_differ_with_everything_that_determines_them(tmp_path: Path) -> None:
    def folders(**more: Any) -> set[Path]:
        return {one.folder for one in plan(tmp_path, ["npo"], **more).developed()}

    def elsewhere(**more: Any) -> set[Path]:
        return folders(ground=Worlds(**more))

    assert len(folders()) == 18
    assert not folders() & elsewhere(request="both")
    assert not folders() & elsewhere(people=20)
    assert not folders() & folders(development=(101,))
    assert all(isinstance(one, Cell) and not one.done for one in plan(tmp_path, ["npo"]).developed())
