"""The search for settings: what it holds out, what it selects, and that it goes on and leaves probes alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import tiny
from tests.cli.conftest import Stranger
from tests.commandline import call, succeed
from unsee.data import Example
from unsee.data.held_out import divide, told
from unsee.errors import InputError
from unsee.leaderboard.grids import Configuration
from unsee.leaderboard.tuning import configurations, select
from unsee.runs.settings import parse, read_yaml

LEAST: dict[str, Any] = {"model": "owner/name", "forget": "owner/rows", "out": "run"}


def rows(subjects: int, pictures: int, questions: int) -> list[Example]:
    """Of each subject so many pictures, each with so many questions; without pictures questions alone."""
    return [
        Example(f"Question {q}?", "Riga", tiny.picture(100 * s + p, (8, 8)) if pictures else None, f"person {s}")
        for s in range(subjects)
        for p in range(max(1, pictures))
        for q in range(questions)
    ]


def test_forget_rows_are_held_out_by_picture_since_all_their_subjects_are_to_go() -> None:
    found = divide(rows(5, 4, 3), 0, by_subject=False)
    assert found.by == "picture"
    assert {row.image for row in found.train} & {row.image for row in found.held_out} == set()
    assert len(found.held_out) == 15  # of 20 pictures, 5 with 3 questions each
    assert {row.subject for row in found.train} == {row.subject for row in found.held_out} | {
        f"person {s}" for s in range(5)
    }


def test_retain_rows_are_held_out_by_subject_where_there_are_enough() -> None:
    found = divide(rows(8, 2, 2), 0, by_subject=True)
    assert found.by == "subject"
    assert {row.subject for row in found.train} & {row.subject for row in found.held_out} == set()
    assert divide(rows(3, 4, 2), 0, by_subject=True).by == "picture"


def test_with_a_picture_or_two_questions_are_held_out_and_with_few_rows_nothing_is() -> None:
    found = divide(rows(1, 2, 6), 0, by_subject=False)
    assert found.by == "question"
    assert {row.question for row in found.train} & {row.question for row in found.held_out} == set()
    assert "one answer is 25 points" in told("forget", found)
    few = divide(rows(1, 1, 3), 0, by_subject=False)
    assert (few.by, few.train, few.held_out) == ("", few.held_out, few.train)
    assert "too few different rows" in told("forget", few)


def test_the_same_seed_holds_out_the_same_rows_whatever_their_order() -> None:
    some = rows(1, 8, 2)
    one, other = divide(some, 3, by_subject=False), divide(some[::-1], 3, by_subject=False)
    assert sorted(map(repr, one.held_out)) == sorted(map(repr, other.held_out))
    assert divide(some, 4, by_subject=False).held_out != one.held_out


def test_what_is_tried_lies_around_the_settings_and_begins_with_them() -> None:
    found = configurations(parse({**LEAST, "lora": 16}), 9)
    assert (found[0].learning_rate, found[0].max_steps) == (1e-4, 50)
    assert {one.learning_rate for one in found} == {3e-5, 1e-4, 3e-4}
    assert {one.max_steps for one in found} == {25, 50, 100}
    assert configurations(parse({**LEAST, "learning_rate": 2e-5, "max_steps": 8}), 1)[0].learning_rate == 2e-5
    with pytest.raises(InputError, match="--budget 10"):
        configurations(parse(LEAST), 10)


def tried(*shares: tuple[float, float]) -> list[dict[str, float]]:
    return [
        {"forget": gone, "forget_probability": 0.5, "retain": kept, "retain_probability": 0.5} for gone, kept in shares
    ]


BASE = {"forget": 1.0, "forget_probability": 0.9, "retain": 1.0, "retain_probability": 0.9}
GRID = [Configuration(1e-4, 50), Configuration(1e-4, 25), Configuration(3e-5, 50), Configuration(3e-4, 50)]


def test_the_one_that_forgets_most_within_the_margin_is_selected() -> None:
    assert select(GRID, tried((0.5, 1.0), (0.9, 1.0), (0.2, 0.96), (0.0, 0.9)), BASE) == 2


def test_ties_go_to_fewer_steps_and_then_to_the_smaller_rate() -> None:
    assert select(GRID, tried(*[(0.0, 1.0)] * 4), BASE) == 1
    assert select(GRID, tried((0.0, 1.0), (1.0, 1.0), (0.0, 1.0), (0.0, 1.0)), BASE) == 2


def test_where_none_keeps_the_nearest_is_selected_and_what_failed_never_is() -> None:
    assert select(GRID, tried((0.0, 0.2), (0.2, 0.9), (0.5, 0.7), (0.5, 0.5)), BASE) == 1
    failed: list[dict[str, Any]] = [{"failed": "npo: forget loss is nan at step 1"}] * 4
    assert select(GRID, [failed[0], *tried((1.0, 0.0)), failed[0], failed[0]], BASE) == 1
    with pytest.raises(InputError, match=r"every training failed.*nan"):
        select(GRID, failed, BASE)


@pytest.fixture
def known(stranger: Stranger, tmp_path: Path) -> Path:
    """Rows that a random model answers as they expect: an answer is what it says first, cut to a token."""
    read = [json.loads(line) for line in (stranger / "forget.jsonl").read_text().splitlines()]
    asked = [{**row, "image": str(stranger / row["image"])} for row in read if "image" in row]
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in asked))
    given = ("--model", stranger / "llava", "--data", path, "--records", tmp_path / "said.jsonl")
    succeed("evaluate", *given, "--max-new-tokens", "1")
    said = [json.loads(line)["said"] for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    path.write_text("".join(json.dumps({**row, "answer": s}) + "\n" for row, s in zip(asked, said, strict=True)))
    return path


def test_a_search_writes_a_run_that_unlearn_takes_and_goes_on_where_it_was(
    stranger: Stranger, known: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tuned"
    given = ("--model", stranger / "llava", "--forget", known, "--retain", stranger / "retain.jsonl", "--out", out)
    more = ("--parts", "language", "--lora", "2")
    sets = [w for one in ("max_new_tokens=1", "learning_rate=3e-2", "max_steps=2") for w in ("--set", one)]
    first = succeed("tune", *given, *more, *sets, "--budget", "1", "--json").json
    assert len(first["tried"]) == 1
    assert first["base"]["forget"] == 1.0
    assert first["tried"][0]["forget_probability"] != first["base"]["forget_probability"]
    again = succeed("tune", *given, *more, *sets, "--budget", "2", "--json").json
    assert again["tried"][0] == first["tried"][0]
    other = call("tune", *given, *more, *sets, "--set", "seed=1")
    assert other.code == 2
    assert "holds another search" in other.err
    # Starting weights are put back: in one go, the second is as if nothing had been tried before it.
    once = succeed("tune", *given[:-1], tmp_path / "once", *more, *sets, "--budget", "2", "--json").json
    assert once["tried"] == again["tried"]
    settings = parse(read_yaml(out / "best.yaml"))
    assert settings.max_steps == again["tried"][again["chosen"]]["max_steps"]
    assert settings.forget == str(known)
    assert not (out / "scratch").exists()
    succeed("unlearn", out / "best.yaml", "--no-report")
    assert (out / "run" / "model").is_dir()


def test_searches_that_cannot_be_are_refused_in_one_line(stranger: Stranger, tmp_path: Path) -> None:
    given = ("--model", stranger / "llava", "--forget", stranger / "forget.jsonl", "--out", tmp_path / "tuned")
    refused = call("tune", *given, "--method", "retain_finetune", "--retain", stranger / "retain.jsonl")
    assert refused.code == 2
    assert "retain_finetune does not unlearn answers" in refused.err
    for setting in ("stop=0.05", "find_rate=true"):
        refused = call("tune", *given, "--method", "grad_ascent", "--set", setting)
        assert refused.code == 2
        assert "stop and find_rate choose steps and rate by themselves" in refused.err
    refused = call("tune", *given, "--method", "grad_ascent", "--budget", "1", "--set", "max_new_tokens=1")
    assert refused.code == 2
    assert "knows none of the held-out forget rows" in refused.err
    assert not list((tmp_path / "tuned").glob("[!.]*"))  # nothing is in the way of another search
    (tmp_path / "tuned").mkdir(exist_ok=True)
    (tmp_path / "tuned" / "notes.txt").write_text("mine")
    refused = call("tune", *given, "--method", "grad_ascent")
    assert refused.code == 2
    assert "holds no search" in refused.err


def test_too_little_memory_is_one_line_and_leaves_nothing_in_the_way(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("unsee.leaderboard.tuning.measure_all", measured)
    given = ("--model", stranger / "llava", "--forget", stranger / "forget.jsonl", "--out", tmp_path / "tuned")
    refused = call("tune", *given, "--method", "grad_ascent")
    assert refused.code == 2
    assert "too little memory; choose a smaller batch_size" in refused.err
    assert not list((tmp_path / "tuned").glob("[!.]*"))


def test_when_the_time_is_over_what_was_tried_is_chosen_from(stranger: Stranger, known: Path, tmp_path: Path) -> None:
    given = ("--model", stranger / "llava", "--forget", known, "--method", "grad_ascent", "--out", tmp_path / "tuned")
    sets = [w for one in ("max_new_tokens=1", "max_steps=1") for w in ("--set", one)]
    found = succeed("tune", *given, "--parts", "projector", *sets, "--minutes", "0", "--json").json
    assert len(found["tried"]) == 1
    assert found["chosen"] == 0
    assert any("retain: no rows" in note for note in found["notes"])


def test_probes_are_not_looked_at_and_stand_in_the_run_that_is_written(
    stranger: Stranger, known: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.yaml").write_text(
        f"model: {stranger / 'llava'}\nforget: {known}\nmethod: grad_ascent\nforget_probes: {{new: later.jsonl}}\n"
    )
    sets = [w for one in ("max_new_tokens=1", "max_steps=1", "parts=projector") for w in ("--set", one)]
    succeed("tune", tmp_path / "run.yaml", "--out", tmp_path / "tuned", *sets, "--budget", "1")
    assert read_yaml(tmp_path / "tuned" / "best.yaml")["forget_probes"] == {"new": str(tmp_path / "later.jsonl")}
