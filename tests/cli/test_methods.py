"""`unsee methods`: everything a person needs to know before choosing one."""

from __future__ import annotations

import pytest

from tests.commandline import succeed
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
