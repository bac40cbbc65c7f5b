"""What a run keeps of a method from outside: enough to read it when the code has gone, and never a reason to run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unsee.errors import InputError
from unsee.methods import MethodCard, Needs
from unsee.runs.settings import kept_card, parse
from unsee.system.strict import dump_yaml

CARD: dict[str, Any] = {
    "name": "mine",
    "paper": "unpublished",
    "needs": {"retain": True},
    "source": "a package of somebody's 1.0",
}


def _run(folder: Path, used: str, **kept: Any) -> Path:
    settings = {"model": "m", "forget": "f.jsonl", "method": used, "hyper_parameters": {"strength": 2.0}}
    path = folder / "run.yaml"
    path.write_text(dump_yaml({"settings": settings, **kept}))
    return path


@pytest.mark.parametrize("method", ["mine", "/nowhere/mine.py:Mine"])
def test_a_run_is_read_although_its_method_has_gone(method: str, tmp_path: Path) -> None:
    card = kept_card(_run(tmp_path, method, method=CARD))
    assert card == MethodCard("mine", "unpublished", Needs(retain=True), CARD["source"])
    values = {"model": "m", "forget": "f.jsonl", "out": "o", "method": method, "hyper_parameters": {"strength": 2.0}}
    settings = parse(values, "run.yaml", card)
    assert (settings.card, settings.hyper_parameters) == (card, {"strength": 2.0})
    assert settings.model_copy(update={"gold": "g"}).card == card
    assert settings.model_copy(update={"method": "npo", "hyper_parameters": {}}).card.name == "npo"


def test_of_a_built_in_method_nothing_is_kept(tmp_path: Path) -> None:
    assert kept_card(_run(tmp_path, "npo")) is None
    settings = parse({"model": "m", "forget": "f", "out": "o", "method": "npo"})
    assert settings.card.paper.startswith("Zhang et al. 2024")


@pytest.mark.parametrize(
    ("method", "kept", "said"),
    [
        ("/nowhere/mine.py:Mine", {}, "is from outside, and nothing else is said of it there"),
        ("mine", {"method": {**CARD, "name": "../../mine"}}, "run.yaml: method: name: string should match pattern"),
        ("mine", {"method": {"name": "mine"}}, "run.yaml: method: paper: field required"),
        ("mine", {"method": {**CARD, "needs": {"reference": "all"}}}, "method: needs.reference: input should be"),
    ],
)
def test_a_card_that_no_run_wrote_is_refused_in_one_line(
    method: str, kept: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        kept_card(_run(tmp_path, method, **kept))
    assert said in str(caught.value)
