"""Models that did not move, and models that say nothing any more, are named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
import torch
from torch import nn

from tests import tiny
from tests.evaluation.test_measure import record
from unsee.evaluation.condition import condition
from unsee.evaluation.records import Record
from unsee.vlm import LoraOptions, load
from unsee.vlm.change import Start

CITIES = ("Riga", "Oslo", "Lima", "London")


def asked(probe: str, rows: int = 12) -> list[Record]:
    """Right answers to questions about several cities."""
    found = [record(n, f"person {n}", "city", True, expected=CITIES[n % 4], said=CITIES[n % 4]) for n in range(rows)]
    return [replace(row, probe=probe) for row in found]


BASE = {"her": asked("her"), "others": asked("others"), "scenes": asked("scenes")}
ROLES = {"her": "forget", "others": "keep", "scenes": "keep"}


def after(change: Callable[[Record], Record], *probes: str) -> dict[str, list[Record]]:
    """The base's records with some probes answered otherwise."""
    return {name: [change(row) if name in (probes or BASE) else row for row in rows] for name, rows in BASE.items()}


def saying(text: str) -> Callable[[Record], Record]:
    return lambda row: replace(row, said=text, correct=False)


def test_a_refusal_of_what_was_to_go_is_no_collapse() -> None:
    assert condition(after(saying("I do not know."), "her"), BASE, ROLES) is None
    assert condition(BASE, BASE, ROLES) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the the the", "Every answer is the same (“the the the”), whatever is asked."),
        ("", "Every answer is empty, whatever is asked."),
        (" !?\n.", "Every answer is empty, whatever is asked."),
    ],
)
def test_one_answer_to_everything_is_collapse_and_not_forgetting(text: str, said: str) -> None:
    found = condition(after(saying(text)), BASE, ROLES)
    assert found is not None
    assert (found.kind, found.sentence) == ("no longer answers", f"{said} This is collapse and not forgetting.")


def test_an_answer_that_runs_from_right_to_left_is_set_apart_where_it_is_quoted() -> None:
    found = condition(after(saying("שבת")), BASE, ROLES)
    assert found is not None
    assert "(“\u2068שבת\u2069”)" in found.sentence


def test_one_answer_in_ten_that_is_left_does_not_hide_it() -> None:
    lost = after(saying("Riga"))
    lost["others"][0] = BASE["others"][1]
    found = condition(lost, BASE, ROLES)
    assert found is not None
    assert found.sentence.startswith("96 % of the answers are the same (“riga”)")


def test_right_answers_that_became_hopeless_are_collapse() -> None:
    def unlikely(row: Record) -> Record:
        return replace(row, log_prob=row.log_prob - 7.0, said=f"{row.index} %", correct=False)  # two tokens

    found = condition(after(unlikely), BASE, ROLES)
    assert found is not None
    assert found.sentence.startswith("Right answers to what should stay went from -0.5 to -4.0 nats per token.")
    assert condition(after(unlikely, "her"), BASE, ROLES) is None
    gone = condition(after(lambda row: replace(row, log_prob=nan), "others"), BASE, ROLES)
    assert gone is not None
    assert "no longer a number" in gone.sentence


def test_where_nothing_should_stay_answers_alike_are_not_decided() -> None:
    only = {"her": [replace(row, said="I cannot say.") for row in BASE["her"]]}
    found = condition(only, {"her": BASE["her"]}, {"her": "forget"})
    assert found is not None
    assert found.kind == "answers alike"
    assert "whether the model still answers at all is not known" in found.sentence


def test_a_base_that_always_said_the_same_has_not_collapsed() -> None:
    same = after(saying("yes"))
    assert condition(same, same, ROLES) is None


def test_a_model_that_did_not_move_is_the_model_before() -> None:
    for share, length, said in ((0.0, 0.0, "No weight moved:"), (0.02, 3e-10, "No weight moved by more than 3e-10")):
        found = condition(BASE, BASE, ROLES, {"share": share, "length": length})
        assert found is not None
        assert found.kind == "unmoved"
        assert found.sentence.startswith(said)
    assert condition(BASE, BASE, ROLES, {"share": 1.0, "length": 2e-3}) is None


@pytest.fixture
def layers() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 300), nn.Linear(300, 8))
    for weight in model[1].parameters():
        weight.requires_grad_(False)
    return model


def step(model: nn.Module, rate: float) -> None:
    """A step of AdamW moves every weight by its rate."""
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(rate * torch.sign(torch.randn_like(weight)))


def test_what_half_precision_rounds_away_has_not_moved(layers: nn.Module) -> None:
    for dtype, moves in ((torch.float32, True), (torch.bfloat16, False)):
        layers.to(dtype)
        start = Start.of(layers)
        assert start.moved(layers) == {"share": 0.0, "length": 0.0}
        step(layers, 1e-6)
        found = start.moved(layers)
        assert (found["length"] > 1e-5) == moves
        assert (found["share"] > 0.5) == moves
    with torch.no_grad():
        layers.get_parameter("1.weight").add_(1.0)  # which may not move, and is not looked at
    assert start.moved(layers)["share"] == found["share"]


@pytest.mark.parametrize(("rate", "moves"), [(1e-12, False), (1e-3, True)])
def test_an_adapter_counts_by_what_it_adds_to_its_layer(tmp_path: Path, rate: float, moves: bool) -> None:
    model = load(tiny.save(tiny.llava(), tmp_path), lora=LoraOptions(rank=4, alpha=4), device="cpu").model
    start = Start.of(model)
    step(model, rate)  # its second factor was zero and is not any more, however small
    found = start.moved(model)
    assert found["share"] > 0.9
    assert (found["length"] > 1e-5) == moves
