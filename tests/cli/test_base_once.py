"""Runs on one base ask it once: counted in forward passes, not in seconds."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import LlavaForConditionalGeneration

from tests import tiny
from tests.cli.conftest import Stranger, write_rows
from tests.cli.test_gold import Scene, scores
from tests.commandline import files_of


class Passes:
    """Forward passes of a run until it trains."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen, self.before_training = 0, -1
        forward = LlavaForConditionalGeneration.forward
        from unsee.runs import run
        from unsee.runs.train import train

        @functools.wraps(forward)
        def counted(*given: Any, **named: Any) -> Any:
            self.seen += 1
            return forward(*given, **named)

        def trained(*given: Any) -> None:
            self.before_training = self.seen
            train(*given)

        patch.setattr(LlavaForConditionalGeneration, "forward", counted)
        patch.setattr(run, "train", trained)

    def of(self, work: Callable[[], Path]) -> tuple[Path, int]:
        """The folder of a run, and how many passes it took before its training."""
        self.seen, self.before_training = 0, -1
        return work(), self.before_training


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    return Passes(monkeypatch)


@pytest.fixture(scope="module")
def scene(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(stranger, tmp_path_factory.mktemp("once"))


@pytest.fixture(scope="module")
def first(scene: Scene) -> Path:
    return scene.done("first")


def records(run: Path) -> dict[str, bytes]:
    return files_of(run / "records" / "base")


def test_a_run_beside_another_takes_its_records_of_the_base_over(scene: Scene, first: Path, passes: Passes) -> None:
    more = ["--lora", "2", "--set", "seed=4"]  # a fresh adapter is no part of the base
    found, asked = passes.of(lambda: scene.done("adapted", *more))
    assert asked == 0
    assert records(found) == records(first)
    assert set(scores(found)["taken_over"]) == {"new", "others"}
    shown = " ".join(scene.run("adapted", *more).out.split())
    assert f"The base was asked new, others by {first} already; these records were taken over" in shown


def test_who_does_not_want_that_has_the_base_asked_again(scene: Scene, first: Path, passes: Passes) -> None:
    found, asked = passes.of(lambda: scene.done("alone", "--no-share-base"))
    assert asked > 0
    assert records(found) == records(first)
    assert scores(found)["taken_over"] == {}


@pytest.mark.parametrize("other", ["tokens", "rows", "model", "version", "damaged"])
def test_what_was_measured_otherwise_is_measured_again(
    scene: Scene, first: Path, passes: Passes, tmp_path: Path, other: str
) -> None:
    shutil.copytree(first, tmp_path / "runs" / "first")
    copied, more, model = tmp_path / "runs" / "first", [], None
    scene_here = Scene.__new__(Scene)
    scene_here.__dict__.update(scene.__dict__ | {"folder": tmp_path / "runs"})
    if other == "tokens":
        more = ["--set", "max_new_tokens=3"]
    if other == "rows":
        scene_here.keep = write_rows(tmp_path / "others.jsonl", "Eva Lund", 5, 300)
    if other == "model":
        model = tiny.save(tiny.llava(seed=9), tmp_path / "model")
    if other == "version":
        text = (copied / "run.yaml").read_text()
        changed = re.sub(r"transformers: .*", "transformers: '4.0'", text)
        assert changed != text
        (copied / "run.yaml").write_text(changed)
    if other == "damaged":
        for path in (copied / "records" / "base").glob("*.jsonl"):
            path.write_text(path.read_text()[:-20])
    found, asked = passes.of(lambda: scene_here.done("second", *more, model=model))
    assert asked > 0
    # what is the same is still taken over, probe by probe
    assert list(scores(found)["taken_over"]) == (["new"] if other == "rows" else [])


def test_a_run_elsewhere_is_named(scene: Scene, first: Path, passes: Passes, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(first, elsewhere)
    found, asked = passes.of(lambda: scene.done("named", "--base-records", elsewhere))
    assert asked == 0
    assert scores(found)["taken_over"] == dict.fromkeys(("new", "others"), str(elsewhere))


@pytest.mark.parametrize(
    ("given", "keywords"),
    [
        ("nowhere", ["no such folder"]),
        ("model", ["starts from another model"]),
        ("tokens", ["max_new_tokens was 4 there and is 5 here"]),
        ("rows", ["row 2 of probe others", "was not asked there"]),
        ("lacking", ["has no records of probe new"]),
    ],
)
def test_records_of_another_base_are_refused_before_anything_is_written(
    scene: Scene, first: Path, tmp_path: Path, given: str, keywords: list[str]
) -> None:
    named = tmp_path / "first"
    shutil.copytree(first, named)
    more = ["--set", "max_new_tokens=5"] if given == "tokens" else []
    if given == "nowhere":
        named = tmp_path / "nowhere"
    if given == "model":
        text = (named / "run.yaml").read_text()
        (named / "run.yaml").write_text(re.sub(r"  model: '?[0-9a-f]{64}'?", f"  model: '{'0' * 64}'", text))
    if given == "rows":
        path = named / "records" / "base" / "others.jsonl"
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], lines[1].replace("Where", "Why"), *lines[2:]]) + "\n")
    if given == "lacking":
        (named / "records" / "base" / "new.jsonl").unlink()
    outcome = scene.run("refused", *more, "--base-records", named)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert all(keyword in line for keyword in keywords), line
    assert not (scene.folder / "refused").exists() or not files_of(scene.folder / "refused")
