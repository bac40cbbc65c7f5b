"""The answers in words follow the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from unsee.leaderboard.board import Outcome
from unsee.leaderboard.questions import gold_question, l1_question, mask_question
from unsee.leaderboard.results import Results, results
from unsee.leaderboard.statistics import Seed

PROBES = ("forget_vqa", "forget_qa", "retain_vqa", "celebrity_vqa")


def found(shares: Mapping[str, Mapping[str, float]], people: int = 20) -> Results:
    """People on each of three seeds, ten answers each, of which a share is right; other probes are all right."""

    def of(share: float) -> Seed:
        return {f"p{n}": [float(k < 10 * share) for k in range(10)] for n in range(people)}

    rows = {
        "base": {},
        "gold": {"forget_vqa": 0.1},
        "mmunlearner": {"forget_vqa": 0.1},
        "grad_diff": {"forget_vqa": 0.1},
        "npo": {"forget_vqa": 0.1},
    }
    for row, changed in shares.items():
        rows[row] = {**rows[row], **changed}
    scored: dict[str, dict[str, list[Seed]]] = {
        row: {probe: [of(own.get(probe, 1.0))] * 3 for probe in PROBES} for row, own in rows.items()
    }
    return Results(scored, ["forget_vqa"])


def test_a_mask_that_is_nearer_to_gold_beats_its_rivals() -> None:
    text = "\n".join(mask_question(found({"grad_diff": {"forget_vqa": 0.4}, "npo": {"forget_vqa": 0.0}})))
    assert "Against grad_diff: yes, it is nearer to gold on forget_vqa (-0.300 [-0.432, -0.236]" in text
    assert "Against npo: yes, it is nearer to gold on forget_vqa (+0.100" in text  # npo forgot more than gold
    assert "preserved within 0.05 of gold is shown" in text


def test_a_mask_that_is_farther_from_gold_or_loses_text_is_said_to() -> None:
    text = "\n".join(mask_question(found({"mmunlearner": {"forget_vqa": 0.5, "forget_qa": 0.8}})))
    assert "Against npo: no, it is not nearer to gold on forget_vqa (+0.400" in text
    assert "preserved within 0.05 of gold is refuted" in text


def test_no_difference_is_called_that() -> None:
    assert "no difference on forget_vqa can be shown" in "\n".join(mask_question(found({})))


def test_gold_is_reached_by_equivalence_alone() -> None:
    text = "\n".join(gold_question(found({"npo": {"celebrity_vqa": 0.9}, "grad_diff": {"forget_vqa": 0.0}})))
    assert "Reached: mmunlearner." in text
    assert "| npo | forget_vqa, forget_qa, retain_vqa | celebrity_vqa | - | - |" in text
    assert "| grad_diff | forget_qa, retain_vqa, celebrity_vqa | forget_vqa | - | - |" in text  # less than gold: a miss


def test_too_few_people_certify_nothing_and_refute_what_is_far_off() -> None:
    few = found({"npo": {"forget_vqa": 1.0}}, people=4)
    text = "\n".join(gold_question(few))
    assert "Reached: none." in text
    assert "forget_vqa (12), forget_qa (12), retain_vqa (12), celebrity_vqa (12). No row can be shown" in text
    assert "| mmunlearner | - | - | - | forget_vqa, forget_qa, retain_vqa, celebrity_vqa |" in text
    assert "| npo | - | forget_vqa | - | forget_qa, retain_vqa, celebrity_vqa |" in text


@pytest.mark.usefixtures("with_l1")
def test_l1_is_answered_from_every_configuration_tried(scripted_bench: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = scripted_bench(tmp_path, methods=("npo+lora", "npo+l1"))
    text = "\n".join(l1_question(outcome, results(outcome)))
    assert "npo+l1: of 9 configurations 9 collapsed, 9 forgot, 0 forgot without collapse" in text
    assert text.count("| npo+l1 | lr 0.0") == 9
    assert "The selected configurations" in text


@pytest.fixture
def with_l1() -> None:
    from unsee.leaderboard.grids import available

    if "npo+l1" not in available():
        pytest.skip("runs have no l1 setting")
