"""PLAN.yaml: what is wrong in one is said in one line, before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.commandline import call
from unsee.leaderboard.plan_file import PLAN_GROUPS, PlanFile, read_plan

Write = Callable[..., Path]
OWN: dict[str, Any] = {"rows": "data/people.jsonl", "subject": "who", "forget": ["Ada", "Bea"]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metods": ["npo"]}, "unknown key 'metods' (did you mean 'methods'?)"),
        ({"lora": 8}, "unknown key 'lora'; it belongs under settings"),
        ({"data": None}, "benchmark and data: neither is given"),
        ({"benchmark": {"name": "clear", "source": "x"}}, "benchmark and data: both are given"),
        ({"data": {**OWN, "forgt": "Ada"}}, "unknown key 'data.forgt' (did you mean 'forget'?)"),
        ({"data": {"rows": "data/people.jsonl"}}, "data.forget is missing (subjects to be forgotten"),
        ({"data": {**OWN, "forget": ["Adda"]}}, "no row is about 'Adda' (did you mean 'Ada'?)"),
        ({"data": {**OWN, "subject": "whom"}}, "no row has a subject under 'whom'"),
        ({"data": {**OWN, "rows": "data/none.jsonl"}}, "no such file"),
        ({"data": {**OWN, "held_out": 1.5}}, "data.held_out=1.5"),
        ({"data": {**OWN, "request": "face"}}, "data.request='face'"),
        ({"data": None, "benchmark": {"name": "clar", "source": "x"}}, "benchmark is 'clar'"),
        ({"data": None, "benchmark": {"name": "clear", "source": "x", "split": "forget2"}}, "split is 'forget2'"),
        ({"data": None, "benchmark": {"name": "clear", "source": "/nowhere"}}, "no such folder: /nowhere"),
        ({"data": None, "benchmark": {"name": "clear"}}, "benchmark.source is missing"),
        ({"base": None}, "model is missing; base has to be made from it"),
        ({"gold": None}, "model is missing; gold has to be made from it"),
        ({"gold": "same", "base": "same"}, "gold is the base itself"),
        ({"base": "/nowhere"}, "/nowhere"),
        ({"gold": "/nowhere"}, "/nowhere"),
        ({"gold": None, "model": "/nowhere"}, "/nowhere"),
        ({"methods": ["np"]}, "methods: 'np' is unknown"),
        ({"methods": []}, "methods=[]"),
        ({"budget": 10}, "budget=10"),
        ({"seeds": []}, "seeds=[]"),
        ({"seeds": [100]}, "seeds: 100 is among the development seeds too"),
        ({"seeds": ["one"]}, "seeds.0='one'"),
        ({"settings": {"learning_rat": 1e-3}}, "unknown key 'settings.learning_rat' (did you mean 'learning_rate'?)"),
        ({"settings": {"learning_rate": -1}}, "learning_rate=-1"),
        ({"settings": {"method": "npo"}}, "settings.method is not for a bench to be told there"),
        ({"settings": {"batch_size": "many"}}, "batch_size='many'"),
        ({"train": {"until": 0.9, "data": "x"}}, "train.data is not for a bench to be told there"),
        ({"train": {"epoch": 1}}, "unknown key 'train.epoch' (did you mean 'epochs'?)"),
        ({"model": "m", "gold": None, "train": {"epochs": "x"}}, "epochs='x'"),
        ({"stop": {"forgot": 0.1}}, "stop.forgot"),
        ({"methods": ["npo+lora"], "settings": {"lora": 4}}, "'npo+lora' is npo with adapters"),
        ({"settings": {"guard": 1.0}, "stop": {"forget": 0.1}}, "stop and guard"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_bad_plan_is_one_line_and_nothing_is_written(
    written_plan: Write, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    outcome = call("bench", written_plan(**changed), "--out", tmp_path / "board")
    assert outcome.code == 2, outcome.err
    assert said in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("content", "said"), [("- npo\n", "holds no keys and values"), ("model: [\n", "not YAML"), (None, "plan.yaml")]
)
def test_a_file_that_is_no_plan_is_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "plan.yaml").write_text(content)
    outcome = call("bench", tmp_path / "plan.yaml", "--out", tmp_path / "board")
    assert (outcome.code, len(outcome.err.strip().splitlines())) == (2, 1)
    assert said in outcome.err


def test_code_that_only_a_plan_names_is_told_of_before_it_is_run(tmp_path: Path) -> None:
    (tmp_path / "plans").mkdir()
    plan = tmp_path / "plans" / "plan.yaml"
    plan.write_text("model: m\nbenchmark: {name: 'spec.py:SPEC', source: s}\nmethods: ['mine.py:Mine', npo]\n")
    for name in ("spec.py", "mine.py"):  # beside the plan, and not where one stands
        (tmp_path / "plans" / name).write_text("SPEC = 1\n")
    told = call("bench", plan, "--out", tmp_path / "board").err.splitlines()
    assert told[:2] == [
        f"The method is code of mine.py:Mine, as {plan} says; it is run.",
        f"The benchmark is code of spec.py:SPEC, as {plan} says; it is run.",
    ]
    chosen = call("bench", plan, "--out", tmp_path / "board", "--methods", "npo").err.splitlines()
    assert [line.split()[1] for line in chosen if "is code of" in line] == ["benchmark"]
    assert f"{tmp_path / 'plans' / 'spec.py'}:SPEC is int, not a BenchmarkSpec" in chosen[-1]
    assert len(chosen) == 2


@pytest.mark.parametrize("option", ["--people", "--request"])
def test_options_of_the_world_are_refused_beside_a_plan(written_plan: Write, tmp_path: Path, option: str) -> None:
    value = 20 if option == "--people" else "both"
    outcome = call("bench", written_plan(), "--out", tmp_path / "board", option, value)
    assert outcome.code == 2
    assert f"{option} belongs to the embedded world" in outcome.err


def test_paths_start_at_the_file_and_forget_may_be_one(written_plan: Write, tmp_path: Path) -> None:
    (tmp_path / "gone.txt").write_text("Ada\n\nBea\nAda\n")
    (tmp_path / "models" / "base").mkdir(parents=True)
    path = written_plan(base="models/base", gold="owner/gold", data={**OWN, "forget": "gone.txt"})
    told = read_plan(path)
    assert told.data is not None
    assert (told.base, told.gold) == (str(tmp_path / "models/base"), "owner/gold")
    assert told.data.rows == str(tmp_path / "data/people.jsonl")
    assert told.data.forget == ("Ada", "Bea")


def test_options_win_over_the_file(written_plan: Write) -> None:
    told = read_plan(written_plan(), {"budget": 2, "methods": ["kl"]})
    assert (told.budget, told.methods, told.seeds) == (2, ("kl",), (0, 1))


def test_a_seed_that_is_named_twice_is_one_training(written_plan: Write) -> None:
    assert read_plan(written_plan(seeds=[1, 0, 1])).seeds == (1, 0)


def test_the_page_tells_every_key() -> None:
    """`docs/bench.md` has a line for each key, with what it means."""
    page = (Path(__file__).parents[2] / "docs" / "bench.md").read_text("utf-8")
    groups: dict[str, type[BaseModel]] = {
        "": PlanFile,
        **{f"{name}.": model for name, (model, _) in PLAN_GROUPS.items()},
    }
    lines = [
        f"| `{prefix}{key}` | {field.description} |"
        for prefix, model in groups.items()
        for key, field in model.model_fields.items()
    ]
    told = [line for line in page.splitlines() if line.startswith("| `")]
    assert told == lines
