"""Attacks by name, file or package, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unsee.audit import registry
from unsee.audit.registry import find, find_all, names
from unsee.audit.wording import Wording
from unsee.errors import InputError

FITTING = """
class Twice:
    name = "twice"
    source = "unpublished"

    def tries(self, example):
        return [example, example]
"""


def test_every_built_in_attack_is_found_by_its_name() -> None:
    assert find("wording") == Wording()
    assert [find(name).name for name in registry.ATTACKS] == list(registry.ATTACKS)
    assert set(registry.ATTACKS) <= set(names())


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        ("class Twice:", "def Twice():", "it must be a class"),
        ('"twice"', '"Twice it is"', "name: ClassVar"),
        ('"unpublished"', '" "', "source: ClassVar"),
        ("tries(self, example)", "tries(self)", "def tries.self, example."),
        ("    def tries", "    def __init__(self, much): pass\n\n    def tries", "a default for each of its fields"),
        ("    def tries", "    def __init__(self): 1 / 0\n\n    def tries", "cannot be made: ZeroDivisionError"),
        ('"twice"', '"wording"', "has the name 'wording' of a built-in attack; give it one of its own"),
    ],
)
def test_a_class_that_does_not_fit_is_refused(tmp_path: Path, before: str, after: str, missing: str) -> None:
    (tmp_path / "mine.py").write_text(FITTING.replace(before, after))
    with pytest.raises(InputError, match=f"^attack: .*mine.py:Twice .*{missing}"):
        find(f"{tmp_path / 'mine.py'}:Twice")


def test_a_name_stands_for_one_attack() -> None:
    assert [attack.name for attack in find_all(["wording"])] == ["wording"]
    with pytest.raises(InputError, match="wording is the second with the name 'wording'; give each name once"):
        find_all(["wording", "wording"])


@pytest.mark.parametrize("offered", ["twice", "thrice"])
def test_an_installed_package_offers_an_attack_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offered: str
) -> None:
    (tmp_path / "their_attacks.py").write_text(FITTING)
    about = tmp_path / "their_package-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: their_package\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(f"[unsee.attacks]\n{offered} = their_attacks:Twice\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_attacks", raising=False)
    assert offered in names()
    if offered == "twice":
        assert find("twice").name == "twice"
        return
    with pytest.raises(InputError, match=r"their_package 1.2 .* is offered as 'thrice', and its name is 'twice'"):
        find("thrice")
