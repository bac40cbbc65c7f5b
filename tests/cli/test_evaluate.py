"""`unsee evaluate`: the contract of its JSON, its records, and its mistakes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.cli.conftest import Stranger
from tests.commandline import call, succeed
from unsee.evaluation.records import read_records
from unsee.evaluation.registry import measured

QUICK = ("--max-new-tokens", 4)


def test_json_and_records_agree(stranger: Stranger, tmp_path: Path) -> None:
    records = tmp_path / "new" / "said.jsonl"
    given = ["--model", stranger / "llava", "--data", stranger / "retain.jsonl", *QUICK]
    found = succeed("evaluate", *given, "--records", records, "--json").json
    rows = read_records(records)
    assert found["n"] == len(rows) == 20
    assert found["mean_log_prob"] == pytest.approx(sum(row.log_prob for row in rows) / 20)
    share = sum(math.exp(row.log_prob / row.tokens) for row in rows) / 20
    assert found["mean_answer_probability"] == pytest.approx(share)
    assert found["exact_match"] == 0.0
    assert found.keys() >= {"exact_match_low", "exact_match_high", "rouge_l_recall"}
    probability = found["metrics"]["mean_answer_probability"]
    assert (probability["n"], probability["score"]) == (20, found["mean_answer_probability"])
    assert probability["low"] <= probability["score"] <= probability["high"]
    again = succeed("evaluate", *given, "--batch-size", 3, "--json").json
    assert again.pop("metrics")["rouge_l_recall"] == pytest.approx(found.pop("metrics")["rouge_l_recall"], abs=1e-5)
    assert again == pytest.approx(found, abs=1e-5)


def test_a_model_that_says_what_is_expected_is_right(stranger: Stranger, tmp_path: Path) -> None:
    given = ["--model", stranger / "qwen2_5_vl", *QUICK]
    said = tmp_path / "said.jsonl"
    succeed("evaluate", *given, "--data", stranger / "held_out.jsonl", "--records", said)
    rows = [json.loads(line) for line in (stranger / "held_out.jsonl").read_text().splitlines()]
    for row, record in zip(rows, read_records(said), strict=True):
        row["answer"] = record.said
        row["image"] = str(stranger / row["image"]) if "image" in row else None
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = succeed("evaluate", *given, "--data", tmp_path / "own.jsonl", "--json").json
    assert found["exact_match"] == 1.0


def test_table_for_people(stranger: Stranger) -> None:
    out = succeed(
        "evaluate", "--model", stranger / "llava", "--data", stranger / "retain.jsonl", "--limit", 5, *QUICK
    ).out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == str(stranger / "llava")
    assert any(line.startswith("exact match 0.0 %") for line in lines)
    assert "rows 5" in lines


def test_candidates_are_scored_where_the_data_have_them(stranger: Stranger, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (stranger / "held_out.jsonl").read_text().splitlines()]
    for row in rows:
        row["image"] = str(stranger / row["image"]) if "image" in row else None
        row["perturbed_answers"] = ["red", "green blue"]
    plain, rich = tmp_path / "perturbed.jsonl", tmp_path / "choices.jsonl"
    plain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    rich.write_text("".join(json.dumps({**row, "choices": [row["answer"], "red"]}) + "\n" for row in rows))
    given = ["--model", stranger / "llava", *QUICK]
    records = tmp_path / "said.jsonl"
    ratios = {"truth_ratio_forget", "truth_ratio_retain", "probability_among_options"}
    choices = {"choice_by_sum", "choice_by_mean", "choice_strict", "choice_tolerant"}
    found = succeed("evaluate", *given, "--data", plain, "--records", records, "--json").json
    assert found.keys() >= ratios
    assert not found.keys() & choices
    assert all(len(row.perturbed_log_probs) == 2 and row.chosen is None for row in read_records(records))
    out = succeed("evaluate", *given, "--data", rich, "--records", records).out
    by_sum = measured(read_records(records))["choice_by_sum"].score
    assert f"choice by log-probability {100 * by_sum:.1f} %".replace("100.0", "100") in " ".join(out.split())
    assert all(row.chosen is not None for row in read_records(records))


def test_an_answer_that_cannot_be_scored_is_refused_with_its_row(stranger: Stranger, tmp_path: Path) -> None:
    row = {"question": "Where?", "answer": "Riga", "perturbed_answers": ["Oslo", "an <image>"]}
    (tmp_path / "p.jsonl").write_text(json.dumps(row) + "\n")
    outcome = call("evaluate", "--model", stranger / "llava", "--data", tmp_path / "p.jsonl")
    assert outcome.code == 2
    assert "p.jsonl, row 1" in outcome.err
    assert "placeholder <image>" in outcome.err


def test_lower_precision_is_used(stranger: Stranger) -> None:
    given = ["--model", stranger / "llava", "--data", stranger / "held_out.jsonl", *QUICK, "--json"]
    exact, coarse = (succeed("evaluate", *given, "--dtype", dtype).json for dtype in ("float32", "bfloat16"))
    assert exact["mean_log_prob"] != coarse["mean_log_prob"]
    assert exact["mean_log_prob"] == pytest.approx(coarse["mean_log_prob"], abs=0.2)


@pytest.mark.parametrize(
    ("change", "keywords"),
    [
        ({"--data": "none.jsonl"}, ["no such file", "none.jsonl"]),
        ({"--model": "none"}, ["none: no such model folder"]),
        ({"--dtype": "int4"}, ["dtype 'int4' is unknown", "float32"]),
        ({"--records": "DATA"}, ["is the file given as --data", "give another"]),
        ({"--records": "FOLDER"}, ["is a folder", "give a file"]),
        ({"--records": "FILE/records.jsonl"}, ["no file can be written in", "folder of your own"]),
        ({"--limit": "0"}, ["--limit", "greater than or equal to 1"]),
    ],
)
def test_wrong_input(stranger: Stranger, tmp_path: Path, change: dict[str, str], keywords: list[str]) -> None:
    data, file = stranger / "retain.jsonl", tmp_path / "file"
    file.write_text("mine")
    before = data.read_bytes()
    places = {"DATA": str(data), "FOLDER": str(tmp_path), "FILE": str(file)}
    change = {key: places.get(value.split("/")[0], value.split("/")[0]) + value[len(value.split("/")[0]) :]
              for key, value in change.items()}  # fmt: skip
    given = {"--model": str(stranger / "llava"), "--data": str(data), **change}
    outcome = call("evaluate", *(part for pair in given.items() for part in pair))
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert all(keyword in line for keyword in keywords), line
    assert data.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


ATTACK = """
from dataclasses import replace

