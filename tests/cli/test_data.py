"""`unsee data retain`: rows to keep, for those who have only what is to be forgotten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import unsee.mining.self_distillation
from tests import tiny
from tests.cli.conftest import Stranger
from tests.commandline import call, files_of, succeed
from unsee.data import load_examples
from unsee.mining.captions import generate
from unsee.vlm.generate import Said


@pytest.fixture
def others(tmp_path: Path, stranger: Stranger) -> Path:
    """A folder of other pictures, among which one to be forgotten has slipped."""
    folder = tmp_path / "others"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(tiny.picture(700 + number, (50, 40)))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    shutil.copy(stranger / "photos" / "1.png", folder / "slipped.png")
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the model is asked; it answers by the question alone."""
    questions: list[str] = []

    def generate(loaded: object, examples: Sequence[Any], decoding: object) -> Iterator[Said]:
        for example in examples:
            questions.append(f"{example.id}: {example.question}")
            yield Said(*SAID.get(example.question, (f"Something about {len(example.question)}.", False)))

    monkeypatch.setattr(unsee.mining.self_distillation, "generate", generate)
    return questions


SAID = {
    "Name three fruits.": ("ADA  BYRON likes apples.", False),
    "What is ice?": ("", False),
    "Who writes books?": ("Many people, such as", True),
    "What is happening here?": ("它是Ada Byron的照片", False),
}


def given(stranger: Stranger, out: Path, *more: object) -> list[object]:
    return ["data", "retain", "--model", stranger / "llava", "--out", out, *more]


def test_rows_are_what_the_model_says_without_whom_it_shall_forget(
    stranger: Stranger, tmp_path: Path, others: Path, asked: list[str]
) -> None:
    out = tmp_path / "rows" / "retain.jsonl"
    more = ("--images", others, "--forget", stranger / "forget.jsonl", "--json")
    found = succeed(*given(stranger, out, *more)).json
    assert found["left_out"] == {
        "shows a picture to be forgotten": 1,
        "a picture that cannot be read": 2,
        "mentions who is to be forgotten": 2,
        "empty": 1,
        "cut at max_new_tokens": 1,
    }
    rows = load_examples(out)
    assert len(rows) == found["rows"] == found["asked"] - sum(found["left_out"].values())
    assert all("Ada" not in row.answer and row.answer for row in rows)
    assert {isinstance(row.image, Path) and row.image.resolve() for row in rows} == {
        False,
        *((others / f"{number}.png") for number in range(5)),
    }
    assert not any("slipped" in line for line in asked)
    assert files_of(tmp_path / "rows").keys() == {"retain.jsonl"}


def test_an_interrupted_making_goes_on_and_ends_the_same(
    stranger: Stranger, tmp_path: Path, others: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsee.mining.self_distillation, "SHARD", 4)
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    succeed(*given(stranger, whole, "--images", others, "--batch-size", 4))
    answering = vars(unsee.mining.self_distillation)["generate"]  # as `asked` has it
    count = len(asked)

    def interrupted(*arguments: Any) -> Any:
        if len(asked) >= count + 10:
            raise KeyboardInterrupt
        return list(answering(*arguments))

    monkeypatch.setattr(unsee.mining.self_distillation, "generate", interrupted)
    stopped = call(*given(stranger, parts, "--images", others, "--batch-size", 4))
    assert (stopped.code, parts.exists()) == (130, False)
    assert "start the same command again" in stopped.err
    done = len(asked) - count
    monkeypatch.setattr(unsee.mining.self_distillation, "generate", answering)
    succeed(*given(stranger, parts, "--images", others, "--batch-size", 4))
    assert parts.read_bytes() == whole.read_bytes()
    assert done > 4
    assert count <= len(asked) - count < count + 4  # at most the shard where it stopped is asked again


def test_what_a_real_model_says_is_what_unlearn_takes(
    stranger: Stranger, tmp_path: Path, others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "retain.jsonl"

    def ended(*arguments: Any) -> list[Said]:  # a random model never ends its turn by itself
        return [said._replace(truncated=False) for said in generate(*arguments)]

    monkeypatch.setattr(unsee.mining.self_distillation, "generate", ended)
    (tmp_path / "mine.txt").write_text("What is this?\n\nWho is this?\n")
    more = ("--images", others, "--questions", tmp_path / "mine.txt", "--forget", stranger / "forget.jsonl")
    succeed(*given(stranger, out, *more, "--max-new-tokens", 8))
    asked = {json.loads(line)["question"] for line in out.read_text().splitlines()}
    assert asked == {"What is this?", "Who is this?", *unsee.mining.self_distillation.IN_WORDS}
    rows = ["--forget", stranger / "forget.jsonl", "--retain", out]
    short = ["--set", "max_steps=1", "--set", "max_new_tokens=4", "--out", tmp_path / "run"]
    succeed("unlearn", "--model", stranger / "llava", *rows, *short)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--no-words"], "--no-words leaves nothing to ask about"),
        (["--images", "nowhere"], "--images nowhere: no such folder"),
        (["--questions", "nowhere.txt"], "cannot read nowhere.txt"),
        (["--forget", "nowhere.jsonl"], "no such file"),
    ],
)
def test_mistakes_end_in_one_line(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call(*given(stranger, tmp_path / "retain.jsonl", *more))
    assert outcome.code == 2
    assert expected in outcome.err
    assert outcome.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_left_alone(stranger: Stranger, tmp_path: Path) -> None:
    (tmp_path / "retain.jsonl").write_text("mine")
    outcome = call(*given(stranger, tmp_path / "retain.jsonl"))
    assert outcome.code == 2
    assert "exists already" in outcome.err
    assert (tmp_path / "retain.jsonl").read_text() == "mine"


@pytest.mark.parametrize("method", ["npo", "kl"])
def test_without_rows_to_keep_it_is_said_what_can_be_done(stranger: Stranger, tmp_path: Path, method: str) -> None:
    given = ["--model", stranger / "llava", "--forget", stranger / "forget.jsonl", "--out", tmp_path / "run"]
    given += ["--method", method, "--set", "max_steps=2", "--set", "max_new_tokens=4"]
    refused = call("unlearn", *given)
    assert refused.code == 2
    assert f"{method} trains on retain rows and none are given; add --retain FILE (`unsee data retain`" in refused.err
    does_without = refused.err.rpartition("or do without: ")[2].split()
    assert does_without == ["--set", {"npo": "retain_weight=0", "kl": "kl_weight=0"}[method]]
    assert succeed("unlearn", *given, *does_without, "--json").json["steps"] == 2
