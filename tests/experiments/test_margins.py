"""When something counts as forgotten or kept is decided in one place, for studies too."""

from __future__ import annotations

import ast

from tests.experiments.scripts import EXPERIMENTS

PACKAGE = EXPERIMENTS.parent / "src" / "unsee"
CRITERIA = PACKAGE / "evaluation" / "criteria.py"


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


def test_margins_come_from_the_criteria() -> None:
    own = {
        path: names
        for path in [*EXPERIMENTS.glob("*.py"), *PACKAGE.rglob("*.py")]
        if (names := [name for name in margins_of(path.read_text("utf-8")) if name.isupper()])
    }
    assert own.keys() == {CRITERIA}


def test_a_margin_of_its_own_is_found() -> None:
    assert margins_of("MARGIN: float = 0.1\nKEEP_MARGIN = 0.2\nother = 3") == ["MARGIN", "KEEP_MARGIN"]
