"""The house: few loose modules, imports that only go down, and tests that stand where what they test does."""

from __future__ import annotations

from pathlib import Path

from tests.repository import house

ROOT = Path(__file__).parents[2]
# Folders of tests that stand for no room: they are about the repository, its scripts, or the program as a whole.
WHOLE = {"repository", "experiments", "hostile"}


def test_at_most_five_modules_stand_loose() -> None:
    assert len(house.loose(ROOT / "src")) <= 5


def test_every_room_has_its_floor_and_imports_only_go_down() -> None:
    drawn = house.arrows(ROOT / "src")
    assert set(drawn) <= set(house.FLOORS)
    assert house.climbing(drawn) == []


def test_no_imports_go_in_a_circle() -> None:
    assert house.circle(house.module_graph(ROOT / "src")) == []


def test_an_upward_import_and_a_circle_are_seen(tmp_path: Path) -> None:
    written = {"metrics/a": "def f():\n    from unsee.data import b\n", "data/b": "import unsee.metrics.a"}
    for name, text in written.items():
        path = tmp_path / "unsee" / f"{name}.py"
        path.parent.mkdir(parents=True)
        path.with_name("__init__.py").touch()
        path.write_text(text)
    assert house.climbing(house.arrows(tmp_path)) == ["unsee.metrics.a imports unsee.data.b"]
    assert set(house.circle(house.module_graph(tmp_path))) == {"unsee.metrics.a", "unsee.data.b"}


def test_tests_stand_where_what_they_test_does() -> None:
    rooms = {path.name for path in (ROOT / "src" / "unsee").iterdir() if path.is_dir()} | WHOLE
    strays = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py") if path.parts[-2] == "tests"]
    assert strays == []
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= rooms
