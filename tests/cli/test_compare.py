"""Several runs in one table, and one base for all of them."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Stranger
from tests.cli.test_gold import Scene, scores
from tests.commandline import call, succeed


class Runs:
    """Three runs on one base: two of one method, and one through an adapter."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.first = scene.done("first", "--gold", scene.gold)
        self.second = scene.done("second", "--set", "learning_rate=1e-3")
        self.adapted = scene.done("lora_a&b", "--lora", "2", "--set", "seed=3", method="random_noise")

    @property
    def all(self) -> list[Path]:
        return [self.first, self.second, self.adapted]


@pytest.fixture(scope="module")
def runs(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(Scene(stranger, tmp_path_factory.mktemp("compare")))


def test_a_row_for_base_gold_and_each_run_with_what_each_probe_is_for(runs: Runs) -> None:
    shown = succeed("compare", *runs.all).out
    head, rule, *rows = shown.splitlines()
    assert head == "| model | new, to be forgotten, n = 6 | others, to be kept, n = 6 | verdict |"
    assert rule == "|---|---:|---:|---|"
    names = [row.split(" | ")[0].removeprefix("| ") for row in rows]
    assert names == ["base", "gold", "grad_ascent (first)", "grad_ascent (second)", "random_noise"]
    base = scores(runs.first)["models"]["base"]["others"]
    numbers = "{:.1f} ({:.1f}\N{EN DASH}{:.1f})".format(
        *(100 * base[key] for key in ("ungated", "ungated_low", "ungated_high"))
    )
    assert numbers in rows[0]
    assert rows[0].endswith("|  |")
    assert all(row.rstrip(" |").split(" | ")[-1] for row in rows[2:])  # a verdict in words


def test_csv_has_a_line_for_each_number(runs: Runs, tmp_path: Path) -> None:
    succeed("compare", *runs.all, "--table", "csv", "--out", tmp_path / "t.csv")
    lines = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text())))
    assert list(lines[0]) == ["row", "probe", "metric", "score", "low", "high", "n", "role", "verdict"]
    assert len(lines) == 5 * 2
    (found,) = [one for one in lines if (one["row"], one["probe"]) == ("random_noise", "new")]
    kept = scores(runs.adapted)["models"]["random_noise"]["new"]
    assert (float(found["score"]), float(found["high"]), int(found["n"])) == (kept["score"], kept["high"], kept["n"])
    assert found["metric"] == "accuracy"


def test_latex_is_a_tabular_in_which_nothing_is_a_command_by_chance(runs: Runs, tmp_path: Path) -> None:
    again = tmp_path / "50%_#1"
    shutil.copytree(runs.first, again)
    text = succeed("compare", *runs.all, again, "--table", "latex").out
    assert r"grad\_ascent (50\%\_\#1) &" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 3 + 6
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {3}
    assert r"\begin{tabular}{lrrl}" in text
    assert not re.search(r"(?<!\\)[%#_$]", text.split("\n", 1)[1])


def test_a_run_that_is_named_twice_counts_once_and_places_tell_equal_names_apart(runs: Runs, tmp_path: Path) -> None:
    shutil.copytree(runs.first, tmp_path / "other" / "first")
    shown = succeed("compare", runs.first, runs.first, tmp_path / "other" / "first", "--json").json
    names = [row["name"] for row in shown["rows"]]
    assert names == ["base", "gold", f"grad_ascent ({runs.scene.folder.name}/first)", "grad_ascent (other/first)"]


@pytest.mark.parametrize(
    ("change", "keywords"),
    [
        ({"model": "0" * 64}, ["start from different models"]),
        ({"others": "0" * 64}, ["probe others has other rows"]),
        ({"others": None}, ["probe others was asked in one of them only"]),
        ({"max_new_tokens: 4": "max_new_tokens: 5"}, ["max_new_tokens is 4 in one and 5 in the other"]),
        ({"gold": "another"}, ["different golds"]),
    ],
)
def test_runs_that_do_not_belong_in_one_table_are_refused(
    runs: Runs, tmp_path: Path, change: dict[str, Any], keywords: list[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(runs.first, other)
    ((key, value),) = change.items()
    path = other / ("records/gold/new.jsonl" if key == "gold" else "run.yaml")
    text = path.read_text()
    if key == "gold":
        text = re.sub(r'"said": "[^"]*"', '"said": "another"', text)
    elif value is None:
        text = re.sub(rf"\n +{key}: '?[0-9a-f]{{64}}'?", "", text)
    elif len(value) == 64:
        text = re.sub(rf"{key}: '?[0-9a-f]{{64}}'?", f"{key}: '{value}'", text)
    else:
        text = text.replace(key, value)
    assert text != path.read_text()
    path.write_text(text)
    outcome = call("compare", runs.first, other)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert all(keyword in line for keyword in keywords), line
