"""The five stages of a run: their order, what each leaves, and that what one has found is not sought again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.cli.conftest import write_rows
from unsee.errors import InputError
from unsee.methods import Method, build
from unsee.runs import check, clock, run
from unsee.runs.finished import Run
from unsee.runs.settings import Settings, parse

STAGES = ("check", "measure_base", "train", "measure_after", "score")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A model, and rows that are to go."""
    folder = tmp_path_factory.mktemp("given")
    tiny.save(tiny.llava(), folder / "llava")
    forget = write_rows(folder / "forget.jsonl", "Ada Byron", 4, 0)
    return {"model": str(folder / "llava"), "forget": str(forget), "method": "grad_ascent"}


def settings_of(given: dict[str, str], out: Path, **more: Any) -> Settings:
    return parse({**given, "out": str(out), "max_steps": 1, "max_new_tokens": 2, "parts": "projector", **more})


class Stages:
    """The stages as they begin, with what lies in the folder of the run then."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.seen: dict[str, set[str]] = {}
        for name in STAGES:
            self._note(name, folder, patch)

    def _note(self, name: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        stage = getattr(run, name)

        def noted(*arguments: Any) -> Any:
            self.seen[name] = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
            return stage(*arguments)

        patch.setattr(run, name, noted)


@dataclass(frozen=True)
class Finished:
    """A run, its stages, and how often its method was built."""

    run: Run
    stages: Stages
    built: list[str]


@pytest.fixture(scope="module")
def finished(given: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder, built = tmp_path_factory.mktemp("finished") / "run", []

    def counted(name: str, values: dict[str, Any]) -> Method:
        built.append(name)
        return build(name, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unsee.runs.settings.model.build", counted)
        stages = Stages(folder, patch)
        return Finished(run.unlearn(settings_of(given, folder)), stages, built)


def test_each_stage_finds_what_the_one_before_has_left(finished: Finished) -> None:
    seen = finished.stages.seen
    assert tuple(seen) == STAGES
    assert {name for name in seen["check"] if not name.startswith(".")} == set()
    assert "run.yaml" in seen["measure_base"]
    assert "records/base/forget.jsonl" in seen["train"]
    assert {"checkpoints/training.json", "model/model.safetensors"} <= seen["measure_after"]
    assert "records/grad_ascent/forget.jsonl" in seen["score"]
    assert "scores.json" not in seen["score"]
    assert (finished.run.folder / "scores.json").is_file()


def test_a_run_builds_its_method_once(finished: Finished) -> None:
    assert finished.built == ["grad_ascent"]


def test_a_run_that_has_its_model_does_not_train_again(
    finished: Finished, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.run.folder, folder)
    (folder / "scores.json").unlink()
    stages = Stages(folder, monkeypatch)
    again = run.unlearn(settings_of(given, folder))
    assert tuple(stages.seen) == tuple(name for name in STAGES if name != "train")
    assert again.scores.models == finished.run.scores.models
    assert again.records == finished.run.records


def test_what_is_given_is_checked_without_a_trace(given: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    found, loaded = check.check(folder, settings_of(given, folder), None, None, overwrite=False)
    assert (len(found.sets.forget), found.unreadable, found.earlier) == (4, {}, None)
    assert [probe.name for probe in found.sets.probes] == ["forget"]
    assert any(weight.requires_grad for weight in loaded.model.parameters())
    with pytest.raises(InputError, match="trains on retain rows"):
        check.check(folder, settings_of(given, folder, method="grad_diff"), None, None, overwrite=False)
    assert not folder.exists()


def test_a_stage_counts_all_the_time_that_it_took_and_none_where_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([10.0, 12.5, 20.0, 21.0, 30.0])
    monkeypatch.setattr("unsee.runs.clock.time.perf_counter", lambda: next(times))
    first = clock.Clock(tmp_path / "seconds.json")
    with first("measure base"):
        pass
    resumed = clock.Clock(tmp_path / "seconds.json")
    with resumed("measure base"):
        pass
    with pytest.raises(KeyboardInterrupt), resumed("unlearn"):
        raise KeyboardInterrupt
    assert clock.Clock(tmp_path / "seconds.json").seconds == {"measure base": 3.5}
