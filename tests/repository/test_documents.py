"""The papers at the door say what is so: how to cite, what has moved, what a source archive holds."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

import unsee
from tests.repository import house

ROOT = Path(__file__).parents[2]
ENTRY_POINTS = {f"unsee.{group}" for group in ("methods", "metrics", "attacks", "benchmarks")}
STANDING_IN = {"methods": "npo", "audit": "wording", "benchmarks": "tofu", "sections": "rates", "metrics": "pope"}


@pytest.fixture(scope="module")
def citation() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    return read


def test_the_citation_has_what_its_format_requires(citation: dict[str, Any]) -> None:
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["authors"] == [{"name": "The unsee developers"}]
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= reference.keys()


def test_the_citation_is_of_this_version_and_license(citation: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["version"] == unsee.__version__ == project["version"]
    assert citation["license"] == project["license"]


def test_the_citation_refers_to_three_papers_by_number_and_address(citation: dict[str, Any]) -> None:
    numbers = {
        identifier["value"].removeprefix("arXiv:"): reference["url"]
        for reference in citation["references"]
        for identifier in reference["identifiers"]
    }
    assert numbers == {
        number: f"https://arxiv.org/abs/{number}" for number in ("2502.11051", "2410.18057", "2402.09801")
    }


def test_every_python_path_that_the_changelog_moves_something_to_exists() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert "## [Unreleased]" in changelog
    moved = re.findall(r"^  \| `.*\| (.*) \|$", changelog, re.MULTILINE)
    names = [name for cell in moved for name in re.findall(r"`([\w.]+)`", cell)]
    assert "unsee.benchmarks.load_benchmark" in names
    known = house.modules(ROOT / "src")
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert name in known or f"def {attribute}(" in known[module].read_text("utf-8"), name


@pytest.fixture(scope="module")
def guide() -> str:
    """CONTRIBUTING.md, with a method, a benchmark and the like that exist in the place of NAME."""
    written = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return re.sub(r"(\w+)/(test_)?NAME", lambda place: place[0].replace("NAME", STANDING_IN[place[1]]), written)


def test_every_path_that_the_guide_for_contributors_names_exists(guide: str) -> None:
    named = set(re.findall(r"\b(?:src|tests|docs|examples)/[\w./]*|\b[A-Z]+\.(?:md|cff)\b", guide))
    assert {"src/unsee/methods/npo.py", "docs/architecture.md", "CHANGELOG.md", "tests/vlm"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_what_the_lists_of_the_guide_tell_one_to_look_for_is_there(guide: str) -> None:
    """`BUILT_IN`, `EXPECTED` and the like stand in the file that a step is about."""
    steps = re.findall(r"^- \[ \] `([\w./]+)`[^:\n]*:(.*(?:\n  .*)*)", guide, re.MULTILINE)
    wanted = [(path, name) for path, words in steps for name in re.findall(r"`([A-Z_]{4,})`", words)]
    assert len(wanted) >= 4
    for path, name in wanted:
        assert re.search(rf"^{name}\b", (ROOT / path).read_text("utf-8"), re.MULTILINE), f"{name} in {path}"


def test_a_source_archive_holds_the_papers_at_the_door() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {path.name for path in ROOT.glob("*.md")} | {"CITATION.cff", "LICENSE"} <= set(included)
    assert [name for name in included if not (ROOT / name).exists()] == []


def test_every_python_path_in_docstrings_comments_and_pages_exists() -> None:
    pages = [path for path in (ROOT / "docs").glob("*.md") if path.name != "defects.md"]
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "experiments").glob("*.py"), *pages, ROOT / "README.md"]
    gone = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in re.findall(r"`(unsee(?:\.\w+)+)`", path.read_text("utf-8"))
        if name not in ENTRY_POINTS and not _exists(name)
    }
    assert gone == set()


def _exists(name: str) -> bool:
    """Whether a dotted name leads to a module, or to something in one."""
    parts = name.split(".")
    known = house.modules(ROOT / "src")
    module = next(length for length in range(len(parts), 0, -1) if length == 1 or ".".join(parts[:length]) in known)
    held: Any = import_module(".".join(parts[:module]))
    for part in parts[module:]:
        fields = {*getattr(held, "__dataclass_fields__", ()), *getattr(held, "model_fields", ())}
        if part in fields:
            return True
        if not hasattr(held, part):
            return False
        held = getattr(held, part)
    return True
