"""`docs/architecture.md` is about the house that stands: its rooms, in the order of their floors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repository import house

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "architecture.md").read_text("utf-8")


def standing() -> list[str]:
    """The rooms of the package, from the ground up."""
    drawn = house.arrows(ROOT / "src")
    assert set(drawn) <= set(house.FLOORS)
    return [room for room in house.FLOORS if room in drawn]


def test_every_room_has_its_line_in_the_order_of_the_floors(page: str) -> None:
    rooms = page.partition("## Rooms and floors")[2].partition("## ")[0]
    assert re.findall(r"^\| `(\w+)` \| \S", rooms, re.MULTILINE) == standing()


def test_the_drawing_holds_every_room_once_and_no_other(page: str) -> None:
    drawing = page.partition("flowchart TB")[2].partition("```")[0]
    floors = re.findall(r"<b>(.*?)</b>", drawing)
    assert [room for floor in reversed(floors) for room in re.findall(r"\w+", floor)] == standing()


def test_every_file_that_the_page_links_or_names_exists(page: str) -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", page)
    assert linked
    assert [path for path in linked if not (ROOT / "docs" / path).exists()] == []
    named = re.findall(r"`((?:src|tests|docs)/[\w./]+)`", page)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_figures_of_now_are_those_that_are_counted(page: str) -> None:
    drawn = house.arrows(ROOT / "src")
    counted = [len(house.loose(ROOT / "src")), len(drawn), sum(map(len, drawn.values())), len(house.climbing(drawn))]
    table = page.partition("| | before | now |")[2].partition("| circle")[0]
    assert [int(now) for now in re.findall(r"\| (\d+) \|$", table, re.MULTILINE)] == counted
