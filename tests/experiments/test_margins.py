"""When something counts as forgotten or kept is decided in one place, for studies too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.experiments.scripts import EXPERIMENTS

LEADERBOARD = EXPERIMENTS.parent / "src" / "unsee" / "leaderboard"


def margins_of(text: str) -> list[str]:
    """Names of margins that a module gives a value of its own."""
    targets = [
        target
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if name.lower().endswith("margin")]


@pytest.mark.parametrize(
    "path", sorted([*EXPERIMENTS.glob("*.py"), *LEADERBOARD.glob("*.py")]), ids=lambda path: path.stem
)
def test_margins_come_from_the_criteria(path: Path) -> None:
    assert not [name for name in margins_of(path.read_text()) if name.isupper()]


def test_a_margin_of_its_own_is_found() -> None:
    assert margins_of("MARGIN: float = 0.1\nKEEP_MARGIN = 0.2\nother = 3") == ["MARGIN", "KEEP_MARGIN"]