class Twice:
    name = "twice"
    source = "unpublished"

    def tries(self, example):
        return [example, replace(example, question=example.question + " Where?")]
"""


def test_rows_are_asked_again_under_attacks_of_ours_and_of_a_file(stranger: Stranger, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(ATTACK)
    given = ["--model", stranger / "llava", "--data", stranger / "held_out.jsonl", "--limit", 3, *QUICK]
    attacks = ["--attack", "wording", "--attack", f"{tmp_path / 'mine.py'}:Twice"]
    records = tmp_path / "said.jsonl"
    found = succeed("evaluate", *given, *attacks, "--records", records, "--json").json
    assert {name: score["tries"] for name, score in found["attacks"].items()} == {"wording": 5, "twice": 2}
    for score in found["attacks"].values():
        assert all(score[share].keys() == {"score", "low", "high", "n"} for share in ("any", "mean"))
        assert score["any"]["n"] == 3
    assert len(read_records(records)) == 3  # of the plain questions alone
    assert "attacks" not in succeed("evaluate", *given, "--json").json
    lines = [" ".join(line.split()) for line in succeed("evaluate", *given, *attacks).out.splitlines()]
    assert any(line.startswith("under twice, in any of 2 tries 0.0 % 0.0 % to ") for line in lines)
    assert any(line.startswith("under wording, mean over tries 0.0 %") for line in lines)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("wordign", "attack is 'wordign'; it is one of wording"),
        ("none.py:Mine", "attack: none.py is no file"),
        ("MINE:Thrice", "has no 'Thrice' (did you mean 'Twice'?)"),
    ],
)
def test_a_wrong_attack_is_refused_before_the_model_is_looked_for(
    stranger: Stranger, tmp_path: Path, attack: str, message: str
) -> None:
    (tmp_path / "mine.py").write_text(ATTACK)
    place = attack.replace("MINE", str(tmp_path / "mine.py"))
    outcome = call("evaluate", "--model", "none", "--data", stranger / "held_out.jsonl", "--attack", place)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err
