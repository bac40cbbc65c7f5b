"""Code from outside: files are run once and under a name of their own; whatever is wrong with them is one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unsee.errors import InputError
from unsee.system.plugins import digest_of_file, entry_points_of, load_from_file, names_a_file

DATACLASS = """
from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

runs = []
runs.append(1)


@dataclass(frozen=True)
class Mine:
    name: ClassVar[str] = "mine"
    strength: float = 2.0
"""


def _file(folder: Path, content: str, name: str = "mine.py") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(content)
    return path


def _package(folder: Path, name: str, entries: str, code: str = "class Mine: ...\n") -> None:
    """An installed package, as pip would leave it on the search path."""
    _file(folder, code, f"{name}.py")
    about = folder / f"{name}-1.2.dist-info"
    _file(about, f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n", "METADATA")
    _file(about, f"[unsee.testing]\n{entries}\n", "entry_points.txt")


def test_a_name_of_a_file_is_found_and_the_file_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _file(tmp_path, DATACLASS)
    found = load_from_file(f"{path}:Mine", "method")
    assert found(strength=3.0).strength == 3.0
    monkeypatch.chdir(tmp_path)
    assert load_from_file("mine.py:Mine", "benchmark") is found
    assert load_from_file("./mine.py:runs", "method") == [1]


def test_files_of_one_name_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    first = load_from_file(f"{_file(tmp_path / 'a', DATACLASS)}:Mine", "method")
    second = load_from_file(f"{_file(tmp_path / 'b', DATACLASS)}:Mine", "method")
    assert first is not second
    assert "mine" not in sys.modules


def test_running_a_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    load_from_file(f"{_file(tmp_path, DATACLASS)}:Mine", "method")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    ("content", "place", "expected"),
    [
        (DATACLASS, "other.py:Mine", "method: {folder}/other.py is no file"),
        (DATACLASS, ".:Mine", "method: {folder} is no file"),
        (DATACLASS, "mine.py:Mime", "mine.py has no 'Mime' (did you mean 'Mine'?); it has Mine"),
        ("", "mine.py:Mine", "it defines nothing"),
        (DATACLASS, "mine.py", "give FILE.py:NAME"),
        (DATACLASS, "mine.py:", "give FILE.py:NAME"),
        (DATACLASS, "mine.py:not a name", "give FILE.py:NAME"),
        ("x = 1\nclass Mine\n", "mine.py:Mine", "mine.py cannot be imported: line 2: SyntaxError: expected ':'"),
        ("\n\nx = y\n", "mine.py:Mine", "line 3: NameError: name 'y' is not defined"),
        ("import no_such_package\n", "mine.py:Mine", "line 1: ModuleNotFoundError: No module named 'no_such_package'"),
        ("import json\nx = json.loads('{')\n", "mine.py:Mine", "line 2: JSONDecodeError"),
        ("import sys\nsys.exit(3)\n", "mine.py:Mine", "line 2: SystemExit: 3"),
        ("x = 1\0", "mine.py:Mine", "mine.py cannot be imported: "),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(content: str, place: str, expected: str, tmp_path: Path) -> None:
    _file(tmp_path, content)
    where = str(tmp_path) + place[1:] if place.startswith(".:") else f"{tmp_path}/{place}"
    with pytest.raises(InputError) as caught:
        load_from_file(where, "method")
    assert expected.format(folder=tmp_path) in str(caught.value)


def test_a_file_that_failed_is_run_again(tmp_path: Path) -> None:
    path = _file(tmp_path, "x = y\n")
    with pytest.raises(InputError, match="NameError"):
        load_from_file(f"{path}:Mine", "method")
    path.write_text(DATACLASS)
    assert load_from_file(f"{path}:Mine", "method").name == "mine"


def test_the_digest_of_a_file_changes_with_a_letter_of_it(tmp_path: Path) -> None:
    path = _file(tmp_path, DATACLASS)
    before = digest_of_file(path, "method")
    assert digest_of_file(path, "benchmark") == before
    path.write_text(DATACLASS.replace("2.0", "2.1"))
    assert digest_of_file(path, "method") != before
    with pytest.raises(InputError, match="method: cannot read"):
        digest_of_file(tmp_path / "none.py", "method")


def test_places_are_told_from_names() -> None:
    assert all(map(names_a_file, ["mine.py:Mine", "mine.py", "a/mine", "a/mine.py:Mine"]))
    assert not any(map(names_a_file, ["npo", "npo+lora", "my_method"]))


def test_what_packages_offer_is_imported_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _package(tmp_path, "lazy_package", "mine = lazy_package:Mine")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = entry_points_of("unsee.testing")
    assert list(found) == ["mine"]
    assert found["mine"].places == ("lazy_package 1.2 (lazy_package:Mine)",)
    assert found["mine"].package == "lazy_package 1.2"
    assert "lazy_package" not in sys.modules
    assert found["mine"].load().__name__ == "Mine"
    assert entry_points_of("unsee.nobody") == {}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = y\n", "line 1: NameError: name 'y' is not defined"),
        ("class Other: ...\n", "AttributeError"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("import sys\nsys.exit()\n", "line 2: SystemExit"),
    ],
)
def test_what_is_wrong_with_a_package_is_one_line(
    code: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"broken_{abs(hash(code))}"
    _package(tmp_path, name, f"mine = {name}:Mine", code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InputError) as caught:
        entry_points_of("unsee.testing")["mine"].load()
    assert f"unsee.testing: mine of {name} 1.2 ({name}:Mine) cannot be loaded" in str(caught.value)
    assert expected in str(caught.value)


def test_a_name_of_two_packages_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first_package", "second_package"):
        _package(tmp_path, name, f"mine = {name}:Mine\nown_{name} = {name}:Mine")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = entry_points_of("unsee.testing")
    with pytest.raises(
        InputError, match=r"2 plug-ins, .*first_package.* and .*second_package.*; uninstall all but one"
    ):
        found["mine"].load()
    assert found["own_first_package"].load().__module__ == "first_package"
