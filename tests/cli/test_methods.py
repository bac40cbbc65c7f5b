"""`unsee methods`: everything a person needs to know before choosing one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.commandline import call, succeed
from unsee.cli.methods import plain
from unsee.methods import METHODS


def test_json_tells_all_about_every_method() -> None:
    found = succeed("methods", "--json").json
    assert list(found) == list(METHODS)
    for name, about in found.items():
        assert about["name"] == name
        assert about["summary"].endswith(".")
        assert "arXiv" in about["paper"]
        assert about["needs"] or name == "random_noise"
        assert all(one["meaning"] for one in about["hyper_parameters"].values())
    assert found["npo"]["hyper_parameters"]["beta"] == {
        "default": 0.1,
        "meaning": "inverse temperature of the preference, per summed nat",
    }
    assert found["npo"]["hyper_parameters"]["variant"]["choices"] == ["published", "clear_repo"]
    assert found["npo"]["needs"] == ["forget rows", "retain rows", "the starting model"]
    assert found["sku"]["needs"] == ["forget rows", "retain rows", "the starting model", "answers of other rows"]
    assert found["mmunlearner"]["needs"] == ["forget rows", "retain rows", "a saliency mask"]


@pytest.mark.parametrize("name", METHODS)
def test_one_method(name: str) -> None:
    about = succeed("methods", name, "--json").json
    shown = " ".join(succeed("methods", name).out.split())
    assert about["summary"] in shown
    assert about["paper"] in shown
    for parameter, one in about["hyper_parameters"].items():
        assert f"{parameter} {plain(one['default'])} {one['meaning'][:20]}" in shown
        assert ", ".join(one.get("choices", [])) in shown


def test_the_list_names_every_method_with_its_paper() -> None:
    shown = " ".join(succeed("methods").out.split())
    for name, method in METHODS.items():
        assert name in shown
        assert method.paper in shown
    assert "set with --set: beta=0.1, forget_weight=1, retain_weight=1" in shown


FILE = Path(__file__).parents[2] / "examples" / "hinge.py"


def _install(folder: Path, monkeypatch: pytest.MonkeyPatch, **entries: str) -> None:
    """A package on the search path, as pip would leave it, with the example and what is said of its entry points."""
    (folder / "others.py").write_text(FILE.read_text())
    about = folder / "others-0.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 0.3\n")
    lines = [f"{name} = {place}" for name, place in entries.items()]
    (about / "entry_points.txt").write_text("\n".join(["[unsee.methods]", *lines, ""]))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "others", raising=False)


def test_a_method_of_a_file_is_told_of_as_any_other() -> None:
    about = succeed("methods", f"{FILE}:Hinge", "--json").json
    assert about["name"] == "hinge"
    assert about["source"] == f"{FILE}:Hinge"
    assert about["needs"] == ["forget rows", "retain rows"]
    assert about["hyper_parameters"]["floor"]["default"] == 4.0
    assert "unpublished: an example" in succeed("methods", f"{FILE}:Hinge").out


def test_methods_of_installed_packages_are_listed_with_where_they_are_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(
        tmp_path,
        monkeypatch,
        hinge="others:Hinge",
        broken="others:Nothing",
        npo="others:Hinge",
        misnamed="others:Hinge",
    )
    found = succeed("methods", "--json").json
    assert list(found) == [*METHODS, "broken", "hinge", "misnamed", "npo of others 0.3"]
    assert found["hinge"]["source"] == "others 0.3 (others:Hinge)"
    assert "unsee.methods: broken of others 0.3 (others:Nothing) cannot be loaded" in found["broken"]["error"]
    assert "leads to a class with the name 'hinge'" in found["misnamed"]["error"]
    assert "built-in method has the same name" in found["npo of others 0.3"]["error"]
    shown = " ".join(succeed("methods").out.split())
    assert "from others 0.3 (others:Hinge)" in shown
    assert "broken cannot be used" in shown
    assert succeed("methods", "hinge", "--json").json == found["hinge"]
    assert "did you mean 'hinge'" in call("methods", "hinges").err
    assert call("methods", "broken").code == 2
