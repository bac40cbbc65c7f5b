"""Every benchmark says what commands need to know of it, and is found by its name, its file or its package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.data.conftest import refused
from unsee import benchmarks
from unsee.benchmarks import built_in, find, load_benchmark, names, select
from unsee.benchmarks.schemas import arrow_schema
from unsee.benchmarks.spec import BenchmarkSpec
from unsee.types import REQUESTS

BIRDS = Path(__file__).parents[2] / "examples" / "birds.py"
every_spec = pytest.mark.parametrize(
    "spec", [*map(find, built_in()), find(f"{BIRDS}:SPEC")], ids=lambda spec: spec.name
)


def test_benchmarks_are_the_folders_of_the_room() -> None:
    assert {"clear", "mllmu", "pulse", "tofu", "umu"} <= set(built_in())
    assert [find(name).name for name in built_in()] == built_in()


@every_spec
def test_defaults_are_among_the_choices(spec: BenchmarkSpec) -> None:
    assert spec.title
    assert spec.paper
    selection = select(spec)
    assert (selection.split, selection.request) == (spec.split, spec.request)
    for split in spec.splits:
        for request in spec.requests:
            assert (select(spec, split, request).split, select(spec, split, request).request) == (split, request)


@every_spec
def test_a_wrong_split_or_request_is_refused_with_the_nearest(spec: BenchmarkSpec) -> None:
    message = refused(select, spec, f"{spec.split}x")
    assert message.startswith(f"split is '{spec.split}x'; it is one of {', '.join(spec.splits)} (did you mean ")
    message = refused(select, spec, None, f"{spec.request}x")
    assert message == (
        f"request is '{spec.request}x'; it is one of {', '.join(spec.requests)} (did you mean {spec.request!r}?)"
    )
    for request in set(REQUESTS) - set(spec.requests):
        assert f"one of {', '.join(spec.requests)}" in refused(select, spec, None, request)


@every_spec
def test_every_configuration_has_columns_of_known_types(spec: BenchmarkSpec) -> None:
    for config, columns in spec.columns.items():
        assert arrow_schema(columns).names == list(columns), config


@every_spec
def test_training_questions_are_asked_for_where_they_are_published_alone(spec: BenchmarkSpec) -> None:
    if spec.training:
        assert select(spec, training="elsewhere").training == "elsewhere"
    else:
        message = refused(select, spec, training="elsewhere")
        assert message.startswith("training questions of their own belong to ")
        assert message.endswith(f", not to {spec.name}")
        assert "mllmu" in message


@every_spec
def test_a_folder_of_something_else_is_refused(spec: BenchmarkSpec, tmp_path: Path) -> None:
    (tmp_path / "something.json").write_text("[]")
    kind = f"{BIRDS}:SPEC" if spec.name == "birds" else spec.name
    assert "no configuration" in refused(load_benchmark, tmp_path, kind)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"split": "owl"}, "split='owl' is none of its splits ('robin', 'wren')"),
        ({"splits": "robin"}, "split='robin' is none of its splits 'robin'"),
        ({"request": "both"}, "request='both' is none of its requests"),
        ({"requests": ("seen",), "request": "seen"}, "no request 'seen'; there are visual, textual, both"),
        ({"columns": {}}, "no columns"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(changes: dict[str, Any], problem: str) -> None:
    assert problem in refused(replace, find(f"{BIRDS}:SPEC"), **changes)


def test_a_folder_is_all_that_a_benchmark_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "birds").mkdir()
    shutil.copy(BIRDS, tmp_path / "birds" / "__init__.py")
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])
    assert {"birds", "clear", "mllmu", "tofu"} <= set(built_in())
    assert find("birds").title == "Garden birds"
    del sys.modules["unsee.benchmarks.birds"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with two benchmarks, one of which goes by another name than its own."""
    shutil.copy(BIRDS, tmp_path / "garden.py")
    about = tmp_path / "garden-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: garden\nVersion: 1.2\n")
    entries = "birds = garden:SPEC\nfinches = garden:SPEC\nlist = garden:COLUMNS\n"
    (about / "entry_points.txt").write_text(f"[unsee.benchmarks]\n{entries}")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("package")
def test_a_benchmark_of_an_installed_package_is_found_by_its_entry_point() -> None:
    assert names() == [*built_in(), "birds", "finches", "list"]
    assert find("birds").title == "Garden birds"
    assert benchmarks.source_of("birds") == "garden 1.2 (garden:SPEC)"
    assert benchmarks.source_of("clear") == ""
    assert "(did you mean 'birds'?)" in refused(find, "bird")
    place = "benchmark: garden 1.2"
    assert refused(find, "finches") == (
        f"{place} (garden:SPEC) is called 'finches', and its name is 'birds'; give both one name"
    )
    assert refused(find, "list").startswith(f"{place} (garden:COLUMNS) is dict, not a BenchmarkSpec")


@pytest.mark.parametrize(
    ("file", "name", "problem"),
    [
        ("nowhere.py", "SPEC", "nowhere.py is no file"),
        ("birds.py", "SPEK", "has no 'SPEK'"),
        ("birds.py", "QUESTION", "is str, not a BenchmarkSpec; make one, as unsee.benchmarks.clear does"),
        ("taken.py", "SPEC", "has the name 'clear' of a built-in one; give it one of its own"),
        ("odd.py", "SPEC", "split='robin' is none of its splits ('owl',)"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, file: str, name: str, problem: str) -> None:
    written = BIRDS.read_text()
    (tmp_path / "birds.py").write_text(written)
    (tmp_path / "taken.py").write_text(written.replace('"birds"', '"clear"'))
    (tmp_path / "odd.py").write_text(written.replace('("robin", "wren")', '("owl",)'))
    message = refused(find, f"{tmp_path / file}:{name}")
    assert message.startswith("benchmark: ")
    assert problem in message


def test_names_are_known_without_what_reads_the_files() -> None:
    code = "import sys; from unsee import benchmarks; benchmarks.names(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "datasets", "pyarrow", "PIL", "numpy", "unsee.data"} & set(loaded)
