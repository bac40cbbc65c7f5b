"""A bench on a plan: two halves, equal budgets, and numbers that hold what the script knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests import tiny
from tests.commandline import succeed
from tests.leaderboard.portraits import write_rows
from unsee.errors import InputError
from unsee.leaderboard import output
from unsee.leaderboard.board import Outcome, all_cells, check_bases, selection
from unsee.leaderboard.ground import Stage
from unsee.leaderboard.place import Base
from unsee.leaderboard.plan_file import read_plan
from unsee.leaderboard.planned import Planned, on_plan
from unsee.leaderboard.planned_rows import is_name
from unsee.leaderboard.results import results
from unsee.runs import train
from unsee.runs.stopping import watched
from unsee.runs.supervised.folder import start_folder
from unsee.runs.supervised.lessons import Lessons
from unsee.world import World
from unsee.world.layouts.export import export

Write = Callable[..., Path]
Bench = Callable[[Path, Path], Outcome]


def subjects(cell: Any) -> set[str]:
    return {record.subject for rows in cell.records().values() for record in rows}


def test_selection_asks_about_other_people_than_what_is_reported(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    outcome = planned_bench(written_plan(), tmp_path / "board")
    of: dict[str, set[str]] = {"development": set(), "reporting": set()}
    for role, cell in all_cells(outcome):
        of[role] |= subjects(cell)
        assert cell.setting.to_dict()["half"]["stage"] == role
    assert not of["development"] & of["reporting"]
    assert of["development"] | of["reporting"] == {"Ada", "Bea", "Cyd", "Dan", "Eve", "Fay", "Gus", "Hal"}
    trained = {(role, cell.setting.seed) for role, cell in all_cells(outcome) if cell.subject == "method"}
    assert trained == {("development", 100), ("reporting", 0), ("reporting", 1)}


def test_nothing_selected_depends_on_a_reporting_record(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    outcome = planned_bench(written_plan(), tmp_path / "board")
    before = [selection(outcome.plan, row) for row in outcome.plan.rows]
    changed = 0
    for path in (tmp_path / "board" / "cells").glob("reporting*/**/*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        turned = [{**row, "correct": not row["correct"], "said": "b" if row["correct"] else "a"} for row in rows]
        path.write_text("".join(f"{json.dumps(row)}\n" for row in turned))
        changed += len(turned)
    assert changed > 50
    assert [selection(outcome.plan, row) for row in outcome.plan.rows] == before
    for path in (tmp_path / "board" / "cells").glob("development-100/npo/**/*.jsonl"):  # which it does depend on
        path.write_text(path.read_text().replace('"correct": true', '"correct": false'))
    assert [selection(outcome.plan, row) for row in outcome.plan.rows] != before


def test_every_row_has_the_same_budget_around_the_settings_of_the_plan(written_plan: Write, tmp_path: Path) -> None:
    made = on_plan(read_plan(written_plan(methods=["npo", "grad_ascent", "npo+lora"], budget=9)), tmp_path / "board")
    assert {len(row.configurations) for row in made.rows} == {9}
    by_name = {row.name: row.configurations for row in made.rows}
    assert {one.learning_rate for one in by_name["npo"]} == {3e-4, 1e-3, 3e-3}
    assert {one.learning_rate for one in by_name["npo+lora"]} == {3e-3, 1e-2, 3e-2}
    assert {one.max_steps for one in by_name["npo"]} == {20}
    # choices of 8, 15 and 30 steps of 50, in proportion to 20
    assert {one.max_steps for one in by_name["grad_ascent"]} == {3, 6, 12}
    assert {(one.parts, one.batch_size) for one in by_name["npo"]} == {(("vision", "projector", "language"), 8)}


def test_where_all_rows_train_adapters_none_does_so_twice(written_plan: Write, tmp_path: Path) -> None:
    adapted = {"settings": {"lora": 4, "max_steps": 20}}
    made = on_plan(read_plan(written_plan(methods=None, **adapted)), tmp_path / "board")
    names = [row.name for row in made.rows]
    assert "npo+l1" in names
    assert not [name for name in names if name.endswith("+lora")]
    assert {one.learning_rate for row in made.rows for one in row.configurations} == {3e-5, 1e-4, 3e-4}
    with pytest.raises(InputError, match=r"'npo\+lora' is npo with adapters, which all rows have here"):
        on_plan(read_plan(written_plan(methods=["npo+lora"], **adapted)), tmp_path / "board")


def test_text_facts_give_every_row_twice_and_say_so(written_plan: Write, planned_bench: Bench, tmp_path: Path) -> None:
    outcome = planned_bench(written_plan(text_facts=True, budget=1), tmp_path / "board")
    names = ["retain_finetune", "retain_finetune+facts", "npo", "npo+facts"]
    assert [row.name for row in outcome.plan.rows] == names
    of = {row.name: row.configurations[0].to_dict() for row in outcome.plan.rows}
    assert of["npo+facts"] == {**of["npo"], "extra": {"retain_preserved": True}}
    output.write(outcome)
    for name in ("leaderboard.md", "leaderboard.html"):
        assert "Rows marked +facts" in (tmp_path / "board" / name).read_text()


def test_without_text_facts_that_is_said(written_plan: Write, planned_bench: Bench, tmp_path: Path) -> None:
    output.write(planned_bench(written_plan(budget=1), tmp_path / "board"))
    for name in ("leaderboard.md", "leaderboard.html"):
        assert "No row trains on what a mask protects" in (tmp_path / "board" / name).read_text()


def test_cells_are_done_once_and_further_rows_and_seeds_join(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    out = tmp_path / "board"
    planned_bench(written_plan(budget=3), out)
    first = (out / "log").read_text().splitlines()
    # base and gold of two halves, a prompt; two rows of three, then on two seeds each, and noise
    assert len(first) == len(set(first)) == 5 + 6 + 4 + 2
    planned_bench(written_plan(budget=3), out)
    assert (out / "log").read_text().splitlines() == first
    planned_bench(written_plan(budget=3, methods=["npo", "kl"], seeds=[0, 1, 2]), out)
    after = (out / "log").read_text().splitlines()
    assert len(after) == len(set(after)) == len(first) + 3 + 3 + 2 + 1  # kl; npo, retain only and noise on seed 2
    with pytest.raises(InputError, match="holds a bench with request visual, not both"):
        planned_bench(written_plan(data={**_data(), "request": "both"}), out)


def _data() -> dict[str, Any]:
    return {"rows": "data/people.jsonl", "subject": "who", "forget": ["Ada", "Bea", "Cyd", "Dan"]}


def test_other_settings_models_or_rows_make_other_cells(written_plan: Write, models: Path, tmp_path: Path) -> None:
    def folder(**changed: Any) -> Path:
        made = on_plan(read_plan(written_plan(**changed)), tmp_path / "board")
        return made.of(made.rows[-1], made.rows[-1].configurations[0], 0).folder

    settings = {"learning_rate": 1e-3, "max_steps": 20}
    others = [
        folder(settings={**settings, "batch_size": 4}),
        folder(settings={**settings, "scheduler": "linear"}),
        folder(base=str(models / "gold"), gold=str(models / "base")),
        folder(data={**_data(), "forget": ["Ada", "Bea"], "request": "visual"}),
        folder(stop={"forget": 0.1}),
    ]
    assert len({folder(), *others}) == len(others) + 1
    assert folder() == folder()


def test_numbers_are_those_of_the_script_over_people_who_count_once(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    outcome = planned_bench(written_plan(), tmp_path / "board")
    found = results(outcome)
    assert found.crossed
    assert (found.targets, found.people("forget_vqa")) == (("forget_vqa",), 2)
    assert {choice.configuration.learning_rate for choice in outcome.selected if choice.row.name == "npo"} == {1e-3}
    summary = output.write(outcome)
    score = {(one["row"], one["probe"], one["metric"]): one for one in summary["figures"]}
    assert score["base", "forget_vqa", "exact_match"]["score"] == 1.0
    assert score["gold", "forget_vqa", "exact_match"]["score"] == 0.0
    # two people with a photograph each: all forgotten with seed 0, all but one with seed 1
    npo = score["npo", "forget_vqa", "exact_match"]
    assert (npo["score"], npo["n"]) == (0.25, 4)
    assert (npo["low"], npo["high"]) != (None, None)
    assert score["base", "forget_vqa", "exact_match"]["n"] == 2  # measured once
    assert score["npo", "retain_qa", "exact_match"]["score"] == 1.0
    assert summary["selected"]["npo"]["max_steps"] == 20
    assert json.loads((tmp_path / "board" / "bench.json").read_text())["halves"] == {
        stage: {"forget_people": 2, "other_people": 2} for stage in ("development", "reporting")
    }


def test_a_base_that_knows_nothing_of_what_is_to_go_ends_the_bench(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    outcome = planned_bench(written_plan(), tmp_path / "board")
    check_bases(outcome.plan)
    for path in (tmp_path / "board" / "cells").glob("development/base/**/forget_vqa.jsonl"):
        path.write_text(path.read_text().replace('"correct": true', '"correct": false'))
    with pytest.raises(InputError, match="unfit"):
        check_bases(outcome.plan)


@pytest.mark.parametrize("stage", ["development", "reporting"])
def test_nobody_who_is_reported_is_looked_at_to_end_a_training(
    written_plan: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    """Of people with one photograph each none is held out: what is trained on is asked, in both halves."""
    write_rows(tmp_path / "single", photographs=1)
    told = written_plan(data={**_data(), "rows": "single/people.jsonl", "request": "visual"}, stop={"forget": 0.1})
    made = on_plan(read_plan(told), tmp_path / "board")
    ground = cast(Planned, made.ground)
    seen: list[Any] = []

    def course(settings: Any, sets: Any, loaded: Any, arguments: Any, reported: Any) -> None:
        seen.append(watched(settings, sets, reported).rows)
        raise FloatingPointError("no training is needed to see that")

    monkeypatch.setattr(train, "course", course)
    with pytest.raises(FloatingPointError):
        ground.place(ground.setting(0, stage), Base()).trained("npo", made.rows[-1].configurations[0], tmp_path)
    whom = {probe.name: {row.subject for row in probe.examples} for probe in ground.halves.probes["development"]}
    assert {row.subject for row in seen[0]["forget"]} == whom["forget_vqa"]
    assert len(whom["forget_vqa"]) == 2


@pytest.mark.parametrize("changed", ["model", "train"])
def test_a_base_that_was_made_in_another_way_is_not_taken_for_the_plan_s(
    written_plan: Write, models: Path, tmp_path: Path, changed: str
) -> None:
    told: dict[str, Any] = {"base": None, "model": str(models / "gold"), "train": {"epochs": 2}}
    first = read_plan(written_plan(**told))
    folder = tmp_path / "board" / "base"
    ground = cast(Planned, on_plan(first, tmp_path / "board").ground)
    lessons = Lessons(ground.sets.base_rows, "rows", (), ())
    start_folder(folder, ground.training("base"), lessons, tiny.llava(), overwrite=False)
    assert on_plan(first, tmp_path / "board")
    others = {"model": str(models / "base"), "train": {"epochs": 3}}
    with pytest.raises(InputError, match="was made from another model or with other settings than the plan says now"):
        on_plan(read_plan(written_plan(**{**told, changed: others[changed]})), tmp_path / "board")


def test_one_person_is_halved_by_photographs_and_facts_and_said_to_be(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    data = {**_data(), "forget": ["Ada"], "request": "visual", "held_out": 0.5}
    outcome = planned_bench(written_plan(data=data, budget=1), tmp_path / "board")
    summary = output.write(outcome)
    text = (tmp_path / "board" / "leaderboard.md").read_text()
    assert "One person alone is to be forgotten" in text
    shares = [one for one in summary["figures"] if (one["row"], one["metric"]) == ("gold", "exact_match")]
    assert [one["n"] for one in shares if one["probe"] == "forget_vqa"] == [1]


@pytest.mark.parametrize(("subject", "named"), [("Ada Byron", True), ("author 3 of forget10", False), ("0017", False)])
def test_who_can_be_named_in_a_prompt(subject: str, named: bool) -> None:
    assert is_name(subject) == named


def test_the_numbers_of_the_paper_are_those_that_its_command_gives(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    world = World(seed=3, people=20, photos=2, held_out_photos=2)
    folder = export(world, "clear", tmp_path / "clear").folder
    of = {"name": "clear", "source": str(folder), "split": "forget10", "request": "visual"}
    outcome = planned_bench(written_plan(data=None, benchmark=of, budget=1, seeds=[0]), tmp_path / "board")
    summary = output.write(outcome)
    found = {(one["row"], one["probe"], one["metric"]): one for one in summary["figures"]}
    own, gold = (outcome.reported[row][0].folder / "records" for row in ("npo", "gold"))
    for page in ("leaderboard.md", "leaderboard.html"):  # as in CLEAR: no photograph of a person is apart
        assert "on training rows: forget_caption_vqa, retain_caption_vqa" in (tmp_path / "board" / page).read_text()
    told = succeed("benchmark", "score", "clear", own, "--gold", gold, "--json").json
    assert told["forget_quality"] is not None
    for metric in ("forget_quality", "log_forget_quality", "js_forget_quality"):
        assert found["npo", None, metric]["score"] == pytest.approx(told[metric])
        assert (found["npo", None, metric]["low"], found["npo", None, metric]["n"]) == (None, None)
    assert found["npo", None, "retain, with ROUGE"]["score"] == pytest.approx(told["with ROUGE"]["retain"])
    task = told["tasks"]["forget_caption_vqa"]
    assert found["npo", "forget_caption_vqa", "rouge"]["score"] == pytest.approx(task["rouge"])
    for name in ("leaderboard.md", "leaderboard.html"):
        text = (tmp_path / "board" / name).read_text()
        assert "The numbers of the benchmark" in text
        assert "js_forget_quality" in text


def test_no_number_of_a_paper_has_the_name_of_another_number(
    written_plan: Write, planned_bench: Bench, tmp_path: Path
) -> None:
    """FIUBench calls the share of keywords in an answer exact match, as the share of right answers is called here."""
    folder = export(World(seed=3, people=20, photos=2, held_out_photos=2), "fiubench", tmp_path / "faces").folder
    of = {"name": "fiubench", "source": str(folder), "split": "forget10"}
    outcome = planned_bench(written_plan(data=None, benchmark=of, budget=1, seeds=[0]), tmp_path / "board")
    keys = [(one["row"], one["probe"], one["metric"]) for one in output.write(outcome)["figures"]]
    assert len(keys) == len(set(keys))
    assert {("npo", "forget_vqa", "exact_match"), ("npo", "forget_vqa", "fiubench exact_match")} <= set(keys)
    assert ("npo", None, "exact_match") in keys  # of all of it, where no common metric stands
