"""`unsee report RUN RUN`: several runs on one base and the same probes on one page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Stranger
from tests.cli.test_gold import Scene
from tests.commandline import call, files_of, succeed
from tests.report.samples import Page


@pytest.fixture(scope="module")
def scene(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(stranger, tmp_path_factory.mktemp("together"))


@pytest.fixture(scope="module")
def runs(scene: Scene) -> tuple[Path, Path]:
    """Two runs on one base by two methods, of which the second has gold."""
    return scene.done("ascent"), scene.done("noise", "--gold", scene.gold, method="random_noise")


def test_the_page_of_two_runs_names_both_methods(runs: tuple[Path, Path], tmp_path: Path) -> None:
    before = [files_of(run) for run in runs]
    shown = succeed("report", *runs, "--out", tmp_path / "all.html", "--json").json
    page = Page((tmp_path / "all.html").read_text())
    table = page.words[page.words.index("What became of it") : page.words.index("in numbers")]
    assert [table.index(name) for name in ("before", "gold", "grad_ascent")] == sorted(
        table.index(name) for name in ("before", "gold", "grad_ascent")
    )
    assert "llava is made to forget Ada Byron, by grad_ascent and random_noise" in page.words
    classes = [attributes.get("class") for attributes in page.all("tr")]
    assert [name for name in classes if name in ("base", "gold", "method")] == ["base", "gold", "method", "method"]
    assert f"unsee report {runs[0]} {runs[1]} --out FILE" in page.words
    assert "random_noise.method" in page.words  # what the runs were set to alone; the seed is that of both
    assert "random_noise.seed" not in page.words
    assert shown["report"] == str(tmp_path / "all.html")
    assert [files_of(run) for run in runs] == before


def test_a_run_that_is_named_twice_has_its_own_page(runs: tuple[Path, Path]) -> None:
    assert succeed("report", runs[0], runs[0], "--json").json["report"] == str(runs[0] / "report.html")


def test_runs_of_one_method_are_told_apart_by_their_folders(runs: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "again")
    succeed("report", runs[0], tmp_path / "again", "--out", tmp_path / "all.html")
    words = Page((tmp_path / "all.html").read_text()).words
    assert "by grad_ascent (ascent) and grad_ascent (again)" in words


def test_gold_is_given_to_each_of_the_runs(runs: tuple[Path, Path], scene: Scene, tmp_path: Path) -> None:
    copies = [Path(shutil.copytree(run, tmp_path / run.name)) for run in runs]
    succeed("report", *copies, "--gold", scene.gold, "--out", tmp_path / "all.html")
    rows = [{path.name: path.read_text() for path in copy.glob("records/gold/*.jsonl")} for copy in copies]
    assert rows[0] == rows[1] != {}
    assert "No gold model given" not in Page((tmp_path / "all.html").read_text()).words


def test_several_runs_need_a_place_for_their_page(runs: tuple[Path, Path]) -> None:
    before = [files_of(run) for run in runs]
    outcome = call("report", *runs)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert "give --out FILE" in line
    assert [files_of(run) for run in runs] == before


@pytest.mark.parametrize(
    ("key", "value", "keywords"),
    [("model", "0" * 64, "start from different models"), ("others", "0" * 64, "probe others has other rows")],
)
def test_runs_on_another_base_or_other_probes_are_refused(
    runs: tuple[Path, Path], scene: Scene, tmp_path: Path, key: str, value: str, keywords: str
) -> None:
    other = Path(shutil.copytree(runs[1], tmp_path / "other"))
    settings = other / "run.yaml"
    text = re.sub(rf"{key}: '?[0-9a-f]{{64}}'?", f"{key}: '{value}'", settings.read_text())
    assert text != settings.read_text()
    settings.write_text(text)
    before = files_of(tmp_path)
    outcome = call("report", runs[0], other, "--gold", scene.gold, "--out", tmp_path / "all.html")
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert keywords in line
    assert files_of(tmp_path) == before
